//! `ostiary doctor`: what keeps a configuration from running on a machine, or running well, and the command that mends it.
//!
//! What keeps it from starting is what the start itself looks at: `preflight` is asked for everything that it finds,
//! and each is told with its command. The rest is read beside it, all of it from files below one root, so that machines
//! that we do not have are examined as recorded trees.

mod clocks;
mod cores;
mod finding;
mod hands;
mod hugepages;
mod interface;
mod iommu;
mod machine;
mod nic;
mod places;
mod plugins;
mod refusal;
mod rights;
mod running;

#[cfg(test)]
mod tests;

use std::path::Path;

use dataplane::dpdk::Device;

pub use self::finding::{Finding, Severity};
pub use self::hands::Hands;
pub use self::machine::Machine;
pub use self::running::Running;

use crate::config::Compiled;
use crate::runtime::preflight::Host;

/// What is examined.
#[derive(Clone, Copy, Debug)]
pub struct Examination<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The policy file, for the commands that name it.
    pub file: &'a Path,
    /// What it says is to run; none: what any firewall needs, and every NIC.
    pub config: Option<&'a Compiled>,
    /// Whether it runs already: then it holds its NICs, memory and sockets, which are its own.
    pub running: Option<&'a Running>,
    /// How the commands are called.
    pub hands: &'a Hands,
}

impl Examination<'_> {
    /// Looks at everything. What is of the machine comes first, then port by port; of one subject, faults first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = match self.running {
            None => self.refusals(),
            Some(running) => running.findings(self),
        };
        findings.extend(self.of_machine());
        match self.config {
            Some(config) => {
                for port in &config.dataplane.ports {
                    let found = match &port.device {
                        Device::Pci(address) => nic::examine(self, *address),
                        Device::Vdev(text) => interface::examine(self, port, text),
                    };
                    findings.extend(found.into_iter().map(|finding| finding.of(&port.name)));
                }
            }
            None => findings.extend(nic::survey(self)),
        }
        self.in_order(findings)
    }

    /// What the start would refuse.
    fn refusals(&self) -> Vec<Finding> {
        let Some(config) = self.config else { return Vec::new() };
        let faults = Host::at(self.machine.root()).faults(&config.dataplane);
        faults.iter().map(|error| refusal::finding(self, error)).collect()
    }

    fn of_machine(&self) -> Vec<Finding> {
        let mut findings = plugins::examine(self);
        findings.extend(iommu::examine(self));
        findings.extend(hugepages::examine(self));
        findings.extend(cores::examine(self));
        findings.extend(clocks::examine(self));
        findings.extend(rights::examine(self));
        findings.extend(places::examine(self));
        findings
    }

    /// Sorted; what is said to be fine is left out where the same is at fault.
    fn in_order(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let at_fault: Vec<(Option<String>, &str)> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Fault)
            .map(|finding| (finding.port.clone(), finding.topic))
            .collect();
        let contradicts = |finding: &Finding| {
            finding.severity == Severity::Fine
                && at_fault.iter().any(|(port, topic)| *port == finding.port && *topic == finding.topic)
        };
        let mut kept: Vec<Finding> = findings.into_iter().filter(|finding| !contradicts(finding)).collect();
        let place = |finding: &Finding| {
            let port = finding.port.as_ref().map(|name| {
                let ports = self.config.map(|config| config.dataplane.ports.as_slice()).unwrap_or_default();
                ports.iter().position(|port| *port.name == **name).unwrap_or(usize::MAX)
            });
            (port, std::cmp::Reverse(finding.severity))
        };
        kept.sort_by_key(place);
        kept
    }
}
