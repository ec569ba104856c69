//! Text to be read.

use std::fmt::Formatter;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::PositionSource;
use crate::program::Form;

/// Where an account is and how it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FieldSource {
    pub(crate) at: Option<PositionSource>,
    /// What the length of that anchor counts.
    pub(crate) value: Option<String>,
    /// Behind this text, wherever it stands.
    pub(crate) after: Option<String>,
    /// The query parameter of that name.
    pub(crate) query: Option<String>,
    /// Lines: the word with that number.
    pub(crate) word: Option<u8>,
    /// HTTP, SIP: the value of that field.
    pub(crate) header: Option<String>,
    /// XML: the text of that element.
    pub(crate) element: Option<String>,
    /// XML: that attribute, of that element.
    pub(crate) attribute: Option<String>,
    pub(crate) of: Option<String>,
    /// The octets are base64, and the field is a part of them.
    #[serde(default)]
    pub(crate) base64: bool,
    pub(crate) inside: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) part: Option<u8>,
    /// One octet of these at the start does not belong to it.
    pub(crate) strip: Option<String>,
    /// Octets of a length in front of the field.
    #[serde(default)]
    pub(crate) prefix: u8,
    #[serde(default)]
    pub(crate) inclusive: bool,
    /// Octets that it has, where no length says so.
    #[serde(default)]
    pub(crate) size: u8,
    pub(crate) form: Form,
    /// Least and most, for numbers.
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
    /// Whether the message counts without it.
    #[serde(default)]
    pub(crate) optional: bool,
}

/// A field, or several, the first of which that can be read counts.
#[derive(Clone, Debug)]
pub(crate) struct FieldSources(pub(crate) Vec<FieldSource>);

impl<'de> Deserialize<'de> for FieldSources {
    // Not an untagged enum: its errors would not say which key is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = FieldSources;

    fn expecting(&self, to: &mut Formatter<'_>) -> std::fmt::Result {
        to.write_str("a field, or a list of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldSources, A::Error> {
        FieldSource::deserialize(MapAccessDeserializer::new(map)).map(|field| FieldSources(vec![field]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<FieldSources, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(FieldSources)
    }
}
