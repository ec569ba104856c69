//! The keys of responses.

use super::kind::{Kind, leaf, leaves, list};
use super::{Key, Node, Type};
use crate::config::audit::SEVERITIES;

pub(super) const RESPOND: &[Node] = &[
    leaf("name", Type::Name, "The response's name."),
    leaves("on", Type::Name, "The events that it answers, as audit.md names them."),
    Node {
        name: "where",
        about: "What their fields have to be; of origin, an address or a prefix.",
        kind: Kind::Map { value: "value", kind: Type::Text, many: false },
    },
    leaf("count", Type::Number(1, 1_000), "How many of them; default 1."),
    leaf("within", Type::Duration, "In which time; default 1 min."),
    leaf("by", Type::Choice(&["origin", "user"]), "Of whom they are counted apart; default: all together."),
    list("then", Key::Number, "What is done; one of these in each.", THEN),
    leaf("limit", Type::Text, "How often at most, like 6/min, which is the default."),
];

const THEN: &[Node] = &[
    leaf("block-source", Type::Duration, "Traffic from the origin is dropped for so long."),
    leaf("raise", Type::Choice(&SEVERITIES), "It is recorded once more, at this severity."),
    leaf("run", Type::Choice(&["rotate", "rescue", "clear-sessions"]), "What the firewall does."),
    leaf("upload", Type::Name, "The file of the trail that is closed and sent to its sites."),
    leaf("mail", Type::Text, "The address that is sent a mail."),
    leaves("program", Type::Text, "The program that is run, and its arguments."),
];
