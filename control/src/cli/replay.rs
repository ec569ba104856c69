//! `ostiary replay`: capture files through the same pipeline as live frames.

use std::io;

use super::arguments::ReplayOptions;
use super::output::{Failure, Output};
use super::run;
use crate::config::{self, Purpose};
use crate::replay::{self, Form, Options, ReplayError};
use crate::signatures;

pub(super) fn replay(options: &ReplayOptions, output: &mut Output) -> Result<(), Failure> {
    let configuration = match &options.config {
        // Its warnings are about running it, and not said.
        Some(file) => config::load(file, Purpose::Replay).map_err(|faults| run::refuse(&faults))?.0,
        None => config::replay_default(signatures::shipped()),
    };
    let form = if options.json { Form::Json } else { Form::Text { colour: output.colour() } };
    let options = Options { files: options.files.clone(), form, inside: options.inside.clone(), configuration };
    let summary = replay::run(options, &mut io::stdout().lock(), &mut io::stderr().lock())?;
    // What is whole was replayed, and what is not was said.
    if summary.truncated { Err(Failure::InputSaid) } else { Ok(()) }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Output(error) => error.into(),
            other => Self::Input(other.to_string()),
        }
    }
}
