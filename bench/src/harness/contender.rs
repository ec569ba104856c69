//! Who is measured. A peer is one file: a [`Contender`] that runs a process for a while and says how many packets a second
//! it forwarded.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Fallible;
use super::measurement::{Measurement, Outcome};
use super::ostiary::Own;
use super::peer::{L3fwd, OpenVswitch, Suricata};
use super::testpmd::Testpmd;

/// Somebody whose speed is measured.
pub trait Contender {
    /// In tables and arguments.
    fn name(&self) -> String;
    /// Whether it can do this measurement at all.
    fn can(&self, measurement: &Measurement) -> bool;
    /// One run. `folder` is for files, and is removed afterwards.
    ///
    /// # Errors
    /// Where it could not run, or what it measured is not what was asked for.
    fn measure(&self, measurement: &Measurement, folder: &Path) -> Fallible<Outcome>;
}

/// All, in the order in which they take turns.
pub fn all() -> Vec<Box<dyn Contender>> {
    let own = Own::ALL.into_iter().map(|own| Box::new(own) as Box<dyn Contender>);
    let testpmd = Testpmd::MODES.into_iter().map(|mode| Box::new(mode) as Box<dyn Contender>);
    let peers: [Box<dyn Contender>; 3] = [Box::new(L3fwd), Box::new(OpenVswitch), Box::new(Suricata)];
    own.chain(testpmd).chain(peers).collect()
}

impl Contender for Own {
    fn name(&self) -> String {
        Self::name(*self).to_owned()
    }

    fn can(&self, measurement: &Measurement) -> bool {
        match self {
            Self::Ostiary | Self::Wire => true,
            Self::Floor => measurement.wire.has_flows(),
            Self::Generator => measurement.rewritten.is_some(),
        }
    }

    /// This program again, since DPDK starts once a process.
    fn measure(&self, measurement: &Measurement, _: &Path) -> Fallible<Outcome> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["once", Self::name(*self), &serde_json::to_string(measurement)?]);
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{}: the measurement failed", Self::name(*self)).into());
        }
        let outcome: Outcome = serde_json::from_slice(&output.stdout)?;
        match outcome.fault(measurement) {
            Some(fault) => Err(format!("{}: {fault}", Self::name(*self)).into()),
            None => Ok(outcome),
        }
    }
}
