//! Where records go: log hosts, their groups, how they are believed, and the disk behind them.

use super::Default::{self, Is, Of};
use super::Meaning;

const NONE: Default = Default::None;

pub(super) const KEYS: &[Meaning] = &[
    ("log.spool", NONE, "Keep on disk what log hosts do not take, in `STATE/spool`; needs `state-directory`."),
    ("log.spool.enable", Is("false"), "of every log host"),
    ("log.spool.size", Is("\"4 GiB\""), "of each host: octets on disk"),
    ("log.spool.age", Is("\"7 d\""), "older records are given up"),
    ("log.spool.replay-share", Is("50"), "per cent of what is sent that is from the spool while new records wait too"),
    (
        "log.spool.sync",
        Of("audit, access, call-status, attack"),
        "classes that are made sure of on disk within 0.1 s; others within a second",
    ),
    ("log.spool.when-full", Is("\"drop-oldest\""), "`drop-new`: new records are given up instead"),
    ("log-host", NONE, "Where records go; what is promised: [Delivery](#delivery-what-a-log-host-can-rely-on)."),
    ("log-host[].name", NONE, "its name"),
    (
        "log-host[].address",
        NONE,
        "an IP address, or a name, which is looked up at each connection attempt; nothing waits for that; needed but with \
         `file` and `kafka`, which refuse it",
    ),
    ("log-host[].port", Of("text 514, TLS 6514; binary 4739, TLS 4740; RELP 20514"), "where it listens"),
    (
        "log-host[].transport",
        Is("\"udp\""),
        "`tls` and `relp-tls` need `ssl-policy`, `kafka` may have one, the others refuse one; what each promises: \
         [Delivery](#delivery-what-a-log-host-can-rely-on)",
    ),
    ("log-host[].ssl-policy", NONE, "name of an `[ssl-policy]`"),
    (
        "log-host[].format",
        Of("each class's `type`"),
        "`huawei` of access users only; one host takes one format; RELP and Kafka take text",
    ),
    ("log-host[].path", NONE, "of `file`, which needs one: an absolute path, one host each"),
    ("log-host[].rotate", NONE, "Of `file`: when a file is full."),
    ("log-host[].rotate.size", Of("`\"1 GiB\"`"), "octets after which it is rotated"),
    ("log-host[].rotate.files", Of("10"), "how many old ones are kept"),
    (
        "log-host[].sync",
        Of("`\"off\"`"),
        "of `file`: when it is made sure of on its disk (fsync): `always`, after each write; a time like `\"1 s\"`, so long \
         after it was written at most; `off`, when it is rotated and at the end",
    ),
    (
        "log-host[].brokers",
        NONE,
        "of `kafka`, which needs them: `[\"kafka1.example.net:9092\", …]`, some brokers of the cluster by name or address",
    ),
    ("log-host[].topic", NONE, "of `kafka`, which needs one: it must exist or be made by the cluster itself"),
    (
        "log-host[].records",
        Of("all that the format has"),
        "classes. All records have one sequence of numbers: who takes fewer classes sees gaps",
    ),
    ("log-host[].framing", Of("`\"octet-counting\"`"), "of text over TCP and TLS"),
    ("log-host[].queue", Is("65_536"), "records that may wait for this host"),
    (
        "log-host[].connect",
        Is("\"keep\""),
        "`on-event`: a connection is made when there is a record for the host, not before (name the classes in `records`: a \
         start alone makes records of class `audit`), and kept; one that breaks is made again for the next record, or at once \
         where records were on their way. Not with `file` and `kafka`, nor in a group but `copies`",
    ),
    (
        "log-host[].rate-limit",
        NONE,
        "Records a second by class; a second's worth may come at once; what is above is counted and said.",
    ),
    ("log-host[].rate-limit.session", Of("no limit"), "of sessions"),
    ("log-host[].rate-limit.im", Of("no limit"), "of sign-ons"),
    ("log-host[].rate-limit.attack", Of("no limit"), "of attacks"),
    ("log-host[].rate-limit.access", Of("no limit"), "of access users"),
    ("log-host[].rate-limit.call-status", Of("no limit"), "of results of logins"),
    ("log-host[].stall", Is("\"5 s\""), "no progress for so long, and the host is `stalled`"),
    (
        "log-host[].spool",
        Of("as `[log.spool] enable`"),
        "`true`, `false`, or a table of those keys that are other than in `[log.spool]`",
    ),
    ("log-host[].spool.enable", Of("`true`"), "of this host"),
    ("log-host[].spool.size", Of("as in `[log.spool]`"), "octets on disk"),
    ("log-host[].spool.age", Of("as in `[log.spool]`"), "older records are given up"),
    ("log-host[].spool.replay-share", Of("as in `[log.spool]`"), "per cent of what is sent that is from the spool"),
    ("log-host[].spool.sync", Of("as in `[log.spool]`"), "classes that are made sure of on disk within 0.1 s"),
    ("log-host[].spool.when-full", Of("as in `[log.spool]`"), "which records are given up"),
    ("log-host[].window", Of("1,024; Kafka 16,384"), "RELP, Kafka: records without an answer, at most"),
    (
        "log-host[].resend-window",
        Of("`\"32 MiB\"`"),
        "TCP and TLS: octets that are written again when a connection breaks, at most",
    ),
    ("log-host[].resend-age", Of("`\"10 min\"`"), "TCP and TLS: what is older is not"),
    ("log-host[].source-address", Of("the kernel's choice"), "ours"),
    ("log-host[].interface", NONE, "a device, or that of a VRF, that connections are bound to"),
    ("log-host[].namespace", Of("the process's"), "network namespace: a name of `ip netns`, or a path"),
    ("log-host[].dscp", Of("0"), "0 to 63, or a name: `cs1`, `af21`, `ef` …"),
    ("log-host[].facility", Of("`\"local0\"`"), "syslog, RFC 3164 and CEF"),
    (
        "log-host[].time-digits",
        Of("6"),
        "3 or 6: of a second's fraction, in syslog and JSON, and in the times within an RFC 3164 message",
    ),
    ("log-host[].byte-order-mark", Of("`false`"), "syslog: RFC 5424, 6.4"),
    ("log-host[].time-quality", Of("`false`"), "syslog: RFC 5424, 7.1"),
    ("log-host[].origin", Of("`false`"), "syslog: RFC 5424, 7.2"),
    ("log-host[].sentence", Of("`true`"), "syslog: the sentence behind the data"),
    ("log-host[].sequence-id", Of("`true`"), "syslog: RFC 5424, 7.3.1"),
    ("log-host[].observation-domain", Of("1"), "IPFIX"),
    ("log-host[].message-size", Of("1,400 over UDP, 8,192"), "IPFIX: octets of a message"),
    ("log-host[].template-refresh", Of("`\"30 s\"`"), "IPFIX over UDP: templates are sent again after so long"),
    ("log-host[].template-messages", Of("500"), "IPFIX over UDP: or after so many messages"),
    (
        "log-host[].statistics-interval",
        Of("`\"off\"`"),
        "IPFIX: how often the export says how many messages, records and octets it sent, and what it did not send",
    ),
    ("log-host[].retry-first", Is("\"1 s\""), "pause between connection attempts, which doubles"),
    ("log-host[].retry-longest", Is("\"60 s\""), "up to this one"),
    ("log-group", NONE, "Log hosts that stand for each other: two groups at most."),
    ("log-group[].name", NONE, "its name"),
    ("log-group[].hosts", NONE, "names of log hosts, 16 at most, each host in one group"),
    (
        "log-group[].mode",
        NONE,
        "`copies`: each gets every record; `failover`: the first that takes records; `round-robin`: each 16 records in turn, of \
         binary over UDP, TCP, TLS. But for copies, all take the same `records` in the same `format`",
    ),
    (
        "log-group[].return-after",
        Of("`\"60 s\"`"),
        "of `failover`: records go back to an earlier host once it has been up for so long",
    ),
    ("ssl-policy", NONE, "How log hosts are believed. Certificates are read again at every connection attempt."),
    ("ssl-policy.NAME", NONE, "A policy, which log hosts name."),
    ("ssl-policy.NAME.ca", NONE, "PEM: who may sign the host's certificate"),
    ("ssl-policy.NAME.certificate", NONE, "PEM: ours, where the host asks for one; with `key`"),
    ("ssl-policy.NAME.key", NONE, "PEM: the key of `certificate`"),
    (
        "ssl-policy.NAME.server-name",
        Of("the host's address"),
        "DNS name or IP address that its certificate must be for",
    ),
    ("ssl-policy.NAME.crl", NONE, "PEM lists; a certificate whose status they do not tell is refused"),
    ("ssl-policy.NAME.min-version", Is("\"1.2\""), "lowest version of TLS"),
    ("ssl-policy.NAME.max-version", Is("\"1.3\""), "highest version of TLS"),
];
