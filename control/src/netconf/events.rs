//! Records as notifications: those of RFC 6470 where it has one, `record` of our own for all others.

use serde_json::{Map, Value};

use super::edit::xpath;
use super::xml::{DECLARATION, Declaration, Element, Node, Writer};
use super::{BASE_EVENTS, EVENTS, NOTIFICATION, SYSLOG, YANG};

/// The day on which the modules last changed.
pub const REVISION: &str = "2026-11-22";

/// Fields of a record that have elements of their own; the others are `field`s.
const LEAVES: &[(&str, &str)] = &[
    ("event", "The kind of record: audit, session, and so on."),
    ("action", "What happened, in the words of the records."),
    ("host", "The name of the firewall."),
    ("boot", "The start of the program that made it."),
    ("seq", "Its number since then."),
    ("severity", "Its severity, of 0 to 7."),
    ("outcome", "Whether it succeeded: success or failure."),
    ("user", "Who did it."),
    ("uid", "That user's number."),
    ("pid", "The process that did it."),
    ("role", "The user's role."),
    ("origin", "Where the user came from."),
    ("via", "The way: cli, netconf, ssh and so on."),
    ("session", "The session of NETCONF, or of packets."),
];

/// A notification with what it says.
pub fn notification(time: &str, content: &Element) -> String {
    let mut writer = Writer::new();
    writer.start(NOTIFICATION, "notification").leaf(NOTIFICATION, "eventTime", time).element(content).end();
    format!("{DECLARATION}{}", writer.finish())
}

/// When a record was made, as it says itself.
pub fn time(record: &Map<String, Value>) -> &str {
    record.get("time").and_then(Value::as_str).unwrap_or("1970-01-01T00:00:00Z")
}

/// What a record says. `standard`: as RFC 6470 has it, where it does.
pub fn content(record: &Map<String, Value>, standard: bool) -> Element {
    let text = |key: &str| record.get(key).and_then(plain);
    let action = text("action").unwrap_or_default();
    let known = standard && text("event").as_deref() == Some("audit");
    match action.as_str() {
        "config-commit" if known => change(record),
        "config-change" if known => match edit(record) {
            Some(edit) => change(record).with(edit),
            None => own(record),
        },
        "netconf-session-start" if known => session(Element::new(BASE_EVENTS, "netconf-session-start"), record),
        "netconf-session-end" if known => {
            let ended = session(Element::new(BASE_EVENTS, "netconf-session-end"), record);
            let reason = match text("reason").as_deref() {
                Some("closed") => "closed",
                Some("killed") => "killed",
                Some("dropped") => "dropped",
                Some("timeout") => "timeout",
                Some("bad-hello") => "bad-hello",
                _ => "other",
            };
            ended.with(leaf("termination-reason", reason))
        }
        "config-unconfirmed" | "config-confirmed" | "config-reverted" if known => {
            let event = match (action.as_str(), text("reason").as_deref()) {
                ("config-unconfirmed", _) => "start",
                ("config-confirmed", _) => "complete",
                (_, Some(reason)) if reason.contains("time") => "timeout",
                _ => "cancel",
            };
            let mut commit = Element::new(BASE_EVENTS, "netconf-confirmed-commit");
            commit = session(commit, record).with(leaf("confirm-event", event));
            match text("timeout").filter(|timeout| event == "start" && timeout.parse::<u32>().is_ok()) {
                Some(timeout) => commit.with(leaf("timeout", &timeout)),
                None => commit,
            }
        }
        _ => own(record),
    }
}

fn leaf(name: &str, text: &str) -> Element {
    Element::new(BASE_EVENTS, name).with_text(text)
}

/// That the running configuration is another.
pub(super) fn change(record: &Map<String, Value>) -> Element {
    let change = Element::new(BASE_EVENTS, "netconf-config-change").with(changed_by(record));
    change.with(leaf("datastore", "running"))
}

/// One of the edits of a change, by the record that tells of it; none of a record that tells of many.
pub(super) fn edit(record: &Map<String, Value>) -> Option<Element> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let operation = match text("change")? {
        "add" => "create",
        "delete" => "delete",
        "modify" => "replace",
        // It is the same, in another place.
        "move" => "merge",
        _ => return None,
    };
    let mut target = leaf("target", &xpath(text("path")?)?);
    target.declarations.push(Declaration { prefix: "ost".to_owned(), uri: YANG.to_owned() });
    Some(Element::new(BASE_EVENTS, "edit").with(target).with(leaf("operation", operation)))
}

/// Who changed it: a user, or the firewall itself.
fn changed_by(record: &Map<String, Value>) -> Element {
    let by = Element::new(BASE_EVENTS, "changed-by");
    match record.contains_key("user") || record.contains_key("uid") {
        true => session(by, record),
        false => by.with(leaf("server", "")),
    }
}

/// The elements that all notifications of RFC 6470 share.
fn session(mut element: Element, record: &Map<String, Value>) -> Element {
    let text = |key: &str| record.get(key).and_then(plain);
    let user = text("user").or_else(|| text("uid")).unwrap_or_else(|| "unknown".to_owned());
    element = element.with(leaf("username", &user));
    element = element.with(leaf("session-id", &text("session").unwrap_or_else(|| "0".to_owned())));
    match text("origin").map(host) {
        Some(address) => element.with(leaf("source-host", &address)),
        None => element,
    }
}

/// The address of an origin, with or without its port.
pub(super) fn host(origin: String) -> String {
    match origin.parse::<std::net::SocketAddr>() {
        Ok(end) => end.ip().to_string(),
        Err(_) => origin,
    }
}

/// A record of ours, all of it.
fn own(record: &Map<String, Value>) -> Element {
    let mut element = Element::new(EVENTS, "record");
    for (name, _) in LEAVES {
        if let Some(text) = record.get(*name).and_then(plain) {
            element.children.push(Node::Element(Element::new(EVENTS, name).with_text(&text)));
        }
    }
    for (name, value) in record {
        if LEAVES.iter().any(|(leaf, _)| leaf == name) || ["time", "schema"].contains(&name.as_str()) {
            continue;
        }
        let Some(text) = plain(value) else { continue };
        let field = Element::new(EVENTS, "field")
            .with(Element::new(EVENTS, "name").with_text(name))
            .with(Element::new(EVENTS, "value").with_text(&text));
        element.children.push(Node::Element(field));
    }
    element
}

/// One value as text; what has parts, as JSON.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A record as `get-syslog-events` has it: its time, and its line of RFC 5424 where the firewall gave one.
pub fn syslog_event(record: &Map<String, Value>) -> Element {
    let text = |key: &str| record.get(key).and_then(plain);
    let message = text("rfc5424").unwrap_or_else(|| Value::Object(record.clone()).to_string());
    Element::new(SYSLOG, "syslog-event")
        .with(Element::new(SYSLOG, "timestamp").with_text(time(record)))
        .with(Element::new(SYSLOG, "event").with_text(&message_id(record)))
        .with(Element::new(SYSLOG, "message").with_text(&message))
}

/// What RFC 5424 calls a record: its event in capitals.
pub fn message_id(record: &Map<String, Value>) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let word = match text("event") {
        Some("audit") => text("action"),
        other => other,
    };
    word.unwrap_or_default().to_ascii_uppercase().replace('-', "_")
}

/// The module of our notifications.
pub fn module() -> String {
    let mut text = format!(
        r#"module ostiary-events {{
  yang-version 1.1;
  namespace "{EVENTS}";
  prefix oste;

  organization
    "Ostiary";
  contact
    "The operator of the firewall.";
  description
    "Records of an Ostiary firewall as notifications. What a record's fields say, the page of
     records says.";

  revision {REVISION} {{
    description
      "The records of version 0.1.";
  }}

  notification record {{
    description
      "A record. The time of the event is its own.";
"#
    );
    for (name, about) in LEAVES {
        text.push_str(&format!(
            "    leaf {name} {{\n      type string;\n      description\n        \"{about}\";\n    }}\n"
        ));
    }
    text.push_str(
        r#"    list field {
      key "name";
      description
        "What else it says.";
      leaf name {
        type string;
        description
          "The name of the field.";
      }
      leaf value {
        type string;
        description
          "What it says.";
      }
    }
  }
  notification subscription-ended {
    description
      "A subscription that ended without having been asked to; the session goes on.";
    leaf reason {
      type string;
      description
        "Why.";
    }
  }
}
"#,
    );
    text
}

/// The module of `get-syslog-events`.
pub fn syslog_module() -> String {
    format!(
        r#"module ostiary-syslog {{
  yang-version 1.1;
  namespace "{SYSLOG}";
  prefix ostl;

  organization
    "Ostiary";
  contact
    "The operator of the firewall.";
  description
    "Records as collectors of syslog events ask for them.";

  revision {REVISION} {{
    description
      "First revision.";
  }}

  rpc get-syslog-events {{
    description
      "Asks for events as they occur. The reply goes on until the session ends; nothing else is
       answered meanwhile.";
    input {{
      leaf stream {{
        type string;
        description
          "messages or audit: the audit trail; records: records of every class.";
      }}
      leaf-list event {{
        type string;
        description
          "Only these, by their MSGID of RFC 5424; default all.";
      }}
    }}
    output {{
      container syslog-events {{
        description
          "The events.";
        list syslog-event {{
          description
            "An event.";
          leaf timestamp {{
            type string;
            description
              "When it occurred.";
          }}
          leaf event {{
            type string;
            description
              "Its MSGID.";
          }}
          leaf message {{
            type string;
            description
              "What it says.";
          }}
        }}
      }}
    }}
  }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(record: Value, standard: bool) -> String {
        let Value::Object(record) = record else { unreachable!("an object") };
        let mut writer = Writer::new();
        writer.element(&content(&record, standard));
        writer.finish()
    }

    #[test]
    fn commits_are_changes_of_the_configuration() {
        let record = json!({"event":"audit","action":"config-commit","user":"alice","session":4,
            "origin":"192.0.2.1:54828","generation":7});
        assert_eq!(
            written(record.clone(), true),
            "<netconf-config-change xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-notifications\"><changed-by>\
             <username>alice</username><session-id>4</session-id><source-host>192.0.2.1</source-host></changed-by>\
             <datastore>running</datastore></netconf-config-change>"
        );
        assert!(written(record, false).starts_with("<record "));
    }

    #[test]
    fn changes_are_edits() {
        let record = json!({"event":"audit","action":"config-change","uid":1000,"generation":7,"change":"modify",
            "path":"rule[staff].action","old":"\"permit\"","new":"\"deny\""});
        assert_eq!(
            written(record, true),
            "<netconf-config-change xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-notifications\"><changed-by>\
             <username>1000</username><session-id>0</session-id></changed-by><datastore>running</datastore><edit>\
             <target xmlns:ost=\"urn:ostiary:yang:ostiary\">/ost:firewall/ost:rule[ost:name='staff']/ost:action</target>\
             <operation>replace</operation></edit></netconf-config-change>"
        );
        let others = json!({"event":"audit","action":"config-change","change":"others","count":7});
        assert!(written(others, true).starts_with("<record "));
    }

    #[test]
    fn any_record_has_its_fields() {
        let record = json!({"schema":3,"time":"2026-11-22T00:00:00Z","event":"im","host":"fw1","boot":"b","seq":3,
            "account":"a<b","client":"10.0.0.1"});
        assert_eq!(
            written(record, true),
            "<record xmlns=\"urn:ostiary:yang:ostiary-events\"><event>im</event><host>fw1</host><boot>b</boot><seq>3</seq>\
             <field><name>account</name><value>a&lt;b</value></field>\
             <field><name>client</name><value>10.0.0.1</value></field></record>"
        );
    }
}
