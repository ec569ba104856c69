//! Where each account is online: who appears at one address and is silent at another has moved.

use arrayvec::ArrayVec;
use hashbrown::HashMap;
use sigdb::{AccountText, AppId};

use super::im::Key;

/// Places of one account at most; of more, the oldest is no longer looked at.
const PLACES: usize = 4;

/// The places of every account that is online.
#[derive(Debug, Default)]
pub(super) struct Homes(HashMap<(AppId, AccountText), ArrayVec<Key, PLACES>, foldhash::fast::RandomState>);

impl Homes {
    /// The account came online there.
    pub(super) fn entered(&mut self, key: Key, account: &AccountText) {
        let places = self.0.entry((key.application, *account)).or_default();
        if places.contains(&key) {
            return;
        }
        if places.is_full() {
            places.remove(0);
        }
        places.push(key);
    }

    /// The account went offline there.
    pub(super) fn left(&mut self, key: Key, account: &AccountText) {
        let name = (key.application, *account);
        let Some(places) = self.0.get_mut(&name) else { return };
        places.retain(|place| *place != key);
        if places.is_empty() {
            self.0.remove(&name);
        }
    }

    /// Where else the account is.
    pub(super) fn others(&self, key: Key, account: &AccountText) -> ArrayVec<Key, PLACES> {
        let places = self.0.get(&(key.application, *account)).into_iter().flatten();
        places.filter(|place| **place != key).copied().collect()
    }
}
