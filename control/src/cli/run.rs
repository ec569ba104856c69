//! `ostiary run`: the firewall itself.

use super::arguments::RunOptions;
use super::output::{Failure, caution, complain};
use crate::config::{self, Compiled, Purpose};
use crate::runtime::{self, RunError};

pub(super) fn run(options: &RunOptions) -> Result<(), Failure> {
    let compiled = load(options)?;
    crate::runtime::preflight(&compiled.dataplane).map_err(|error| Failure::Input(error.to_string()))?;
    runtime::run(compiled, ready).map_err(|error| match error {
        RunError::Start(_) | RunError::Manage(_) => Failure::Input(error.to_string()),
        _ => Failure::Running(error.to_string()),
    })
}

/// One line when frames are forwarded: what scripts and people wait for.
fn ready(compiled: &Compiled) {
    eprintln!(
        "ostiary: running, {} ports, {} workers, {} rules, {} log hosts; show: {}",
        compiled.dataplane.ports.len(),
        compiled.dataplane.workers.len(),
        compiled.policy.rules.len(),
        compiled.hosts.len(),
        compiled.socket.display()
    );
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
