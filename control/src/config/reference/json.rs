//! The policy file as a JSON Schema, of the draft that editors of TOML take.
//!
//! What it cannot say is left to `ostiary check`: whether names are defined where they are used, which keys exclude or need
//! each other, the limits of durations and sizes, what addresses and services mean, and the machine.

use serde_json::{Map, Value, json};

use super::super::describe::{Key, Kind, NAME, Shape, keys};
use super::super::units::{duration_text, size_text};
use super::super::value::NAME_LIMIT;
use super::meaning::{Default, meaning};

/// The schema, of draft-07.
pub fn schema() -> Value {
    let keys = keys();
    let mut schema = object("", &keys);
    if let Value::Object(schema) = &mut schema {
        let version = env!("CARGO_PKG_VERSION");
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("$id".to_owned(), json!(format!("urn:ostiary:policy:{version}")));
        schema.insert("title".to_owned(), json!(format!("Policy file of Ostiary {version}")));
    }
    schema
}

/// The keys that stand at `path`, and nothing else.
fn object(path: &str, keys: &[Key]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut object = json!({ "type": "object", "additionalProperties": false });
    for key in keys.iter().filter(|key| key.section() == path && !key.kinds.contains(&Kind::Later)) {
        let schema = of_key(key, keys);
        if key.name() == NAME {
            object["additionalProperties"] = schema;
            object["propertyNames"] = json!({ "pattern": NAMES });
            continue;
        }
        if key.required {
            required.push(key.name());
        }
        properties.insert(key.name().to_owned(), schema);
    }
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !properties.is_empty() {
        object["properties"] = Value::Object(properties);
    }
    object
}

fn of_key(key: &Key, keys: &[Key]) -> Value {
    let pattern = PATTERNS.iter().find(|(path, _)| *path == key.path).map(|(_, pattern)| *pattern);
    let mut schemas: Vec<Value> = key
        .kinds
        .iter()
        .map(|kind| match kind {
            Kind::Table => object(&key.path, keys),
            Kind::Tables => json!({ "type": "array", "items": object(&key.below(), keys) }),
            Kind::Value(shape) => of_shape(shape, pattern),
            Kind::List(shape) => json!({ "type": "array", "minItems": 1, "items": of_shape(shape, pattern) }),
            Kind::Later => json!(false),
        })
        .collect();
    let mut schema = match schemas.len() {
        1 => schemas.remove(0),
        _ => json!({ "anyOf": schemas }),
    };
    match key.path.as_str() {
        "dataplane.descriptors" | "port[].descriptors" => {
            schema["enum"] = (6..16).map(|power| json!(1_u32 << power)).collect();
        }
        "log-host[].time-digits" => schema["enum"] = json!([3, 6]),
        "wire[].ports" => (schema["minItems"], schema["maxItems"]) = (json!(2), json!(2)),
        _ => {}
    }
    if let Some((_, default, text)) = meaning(&key.path) {
        let mut text = plain(text);
        match default {
            Default::Is(value) => schema["default"] = literal(value),
            Default::Of(words) => text.push_str(&format!(" (default: {})", plain(words))),
            Default::None => {}
        }
        for kind in &key.kinds {
            if let Kind::Value(shape) = kind {
                text.push_str(&limits(shape));
            }
        }
        schema["description"] = json!(text);
    }
    schema
}

fn of_shape(shape: &Shape, pattern: Option<&str>) -> Value {
    match shape {
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Text => json!({ "type": "string", "pattern": pattern.unwrap_or(TEXT) }),
        Shape::Name => json!({ "type": "string", "pattern": pattern.unwrap_or(NAMES), "maxLength": NAME_LIMIT }),
        Shape::Number { first, last } => json!({ "type": "integer", "minimum": first, "maximum": last }),
        Shape::Duration { .. } => json!({ "type": "string", "pattern": DURATION }),
        Shape::Size { .. } => json!({ "type": "string", "pattern": SIZE }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| of_shape(shape, pattern)).collect::<Vec<_>>() })
        }
    }
}

/// What a pattern cannot say.
fn limits(shape: &Shape) -> String {
    match shape {
        Shape::Duration { first, last } => format!("; {} to {}", duration_text(*first), duration_text(*last)),
        Shape::Size { first, last } => format!("; {} to {}", size_text(*first), size_text(*last)),
        Shape::Either(shapes) => shapes.iter().map(limits).collect(),
        _ => String::new(),
    }
}

/// A value that TOML writes so.
fn literal(text: &str) -> Value {
    let table = format!("value = {text}").parse::<toml::Table>().ok();
    table.and_then(|table| serde_json::to_value(table.get("value")?).ok()).unwrap_or(Value::Null)
}

/// Markdown without its marks: editors show it as it is.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("](#") {
        let (head, label) = before.rsplit_once('[').unwrap_or(("", before));
        plain.extend([head, label]);
        rest = behind.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain.replace('`', "").replace("\\|", "|")
}

/// No controls, and not only spaces.
const TEXT: &str = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$";
const NAMES: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
const DURATION: &str = r"^\s*[0-9]+(_[0-9]+)*\s*(ms|s|min|m|h|d)\s*$";
const SIZE: &str = r"^\s*[0-9]+(_[0-9]+)*\s*(B|KiB|MiB|GiB|kB|MB|GB)\s*$";
const ABSOLUTE: &str = "^/";
const SOCKET: &str = r":[0-9]+$";
const SHORT_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$";
const NETWORK: &str = "^[^/]+/[^/]+$";

/// Texts of a form that a pattern can tell.
const PATTERNS: &[(&str, &str)] = &[
    ("system.host-name", "^[!-~]{1,255}$"),
    ("system.state-directory", ABSOLUTE),
    ("management.socket", ABSOLUTE),
    ("management.tap", SHORT_NAME),
    ("metrics.listen", SOCKET),
    ("dashboard.listen", SOCKET),
    ("dataplane.file-prefix", "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"),
    ("interface[].addresses", NETWORK),
    ("route[].to", NETWORK),
    ("nat.NAME.ports", r"^\s*\+?[0-9]+\s*-\s*\+?[0-9]+\s*$"),
    ("access.receiver.listen", SOCKET),
    ("audit.directory", ABSOLUTE),
    ("audit.syslog-socket", ABSOLUTE),
    ("audit.mail-program", ABSOLUTE),
    ("respond[].limit", r"^\s*\+?[0-9]+\s*/\s*(s|min|h|d)\s*$"),
    ("respond[].then[].mail", "^[A-Za-z0-9._+-]+@[A-Za-z0-9._+-]+$"),
    ("log-host[].interface", SHORT_NAME),
    ("log-host[].path", ABSOLUTE),
    ("log-host[].brokers", SOCKET),
    ("log-host[].dscp", "^(cs[0-7]|af[1-4][1-3]|ef|le|va)$"),
];
