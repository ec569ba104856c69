//! The lines of a trail, as they are read: which kind one is, and what of it the chain needs.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// A line is no longer, in octets, its line feed left out.
pub const LONGEST: usize = 65_536;

/// The version of the form, which the head of each file names.
pub const FORM: u32 = 1;

/// SHA-256 of a line, its line feed left out. As text: base 64 for URLs (RFC 4648, section 5) without padding, 43 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORM`].
    #[serde(rename = "ostiary-audit")]
    pub form: u32,
    /// The name of the series.
    pub file: String,
    /// The file's place in the series, from 1.
    pub serial: u64,
    /// The run of the process that began the file.
    pub boot: String,
    /// When that was, RFC 3339.
    pub opened: String,
    /// The number of the first record that may come.
    pub first: u64,
    /// The public key whose other half signs this file; base 64.
    pub key: String,
    /// Of the last line of the file before.
    pub prev: Digest,
}

/// A signed line that says how far the series has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The number of the last record.
    pub checkpoint: u64,
    /// When it was written, RFC 3339.
    pub time: String,
    /// Records that were for this file and are not in it, since its head.
    pub lost: u64,
    /// Whether the process was stopped then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stopped: bool,
    /// Of the line before.
    pub prev: Digest,
    /// Of all of the line before its own name.
    pub signature: Signature,
}

/// The last line of a file; signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// When, RFC 3339.
    pub closed: String,
    /// That of the head.
    pub serial: u64,
    /// The number of the last record.
    pub last: u64,
    /// How many the file has.
    pub records: u64,
    /// Records that were for this file and are not in it.
    pub lost: u64,
    /// Of the line before.
    pub prev: Digest,
    /// Of all of the line before its own name.
    pub signature: Signature,
}

/// An ed25519 signature; as text like a [`Digest`], 86 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first of a file.
    Head(Head),
    /// A record.
    Record {
        /// Its number in the series, from 1.
        n: u64,
        /// Of the line before.
        prev: Digest,
    },
    /// A checkpoint.
    Checkpoint(Checkpoint),
    /// The last of a file.
    Close(Close),
}

const BEFORE_NUMBER: &[u8] = b",\"n\":";
const BEFORE_PREV: &[u8] = b",\"prev\":\"";
const BEFORE_SIGNATURE: &[u8] = b",\"signature\":\"";
const DIGEST_LENGTH: usize = 43;
const SIGNATURE_LENGTH: usize = 86;

impl Digest {
    /// Before the first line there ever was.
    pub const NONE: Self = Self([0; 32]);

    /// Of a line.
    pub fn of(line: &[u8]) -> Self {
        let digest = digest(&SHA256, line);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 octets (FIPS 180-4)"))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no digest"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = URL_SAFE_NO_PAD.decode(text).ok().and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| serde::de::Error::custom("no signature"))
    }
}

impl Line {
    /// Reads a line, its line feed left out; none where it is not as one is written, to the octet.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > LONGEST {
            return None;
        }
        if line.starts_with(b"{\"ostiary-audit\":") {
            return exact(line).map(Self::Head).filter(|head| matches!(head, Self::Head(head) if head.form == FORM));
        }
        if line.starts_with(b"{\"checkpoint\":") {
            return exact(line).map(Self::Checkpoint);
        }
        if line.starts_with(b"{\"closed\":") {
            return exact(line).map(Self::Close);
        }
        let (n, prev) = record(line)?;
        // Of what it passes over, the reader of octets would not ask whether it is text.
        serde_json::from_str::<IgnoredAny>(std::str::from_utf8(line).ok()?).ok()?;
        Some(Self::Record { n, prev })
    }

    /// Of the line before.
    pub fn prev(&self) -> Digest {
        match self {
            Self::Head(head) => head.prev,
            Self::Record { prev, .. } => *prev,
            Self::Checkpoint(checkpoint) => checkpoint.prev,
            Self::Close(close) => close.prev,
        }
    }
}

/// What of a signed line is signed: all before its signature.
pub fn signed(line: &[u8]) -> Option<&[u8]> {
    let end = line.len().checked_sub(BEFORE_SIGNATURE.len() + SIGNATURE_LENGTH + 2)?;
    line.get(end..)?.starts_with(BEFORE_SIGNATURE).then(|| line.get(..end)).flatten()
}

/// What is signed begins so, lest it be taken for anything else.
pub fn statement(signed: &[u8]) -> Vec<u8> {
    [b"ostiary audit checkpoint 1\n", signed].concat()
}

/// A line that is written as it would be again: no other spelling of the same is taken.
fn exact<T: Serialize + for<'de> Deserialize<'de>>(line: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(line).ok()?;
    (serde_json::to_vec(&read).ok()? == line).then_some(read)
}

/// The number and the link at the end of a record.
fn record(line: &[u8]) -> Option<(u64, Digest)> {
    let line = line.strip_prefix(b"{")?.strip_suffix(b"\"}")?;
    let (line, digest) = line.split_at_checked(line.len().checked_sub(DIGEST_LENGTH)?)?;
    let prev = Digest::parse(std::str::from_utf8(digest).ok()?)?;
    let line = line.strip_suffix(BEFORE_PREV)?;
    let digits = line.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let (line, number) = line.split_at_checked(line.len() - digits)?;
    let n: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (line.ends_with(BEFORE_NUMBER) && number.first() != Some(&b'0')).then_some((n, prev))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}
