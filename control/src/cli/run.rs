//! `ostiary run`: the firewall itself.

use super::arguments::RunOptions;
use super::output::{Failure, caution, complain};
use crate::config::{self, Compiled, Purpose};

pub(super) fn run(options: &RunOptions) -> Result<(), Failure> {
    let compiled = load(options)?;
    crate::runtime::preflight(&compiled.dataplane).map_err(|error| Failure::Input(error.to_string()))?;
    Err(Failure::Running("running is not implemented in this version; see ostiary check".to_owned()))
}

fn load(options: &RunOptions) -> Result<Compiled, Failure> {
    match config::load(&options.config, Purpose::Run) {
        Ok((compiled, warnings)) => {
            for warning in &warnings {
                caution(&warning.to_string());
            }
            Ok(compiled)
        }
        Err(faults) => {
            for fault in &faults {
                complain(&fault.to_string());
            }
            Err(Failure::InputSaid)
        }
    }
}
