//! Keys of `[access]`.

use super::kind::{Key, Node, Type, container, leaf, leaves, list};

pub(super) const ACCESS: &[Node] = &[
    leaves(
        "sources",
        Type::Choice(&["radius", "pppoe", "dhcp", "8021x", "dhcpv6"]),
        "What is read; default all but dhcpv6.",
    ),
    leaves("ports", Type::Number(1, 65_535), "Ports of RADIUS; default 1812, 1813, 1645, 1646 and 3799."),
    leaf("max-users", Type::Number(1_000, 4_000_000), "Users at most; default 100,000."),
    leaf("silence", Type::Duration, "After how long without a packet a user is gone; default 24 h."),
    leaf("echo-timeout", Type::Duration, "After how long without an echo a PPPoE user is gone; default 3 min."),
    leaf("end-sessions", Type::Boolean, "Whether a logout ends the user's sessions; default false."),
    container(
        "dhcp",
        "Who is believed about leases.",
        &[leaves("servers", Type::Address, "DHCP servers; default any.")],
    ),
    container(
        "radius",
        "Who is believed about users.",
        &[leaf("unknown-nas", BELIEF, "Servers not listed; default believe.")],
    ),
    container("receiver", "Accounting that is sent to the firewall.", &[leaf("listen", Type::Text, "ADDRESS:PORT.")]),
    list("nas", Key::Leaf("name"), "Access servers whose RADIUS is verified.", NAS),
];

const BELIEF: Type = Type::Choice(&["believe", "refuse"]);

const NAS: &[Node] = &[
    leaf("name", Type::Name, "The server's name."),
    leaves("address", Type::Text, "Addresses and networks that it asks from."),
    leaf("secret-file", Type::Path, "The file of the secret that it shares."),
    leaf("unverified", BELIEF, "What becomes of messages that nobody can verify; default refuse."),
];
