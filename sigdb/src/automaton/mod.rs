//! What the compiler makes of many signatures' tests so that one look answers all of them.

pub(crate) mod names;
