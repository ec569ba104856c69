//! The signature language as it stands in the files: what serde reads, before anything is resolved.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::program::{Certainty, Form, Meaning, Sender, Transport};

/// `database.toml`: what the compiled file as a whole is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DatabaseSource {
    pub(crate) version: String,
    pub(crate) date: String,
    /// Absent: the date as a number, `YYYYMMDD00`.
    pub(crate) serial: Option<u64>,
}

/// One application's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FileSource {
    pub(crate) application: ApplicationSource,
    #[serde(default)]
    pub(crate) protocol: Vec<ProtocolSource>,
    #[serde(default)]
    pub(crate) sample: Vec<SampleSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ApplicationSource {
    pub(crate) name: String,
    pub(crate) title: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProtocolSource {
    pub(crate) name: String,
    pub(crate) carrier: Vec<CarrierSource>,
    /// Silence after which a user is taken for gone, such as `"180 s"`.
    pub(crate) limit: Option<String>,
    /// How long after its last connection a session may go on in another.
    pub(crate) grace: Option<String>,
    #[serde(default)]
    pub(crate) anchor: BTreeMap<String, AnchorSource>,
    pub(crate) identify: Vec<ClueSource>,
    #[serde(default)]
    pub(crate) message: Vec<MessageSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CarrierSource {
    pub(crate) transport: Transport,
    #[serde(default)]
    pub(crate) server_ports: Vec<u16>,
    pub(crate) framing: FramingSource,
    #[serde(default)]
    pub(crate) session: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(crate) enum FramingSource {
    Datagram {},
    Stream {},
    Length {
        at: u16,
        size: u8,
        #[serde(default)]
        little: bool,
        /// What the length leaves out: header octets; 0 where it counts itself and all.
        #[serde(default)]
        add: i32,
        #[serde(default)]
        strip: u16,
        least: u32,
        most: u32,
    },
    Http {},
    Tls {},
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AnchorSource {
    pub(crate) at: PositionSource,
    pub(crate) prefix: u8,
    #[serde(default)]
    pub(crate) inclusive: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClueSource {
    /// Only over this transport.
    pub(crate) over: Option<Transport>,
    #[serde(default = "either")]
    pub(crate) from: Sender,
    #[serde(default = "certain")]
    pub(crate) confidence: Certainty,
    pub(crate) when: Vec<TestSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MessageSource {
    pub(crate) name: String,
    #[serde(default = "either")]
    pub(crate) from: Sender,
    #[serde(default)]
    pub(crate) when: Vec<TestSource>,
    #[serde(default)]
    pub(crate) answers: Vec<String>,
    pub(crate) account: Option<FieldSource>,
    #[serde(default)]
    pub(crate) account_of_flow: bool,
    pub(crate) means: Meaning,
    pub(crate) from_start: Option<Meaning>,
}

fn either() -> Sender {
    Sender::Either
}

fn certain() -> Certainty {
    Certainty::Certain
}

/// An offset from the start, or `"end - 1"`, `"body + 6"`, `"ANCHOR + 1"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum PositionSource {
    Offset(u16),
    Named(String),
}

/// A number, several, a range, or `"length"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum NumberSource {
    One(u64),
    Several(Vec<u64>),
    Range { from: Option<u64>, to: Option<u64> },
    Word(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Several(texts) => texts.clone(),
        }
    }
}

/// One condition; which keys stand together is the compiler's to check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct TestSource {
    pub(crate) at: Option<PositionSource>,
    pub(crate) octets: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) mask: Option<String>,
    pub(crate) u8: Option<NumberSource>,
    pub(crate) u16: Option<NumberSource>,
    pub(crate) u32: Option<NumberSource>,
    pub(crate) varint: Option<NumberSource>,
    pub(crate) little: Option<bool>,
    pub(crate) add: Option<i32>,
    pub(crate) field: Option<FieldSource>,
    pub(crate) contains: Option<String>,
    pub(crate) within: Option<u16>,
    pub(crate) length: Option<NumberSource>,
    pub(crate) server_port: Option<NumberSource>,
    pub(crate) method: Option<Texts>,
    pub(crate) path: Option<Texts>,
    pub(crate) host: Option<Texts>,
    pub(crate) header: Option<String>,
    pub(crate) has: Option<String>,
    pub(crate) content_length: Option<NumberSource>,
    pub(crate) status: Option<NumberSource>,
    pub(crate) server_name: Option<Texts>,
}

/// Where an account is and how it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FieldSource {
    pub(crate) at: Option<PositionSource>,
    /// Behind this text, wherever it stands.
    pub(crate) after: Option<String>,
    /// The query parameter of that name.
    pub(crate) query: Option<String>,
    /// Octets of a length in front of the field.
    #[serde(default)]
    pub(crate) prefix: u8,
    #[serde(default)]
    pub(crate) inclusive: bool,
    pub(crate) form: Form,
    /// Least and most, for numbers.
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
    /// Whether the message counts without it.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// A flow and what is to be found in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SampleSource {
    pub(crate) name: String,
    pub(crate) transport: Transport,
    pub(crate) server_port: u16,
    /// False for a flow met in its middle.
    #[serde(default = "yes")]
    pub(crate) from_start: bool,
    pub(crate) segment: Vec<SegmentSource>,
    /// The application's name, or `"none"`.
    pub(crate) application: String,
    /// `"login 10001"`, `"opened"` …, in order, all of them.
    #[serde(default)]
    pub(crate) sightings: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Octets one side sends: `text`, then `octets`, then `fill` octets of any value, then `tail`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SegmentSource {
    pub(crate) from: Sender,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) octets: String,
    #[serde(default)]
    pub(crate) fill: u16,
    #[serde(default)]
    pub(crate) tail: String,
    /// Seconds since the segment before.
    #[serde(default)]
    pub(crate) after: u32,
}
