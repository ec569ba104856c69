//! Delivery to log hosts: one queue, one encoder and one transport a host, none of which can hold up another.
//!
//! What a host can rely on:
//! - **UDP**: records may be lost on the way, and nobody will know, but for gaps in the sequence numbers. After an ICMP error
//!   nothing is sent during the pause that follows.
//! - **TCP and TLS**: a record that was not wholly written when a connection broke is written again on the next; so are the
//!   last 16384 records of the last 60 seconds that were wholly written, as a write that returned is no delivery. Everything
//!   that the host's TCP had not acknowledged is among those. So nothing is lost in the network; records may arrive twice,
//!   and (boot, sequence) tells which did. What is *not* covered: records that the host's TCP acknowledged and its program
//!   never read, if they are older or more than that; no such protocol can know of them.
//! - **A queue that is full** loses records, oldest kept, sign-ons before session records; how many were lost is said to the
//!   host in a record of its own once it takes records again. Nothing is lost without a number.

mod backlog;
mod backoff;
mod channel;
mod exporters;
mod link;
mod notice;
mod outbox;
mod status;
mod tls;
mod trouble;
mod writer;

pub use backlog::Counts;
pub use exporters::Exporters;
pub use notice::Notice;
pub use status::{ClassStatus, HostState, HostStatus, Waiting};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::record::ipfix::AccessVersion;
use crate::record::{Class, Name};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// IPFIX, RFC 7011.
    Binary,
    /// RFC 5424 with structured data.
    Syslog,
    /// The vendor's line, of access users only.
    Huawei,
}

/// How syslog messages are told apart on a stream (RFC 6587, 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// `MSG-LEN SP SYSLOG-MSG`; RFC 5425 asks for it over TLS.
    OctetCounting,
    /// LF behind each message.
    Lf,
}

/// How a host is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// One datagram a message; records may be lost on the way, and nobody will know.
    Udp,
    /// A stream in clear.
    Tcp,
    /// A stream under TLS.
    Tls(TlsPolicy),
}

/// A named `ssl-policy`, its files as paths: they are read at start and again at every connection attempt, so that a
/// renewed certificate needs no restart.
#[derive(Clone, Debug)]
pub struct TlsPolicy {
    /// Its name in the configuration.
    pub name: Name,
    /// PEM file of the authorities that may sign the host's certificate.
    pub ca: PathBuf,
    /// PEM files of our certificate chain and key, where the host asks for one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// What the host's certificate must be for: a DNS name or an IP address. None: the address we connect to.
    pub server_name: Option<String>,
    /// PEM files of revocation lists; where given, a certificate whose status they do not tell is refused.
    pub crl: Vec<PathBuf>,
    /// Lowest and highest version.
    pub versions: (TlsVersion, TlsVersion),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// One log host, as the configuration resolved it.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name.
    pub name: Name,
    /// Where.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
    /// For syslog over a stream.
    pub framing: Framing,
    /// Which classes, each with its format.
    pub records: Vec<(Class, Format)>,
    /// How many records may wait; what does not fit is counted and said in band.
    pub queue: usize,
    /// IPFIX observation domain (RFC 7011, 3.1).
    pub observation_domain: u32,
    /// What binary records of logins and logouts of access users have.
    pub access_version: AccessVersion,
    /// HOSTNAME of RFC 5424.
    pub host_name: Name,
    /// The zone in which RFC 5424 time stamps are written, with its offset; none: UTC, written `Z`.
    pub time_zone: Option<TimeZone>,
    /// First and longest pause between connection attempts.
    pub backoff: (Duration, Duration),
}

impl Format {
    /// All.
    pub const ALL: [Self; 3] = [Self::Binary, Self::Syslog, Self::Huawei];

    /// Whether it is text.
    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    /// Whether records of a class have a form in it.
    pub fn has(self, class: Class) -> bool {
        self != Self::Huawei || matches!(class, Class::Access | Class::CallStatus)
    }

    /// In the words of the configuration.
    pub fn text(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Syslog => "syslog",
            Self::Huawei => "huawei",
        }
    }
}

impl Transport {
    /// In the words of the configuration.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
        }
    }
}
