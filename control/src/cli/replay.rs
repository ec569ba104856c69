//! `ostiary replay`: capture files through the same pipeline as live frames.

use std::io;
use std::path::Path;

use super::arguments::ReplayOptions;
use super::output::{Failure, Output, complain};
use crate::config::{self, Compiled, Purpose};
use crate::replay::{self, Form, Options, ReplayError};
use crate::signatures;

pub(super) fn replay(options: &ReplayOptions, output: &mut Output) -> Result<(), Failure> {
    let configuration = match &options.config {
        Some(file) => load(file)?,
        None => config::replay_default(signatures::shipped()),
    };
    let form = if options.json { Form::Json } else { Form::Text { colour: output.colour() } };
    let options = Options { files: options.files.clone(), form, inside: options.inside.clone(), configuration };
    let summary = replay::run(options, &mut io::stdout().lock(), &mut io::stderr().lock())?;
    // What is whole was replayed, and what is not was said.
    if summary.truncated { Err(Failure::InputSaid) } else { Ok(()) }
}

/// A policy file without a fault. Its warnings are about running it, and not said.
fn load(file: &Path) -> Result<Compiled, Failure> {
    let loaded = config::load(file, Purpose::Replay);
    loaded.map(|(compiled, _)| compiled).map_err(|faults| {
        for fault in &faults {
            complain(&fault.to_string());
        }
        Failure::InputSaid
    })
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Output(error) => error.into(),
            other => Self::Input(other.to_string()),
        }
    }
}
