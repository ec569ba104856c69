//! The firewall that runs already: what only it knows of its ports.

use std::path::Path;

use super::{Examination, Finding};
use crate::config::Compiled;
use crate::manage::protocol::{Answer, Request};
use crate::manage::{PortRow, request};

/// The ports of a running firewall, as it says itself.
#[derive(Clone, Debug)]
pub struct Running {
    ports: Vec<PortRow>,
}

impl Running {
    /// Asks whoever listens at the management socket; none where nobody does, or it is no firewall, or not the one of this
    /// configuration: another one has other ports.
    pub fn ask(config: &Compiled) -> Option<Self> {
        let ports = ports(&config.socket)?;
        let same = ports.len() == config.dataplane.ports.len()
            && ports.iter().zip(&config.dataplane.ports).all(|(row, port)| {
                row.name == *port.name && row.device.split(',').next() == Some(port.device.name().as_str())
            });
        same.then_some(Self { ports })
    }

    /// What it says.
    pub(super) fn findings(&self, examination: &Examination<'_>) -> Vec<Finding> {
        let shown = examination.config.map(|config| config.socket.display().to_string()).unwrap_or_default();
        let seen = "ostiary is running: NICs, memory and sockets are its own";
        let mut findings = vec![Finding::fine("running", seen).from(&shown)];
        for row in &self.ports {
            let speed = row.megabits.map(|speed| format!(", {speed} Mbit/s")).unwrap_or_default();
            let seen = format!("{}{speed}; driver {}", row.link, row.driver);
            let finding = if row.link == "up" {
                Finding::fine("running", seen)
            } else {
                let command =
                    format!("{} show ports; see the cable, and the other end's port", examination.hands.ostiary);
                Finding::warning("running", seen, "a link", command)
            };
            findings.push(finding.from(&shown).of(&row.name));
        }
        findings
    }
}

fn ports(socket: &Path) -> Option<Vec<PortRow>> {
    let mut answers = request(socket, &Request::Ports {}).ok()?;
    let mut ports = Vec::new();
    while let Some(answer) = answers.next_row().ok()? {
        if let Answer::Port(row) = answer {
            ports.push(row);
        }
    }
    Some(ports)
}
