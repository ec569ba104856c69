//! Access users: where they are looked for, and who is believed.

use super::Default::{self, Is, Of};
use super::Meaning;

const NONE: Default = Default::None;

pub(super) const KEYS: &[Meaning] = &[
    ("access", NONE, "[Access users](#access-users): where they are looked for, and who is believed."),
    ("access.sources", Of("`[\"radius\", \"pppoe\", \"dhcp\", \"8021x\"]`"), "where access users are looked for"),
    (
        "access.ports",
        Of("`[1812, 1813, 1645, 1646, 3799]`"),
        "UDP ports of RADIUS; on others it is known by what is in it, where the flow is looked into",
    ),
    ("access.max-users", Is("100_000"), "who is online at a time"),
    (
        "access.silence",
        Is("\"24 h\""),
        "a user of whom nothing is heard for so long is taken to be gone, where the source says no other time; 0 s: never",
    ),
    ("access.echo-timeout", Is("\"3 min\""), "the same of a PPPoE session that answered echoes"),
    (
        "access.end-sessions",
        Is("false"),
        "a logout ends the sessions of the user's addresses, see [Users in rules](#users-in-rules)",
    ),
    ("access.dhcp", NONE, "DHCP."),
    ("access.dhcp.servers", Of("any"), "IPv4 addresses of the DHCP servers that are believed"),
    ("access.radius", NONE, "RADIUS."),
    (
        "access.radius.unknown-nas",
        Is("\"believe\""),
        "RADIUS of an access server without a secret here: `believe` or `refuse`",
    ),
    ("access.receiver", NONE, "The firewall as a RADIUS accounting server; needs a `[[access.nas]]`."),
    ("access.receiver.listen", NONE, "`ADDRESS:PORT`"),
    ("access.nas", NONE, "An access server whose RADIUS is verified."),
    ("access.nas[].name", NONE, "its name"),
    ("access.nas[].address", NONE, "addresses and prefixes that it asks from; each address once"),
    ("access.nas[].secret-file", NONE, "one line: what it shares with the RADIUS server; mode 0600"),
    (
        "access.nas[].unverified",
        Is("\"refuse\""),
        "messages of it that carry nothing to be verified by: `believe` or `refuse`",
    ),
];
