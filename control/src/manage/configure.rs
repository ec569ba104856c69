//! What is asked about the configuration over the management socket: edits, commits, the way back.

use std::fmt;

use crossbeam::channel::Receiver;
use serde::{Deserialize, Serialize};

use super::protocol::Answer;
use super::role::Right;
use super::view::ReloadRow;
use crate::config::edit::{Change, EditError, EditOp};

/// Something to do with the configuration: `{"do":"commit","comment":"…"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum ConfigAction {
    /// Say what is wrong with a configuration, and what of it needs a restart.
    Check {
        /// As of [`ConfigView::Configuration`]; default: what a commit would take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// This one instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Put a configuration into force.
    Commit {
        /// What is said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// Only until so many seconds have passed without a confirmation; 10 to 86,400.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirm: Option<u64>,
        /// Whoever knows this may confirm, beyond the session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        persist: Option<String>,
        /// What was said so of the commit that waits to be confirmed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        persist_id: Option<String>,
        /// `file` or `candidate`; default: the candidate if there is one, else the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Where it needs a restart: write it down for that rather than refuse it.
        #[serde(default)]
        on_restart: bool,
        /// Not now, but at this time of RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// Let the commit stay that waits for this.
    Confirm {
        /// As of `commit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        persist_id: Option<String>,
    },
    /// Take the commit back that waits to be confirmed.
    Cancel {
        /// As of `commit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        persist_id: Option<String>,
    },
    /// Put an earlier generation into force again, as a new one.
    Rollback {
        /// So many commits ago.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        back: Option<u32>,
        /// Or the generation of this number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u32>,
        /// As of `commit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// As of `commit`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirm: Option<u64>,
    },
    /// Save what is in force as the rescue configuration, or put that into force.
    Rescue {
        /// Which.
        what: Rescue,
    },
    /// Keep others from editing and committing.
    Lock {
        /// `candidate` or `running`; default: candidate.
        #[serde(default)]
        target: Datastore,
    },
    /// Let them again.
    Unlock {
        /// As of `lock`.
        #[serde(default)]
        target: Datastore,
    },
    /// Edit the candidate.
    Edit {
        /// In their order.
        operations: Vec<EditOp>,
        /// Whether those before one that fails stay.
        #[serde(default)]
        error_option: ErrorOption,
    },
    /// Make the candidate this text.
    Load {
        /// Only the candidate can be loaded.
        #[serde(default)]
        target: Datastore,
        /// The text, TOML.
        text: String,
    },
    /// Drop the candidate.
    Discard {},
}

/// What of the configuration is to be seen: `{"show":"generations"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ConfigView {
    /// Its text.
    Configuration {
        /// `running`, `candidate` (as running where there is none), `file`, `rescue`, or the number of a generation.
        #[serde(default = "running")]
        source: String,
    },
    /// What differs between two.
    Diff {
        /// As of `configuration`; default: running.
        #[serde(default = "running")]
        from: String,
        /// As of `configuration`; default: what a commit would take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// What was committed.
    Generations {},
}

/// Either. It is read by the words that are its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Configure {
    /// To do.
    Do(ConfigAction),
    /// To see.
    Show(ConfigView),
}

impl ConfigAction {
    /// The words of the requests.
    pub const WORDS: [&'static str; 11] =
        ["check", "commit", "confirm", "cancel", "rollback", "rescue", "lock", "unlock", "edit", "load", "discard"];
}

impl ConfigView {
    /// The words of the requests.
    pub const WORDS: [&'static str; 3] = ["configuration", "diff", "generations"];
}

impl Configure {
    /// A line that was read; none where it is about something else.
    pub fn read(line: &[u8]) -> Option<serde_json::Result<Self>> {
        #[derive(Deserialize)]
        struct Head {
            show: Option<String>,
            r#do: Option<String>,
        }
        let head: Head = serde_json::from_slice(line).ok()?;
        match (head.show.as_deref(), head.r#do.as_deref()) {
            (Some(word), None) if ConfigView::WORDS.contains(&word) => {
                Some(serde_json::from_slice(line).map(Self::Show))
            }
            (None, Some(word)) if ConfigAction::WORDS.contains(&word) => {
                Some(serde_json::from_slice(line).map(Self::Do))
            }
            _ => None,
        }
    }
}

impl Configure {
    /// What it needs.
    pub fn right(&self) -> Right {
        match self {
            Self::Show(ConfigView::Configuration { .. } | ConfigView::Diff { .. } | ConfigView::Generations {}) => {
                Right::ShowConfiguration
            }
            Self::Do(
                ConfigAction::Commit { .. }
                | ConfigAction::Confirm { .. }
                | ConfigAction::Cancel { .. }
                | ConfigAction::Rollback { .. }
                | ConfigAction::Rescue { .. },
            ) => Right::Commit,
            // A configuration names files: whoever may have one checked learns which of them are there.
            Self::Do(
                ConfigAction::Check { .. }
                | ConfigAction::Lock { .. }
                | ConfigAction::Unlock { .. }
                | ConfigAction::Edit { .. }
                | ConfigAction::Load { .. }
                | ConfigAction::Discard {},
            ) => Right::Edit,
        }
    }
}

/// What is done with the rescue configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rescue {
    /// What is in force becomes it.
    Save,
    /// It comes into force.
    Load,
}

/// What can be locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Datastore {
    /// What is edited.
    #[default]
    Candidate,
    /// What is in force.
    Running,
}

impl Datastore {
    /// Its name.
    pub fn text(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Running => "running",
        }
    }
}

/// What becomes of the edits before one that fails (RFC 6241, 7.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorOption {
    /// They stay.
    StopOnError,
    /// They do not.
    #[default]
    RollbackOnError,
}

fn running() -> String {
    "running".to_owned()
}

/// What comes of a request, through a channel: rows, or why there are none.
pub type Configured = Result<Vec<Answer>, Refusal>;

/// Where it comes.
pub type ConfiguredReceiver = Receiver<Configured>;

/// Why a request is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// For people.
    pub text: String,
    /// For programs, as RFC 6241, appendix A, names it where it has a name.
    pub tag: &'static str,
    /// Where in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The session that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// The text without lines of the configuration, where it has some: for the trail.
    #[serde(skip)]
    pub brief: Option<String>,
    /// The configuration's faults, each sent as a row before.
    #[serde(skip)]
    pub faults: Vec<FaultRow>,
}

impl Refusal {
    /// With a tag and a text.
    pub fn new(tag: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), tag, ..Self::default() }
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::new("operation-failed", text)
    }
}

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Self {
        Self { text: error.to_string(), tag: error.tag.text(), path: Some(error.path), ..Self::default() }
    }
}

/// A fault or a warning of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultRow {
    /// For people.
    pub text: String,
    /// The key.
    pub path: String,
    /// `invalid-value`, `needs-restart`, or `warning`.
    pub tag: String,
    /// Where it begins, from 1; 0 where it is of the text as a whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: usize,
    /// In characters, from 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: usize,
    /// Line and column behind its last character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<(usize, usize)>,
    /// The line, with carets below the culprit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

impl FaultRow {
    /// The text with the line that it is about.
    pub fn told(&self) -> String {
        match self.text.split_once('\n') {
            Some((place, rest)) => format!("{place}\n{}{rest}", self.excerpt),
            None => self.text.clone(),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A difference between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangeRow {
    /// `add`, `delete`, `modify` or `move`.
    pub change: String,
    /// Where.
    pub path: String,
    /// What stood there, as TOML on one line, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Where in its list a member was put: `first`, or `after NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// All of that, for people.
    pub line: String,
}

impl From<&Change> for ChangeRow {
    fn from(change: &Change) -> Self {
        Self {
            change: change.kind.text().to_owned(),
            path: change.path.to_string(),
            old: change.old_text(),
            new: change.new_text(),
            place: change.place_text(),
            line: change.to_string(),
        }
    }
}

/// A generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GenerationRow {
    /// Its number.
    pub number: u32,
    /// How many commits ago it was in force; none of what was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<u32>,
    /// When it was committed.
    pub time: String,
    /// By whom.
    pub by: String,
    /// What it came of.
    pub cause: String,
    /// What was said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// SHA-256 of its text.
    pub digest: String,
    /// `in force`, `in the policy file` (from the next start on), `not confirmed yet`, `reverted`, or nothing.
    pub state: String,
}

/// What came of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommitRow {
    /// The generation; none where nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// The one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    /// How much differs from it.
    pub changes: u64,
    /// The policy that came into force; none where that takes a restart, or nothing changed in the dataplane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ReloadRow>,
    /// It waited for that, and stays.
    #[serde(default)]
    pub confirmed: bool,
    /// Until when it has to be confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<String>,
    /// The keys that take a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_restart: Vec<String>,
    /// Where an edit of the policy file was kept that was in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
    /// Doubts about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl fmt::Display for CommitRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(number) => write!(f, "generation {number}")?,
            None => write!(f, "configuration")?,
        }
        if self.confirmed {
            return write!(f, " is confirmed");
        }
        match self.changes {
            0 => write!(f, ", nothing differs from before")?,
            1 => write!(f, ", 1 change")?,
            count => write!(f, ", {count} changes")?,
        }
        if let Some(policy) = &self.policy {
            write!(f, ": {policy}")?;
        }
        if !self.at_restart.is_empty() {
            write!(f, ": in force from the next start on ({})", self.at_restart.join(", "))?;
        }
        if let Some(until) = &self.confirm_until {
            write!(f, "; it is taken back at {until} unless it is confirmed (ostiary confirm)")?;
        }
        if let Some(edited) = &self.edited {
            write!(f, "; what was edited in the policy file is in {edited}")?;
        }
        Ok(())
    }
}

/// Something was done that leaves nothing to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DoneRow {
    /// What, for people.
    pub text: String,
}

/// Octets of one row of a long text at most.
const TEXT_ROW: usize = 32 << 10;

/// The rows of a long text.
pub(crate) fn text_rows(text: &str) -> Vec<Answer> {
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(TEXT_ROW);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        rows.push(Answer::Text(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_documentation_says() {
        let read = |text: &str| Configure::read(text.as_bytes()).and_then(Result::ok);
        let commit = |text| match read(text) {
            Some(Configure::Do(ConfigAction::Commit { confirm, persist_id, on_restart, .. })) => {
                (confirm, persist_id, on_restart)
            }
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(commit(r#"{"do":"commit"}"#), (None, None, false));
        assert_eq!(commit(r#"{"do":"commit","confirm":600,"persist-id":"x"}"#), (Some(600), Some("x".into()), false));
        assert!(commit(r#"{"do":"commit","on-restart":true}"#).2);
        assert!(matches!(read(r#"{"do":"lock"}"#), Some(Configure::Do(ConfigAction::Lock { .. }))));
        let edit = r#"{"do":"edit","operations":[{"path":"rule[a].action","kind":"merge","value":"deny"}]}"#;
        let Some(Configure::Do(ConfigAction::Edit { operations, .. })) = read(edit) else { panic!() };
        assert_eq!(operations[0].value, Some("deny".into()));
        assert!(matches!(read(r#"{"show":"generations"}"#), Some(Configure::Show(_))));
        for wrong in [r#"{"do":"commit","force":true}"#, r#"{"do":"reload"}"#, r#"{"show":"counters"}"#, "[]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ü€".repeat(30_000);
        let mut whole = String::new();
        for row in text_rows(&text) {
            let Answer::Text(part) = row else { panic!() };
            assert!(part.len() <= TEXT_ROW);
            whole.push_str(&part);
        }
        assert_eq!(whole, text);
    }
}
