//! Samples.

use serde::Deserialize;

use crate::program::{Sender, Transport};

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
    /// The application's name; or `"none"`, which a base protocol that is another file's may be too.
    pub(crate) application: String,
    /// `"login 10001"`, `"opened"` …, in order, all of them.
    #[serde(default)]
    pub(crate) sightings: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Octets one side sends: a TLS ClientHello for `server-name`, then `text`, then `octets`, then `fill` octets of any value, then `tail`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SegmentSource {
    pub(crate) from: Sender,
    pub(crate) server_name: Option<String>,
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
