//! `ostiary rescue`: a configuration that is known to work, kept for the worst.

use clap::{Args, ValueEnum};

use super::configure::{Asking, ask};
use super::output::{Failure, Output};
use crate::manage::configure::{ConfigAction, Rescue};

/// Options of `rescue`.
#[derive(Debug, Args)]
pub(super) struct RescueOptions {
    /// What to do with it
    what: What,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// What is in force becomes it
    Save,
    /// It comes into force, as a commit
    Load,
}

pub(super) fn rescue(options: &RescueOptions, output: &mut Output) -> Result<(), Failure> {
    let what = match options.what {
        What::Save => Rescue::Save,
        What::Load => Rescue::Load,
    };
    ask(&ConfigAction::Rescue { what }, &options.asking.socket, options.asking.json, output)
}
