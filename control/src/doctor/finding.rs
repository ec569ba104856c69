//! What was found, and what to do about it.

use std::path::Path;

use serde::Serialize;

use super::Hands;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// The firewall starts, and runs worse than it could.
    Warning,
    /// The firewall does not start.
    Fault,
}

impl Severity {
    /// As people and programs read it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing that was looked at. Keys are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The port that it is about; none: the machine as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// What was looked at: `hugepages`, `driver`, …
    pub topic: &'static str,
    /// What was seen.
    pub seen: String,
    /// The file that it was read from; empty where it was in none.
    pub file: String,
    /// What should be seen; empty where all is well.
    pub expected: String,
    /// The command, or the line of the policy file, that mends it; empty where there is nothing to mend.
    pub command: String,
}

impl Finding {
    /// A policy file that does not check; the machine is examined for any firewall then.
    pub(crate) fn of_file(file: &Path, faults: usize, hands: &Hands) -> Self {
        let seen = if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") };
        let command = format!("{} check {}", hands.ostiary, file.display());
        Self::fault("configuration", seen, "a policy file that can run", command).from(file.display().to_string())
    }

    /// All is well.
    pub(super) fn fine(topic: &'static str, seen: impl Into<String>) -> Self {
        Self::new(Severity::Fine, topic, seen.into(), String::new(), String::new())
    }

    /// It could be better.
    pub(super) fn warning(
        topic: &'static str,
        seen: impl Into<String>,
        expected: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, topic, seen.into(), expected.into(), command.into())
    }

    /// It keeps the firewall from starting.
    pub(super) fn fault(
        topic: &'static str,
        seen: impl Into<String>,
        expected: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Fault, topic, seen.into(), expected.into(), command.into())
    }

    fn new(severity: Severity, topic: &'static str, seen: String, expected: String, command: String) -> Self {
        Self { severity, port: None, topic, seen, file: String::new(), expected, command }
    }

    /// Read from this file.
    pub(super) fn from(self, file: impl AsRef<str>) -> Self {
        Self { file: absolute(file.as_ref()), ..self }
    }

    /// Of this port.
    pub(super) fn of(self, port: &str) -> Self {
        Self { port: Some(port.to_owned()), ..self }
    }
}

/// Files of the machine are named below its root; those of the operator as he named them.
fn absolute(file: &str) -> String {
    let of_machine = ["proc/", "sys/", "dev/", "lib/", "usr/", "etc/", "run/"];
    if of_machine.iter().any(|folder| file.starts_with(folder)) { format!("/{file}") } else { file.to_owned() }
}
