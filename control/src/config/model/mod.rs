//! Every key of a configuration as one tree: its name, its form in TOML, the kind of its value, and what it is for.
//!
//! The readers of the schema stay the judges of values. The tree says what they do not: how lists are keyed and where a key
//! is, which is what the YANG module, edits by path, and the two ways between TOML and XML are made of. A test reads
//! configurations and compares the keys that the readers know with those of the tree, both ways.

mod access;
mod audit;
mod dataplane;
mod kind;
mod logging;
mod respond;
mod rules;

pub use kind::{Key, Kind, Node, Type};

use kind::{container, leaf, leaves, list};

/// The keys at the root of a file.
pub static ROOT: &[Node] = &[
    container("system", "The machine and what is kept about it.", SYSTEM),
    container("management", "How the running process is asked and told.", MANAGEMENT),
    container("dataplane", "Cores, memory and tables of the packet path.", dataplane::DATAPLANE),
    list("port", Key::Leaf("name"), "The network interfaces that packets come from and go to.", dataplane::PORT),
    list("wire", Key::Number, "Pairs of ports that are joined transparently.", dataplane::WIRE),
    list("interface", Key::Number, "Ports with addresses, between which packets are routed.", dataplane::INTERFACE),
    list("route", Key::Number, "Where packets for networks go that are not connected.", dataplane::ROUTE),
    Node {
        name: "address",
        about: "Named addresses, networks and ranges.",
        kind: Kind::Map { value: "item", kind: Type::Text, many: true },
    },
    Node {
        name: "service",
        about: "Named protocols with their ports.",
        kind: Kind::Map { value: "item", kind: Type::Text, many: true },
    },
    Node { name: "profile", about: "What is logged of the sessions of rules.", kind: Kind::Named(rules::PROFILE) },
    Node { name: "user-group", about: "Named users of the access network.", kind: Kind::Named(rules::USER_GROUP) },
    Node { name: "nat", about: "Pools of source NAT.", kind: Kind::Named(rules::NAT) },
    list("rule", Key::Leaf("name"), "The policy; the first rule that matches decides.", rules::RULE),
    container("policy", "The policy as a whole.", rules::POLICY),
    container("protection", "What is dropped and told as an attack.", rules::PROTECTION),
    container("application-identification", "How applications are told.", rules::IDENTIFICATION),
    container("log", "What is recorded.", logging::LOG),
    container("access", "Where users of the access network are looked for.", access::ACCESS),
    container("audit", "What is kept on this machine, and how.", audit::AUDIT),
    list("log-host", Key::Leaf("name"), "Where records go.", logging::LOG_HOST),
    list("log-group", Key::Leaf("name"), "Log hosts that stand in for each other.", logging::LOG_GROUP),
    Node { name: "ssl-policy", about: "How log hosts are believed.", kind: Kind::Named(logging::SSL_POLICY) },
    container("configuration", "What was committed.", CONFIGURATION),
    container("metrics", "Where counters are scraped; default: nowhere.", METRICS),
    container("dashboard", "Where the page to look at is served; default: nowhere.", DASHBOARD),
    list("respond", Key::Leaf("name"), "What is done by itself when something happens.", respond::RESPOND),
];

const SYSTEM: &[Node] = &[
    leaf("host-name", Type::Text, "The name that records carry; default: the kernel's."),
    leaf("time-zone", Type::Text, "The IANA time zone of text records; default UTC."),
    leaf("clock-synchronised", Type::Boolean, "Whether something keeps the machine's clock right; default false."),
    leaf("confine", Type::Boolean, "Whether the process gives away what it does not need once it runs; default true."),
    leaf("state-directory", Type::Path, "Where what outlives a restart is kept; default: nothing does."),
];

const MANAGEMENT: &[Node] = &[
    leaf("socket", Type::Path, "The Unix socket of commands; default /run/ostiary/ostiary.sock."),
    leaf("tap", Type::Name, "The kernel's interface that serves the firewall's own addresses; default none."),
    container("roles", "The Unix groups of each role; default: whoever may connect is an administrator.", ROLES),
];

const CONFIGURATION: &[Node] =
    &[leaf("generations", Type::Number(1, 1_000), "Committed configurations that are kept; default 50.")];

const METRICS: &[Node] = &[
    leaf("listen", Type::Text, "ADDRESS:PORT of HTTP."),
    leaf("certificate", Type::Path, "The listener's certificate, issuers behind it: with a key, TLS is spoken."),
    leaf("key", Type::Path, "Its private key."),
    leaf("client-ca", Type::Path, "Who signs the certificates that clients have to show; default: none is asked."),
];

const DASHBOARD: &[Node] = &[
    leaf("listen", Type::Text, "ADDRESS:PORT of HTTP; TLS and a token are needed where it is not loopback."),
    leaf("certificate", Type::Path, "The page's certificate, issuers behind it: with a key, TLS is spoken."),
    leaf("key", Type::Path, "Its private key."),
    leaf("token-file", Type::Path, "A file of one line, the token that whoever looks has to know."),
    leaf("users", Type::Boolean, "Whether the page names users and their sign-ons; default false."),
    leaf("audit", Type::Boolean, "Whether the page shows the end of the audit trail; default false."),
];

const ROLES: &[Node] = &[
    leaves("read-only", Type::Text, "Groups, by name or number, that look at state and configuration."),
    leaves("auditor", Type::Text, "Groups that look at the audit trail, not at the configuration."),
    leaves("operator", Type::Text, "Groups that look at all but the trail, and set counts back."),
    leaves("administrator", Type::Text, "Groups that may do everything."),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(path: &str, nodes: &[Node], visit: &mut impl FnMut(&str, &Node)) {
        for node in nodes {
            let path = format!("{path}/{}", node.name);
            visit(&path, node);
            walk(&path, node.children(), visit);
        }
    }

    #[test]
    fn names_are_those_of_yang_and_nothing_stands_twice() {
        let mut paths = Vec::new();
        walk("", ROOT, &mut |path, node| {
            let is_name = |text: &str| {
                text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
            };
            assert!(is_name(node.name), "{path}");
            assert!(node.about.ends_with('.') && node.about.len() < 90, "{path}: {}", node.about);
            paths.push(path.to_owned());
        });
        let many = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), many);
    }

    #[test]
    fn lists_have_their_keys() {
        walk("", ROOT, &mut |path, node| {
            if let Kind::List { key: Key::Leaf(key), children } = &node.kind {
                assert!(
                    children.iter().any(|child| child.name == *key && matches!(child.kind, Kind::Leaf(_))),
                    "{path}"
                );
            }
        });
    }
}
