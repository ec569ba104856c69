//! What is no configuration: rows of `ostiary show` as XML, and the YANG module that has them.

use std::fmt::Write as _;

use serde_json::Value;

use super::STATE;
use super::control::{Control, Refusal};
use super::xml::{Element, Node};

/// The day on which the module last changed.
pub const REVISION: &str = "2026-11-22";

/// Rows of one view.
struct View {
    /// What `show` calls it.
    request: &'static str,
    /// Where in its one row the rows are; empty: the rows themselves.
    within: &'static str,
    /// The element of each row.
    name: &'static str,
    /// What tells rows from each other; empty: there is only one.
    key: &'static str,
    about: &'static str,
    fields: &'static [(&'static str, Type)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    /// A table of counts by name.
    Counts,
}

use Type::{Counts, Number, Text};

const VIEWS: &[View] = &[
    View {
        request: "statistics",
        within: "",
        name: "system",
        key: "",
        about: "The running program.",
        fields: &[("version", Text), ("boot", Text), ("host-name", Text), ("started", Text), ("online", Number)],
    },
    View {
        request: "statistics",
        within: "policy",
        name: "policy",
        key: "",
        about: "The policy in force.",
        fields: &[
            ("version", Number),
            ("epoch", Number),
            ("since", Text),
            ("rules", Number),
            ("memory", Number),
            ("milliseconds", Number),
        ],
    },
    View {
        request: "statistics",
        within: "cores",
        name: "core",
        key: "name",
        about: "How busy cores are.",
        fields: &[
            ("name", Text),
            ("core", Number),
            ("busy-percent", Number),
            ("busy-cycles", Number),
            ("idle-cycles", Number),
            ("longest-turn", Number),
        ],
    },
    View {
        request: "statistics",
        within: "records",
        name: "record",
        key: "class",
        about: "Records made since the start, by class.",
        fields: &[("class", Text), ("events", Number), ("lost-events", Number), ("records", Number)],
    },
    View {
        request: "counters",
        within: "",
        name: "worker",
        key: "worker",
        about: "The counters of workers.",
        fields: &[("worker", Number), ("core", Number), ("counters", Counts)],
    },
    View {
        request: "ports",
        within: "",
        name: "port",
        key: "name",
        about: "Ports, their links and counters.",
        fields: &[
            ("name", Text),
            ("zone", Text),
            ("device", Text),
            ("driver", Text),
            ("link", Text),
            ("megabits", Number),
            ("received", Number),
            ("received-octets", Number),
            ("sent", Number),
            ("sent-octets", Number),
            ("missed", Number),
            ("receive-errors", Number),
            ("send-errors", Number),
            ("no-buffer", Number),
        ],
    },
    View {
        request: "nat",
        within: "",
        name: "nat",
        key: "pool",
        about: "Pools of source NAT.",
        fields: &[
            ("pool", Text),
            ("addresses", Number),
            ("ports", Number),
            ("tcp", Number),
            ("udp", Number),
            ("icmp", Number),
            ("held", Number),
            ("hosts", Number),
            ("mappings", Number),
            ("exhausted", Number),
            ("host-limited", Number),
        ],
    },
    View {
        request: "log-hosts",
        within: "",
        name: "log-host",
        key: "name",
        about: "Log hosts and what waits for them.",
        fields: &[
            ("name", Text),
            ("target", Text),
            ("transport", Text),
            ("format", Text),
            ("group", Text),
            ("role", Text),
            ("state", Text),
            ("since", Text),
            ("reconnects", Number),
            ("queued", Number),
            ("unacknowledged", Number),
            ("spooled", Number),
            ("oldest", Text),
            ("acknowledged", Number),
            ("dropped", Number),
            ("error", Text),
        ],
    },
    View {
        request: "sigdb",
        within: "",
        name: "signatures",
        key: "",
        about: "The signature database in use.",
        fields: &[("file", Text), ("version", Text), ("date", Text), ("digest", Text)],
    },
];

/// The element at the top.
pub const TOP: &str = "state";

/// Asks for all views and writes them. Views that the firewall does not show this user are left out.
pub fn state(control: &Control) -> Result<Element, Refusal> {
    let mut top = Element::new(STATE, TOP);
    let mut asked: Option<(&str, Vec<Value>)> = None;
    for view in VIEWS {
        if asked.as_ref().is_none_or(|(request, _)| *request != view.request) {
            let rows = match control.show(view.request) {
                Err(Refusal::Gone) => return Err(Refusal::Gone),
                other => other.unwrap_or_default(),
            };
            asked = Some((view.request, rows));
        }
        let Some((_, rows)) = &asked else { continue };
        for row in rows {
            match (view.within, row.get(view.within)) {
                ("", _) => push(&mut top, view, row),
                (_, Some(Value::Array(rows))) => rows.iter().for_each(|row| push(&mut top, view, row)),
                (_, Some(row)) => push(&mut top, view, row),
                (_, None) => {}
            }
        }
    }
    Ok(top)
}

fn push(top: &mut Element, view: &View, row: &Value) {
    let mut element = Element::new(STATE, view.name);
    for (name, kind) in view.fields {
        let Some(value) = row.get(*name).filter(|value| !value.is_null()) else { continue };
        match (kind, value) {
            (Counts, Value::Object(counts)) => {
                for (name, count) in counts {
                    let counter = Element::new(STATE, "counter")
                        .with(Element::new(STATE, "name").with_text(name))
                        .with(Element::new(STATE, "value").with_text(&count.to_string()));
                    element.children.push(Node::Element(counter));
                }
            }
            (_, Value::String(text)) => {
                element.children.push(Node::Element(Element::new(STATE, name).with_text(text)));
            }
            (_, value) => {
                element.children.push(Node::Element(Element::new(STATE, name).with_text(&value.to_string())));
            }
        }
    }
    top.children.push(Node::Element(element));
}

/// The module.
pub fn module() -> String {
    let mut text = format!(
        r#"module ostiary-state {{
  yang-version 1.1;
  namespace "{STATE}";
  prefix osts;

  organization
    "Ostiary";
  contact
    "The operator of the firewall.";
  description
    "What an Ostiary firewall does: the rows of its show commands.";

  revision {REVISION} {{
    description
      "The views of version 0.1.";
  }}

  container {TOP} {{
    config false;
    description
      "The running firewall.";
"#
    );
    for view in VIEWS {
        let kind = if view.key.is_empty() { "container" } else { "list" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {kind} {} {{", view.name);
        if !view.key.is_empty() {
            let _ = writeln!(text, "      key \"{}\";", view.key);
        }
        let _ = writeln!(text, "      description\n        \"{}\";", view.about);
        for (name, kind) in view.fields {
            match kind {
                Counts => text.push_str(
                    "      list counter {\n        key \"name\";\n        description\n          \"A count.\";\n\
                     \x20       leaf name {\n          type string;\n          description\n            \"What is counted.\";\n        }\n\
                     \x20       leaf value {\n          type uint64;\n          description\n            \"How many.\";\n        }\n      }\n",
                ),
                kind => {
                    let kind = match kind {
                        Number => "uint64",
                        Text | Counts => "string",
                    };
                    let _ = writeln!(
                        text,
                        "      leaf {name} {{\n        type {kind};\n        description\n          \"As in show {}.\";\n      }}",
                        view.request
                    );
                }
            }
        }
        text.push_str("    }\n");
    }
    text.push_str("  }\n}\n");
    text
}
