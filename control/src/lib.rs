//! The control core: configuration, presence, records, export and management; and offline replay through the same pipeline.

pub mod audit;
pub mod cli;
pub mod config;
pub mod confine;
pub mod doctor;
pub mod export;
pub mod manage;
pub mod netconf;
pub mod presence;
pub mod receiver;
pub mod record;
pub mod replay;
pub mod runtime;
pub mod signatures;
pub mod state;
pub mod trace;
