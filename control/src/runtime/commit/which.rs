//! Which configuration is meant.

use std::path::{Path, PathBuf};

use crate::manage::configure::Refusal;

/// Which text is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Which {
    /// The candidate if there is one, else the policy file; where both differ from what is in force, neither.
    Choose,
    /// The policy file.
    File,
    /// The candidate; where there is none, what is in force.
    Candidate,
    /// What is in force.
    Running,
    /// What was in force so many commits ago.
    Back(u32),
    /// A generation.
    Number(u32),
    /// The rescue configuration.
    Rescue,
    /// What was in force before the commit that waits to be confirmed.
    Confirmed,
    /// What is set for a time.
    Scheduled,
    /// This one.
    Text(String),
}

impl Which {
    /// As a request names it.
    pub(in super::super) fn read(word: &str) -> Result<Self, Refusal> {
        match word {
            "file" => Ok(Self::File),
            "candidate" => Ok(Self::Candidate),
            "running" => Ok(Self::Running),
            "rescue" => Ok(Self::Rescue),
            number => number.parse().map(Self::Number).map_err(|_| {
                let known = "running, candidate, file, rescue, or the number of a generation";
                Refusal::new("invalid-value", format!("\"{number}\": not one of {known}"))
            }),
        }
    }
}

/// What a text is called where its faults are told.
pub(super) fn name_of(from: &Which, file: &Path) -> PathBuf {
    match from {
        Which::File | Which::Choose => file.to_owned(),
        Which::Candidate => PathBuf::from("the candidate"),
        Which::Running => PathBuf::from("the configuration in force"),
        Which::Number(number) => PathBuf::from(format!("generation {number}")),
        Which::Back(back) => PathBuf::from(format!("the configuration {back} commits ago")),
        Which::Rescue => PathBuf::from("the rescue configuration"),
        Which::Confirmed => PathBuf::from("the configuration from before"),
        Which::Scheduled => PathBuf::from("the configuration that was set for this time"),
        Which::Text(_) => PathBuf::from("the text"),
    }
}
