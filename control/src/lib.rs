//! The control core: configuration, presence, records, export and management; and offline replay through the same pipeline.

pub mod export;
pub mod record;
