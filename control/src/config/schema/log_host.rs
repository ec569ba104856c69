//! `[[log-host]]`: where records go, how, and what of them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::super::describe::Shape;
use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value::{self, Refusal};
use super::delivery::SpoolKeys;
use super::logging::ALL_FORMATS;
use crate::export::{Connect, FileSync, Format, Framing};
use crate::record::Class;

/// The transports by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportKind {
    /// One datagram a message.
    Udp,
    /// A stream in clear.
    Tcp,
    /// A stream under TLS.
    Tls,
    /// RELP in clear.
    Relp,
    /// RELP under TLS.
    RelpTls,
    /// A file of this machine.
    File,
    /// A Kafka cluster.
    Kafka,
}

impl TransportKind {
    const ALL: &[(&str, Self)] = &[
        ("udp", Self::Udp),
        ("tcp", Self::Tcp),
        ("tls", Self::Tls),
        ("relp", Self::Relp),
        ("relp-tls", Self::RelpTls),
        ("file", Self::File),
        ("kafka", Self::Kafka),
    ];

    /// In the words of the configuration.
    pub(crate) fn text(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// Whether the host is at an address.
    pub(crate) fn is_network(self) -> bool {
        !matches!(self, Self::File | Self::Kafka)
    }

    /// Whether it is a connection on which the host answers nothing.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// Whether the host can be away, and that be known.
    pub(crate) fn is_connected(self) -> bool {
        self.is_stream() || self.is_answered()
    }

    /// Whether the host answers each record.
    pub(crate) fn is_answered(self) -> bool {
        matches!(self, Self::Relp | Self::RelpTls | Self::Kafka)
    }
}

/// Keys that a later version has.
const LATER_KEYS: &[&str] = &["sasl"];

/// Where a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// There.
    Ip(IpAddr),
    /// Where DNS says.
    Name(String),
}

/// One `[[log-host]]`.
#[derive(Debug)]
pub(crate) struct LogHost {
    /// Where it is written.
    pub(crate) place: Place,
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `address`; none of files and Kafka.
    pub(crate) address: Option<Located<Address>>,
    /// `port`; default by format and transport, see [`default_port`].
    pub(crate) port: Option<Located<u16>>,
    /// `transport`; default udp.
    pub(crate) transport: TransportKind,
    /// `ssl-policy`.
    pub(crate) ssl_policy: Option<Located<String>>,
    /// `format`; default: each class's own type.
    pub(crate) format: Option<Located<Format>>,
    /// `records`; default: all classes that the format has.
    pub(crate) records: Vec<Located<Class>>,
    /// `framing`; default octet counting.
    pub(crate) framing: Option<Located<Framing>>,
    /// `queue`; default 65,536 records.
    pub(crate) queue: usize,
    /// `connect`; default keep.
    pub(crate) connect: Option<Located<Connect>>,
    /// `retry-first` and `retry-longest`; default 1 s and 60 s.
    pub(crate) retry: (Option<Located<Duration>>, Option<Located<Duration>>),
    /// `stall`; default 5 s.
    pub(crate) stall: Option<Located<Duration>>,
    /// `window`, in records.
    pub(crate) window: Option<Located<usize>>,
    /// `resend-window`, in octets.
    pub(crate) resend_window: Option<Located<u64>>,
    /// `resend-age`.
    pub(crate) resend_age: Option<Located<Duration>>,
    /// `spool`: whether at all, and what is other than in `[log.spool]`.
    pub(crate) spool: Option<Located<SpoolKeys>>,
    /// `rate-limit`: records a second by class.
    pub(crate) limits: Vec<Located<(Class, u32)>>,
    /// The way there.
    pub(crate) way: Way,
    /// How text is written.
    pub(crate) text: TextKeys,
    /// How binary records are written.
    pub(crate) binary: BinaryKeys,
    /// Which file.
    pub(crate) file: FileKeys,
    /// Which cluster.
    pub(crate) kafka: KafkaKeys,
}

/// The way to a host.
#[derive(Debug)]
pub(crate) struct Way {
    /// `source-address`.
    pub(crate) source: Option<Located<IpAddr>>,
    /// `interface`.
    pub(crate) interface: Option<Located<String>>,
    /// `namespace`.
    pub(crate) namespace: Option<Located<PathBuf>>,
    /// `dscp`.
    pub(crate) dscp: Option<Located<u8>>,
}

/// How text is written; what is not given is as in [`crate::export::TextOptions`].
#[derive(Debug)]
pub(crate) struct TextKeys {
    /// `facility`.
    pub(crate) facility: Option<Located<u8>>,
    /// `byte-order-mark`.
    pub(crate) bom: Option<Located<bool>>,
    /// `time-digits`.
    pub(crate) digits: Option<Located<u8>>,
    /// `time-quality`.
    pub(crate) quality: Option<Located<bool>>,
    /// `origin`.
    pub(crate) origin: Option<Located<bool>>,
    /// `sentence`.
    pub(crate) sentence: Option<Located<bool>>,
    /// `sequence-id`.
    pub(crate) sequence_id: Option<Located<bool>>,
}

/// How binary records are written; what is not given is as in [`crate::export::BinaryOptions`].
#[derive(Debug)]
pub(crate) struct BinaryKeys {
    /// `observation-domain`.
    pub(crate) observation_domain: Option<Located<u32>>,
    /// `template-refresh`.
    pub(crate) refresh: Option<Located<Duration>>,
    /// `template-messages`.
    pub(crate) refresh_messages: Option<Located<u32>>,
    /// `message-size`.
    pub(crate) message: Option<Located<usize>>,
    /// `statistics-interval`; none within: "off".
    pub(crate) statistics: Option<Located<Option<Duration>>>,
}

/// Which file.
#[derive(Debug)]
pub(crate) struct FileKeys {
    /// `path`.
    pub(crate) path: Option<Located<PathBuf>>,
    /// `rotate`: octets, and how many old files are kept.
    pub(crate) rotate: Option<Located<(u64, usize)>>,
    /// `sync`.
    pub(crate) sync: Option<Located<FileSync>>,
}

/// Which cluster.
#[derive(Debug)]
pub(crate) struct KafkaKeys {
    /// `brokers`.
    pub(crate) brokers: Option<Located<Vec<Located<String>>>>,
    /// `topic`.
    pub(crate) topic: Option<Located<String>>,
}

/// The classes by name.
pub(super) const CLASSES: &[(&str, Class)] = &[
    ("session", Class::Session),
    ("im", Class::Im),
    ("attack", Class::Attack),
    ("access", Class::Access),
    ("call-status", Class::CallStatus),
    ("audit", Class::Audit),
];

const CONNECT: &[(&str, Connect)] = &[("keep", Connect::Keep), ("on-event", Connect::OnEvent)];

impl LogHost {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the log host's name", value::name);
        if let Some(name) = &name {
            section.rename(format!("log-host[{}]", name.value));
        }
        let transport =
            section.optional("transport", notes, transport).map_or(TransportKind::Udp, |transport| transport.value);
        let framings = &[("octet-counting", Framing::OctetCounting), ("lf", Framing::Lf)];
        let pause = value::duration(Duration::from_millis(10), Duration::from_secs(3600));
        let read = Self {
            place: section.place().clone(),
            name,
            address: match transport.is_network() {
                true => section.required("address", notes, "an IP address, or a name", address),
                false => section.optional("address", notes, address),
            },
            port: section.optional("port", notes, value::number(1_u16, u16::MAX)),
            transport,
            ssl_policy: section.optional("ssl-policy", notes, value::name),
            format: section.optional("format", notes, value::choice(ALL_FORMATS, &[])),
            records: section
                .list("records", notes, value::choice(CLASSES, &[]))
                .map(|list| list.value)
                .unwrap_or_default(),
            framing: section.optional("framing", notes, value::choice(framings, &[])),
            queue: section
                .optional("queue", notes, value::number(16_usize, 1 << 24))
                .map_or(65_536, |queue| queue.value),
            connect: section.optional("connect", notes, value::choice(CONNECT, &[])),
            retry: (section.optional("retry-first", notes, &pause), section.optional("retry-longest", notes, &pause)),
            stall: section.optional("stall", notes, value::duration(Duration::from_millis(100), LONGEST_STALL)),
            window: section.optional("window", notes, value::number(1_usize, 1 << 20)),
            resend_window: section.optional("resend-window", notes, value::size(64 << 10, 4 << 30)),
            resend_age: section.optional("resend-age", notes, value::duration(Duration::from_secs(1), DAY)),
            spool: SpoolKeys::of_host(&mut section, notes),
            limits: limits(&mut section, notes),
            way: Way::read(&mut section, notes),
            text: TextKeys::read(&mut section, notes),
            binary: BinaryKeys::read(&mut section, notes),
            file: FileKeys::read(&mut section, transport, notes),
            kafka: KafkaKeys {
                brokers: section.list("brokers", notes, broker),
                topic: section.optional("topic", notes, topic),
            },
        };
        for key in LATER_KEYS {
            section.later(key, notes);
        }
        section.finish(notes);
        read
    }
}

/// TCP_USER_TIMEOUT ends a connection then: a longer stall would never be seen.
const LONGEST_STALL: Duration = Duration::from_secs(30);

const DAY: Duration = Duration::from_secs(86_400);

impl Way {
    fn read(section: &mut Section<'_, '_>, notes: &mut Notes) -> Self {
        Self {
            source: section.optional("source-address", notes, ip),
            interface: section.optional("interface", notes, value::interface_name),
            namespace: section.optional("namespace", notes, namespace),
            dscp: section.optional("dscp", notes, dscp),
        }
    }
}

impl TextKeys {
    fn read(section: &mut Section<'_, '_>, notes: &mut Notes) -> Self {
        Self {
            facility: section.optional("facility", notes, value::choice(FACILITIES, &[])),
            bom: section.optional("byte-order-mark", notes, value::boolean),
            digits: section.optional("time-digits", notes, digits),
            quality: section.optional("time-quality", notes, value::boolean),
            origin: section.optional("origin", notes, value::boolean),
            sentence: section.optional("sentence", notes, value::boolean),
            sequence_id: section.optional("sequence-id", notes, value::boolean),
        }
    }
}

impl BinaryKeys {
    fn read(section: &mut Section<'_, '_>, notes: &mut Notes) -> Self {
        let interval = value::duration(Duration::from_secs(1), DAY);
        let statistics = |value: &DeValue<'_>| match value {
            DeValue::String(text) if text == "off" => Ok(None),
            other => interval(other).map(Some).map_err(|refusal| refusal.or_word("off")),
        };
        Self {
            observation_domain: section.optional("observation-domain", notes, value::number(0_u32, u32::MAX)),
            refresh: section.optional("template-refresh", notes, &interval),
            refresh_messages: section.optional("template-messages", notes, value::number(1_u32, 1_000_000)),
            message: section.optional("message-size", notes, value::number(1_360_usize, 65_535)),
            statistics: section.optional("statistics-interval", notes, statistics),
        }
    }
}

impl FileKeys {
    /// Octets after which a file is rotated, and how many old ones are kept, unless told otherwise.
    pub(crate) const ROTATE: (u64, usize) = (1 << 30, 10);

    fn read(section: &mut Section<'_, '_>, transport: TransportKind, notes: &mut Notes) -> Self {
        let path = match transport {
            TransportKind::File => {
                section.required("path", notes, "the file: transport = \"file\" needs one", value::directory)
            }
            _ => section.optional("path", notes, value::directory),
        };
        let rotate = section.table("rotate", notes).map(|mut table| {
            let size = table.optional("size", notes, value::size(64 << 10, 1 << 40));
            let files = table.optional("files", notes, value::number(1_usize, 10_000));
            let place = table.place().clone();
            table.finish(notes);
            let value =
                (size.map_or(Self::ROTATE.0, |size| size.value), files.map_or(Self::ROTATE.1, |files| files.value));
            Located { value, place }
        });
        Self { path, rotate, sync: section.optional("sync", notes, sync) }
    }
}

/// When a file is made sure of on its disk. No longer than a host may be without progress.
fn sync(value: &DeValue<'_>) -> Result<FileSync, Refusal> {
    match value {
        DeValue::String(text) if text == "off" => Ok(FileSync::Off),
        DeValue::String(text) if text == "always" => Ok(FileSync::Always),
        other => {
            let times = value::duration(Duration::from_millis(10), Duration::from_secs(30));
            times(other).map(FileSync::Within).map_err(|refusal| {
                let expected = "\"off\", \"always\", or a time from \"10 ms\" to \"30 s\"";
                let advice = "\"1 s\": what was written is on the disk a second later, and acknowledged then";
                let shape = refusal.or_word("off").or_word("always").shape;
                Refusal { shape, ..Refusal::new(expected, advice) }
            })
        }
    }
}

/// Records of one class that a limit lets through at most.
const MOST_A_SECOND: u32 = 10_000_000;

/// `rate-limit = { session = 20_000 }`.
fn limits(section: &mut Section<'_, '_>, notes: &mut Notes) -> Vec<Located<(Class, u32)>> {
    let Some(mut table) = section.table("rate-limit", notes) else { return Vec::new() };
    let mut limits = Vec::new();
    if notes.is_describing() {
        for (word, _) in CLASSES.iter().filter(|(_, class)| *class != Class::Audit) {
            table.optional(word, notes, value::number(1_u32, MOST_A_SECOND));
        }
        return limits;
    }
    for (name, written) in table.entries(notes) {
        let Some((_, class)) = CLASSES.iter().find(|(word, _)| *word == name.value) else {
            let limited = CLASSES.iter().filter(|(_, class)| *class != Class::Audit);
            let words: Vec<&str> = limited.map(|(word, _)| *word).collect();
            let expected = format!("one of the classes {}", words.join(", "));
            notes.fault(&name.place, Some(name.value), expected, "write a class of records, and how many a second");
            continue;
        };
        if *class == Class::Audit {
            let advice = "remove it: nothing may keep the audit trail from a host that takes it";
            notes.fault(&name.place, Some(name.value), "a class that may be limited", advice);
            continue;
        }
        match value::number(1_u32, MOST_A_SECOND)(written.get_ref()) {
            Ok(rate) => limits.push(Located { value: (*class, rate), place: name.place }),
            Err(refusal) => notes.refused(&name.place, written, refusal),
        }
    }
    limits
}

/// IPFIX: 4739, over TLS 4740 (RFC 7011, 10.3.4 and 10.4.3). Text: 514 over UDP (RFC 5426, 3.3) and, by custom, over TCP
/// (RFC 6587 assigns none); 6514 over TLS (RFC 5425, 4.1). RELP has none assigned; 20514 is what its authors use.
pub(crate) fn default_port(format: Format, transport: TransportKind) -> u16 {
    match (format.is_text(), transport) {
        (_, TransportKind::Relp | TransportKind::RelpTls) => 20_514,
        (false, TransportKind::Tls) => 4740,
        (false, _) => 4739,
        (true, TransportKind::Tls) => 6514,
        (true, _) => 514,
    }
}

fn transport(value: &DeValue<'_>) -> Result<TransportKind, Refusal> {
    if let DeValue::String(word) = value
        && word == "kafka"
        && !cfg!(feature = "kafka")
    {
        let expected = "another transport: this build has no Kafka";
        return Err(Refusal::new(expected, "build ostiary with its default features, or the feature \"kafka\""));
    }
    value::choice(TransportKind::ALL, &[])(value).map_err(|refusal| match value {
        DeValue::String(word) if word == "sctp" => {
            let advice =
                "set transport = \"tcp\": SCTP is a module that few kernels and no collector here could be tested with";
            Refusal::new(refusal.expected, advice)
        }
        _ => refusal,
    })
}

fn address(value: &DeValue<'_>) -> Result<Address, Refusal> {
    let written = value::text(value)?;
    if let Ok(address) = written.parse::<IpAddr>() {
        return usable(address).map(Address::Ip);
    }
    match is_dns_name(&written) {
        true => Ok(Address::Name(written)),
        false => Err(Refusal::new(
            "an IP address like \"192.0.2.10\", or a name like \"siem.example.net\"",
            "write the host's address, or its DNS name: that is looked up at each connection attempt",
        )),
    }
}

fn ip(value: &DeValue<'_>) -> Result<IpAddr, Refusal> {
    let refusal = || Refusal::new("an IP address of this machine, like \"192.0.2.1\"", "see: ip address");
    usable(value::text(value)?.parse().map_err(|_| refusal())?)
}

fn usable(address: IpAddr) -> Result<IpAddr, Refusal> {
    if address.is_unspecified() || address.is_multicast() {
        let expected = "an IP address like \"192.0.2.10\" or \"2001:db8::10\"";
        return Err(Refusal::new(expected, "write an address that one machine has"));
    }
    Ok(address)
}

/// Labels of letters, digits and hyphens (RFC 1123, 2.1); the last is no number, or it would be a broken address.
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(is_label) && !last.bytes().all(|octet| octet.is_ascii_digit())
}

/// A name of `ip netns`, or a path.
fn namespace(value: &DeValue<'_>) -> Result<PathBuf, Refusal> {
    let written = value::text(value)?;
    if written.starts_with('/') {
        return Ok(PathBuf::from(written));
    }
    value::name_text(&written)
        .map_err(|_| Refusal::new("a network namespace: a name, or an absolute path", "see: ip netns list"))?;
    Ok(PathBuf::from("/run/netns").join(written))
}

/// A codepoint by its number, or by its name (RFC 2474, 2597, 3246, 5865, 8622).
fn dscp(value: &DeValue<'_>) -> Result<u8, Refusal> {
    let refusal = || {
        let expected = "a codepoint: 0 to 63, or \"cs0\" to \"cs7\", \"af11\" to \"af43\", \"ef\", \"le\", \"va\"";
        Refusal::new(expected, "write the one that your network's classes are made of")
    };
    let DeValue::String(name) = value else {
        let shape = Shape::Either(vec![Shape::Number { first: 0, last: 63 }, Shape::Text]);
        return value::number(0_u8, 63)(value).map_err(|_| refusal().of(shape));
    };
    let digits = |text: &str| text.bytes().map(|digit| digit.checked_sub(b'0')).collect::<Option<Vec<u8>>>();
    match name.as_ref() {
        "ef" => return Ok(46),
        "va" => return Ok(44),
        "le" => return Ok(1),
        _ => {}
    }
    let class = name.strip_prefix("cs").and_then(digits);
    let assured = name.strip_prefix("af").and_then(digits);
    match (class.as_deref(), assured.as_deref()) {
        (Some(&[class @ 0..=7]), _) => Ok(class * 8),
        (_, Some(&[class @ 1..=4, drop @ 1..=3])) => Ok(class * 8 + drop * 2),
        _ => Err(refusal()),
    }
}

fn digits(value: &DeValue<'_>) -> Result<u8, Refusal> {
    let refusal = || Refusal::new("3 or 6", "3 are milliseconds, 6 are microseconds");
    match value::number(3_u8, 6)(value) {
        Ok(digits @ (3 | 6)) => Ok(digits),
        Ok(_) => Err(refusal()),
        Err(other) => Err(Refusal { shape: other.shape, ..refusal() }),
    }
}

/// `HOST:PORT`, of an IPv6 address `[ADDRESS]:PORT`.
fn broker(value: &DeValue<'_>) -> Result<String, Refusal> {
    let written = value::text(value)?;
    let is_there = written.rsplit_once(':').is_some_and(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.parse::<std::net::Ipv4Addr>().is_ok() || is_dns_name(host),
        };
        is_host && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    match is_there {
        true => Ok(written),
        false => Err(Refusal::new("a broker like \"kafka1.example.net:9092\"", "write HOST:PORT")),
    }
}

/// Letters, digits, `.`, `_` and `-`, at most 249: what a cluster takes.
fn topic(value: &DeValue<'_>) -> Result<String, Refusal> {
    let written = value::text(value)?;
    let is_fine = written.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet));
    match is_fine && written.len() <= 249 && ![".", ".."].contains(&written.as_str()) {
        true => Ok(written),
        false => Err(Refusal::new("a topic: letters, digits, '.', '_' and '-', at most 249", "choose such a name")),
    }
}

/// The facilities of RFC 5424, 6.2.1, by the names that syslog daemons give them.
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("security", 13),
    ("console", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> DeValue<'_> {
        DeValue::String(text.into())
    }

    #[test]
    fn codepoints_have_names() {
        for (name, number) in [("cs0", 0), ("cs7", 56), ("af11", 10), ("af21", 18), ("af43", 38), ("ef", 46)] {
            assert_eq!(dscp(&text(name)).unwrap(), number, "{name}");
        }
        for wrong in ["cs8", "af14", "af51", "af01", "af1", "best", "", "af1١"] {
            assert!(dscp(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_dns_are_told_from_broken_addresses() {
        for name in ["siem", "siem.example.net", "siem.example.net.", "a-b.c_d.x1"] {
            assert!(is_dns_name(name), "{name}");
        }
        for wrong in ["192.0.2", "192.0.2.300", "a..b", "-a.b", "a b", "", ".", "2001:db8::x"] {
            assert!(!is_dns_name(wrong), "{wrong}");
        }
        assert!(!is_dns_name(&"a".repeat(64)));
    }

    #[test]
    fn brokers_have_ports() {
        for fine in ["kafka1:9092", "192.0.2.1:9092", "[2001:db8::1]:9092"] {
            assert_eq!(broker(&text(fine)).unwrap(), fine);
        }
        for wrong in ["kafka1", "kafka1:0", "kafka1:x", ":9092", "2001:db8::1:9092", "a b:1", "[kafka1]:9092"] {
            assert!(broker(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_namespace_is_a_name_or_a_path() {
        assert_eq!(namespace(&text("mgmt")).unwrap(), PathBuf::from("/run/netns/mgmt"));
        assert_eq!(namespace(&text("/proc/7/ns/net")).unwrap(), PathBuf::from("/proc/7/ns/net"));
        assert!(namespace(&text("../mgmt")).is_err());
    }
}
