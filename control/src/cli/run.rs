//! `ostiary run`: the firewall itself.

use std::path::Path;

use super::arguments::RunOptions;
use super::output::{Failure, caution_of, complain_of, count};
use crate::config::{self, Compiled, Fault, Purpose};
use crate::runtime::{self, RunError};

pub(super) fn run(options: &RunOptions) -> Result<(), Failure> {
    let compiled = load(&options.config)?;
    crate::runtime::preflight(&compiled.dataplane).map_err(|error| Failure::Input(error.to_string()))?;
    runtime::run(&options.config, compiled, ready).map_err(|error| match error {
        RunError::Start(_) | RunError::Manage(_) | RunError::State(..) | RunError::Audit(_) => {
            Failure::Input(error.to_string())
        }
        _ => Failure::Running(error.to_string()),
    })
}

/// One line when frames are forwarded: what scripts and people wait for.
fn ready(compiled: &Compiled) {
    eprintln!(
        "ostiary: running, {}, {}, {}, {}; show: {}",
        count(compiled.dataplane.ports.len(), "port"),
        count(compiled.dataplane.workers.len(), "worker"),
        count(compiled.policy.source().rules.len(), "rule"),
        count(compiled.hosts.len(), "log host"),
        compiled.socket.display()
    );
}

/// A policy file without a fault; its warnings are said on standard error, as its faults are.
fn load(file: &Path) -> Result<Compiled, Failure> {
    let (compiled, warnings) = config::load(file, Purpose::Run).map_err(|faults| refuse(&faults))?;
    for warning in &warnings {
        caution_of(warning);
    }
    Ok(compiled)
}

/// Says every fault of a policy file on standard error.
pub(super) fn refuse(faults: &[Fault]) -> Failure {
    for fault in faults {
        complain_of(fault);
    }
    Failure::InputSaid
}
