//! The signature language as it stands in the files: what serde reads, before anything is resolved.

mod carrier;
mod field;
mod sample;
mod test;

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) use carrier::{CarrierSource, FramingSource};
pub(crate) use field::{FieldSource, FieldSources};
pub(crate) use sample::{SampleSource, SegmentSource};
pub(crate) use test::{AnchorSource, CipherSource, NumberSource, PositionSource, RangeSource, TestSource};

use crate::program::{Certainty, Meaning, Sender, Transport};

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
    /// Whether others are carried by it: it names a flow only when nothing else can any more.
    #[serde(default)]
    pub(crate) base: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProtocolSource {
    pub(crate) name: String,
    pub(crate) carrier: Vec<CarrierSource>,
    /// Whether users share a flow, each with a session of their own.
    #[serde(default)]
    pub(crate) several_users: bool,
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
pub(crate) struct ClueSource {
    /// Only over this transport.
    pub(crate) over: Option<Transport>,
    #[serde(default = "either")]
    pub(crate) from: Sender,
    #[serde(default = "certain")]
    pub(crate) confidence: Certainty,
    pub(crate) when: Vec<TestSource>,
    /// Further messages of the same side.
    #[serde(default)]
    pub(crate) also: Vec<Vec<TestSource>>,
    /// What may stand between them.
    #[serde(default)]
    pub(crate) between: Vec<TestSource>,
    /// How many messages of the side are looked at.
    pub(crate) messages: Option<u8>,
    /// A name: it is evidence for others, and identifies nothing itself.
    pub(crate) shows: Option<String>,
    /// What the flow has to have shown.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// Datagrams: so many of the flow's have to fit, from its first on.
    pub(crate) times: Option<u8>,
    /// With `times`: fewer do where they are all that the flow ever shows.
    #[serde(default)]
    pub(crate) ends: bool,
    /// Datagrams, a base protocol: so many further ones may tell more before this names the flow.
    pub(crate) yields: Option<u8>,
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
    pub(crate) account: Option<FieldSources>,
    #[serde(default)]
    pub(crate) account_of_flow: bool,
    pub(crate) means: Meaning,
    pub(crate) from_start: Option<Meaning>,
    #[serde(default = "certain")]
    pub(crate) confidence: Certainty,
    /// Fields that an answer has in common with its question.
    pub(crate) transaction: Option<FieldSources>,
    pub(crate) becomes: Option<Becomes>,
}

/// What follows a message on both sides.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Becomes {
    /// TLS.
    Tls,
    /// Compressed or otherwise not to be read.
    Opaque,
}

fn either() -> Sender {
    Sender::Either
}

fn certain() -> Certainty {
    Certainty::Certain
}
