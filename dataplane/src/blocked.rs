//! Sources whose new flows are refused, whatever the rules say: control puts them here for a time.

use std::collections::HashSet;

use crate::endpoint::Address;

/// The addresses. Control bounds them.
#[derive(Debug, Default)]
pub struct BlockedSources(HashSet<Address>);

impl BlockedSources {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one.
    pub fn has(&self, address: Address) -> bool {
        !self.0.is_empty() && self.0.contains(&address)
    }
}

impl FromIterator<Address> for BlockedSources {
    fn from_iter<I: IntoIterator<Item = Address>>(addresses: I) -> Self {
        Self(addresses.into_iter().collect())
    }
}
