//! A configuration as XML, by the model of its keys.

use toml::{Table, Value};

use super::YANG;
use super::xml::{Element, Node as XmlNode};
use crate::config::model::{Kind, Node, ROOT};

/// The element at the top.
pub const TOP: &str = "firewall";

/// The configuration as a tree. Keys that the model does not have are left out: no configuration with such compiles.
pub fn to_xml(document: &Table) -> Element {
    let mut top = Element::new(YANG, TOP);
    children(&mut top, ROOT, document);
    top
}

fn children(into: &mut Element, nodes: &[Node], table: &Table) {
    for node in nodes {
        if let Some(value) = table.get(node.name) {
            one(into, node, value);
        }
    }
}

fn one(into: &mut Element, node: &Node, value: &Value) {
    let mut push = |element: Element| into.children.push(XmlNode::Element(element));
    match (&node.kind, value) {
        (Kind::Leaf(_), value) => {
            if let Some(text) = text(value) {
                push(named(node.name).with_text(&text));
            }
        }
        (Kind::LeafList(_), Value::Array(values)) => {
            for text in values.iter().filter_map(text) {
                push(named(node.name).with_text(&text));
            }
        }
        (Kind::Container(nodes) | Kind::Switch(nodes), Value::Table(table)) => {
            let mut element = named(node.name);
            children(&mut element, nodes, table);
            push(element);
        }
        (Kind::Switch(_), Value::Boolean(on)) => {
            push(named(node.name).with(named("enable").with_text(&on.to_string())));
        }
        (Kind::List { children: nodes, .. }, Value::Array(members)) => {
            for (place, member) in members.iter().enumerate() {
                let Value::Table(table) = member else { continue };
                let mut element = named(node.name);
                let key = node.key().unwrap_or_default();
                if node.writes_key() {
                    // The key comes first, however the model orders the others.
                    if let Some(text) = table.get(key).and_then(text) {
                        element = element.with(named(key).with_text(&text));
                    }
                    let rest: Vec<&Node> = nodes.iter().filter(|child| child.name != key).collect();
                    for child in rest {
                        if let Some(value) = table.get(child.name) {
                            one(&mut element, child, value);
                        }
                    }
                } else {
                    element = element.with(named(key).with_text(&(place + 1).to_string()));
                    children(&mut element, nodes, table);
                }
                push(element);
            }
        }
        (Kind::Named(nodes), Value::Table(members)) => {
            for (name, member) in members {
                let Value::Table(table) = member else { continue };
                let mut element = named(node.name).with(named("name").with_text(name));
                children(&mut element, nodes, table);
                push(element);
            }
        }
        (Kind::Map { value: called, .. }, Value::Table(members)) => {
            for (name, member) in members {
                let mut element = named(node.name).with(named("name").with_text(name));
                let values = match member {
                    Value::Array(values) => values.as_slice(),
                    value => std::slice::from_ref(value),
                };
                for text in values.iter().filter_map(text) {
                    element = element.with(named(called).with_text(&text));
                }
                push(element);
            }
        }
        // What stands there is of another form than it should be: it does not compile.
        _ => {}
    }
}

fn named(name: &str) -> Element {
    Element::new(YANG, name)
}

/// A single value as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(boolean) => Some(boolean.to_string()),
        Value::Datetime(time) => Some(time.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::xml::Writer;
    use super::*;

    #[test]
    fn every_form_has_its_xml() {
        let document: Table = r#"
            [[rule]]
            action = "permit"
            source = ["office", "lab"]
            name = "all"
            [address]
            office = ["10.1.0.0/16", "2001:db8:1::/48"]
            lab = "10.2.0.0/16"
            [[wire]]
            ports = ["inside", "outside"]
            [nat.pool1]
            ports-per-host = 512
            [profile.chat.im-audit]
            qq = "both"
            [[log-host]]
            name = "siem"
            spool = true
            rate-limit = { session = 20_000 }
            [[log-host]]
            name = "other"
            spool = { size = "1 GiB" }
        "#
        .parse()
        .unwrap();
        let mut writer = Writer::new();
        writer.element(&to_xml(&document));
        let expected = "<firewall xmlns=\"urn:ostiary:yang:ostiary\">\
            <wire><number>1</number><ports>inside</ports><ports>outside</ports></wire>\
            <address><name>lab</name><item>10.2.0.0/16</item></address>\
            <address><name>office</name><item>10.1.0.0/16</item><item>2001:db8:1::/48</item></address>\
            <profile><name>chat</name><im-audit><name>qq</name><events>both</events></im-audit></profile>\
            <nat><name>pool1</name><ports-per-host>512</ports-per-host></nat>\
            <rule><name>all</name><source>office</source><source>lab</source><action>permit</action></rule>\
            <log-host><name>siem</name><spool><enable>true</enable></spool>\
            <rate-limit><name>session</name><rate>20000</rate></rate-limit></log-host>\
            <log-host><name>other</name><spool><size>1 GiB</size></spool></log-host></firewall>";
        assert_eq!(writer.finish(), expected);
    }
}
