//! A configuration as it was committed: its text, and who did that, when and why.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What identifies a text: its SHA-256 in hexadecimal.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A text and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// What is known of it.
    pub meta: Meta,
    /// The file's text.
    pub text: String,
}

/// What is known of a generation. Keys are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Meta {
    /// From 1; none is given twice.
    pub number: u32,
    /// When it was committed, in nanoseconds since 1970.
    pub time: u64,
    /// Who did it.
    pub by: Author,
    /// What they said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it came of.
    pub cause: Cause,
    /// Of the text, as [`digest`] has it.
    pub digest: String,
    /// The files that it names and whose content matters: their keys, and the beginning of their digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<(String, String)>,
}

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Author {
    /// The name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The number; none for the firewall itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Over what: `cli`, `netconf`, `signal`, `system`.
    pub via: String,
}

/// What a generation came of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It was found at start.
    Start,
    /// An operator committed it.
    Commit,
    /// The one of so many commits ago was taken up again.
    Rollback(u32),
    /// The one of this number was.
    Taken(u32),
    /// The rescue configuration was.
    Rescue,
    /// The file was taken up by `ostiary reload` or SIGHUP.
    Reload,
    /// An operator had set it for this time.
    Scheduled,
}

impl Cause {
    /// For people and records.
    pub fn text(self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::Commit => "commit".to_owned(),
            Self::Rollback(back) => format!("rollback {back}"),
            Self::Taken(number) => format!("rollback to generation {number}"),
            Self::Rescue => "rescue".to_owned(),
            Self::Reload => "reload".to_owned(),
            Self::Scheduled => "commit at a time".to_owned(),
        }
    }
}

impl Author {
    /// The firewall itself.
    pub fn system() -> Self {
        Self { via: "system".to_owned(), ..Self::default() }
    }

    /// For people.
    pub fn text(&self) -> String {
        match (&self.user, self.uid) {
            (Some(user), _) => format!("{user} ({})", self.via),
            (None, Some(uid)) => format!("uid {uid} ({})", self.via),
            (None, None) => self.via.clone(),
        }
    }
}

/// Begins the first line of a file of the store; what follows it on the line is [`Meta`] as JSON.
const HEAD: &str = "#ostiary-generation ";

impl Generation {
    /// The file of it: a line that TOML takes for a comment, then the text.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Plain data with text keys: serialising it into memory cannot fail.
        let meta = serde_json::to_string(&self.meta).unwrap_or_default();
        format!("{HEAD}{meta}\n{}", self.text).into_bytes()
    }

    /// Of a file's content; none where that is damaged.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let (meta, text) = std::str::from_utf8(octets).ok()?.strip_prefix(HEAD)?.split_once('\n')?;
        let meta: Meta = serde_json::from_str(meta).ok()?;
        (digest(text) == meta.digest).then(|| Self { meta, text: text.to_owned() })
    }
}
