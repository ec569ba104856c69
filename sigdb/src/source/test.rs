//! Places and conditions.

use serde::Deserialize;

use super::FieldSource;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AnchorSource {
    /// Absent: the start.
    pub(crate) at: Option<PositionSource>,
    /// Octets of a length.
    pub(crate) prefix: Option<u8>,
    pub(crate) inclusive: Option<bool>,
    /// The length is a base-128 number.
    pub(crate) varint: Option<bool>,
    /// Octets to look for.
    pub(crate) find: Option<String>,
    pub(crate) within: Option<u16>,
    /// Records in a row: the value of the first one of this type.
    pub(crate) tlv: Option<u32>,
    pub(crate) type_size: Option<u8>,
    pub(crate) length_size: Option<u8>,
    pub(crate) pad: Option<u32>,
    pub(crate) stop: Option<u32>,
    /// Octets that the value begins with.
    pub(crate) begins: Option<String>,
    /// The anchor in whose value the records lie.
    #[serde(rename = "in")]
    pub(crate) inside: Option<String>,
    /// Otherwise nothing lies between.
    #[serde(default, rename = "if")]
    pub(crate) when: Vec<TestSource>,
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
    Ranges(Vec<RangeSource>),
    Range { from: Option<u64>, to: Option<u64> },
    Word(String),
}

/// Numbers from the first up to the last; one that is absent is the least or the most there is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RangeSource {
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
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

/// Where the key of a cipher stands, and its first counter.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CipherSource {
    pub(crate) key: u16,
    pub(crate) counter: u16,
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
    pub(crate) u24: Option<NumberSource>,
    pub(crate) u32: Option<NumberSource>,
    pub(crate) u64: Option<NumberSource>,
    pub(crate) varint: Option<NumberSource>,
    pub(crate) little: Option<bool>,
    #[serde(rename = "aes-256-ctr")]
    pub(crate) aes_256_ctr: Option<CipherSource>,
    pub(crate) add: Option<i32>,
    pub(crate) field: Option<FieldSource>,
    pub(crate) contains: Option<String>,
    pub(crate) regex: Option<String>,
    pub(crate) within: Option<u16>,
    /// For text: letters may be of either case.
    pub(crate) any_case: Option<bool>,
    pub(crate) length: Option<NumberSource>,
    /// A divisor, and what the message's length leaves.
    pub(crate) modulo: Option<(u32, u32)>,
    pub(crate) word: Option<u8>,
    pub(crate) is: Option<Texts>,
    pub(crate) turns: Option<Vec<NumberSource>>,
    pub(crate) element: Option<Texts>,
    pub(crate) child: Option<String>,
    pub(crate) attribute: Option<String>,
    pub(crate) of: Option<String>,
    pub(crate) server_port: Option<NumberSource>,
    pub(crate) method: Option<Texts>,
    pub(crate) path: Option<Texts>,
    pub(crate) host: Option<Texts>,
    pub(crate) header: Option<String>,
    pub(crate) has: Option<String>,
    pub(crate) parameter: Option<String>,
    pub(crate) number: Option<NumberSource>,
    pub(crate) content_length: Option<NumberSource>,
    pub(crate) status: Option<NumberSource>,
    pub(crate) server_name: Option<Texts>,
    pub(crate) certificate: Option<Texts>,
    pub(crate) alpn: Option<Texts>,
    pub(crate) ja4: Option<Texts>,
    pub(crate) dns_name: Option<Texts>,
}
