//! Keys of records, log hosts and their certificates.

use super::kind::{Kind, Node, Type, container, leaf, leaves};

pub(super) const LOG: &[Node] = &[
    container("session", "Records of sessions.", &[leaf("type", FORM, "Their form; default binary.")]),
    container("im", "Records of sign-ons of instant messengers.", IM),
    container("access", "Records of logins and logouts of access users.", ACCESS),
    container("call-status", "Records of results of logins.", CALL_STATUS),
    container("spool", "Where records for all hosts wait on disk.", SPOOL),
];

const FORM: Type = Type::Choice(&["binary", "syslog"]);
const ACCESS_FORM: Type = Type::Choice(&["binary", "syslog", "huawei"]);
const ACCOUNT: Type = Type::Choice(&["clear", "pseudonym", "omit"]);
const CLASSES: &[&str] = &["session", "im", "attack", "access", "call-status", "audit"];

const IM: &[Node] = &[
    leaf("enable", Type::Boolean, "Whether they are made; default false."),
    leaf("type", FORM, "Their form; default: as of sessions."),
    leaf("account", ACCOUNT, "How accounts are written; default clear."),
    Node {
        name: "accounts",
        about: "Other forms of accounts, by application.",
        kind: Kind::Map { value: "form", kind: ACCOUNT, many: false },
    },
    leaf("pseudonym-key-file", Type::Path, "The file of the key that makes pseudonyms."),
    leaves("applications", Type::Name, "Which applications; default all."),
    leaf("users-per-address", Type::Number(1, 65_536), "Users of an address and application; default 64."),
];

const ACCESS: &[Node] = &[
    leaf("enable", Type::Boolean, "Whether they are made; default false."),
    leaf("type", ACCESS_FORM, "Their form; default: as of sessions."),
    leaf("version", Type::Number(1, 4), "Which version of binary records."),
];

const CALL_STATUS: &[Node] = &[
    leaf("enable", Type::Boolean, "Whether they are made; default false."),
    leaf("type", ACCESS_FORM, "Their form; default: as of sessions."),
];

const SPOOL: &[Node] = &[
    leaf("enable", Type::Boolean, "Whether records wait on disk."),
    leaf("size", Type::Size, "How much at most."),
    leaf("age", Type::Duration, "How long at most."),
    leaf("replay-share", Type::Number(1, 99), "Percentage of what is sent that is old, after an outage."),
    leaves("sync", Type::Choice(CLASSES), "Classes that are on disk before they are sent."),
    leaf("when-full", Type::Choice(&["drop-oldest", "drop-new"]), "What gives way."),
];

pub(super) const LOG_HOST: &[Node] = &[
    leaf("name", Type::Name, "The host's name."),
    leaf("address", Type::Text, "Its address, or its DNS name."),
    leaf("port", Type::Number(1, 65_535), "Its port; the default depends on form and transport."),
    leaf("transport", TRANSPORT, "How records get there; default udp."),
    leaf("ssl-policy", Type::Name, "How the host is believed."),
    leaf("format", FORMAT, "Their form; default: each class's own type."),
    leaves("records", Type::Choice(CLASSES), "Which classes; default all."),
    leaf("framing", Type::Choice(&["octet-counting", "lf"]), "How records of text are told apart."),
    leaf("queue", Type::Number(16, 1 << 24), "Records that wait in memory; default 65,536."),
    leaf("connect", Type::Choice(&["keep", "on-event"]), "Whether at once, or for a record; default keep."),
    leaf("retry-first", Type::Duration, "Until the first attempt to connect again; default 1 s."),
    leaf("retry-longest", Type::Duration, "Until further ones at most; default 60 s."),
    leaf("stall", Type::Duration, "How long a host may not read; default 5 s."),
    leaf("window", Type::Number(1, 1 << 20), "Records without acknowledgement at most."),
    leaf("resend-window", Type::Size, "What may be sent again after a connection broke."),
    leaf("resend-age", Type::Duration, "How old that may be."),
    Node { name: "spool", about: "Whether and how records wait on disk.", kind: Kind::Switch(SPOOL) },
    Node {
        name: "rate-limit",
        about: "Records a second, by class.",
        kind: Kind::Map { value: "rate", kind: Type::Number(1, 10_000_000), many: false },
    },
    leaf("source-address", Type::Address, "The address that is sent from."),
    leaf("interface", Type::Name, "The interface that is sent from."),
    leaf("namespace", Type::Text, "The network namespace that is sent from: a name or a path."),
    leaf("dscp", Type::NumberOrText(63), "The codepoint of its packets, by number or name."),
    leaf("facility", Type::Choice(FACILITIES), "The facility of text records."),
    leaf("byte-order-mark", Type::Boolean, "Whether messages begin with one."),
    leaf("time-digits", Type::Number(3, 6), "Digits of a second's fraction, 3 or 6."),
    leaf("time-quality", Type::Boolean, "Whether records say how right the clock is."),
    leaf("origin", Type::Boolean, "Whether records say which program made them."),
    leaf("sentence", Type::Boolean, "Whether records end with a sentence."),
    leaf("sequence-id", Type::Boolean, "Whether messages are numbered."),
    leaf("observation-domain", Type::Number(0, 0xffff_ffff), "The domain of binary records."),
    leaf("template-refresh", Type::Duration, "How often templates are repeated."),
    leaf("template-messages", Type::Number(1, 1_000_000), "After how many messages they are."),
    leaf("message-size", Type::Number(1_360, 65_535), "Octets of a binary message at most."),
    leaf("statistics-interval", Type::DurationOr(&["off"]), "How often binary statistics are sent."),
    leaf("path", Type::Path, "The file, of transport file."),
    leaf("sync", Type::DurationOr(&["off", "always"]), "When that file is made sure of on its disk; default off."),
    container("rotate", "When that file is begun anew.", ROTATE),
    leaves("brokers", Type::Text, "Brokers of a Kafka cluster, HOST:PORT."),
    leaf("topic", Type::Text, "The topic there."),
];

const ROTATE: &[Node] = &[
    leaf("size", Type::Size, "At how many octets; default 1 GiB."),
    leaf("files", Type::Number(1, 10_000), "How many old files are kept; default 10."),
];

const TRANSPORT: Type = Type::Choice(&["udp", "tcp", "tls", "relp", "relp-tls", "file", "kafka"]);
const FORMAT: Type = Type::Choice(&["binary", "syslog", "rfc3164", "json", "cef", "huawei"]);

const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "security", "console", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

pub(super) const LOG_GROUP: &[Node] = &[
    leaf("name", Type::Name, "The group's name."),
    leaf("mode", Type::Choice(&["copies", "failover", "round-robin"]), "Which of its hosts get a record."),
    leaves("hosts", Type::Name, "Its hosts; of a failover, the first that is up."),
    leaf("return-after", Type::Duration, "How long a preferred host has to be up before it is used again."),
];

pub(super) const SSL_POLICY: &[Node] = &[
    leaf("ca", Type::Path, "The PEM file of the authorities that sign hosts' certificates."),
    leaf("certificate", Type::Path, "The PEM file of our certificate."),
    leaf("key", Type::Path, "The PEM file of its key."),
    leaf("server-name", Type::Text, "The name in the host's certificate; default: its address."),
    leaves("crl", Type::Path, "PEM files of certificates that are revoked."),
    leaf("min-version", TLS, "The lowest version of TLS; default 1.2."),
    leaf("max-version", TLS, "The highest version of TLS; default 1.3."),
];

const TLS: Type = Type::Choice(&["1.2", "1.3"]);
