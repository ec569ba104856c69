//! What carries a protocol.

use serde::Deserialize;

use crate::program::Transport;

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
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
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
    Line {
        /// Leading words that begin with one of these characters are not counted.
        #[serde(default)]
        pass_over: String,
    },
    VarintLength {
        at: u16,
        least: u32,
        most: u32,
    },
    Xml {
        /// Elements that stay open.
        #[serde(default)]
        open: Vec<String>,
    },
    Sip {},
    Http {},
    Tls {},
    Quic {},
    Dns {},
}
