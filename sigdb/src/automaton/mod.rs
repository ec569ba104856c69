//! What the compiler makes of many signatures' tests so that one look answers all of them.

pub(crate) mod literal;
pub(crate) mod names;
pub(crate) mod opening;
pub(crate) mod sieve;
