//! Keys of the policy, its objects, NAT and protection.

use super::kind::{Kind, Node, Type, container, leaf, leaves};

pub(super) const PROFILE: &[Node] = &[Node {
    name: "im-audit",
    about: "Which sign-ons of which instant messengers are recorded.",
    kind: Kind::Map { value: "events", kind: Type::Choice(&["both", "online", "offline"]), many: false },
}];

pub(super) const USER_GROUP: &[Node] = &[
    leaves("users", Type::Text, "Names of users."),
    leaves("class", Type::Text, "Classes that RADIUS gives."),
    leaves("filter-id", Type::Text, "Filter-Ids that RADIUS gives."),
    leaf("file", Type::Path, "A file with a user a line."),
];

pub(super) const NAT: &[Node] = &[
    leaves("pool", Type::Text, "Addresses and ranges of addresses."),
    leaf("ports", Type::Text, "The ports used, FIRST-LAST; default 1024-65535."),
    leaf("ports-per-host", Type::Number(1, 65_535), "Ports of one host at most; default: no limit."),
    leaf("port-hold", Type::Duration, "How long a port rests after use; default 2 min."),
];

pub(super) const RULE: &[Node] = &[
    leaf("name", Type::Name, "The rule's name, which appears in records."),
    leaves("from", Type::Text, "Zones that the client is in; default any."),
    leaves("to", Type::Text, "Zones that the server is in; default any."),
    leaves("source", Type::Text, "Addresses of the client, or names of some; default any."),
    leaves("destination", Type::Text, "Addresses of the server, or names of some; default any."),
    leaves("service", Type::Text, "Protocols and ports, or names of some; default any."),
    leaves("application", Type::Text, "Applications; default any."),
    leaves("user", Type::Text, "Users of the access network; default any."),
    leaves("user-group", Type::Text, "Groups of such users; default any."),
    leaf("action", Type::Choice(&["permit", "deny", "reset"]), "What becomes of the session."),
    leaf("session-logging", Type::Boolean, "Whether its sessions are recorded; default false."),
    leaf("profile", Type::Name, "What else is recorded of them."),
    leaf("source-nat", Type::Name, "The pool that the client's address becomes one of."),
];

pub(super) const POLICY: &[Node] =
    &[leaf("implicit-deny-logging", Type::Boolean, "Whether what no rule matches is recorded; default false.")];

pub(super) const IDENTIFICATION: &[Node] = &[
    leaf("mode", Type::Choice(&["on-demand", "full"]), "Whether more is identified than rules ask for."),
    leaf("signatures", Type::Path, "The signature database; default: the one built in."),
    leaves("trusted-keys", Type::Text, "Public keys that databases may be signed with."),
    leaf("unsigned", EXCEPTION, "What becomes of databases without signature; default refuse."),
    leaf("downgrade", EXCEPTION, "What becomes of databases older than the last; default refuse."),
];

const EXCEPTION: Type = Type::Choice(&["refuse", "allow"]);

pub(super) const PROTECTION: &[Node] = &[
    leaf("tcp-window", Type::Choice(&["strict", "loose", "off"]), "How TCP's sequence numbers are judged."),
    leaf("syn-retry", Type::Boolean, "Whether a first SYN is only taken when it is repeated."),
    leaf("stray-rate", Type::Number(1, 1_000_000), "Records of stray packets a second."),
    leaf("largest-icmp", Type::Number(28, 65_535), "ICMP packets of more octets are dropped."),
    container("drop", "Which kinds of bad packets are dropped.", DROP),
    container("limit", "New sessions a second.", LIMIT),
    Node { name: "zone", about: "Which sources may come from a zone.", kind: Kind::Named(ZONE) },
];

const fn drop(name: &'static str, about: &'static str) -> Node {
    leaf(name, Type::Boolean, about)
}

const DROP: &[Node] = &[
    drop("land", "Source and destination are the same."),
    drop("bad-address", "Sources that no host has."),
    drop("bad-tcp-flags", "Flags that no TCP sets together."),
    drop("ttl-zero", "Packets that may not be forwarded."),
    drop("source-route", "IP's source route options."),
    drop("bad-ip-option", "IP options that cannot be read."),
    drop("record-route", "IP's record route option."),
    drop("ip-timestamp", "IP's time stamp option."),
    drop("ip-option", "Any IP option."),
    drop("smurf", "ICMP requests to broadcast addresses."),
    drop("fraggle", "UDP echoes to broadcast addresses."),
    drop("icmp-redirect", "ICMP redirects."),
    drop("icmp-fragment", "Fragments of ICMP."),
    drop("syn-fragment", "Fragments of TCP SYN."),
    drop("unknown-protocol", "Protocols that IANA did not assign."),
    drop("tcp-overlap", "TCP segments that contradict each other."),
    drop("bad-transport-checksum", "Wrong checksums of TCP, UDP and ICMP."),
    drop("ttl-anomaly", "TTLs that change within a session."),
];

const fn limit(name: &'static str, about: &'static str) -> Node {
    container(name, about, RATES)
}

const LIMIT: &[Node] = &[
    limit("tcp", "Of TCP."),
    limit("udp", "Of UDP."),
    limit("icmp", "Of ICMP."),
    limit("other", "Of other protocols."),
    limit("fragments", "Fragments."),
];

const RATES: &[Node] = &[
    leaf("source", Type::Number(1, 100_000_000), "From one source; default: no limit."),
    leaf("destination", Type::Number(1, 100_000_000), "To one destination; default: no limit."),
];

const ZONE: &[Node] = &[
    leaves("networks", Type::Text, "Sources that may come in; default any."),
    leaf("reverse-check", Type::Boolean, "Whether other zones' networks are refused; default true."),
    leaf("drop-bogons", Type::Boolean, "Whether sources that the Internet does not route are dropped."),
];
