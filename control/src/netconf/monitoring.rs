//! The server about itself: capabilities, datastores, schemas and sessions (RFC 6022), and streams (RFC 5277).

use serde_json::Value;

use super::control::{Control, Refusal};
use super::error::{RpcError, Tag};
use super::events;
use super::hello::{REPLAY, Serves};
use super::xml::{Element, Node};
use super::yang::{MODULES, module_text};
use super::{MONITORING, STREAMS};

/// `netconf-state`, and the streams where there are any.
pub fn trees(control: &Control, serves: &Serves) -> Result<Vec<Element>, Refusal> {
    let leaf = |name: &str, text: &str| Element::new(MONITORING, name).with_text(text);
    let mut capabilities = Element::new(MONITORING, "capabilities");
    for capability in serves.capabilities() {
        capabilities = capabilities.with(leaf("capability", &capability));
    }
    let mut datastores = Element::new(MONITORING, "datastores");
    if serves.has("show configuration") {
        datastores = datastores.with(Element::new(MONITORING, "datastore").with(leaf("name", "running")));
    }
    if serves.has_candidate() {
        datastores = datastores.with(Element::new(MONITORING, "datastore").with(leaf("name", "candidate")));
    }
    let mut schemas = Element::new(MONITORING, "schemas");
    for module in MODULES {
        schemas = schemas.with(
            Element::new(MONITORING, "schema")
                .with(leaf("identifier", module.name))
                .with(leaf("version", module.revision))
                .with(leaf("format", "yang"))
                .with(leaf("namespace", module.namespace))
                .with(leaf("location", "NETCONF")),
        );
    }
    let mut sessions = Element::new(MONITORING, "sessions");
    if serves.has("show sessions-netconf") {
        for row in control.show("sessions-netconf")? {
            sessions = sessions.with(session(&row));
        }
    }
    let state =
        Element::new(MONITORING, "netconf-state").with(capabilities).with(datastores).with(schemas).with(sessions);
    let mut trees = vec![state];
    if serves.has("do subscribe") {
        trees.push(streams(serves.has(REPLAY)));
    }
    Ok(trees)
}

fn session(row: &Value) -> Element {
    let text = |key: &str| match row.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => None,
        Some(other) => Some(other.to_string()),
    };
    let mut element = Element::new(MONITORING, "session");
    for (name, keys) in [
        ("session-id", &["id", "session-id"][..]),
        ("transport", &["transport"]),
        ("username", &["user", "uid", "username"]),
        ("source-host", &["origin", "claims", "source-host"]),
        ("login-time", &["since", "login-time"]),
    ] {
        let known = keys.iter().find_map(|key| text(key));
        // Every session of this kind comes through sshd.
        let fallback = (name == "transport").then(|| "netconf-ssh".to_owned());
        let known = known.map(|text| if name == "source-host" { events::host(text) } else { text });
        if let Some(text) = known.or(fallback) {
            element.children.push(Node::Element(Element::new(MONITORING, name).with_text(&text)));
        }
    }
    element
}

/// The streams that can be subscribed to: name, what it holds, whether the past can be had where the firewall sends it at all.
pub const STREAM_LIST: &[(&str, &str, bool)] = &[
    ("NETCONF", "What sessions and the configuration do, and events of the audit trail.", true),
    ("audit", "The audit trail.", true),
    ("records", "Records of every class.", false),
];

fn streams(replays: bool) -> Element {
    let leaf = |name: &str, text: &str| Element::new(STREAMS, name).with_text(text);
    let mut list = Element::new(STREAMS, "streams");
    for (name, about, replay) in STREAM_LIST {
        list = list.with(
            Element::new(STREAMS, "stream")
                .with(leaf("name", name))
                .with(leaf("description", about))
                .with(leaf("replaySupport", &(*replay && replays).to_string())),
        );
    }
    Element::new(STREAMS, "netconf").with(list)
}

/// The module that `get-schema` asks for.
pub fn schema(request: &Element) -> Result<String, RpcError> {
    let text = |name: &str| request.child(name).map(Element::text).filter(|text| !text.is_empty());
    let identifier = text("identifier").ok_or_else(|| RpcError::missing("identifier"))?;
    let format = text("format").unwrap_or_else(|| "yang".to_owned());
    let is_yang = format == "yang" || format.ends_with(":yang");
    let version = text("version");
    let found = MODULES.iter().find(|module| {
        module.name == identifier && version.as_deref().is_none_or(|version| version == module.revision) && is_yang
    });
    match found {
        Some(module) => Ok(module_text(module.name).unwrap_or_default()),
        None => {
            let names: Vec<&str> = MODULES.iter().map(|module| module.name).collect();
            let message =
                format!("there is no such module {identifier:?} in format yang; there are {}", names.join(", "));
            Err(RpcError::application(Tag::InvalidValue, message).about("bad-element", "identifier"))
        }
    }
}
