//! Delivery to log hosts: one queue, one encoder and one transport a host, none of which can hold up another.
//!
//! What a host can rely on:
//! - **UDP**: records may be lost on the way, and nobody will know, but for gaps in the sequence numbers. After an ICMP error
//!   nothing is sent during the pause that follows.
//! - **TCP and TLS**: a record that was not wholly written when a connection broke is written again on the next; so is what
//!   was wholly written in the last 10 minutes, 32 MiB of it at most, as a write that returned is no delivery. Everything
//!   that the host's TCP had not acknowledged is among that. So nothing is lost in the network; records may arrive twice,
//!   and (boot, sequence) tells which did. What is *not* covered: records that the host's TCP acknowledged and its program
//!   never read, if they are older or more than that; no such protocol can know of them.
//! - **A queue that is full** loses records, by their rank ([`Rank`]), the youngest first; how many were lost, and which, is
//!   said to the host in a record of its own once it takes records again. Nothing is lost without a number.

mod backlog;
mod backoff;
mod channel;
mod counts;
mod depot;
mod diagnosis;
mod event;
mod exporters;
mod file;
mod groups;
mod kafka;
mod limiter;
mod link;
mod losses;
mod notice;
mod opener;
mod outbox;
mod owed;
mod queue;
pub mod relp;
pub mod spool;
mod status;
mod tls;
mod trouble;
mod window;
mod writer;

pub use counts::{Cause, Counts};
pub use event::{ChannelChange, ChannelEvent};
pub use exporters::Exporters;
pub use notice::Notice;
pub use opener::namespace_path;
pub use owed::{Payload, Rank};
pub use status::{ClassStatus, HostState, HostStatus, Role, Waiting};

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use dataplane::time::Nanos;
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
    /// RFC 3164.
    Rfc3164,
    /// A JSON object a line.
    Json,
    /// Common Event Format.
    Cef,
    /// The vendor's line, of access users only.
    Huawei,
}

/// What encoded records are: those of one form can be sent by a writer of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// How they are written.
    pub format: Format,
    /// Version of the fields.
    pub schema: u16,
}

impl Form {
    /// Of what this program encodes for a host.
    pub fn of(format: Format, transport: &Transport) -> Self {
        let keyed = if let Transport::Kafka(_) = transport { Self::KEYED } else { 0 };
        Self { format, schema: crate::record::schema::VERSION | keyed }
    }

    /// Of a schema, where a key is before each record: those to Kafka.
    const KEYED: u16 = 0x8000;

    /// Whether a key is before each record.
    fn is_keyed(self) -> bool {
        self.schema & Self::KEYED != 0
    }
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
    /// RELP in clear: the host answers each record.
    Relp,
    /// RELP under TLS.
    RelpTls(TlsPolicy),
    /// A file of this machine.
    File(FileTarget),
    /// A Kafka cluster.
    Kafka(KafkaTarget),
}

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// There.
    Address(SocketAddr),
    /// At one of the addresses of a name, which is looked up at each attempt.
    Name {
        /// DNS name.
        name: Box<str>,
        /// UDP or TCP port.
        port: u16,
    },
    /// Nowhere in the network: the transport says where.
    None,
}

/// A file, and how it is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTarget {
    /// Its path.
    pub path: PathBuf,
    /// Octets after which it is rotated.
    pub rotate: u64,
    /// How many rotated files are kept.
    pub keep: usize,
    /// When it is made sure of on its disk.
    pub sync: FileSync,
}

/// When what was written to a file is made sure of on its disk: fsync. Records are acknowledged then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileSync {
    /// When it is rotated, and at the end; records are acknowledged when the kernel has them.
    #[default]
    Off,
    /// So long after it was written, at most.
    Within(Duration),
    /// After each write.
    Always,
}

/// A topic of a Kafka cluster.
#[derive(Clone, Debug)]
pub struct KafkaTarget {
    /// `host:port`, comma-separated.
    pub brokers: Box<str>,
    /// Topic.
    pub topic: Box<str>,
    /// Under TLS.
    pub tls: Option<TlsPolicy>,
    /// How long a record may wait for company.
    pub linger: Duration,
}

/// The way to a host, where the system's routes are not to choose it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Via {
    /// Our address.
    pub source: Option<IpAddr>,
    /// The device, which may be that of a VRF.
    pub interface: Option<Name>,
    /// The network namespace, by a path.
    pub namespace: Option<PathBuf>,
    /// Differentiated services codepoint, 0 to 63.
    pub dscp: Option<u8>,
}

/// For how long what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// No progress for so long while something is out: the host is stalled.
    pub stall: Duration,
    /// The host's TCP acknowledges nothing for so long: the connection is lost (RFC 5482).
    pub user_timeout: Duration,
    /// The host answers nothing for so long (RELP): the connection is lost.
    pub answer: Duration,
    /// For a connection, and again for a handshake.
    pub setup: Duration,
    /// For the host's part in a close.
    pub close: Duration,
}

/// How much may be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// Records without an answer (RELP, Kafka).
    pub frames: usize,
    /// Their octets.
    pub octets: usize,
    /// Octets of acknowledged records that are written again when a connection breaks (TCP, TLS).
    pub reserve: usize,
    /// For how long those are kept.
    pub age: Duration,
}

/// What of a host is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Octets, at most.
    pub octets: u64,
    /// Older records are given up.
    pub age: Duration,
    /// Per cent of the octets sent that are from the spool while new records wait too, 1 to 99.
    pub share: u8,
    /// Classes that are made sure of on disk at once; others every second.
    pub sync: Vec<Class>,
    /// When it is full: new records are given up in place of the oldest.
    pub drop_new: bool,
}

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Syslog facility, 0 to 23.
    pub facility: u8,
    /// A byte order mark before the message (RFC 5424, 6.4).
    pub bom: bool,
    /// Digits of a second's fraction, 3 or 6.
    pub digits: u8,
    /// `timeQuality` (RFC 5424, 7.1).
    pub quality: bool,
    /// What that says of the clock: whether an external source keeps it.
    pub synchronised: bool,
    /// `origin` (RFC 5424, 7.2).
    pub origin: bool,
    /// A sentence for people behind the structured data.
    pub sentence: bool,
    /// `sequenceId` (RFC 5424, 7.3.1).
    pub sequence_id: bool,
}

/// How binary records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryOptions {
    /// IPFIX observation domain (RFC 7011, 3.1).
    pub observation_domain: u32,
    /// What records of logins and logouts of access users have.
    pub access_version: AccessVersion,
    /// Octets of a message, 1,360 to 65,535; none: as suits the transport.
    pub message: Option<usize>,
    /// Over UDP, templates are sent again after so long, or so many messages (RFC 7011, 8.4).
    pub refresh: (Duration, u32),
    /// How often statistics of the export are sent; none: never.
    pub statistics: Option<Duration>,
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
    pub target: Target,
    /// How.
    pub transport: Transport,
    /// For text over a stream.
    pub framing: Framing,
    /// Which classes, each with its format.
    pub records: Vec<(Class, Format)>,
    /// How many records may wait in memory.
    pub queue: usize,
    /// HOSTNAME of text records.
    pub host_name: Name,
    /// The zone in which time stamps of text are written, with its offset; none: UTC, written `Z`.
    pub time_zone: Option<TimeZone>,
    /// When it is connected to.
    pub connect: Connect,
    /// First and longest pause between connection attempts.
    pub backoff: (Duration, Duration),
    /// The way there.
    pub via: Via,
    /// For how long what.
    pub patience: Patience,
    /// How much may be on its way.
    pub window: WindowLimits,
    /// What does not fit in memory, or is not taken, goes to disk; none: it is given up, and said.
    pub spool: Option<SpoolLimits>,
    /// How text is written.
    pub text: TextOptions,
    /// How binary records are written.
    pub binary: BinaryOptions,
    /// Records a second of a class, at most.
    pub limits: Vec<(Class, u32)>,
}

/// When a host is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connect {
    /// At the start, and again whenever a connection broke.
    #[default]
    Keep,
    /// Once there is a record for it, and not before; after a connection broke, likewise.
    OnEvent,
}

/// Hosts that stand for each other.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Its name.
    pub name: Name,
    /// How they do.
    pub mode: GroupMode,
    /// Their names, in order.
    pub members: Vec<Name>,
    /// A member that came back is returned to when it was up for so long.
    pub return_after: Duration,
}

/// How the hosts of a group share records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupMode {
    /// Each gets all.
    Copies,
    /// The first that takes records gets all.
    Failover,
    /// They get records in turn.
    RoundRobin,
}

/// Everything that is delivered, and where.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Log hosts.
    pub hosts: Vec<HostConfig>,
    /// Groups of them.
    pub groups: Vec<GroupConfig>,
    /// The folder of spools.
    pub spool: Option<PathBuf>,
}

impl HostConfig {
    /// With everything else as it is where nothing else is asked for.
    pub fn new(name: &str, target: Target, transport: Transport, records: Vec<(Class, Format)>) -> Self {
        let window = match transport {
            Transport::Kafka(_) => WindowLimits::of_kafka(),
            _ => WindowLimits::default(),
        };
        Self {
            name: name.into(),
            target,
            transport,
            framing: Framing::OctetCounting,
            records,
            queue: 100_000,
            host_name: "-".into(),
            time_zone: None,
            connect: Connect::Keep,
            backoff: (Duration::from_secs(1), Duration::from_secs(60)),
            via: Via::default(),
            patience: Patience::default(),
            window,
            spool: None,
            text: TextOptions::default(),
            binary: BinaryOptions::default(),
            limits: Vec::new(),
        }
    }

    /// Where it is, for the operator.
    fn place(&self) -> String {
        match &self.transport {
            Transport::File(file) => file.path.display().to_string(),
            Transport::Kafka(cluster) => format!("{}/{}", cluster.brokers, cluster.topic),
            _ => self.target.to_string(),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        let (stall, user_timeout, answer) = (Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(90));
        Self { stall, user_timeout, answer, setup: Duration::from_secs(10), close: Duration::from_secs(2) }
    }
}

impl Default for WindowLimits {
    /// The reserve is more than any usual kernel holds for a program that does not read (tcp_rmem).
    fn default() -> Self {
        Self { frames: 1_024, octets: 1 << 20, reserve: 32 << 20, age: Duration::from_secs(600) }
    }
}

impl WindowLimits {
    /// Answers come in batches, each some 40 ms behind its records.
    fn of_kafka() -> Self {
        Self { frames: 16_384, octets: 16 << 20, ..Self::default() }
    }
}

impl Default for TextOptions {
    /// Facility local0.
    fn default() -> Self {
        let (facility, digits) = (16, 6);
        Self {
            facility,
            bom: false,
            digits,
            quality: false,
            synchronised: false,
            origin: false,
            sentence: true,
            sequence_id: true,
        }
    }
}

impl Default for BinaryOptions {
    fn default() -> Self {
        Self {
            observation_domain: 1,
            access_version: AccessVersion::default(),
            message: None,
            refresh: (Duration::from_secs(30), 500),
            statistics: None,
        }
    }
}

impl Target {
    /// UDP or TCP port.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Address(address) => Some(address.port()),
            Self::Name { port, .. } => Some(*port),
            Self::None => None,
        }
    }
}

impl fmt::Display for Target {
    /// `ip:port` or `name:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { name, port } => write!(f, "{name}:{port}"),
            Self::None => f.write_str("-"),
        }
    }
}

impl Format {
    /// All.
    pub const ALL: [Self; 6] = [Self::Binary, Self::Syslog, Self::Rfc3164, Self::Json, Self::Cef, Self::Huawei];

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
            Self::Rfc3164 => "rfc3164",
            Self::Json => "json",
            Self::Cef => "cef",
            Self::Huawei => "huawei",
        }
    }
}

impl Transport {
    /// Under which policy, where it is under TLS.
    pub fn tls(&self) -> Option<&TlsPolicy> {
        match self {
            Self::Tls(policy) | Self::RelpTls(policy) => Some(policy),
            Self::Kafka(target) => target.tls.as_ref(),
            Self::Udp | Self::Tcp | Self::Relp | Self::File(_) => None,
        }
    }

    /// In the words of the configuration.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
            Self::Relp => "relp",
            Self::RelpTls(_) => "relp-tls",
            Self::File(_) => "file",
            Self::Kafka(_) => "kafka",
        }
    }
}

/// Now, of the system's clock.
fn time() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::from_parts(since.as_secs(), since.subsec_nanos())
}
