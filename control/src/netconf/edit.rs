//! An `edit-config`'s tree as edits at paths, by the model of the keys.

use serde::Serialize;
use toml::{Table, Value};

use super::config_xml::TOP;
use super::error::{RpcError, Tag};
use super::xml::Element;
use super::{BASE, YANG};
use crate::config::model::{Kind, Node, ROOT, Type};

/// What to do at a path of the candidate, as the management socket takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Edit {
    /// `rule[staff-im].action`.
    pub path: String,
    /// What.
    pub kind: Operation,
    /// What is to stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Of a member of a list: where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert: Option<Insert>,
}

/// What is done with what the tree says (RFC 6241, section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Joined with what is there.
    Merge,
    /// In place of what is there.
    Replace,
    /// It must not be there.
    Create,
    /// It must be there, and goes.
    Delete,
    /// It goes if it is there.
    Remove,
    /// Nothing; what is below says more.
    None,
}

/// Where in a list a member goes (RFC 7950, section 7.8.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Insert {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
    /// Before this one.
    Before(String),
    /// Behind this one.
    After(String),
}

/// The namespace of the attributes that say where.
const YANG_ATTRIBUTES: &str = "urn:ietf:params:xml:ns:yang:1";

/// The edits that `config` asks for, in its order.
pub fn edits(config: &Element, default: Operation) -> Result<Vec<Edit>, RpcError> {
    let mut edits = Vec::new();
    no_text(config)?;
    for top in config.elements() {
        is_ours(top)?;
        if top.name != TOP {
            return Err(RpcError::unknown(top));
        }
        whole(&mut edits, top, default)?;
    }
    Ok(edits)
}

/// The configuration that `config` holds, as the TOML file that says it.
pub fn document(config: &Element) -> Result<Table, RpcError> {
    let mut table = Table::new();
    no_text(config)?;
    for top in config.elements() {
        is_ours(top)?;
        if top.name != TOP {
            return Err(RpcError::unknown(top));
        }
        plain(top, Operation::Merge, "/ost:firewall")?;
        for (key, value) in table_of(ROOT, None, top, "/ost:firewall")? {
            table.insert(key, value);
        }
    }
    Ok(table)
}

/// The element at the top: it is no key, so what is done with it is done with all keys.
fn whole(edits: &mut Vec<Edit>, top: &Element, default: Operation) -> Result<(), RpcError> {
    let place = Place { path: String::new(), xpath: "/ost:firewall".to_owned() };
    match operation(top, default)? {
        Operation::Merge => below(edits, ROOT, None, top, &place, Operation::Merge),
        Operation::None => below(edits, ROOT, None, top, &place, Operation::None),
        Operation::Replace => {
            plain(top, Operation::Replace, &place.xpath)?;
            let mut table = table_of(ROOT, None, top, &place.xpath)?;
            for node in ROOT {
                let path = path_key("", node.name);
                edits.push(match table.remove(node.name) {
                    Some(value) => Edit { path, kind: Operation::Replace, value: Some(value), insert: None },
                    None => Edit { path, kind: Operation::Remove, value: None, insert: None },
                });
            }
            Ok(())
        }
        Operation::Create => Err(RpcError::application(Tag::DataExists, "the configuration is there").at(place.xpath)),
        Operation::Delete | Operation::Remove => {
            let message = "a firewall without any configuration is none: replace it, or delete parts of it";
            Err(RpcError::unsupported(message).at(place.xpath))
        }
    }
}

/// Where an element stands: as a path of the file, and as the client says it.
#[derive(Clone)]
struct Place {
    path: String,
    xpath: String,
}

/// What the elements in `element` ask for.
fn below(
    edits: &mut Vec<Edit>,
    nodes: &'static [Node],
    key: Option<&str>,
    element: &Element,
    place: &Place,
    default: Operation,
) -> Result<(), RpcError> {
    no_text(element)?;
    for child in element.elements() {
        is_ours(child)?;
        if key == Some(child.name.as_str()) {
            continue;
        }
        let node = find(nodes, child)?;
        one(edits, node, child, place, default)?;
    }
    Ok(())
}

fn one(
    edits: &mut Vec<Edit>,
    node: &'static Node,
    element: &Element,
    around: &Place,
    default: Operation,
) -> Result<(), RpcError> {
    let done = operation(element, default)?;
    let (place, key) = step(node, element, around)?;
    let insert = insert(node, element, &place)?;
    let mut push = |kind, value, insert| edits.push(Edit { path: place.path.clone(), kind, value, insert });
    match done {
        Operation::Delete | Operation::Remove => push(done, None, None),
        Operation::Replace | Operation::Create => {
            plain(element, done, &place.xpath)?;
            push(done, value_at(node, key.as_deref(), element, &place)?, insert);
        }
        Operation::Merge if is_plain(element) || is_single(node) => {
            // A value of a list is joined with the list; at its own path it would have to be none.
            if let (Kind::LeafList(kind), None) = (&node.kind, &insert) {
                let value = Value::Array(vec![value_of(*kind, element, &place.xpath)?]);
                edits.push(Edit {
                    path: path_key(&around.path, node.name),
                    kind: done,
                    value: Some(value),
                    insert: None,
                });
                return Ok(());
            }
            push(done, value_at(node, key.as_deref(), element, &place)?, insert);
        }
        Operation::Merge | Operation::None => {
            let is_member = matches!(node.kind, Kind::List { .. } | Kind::Named(_));
            if done == Operation::Merge && is_member {
                let mut table = Table::new();
                if let (true, Some(name), Some(key)) = (node.writes_key(), node.key(), &key) {
                    table.insert(name.to_owned(), Value::String(key.clone()));
                }
                push(done, Some(Value::Table(table)), insert);
            }
            match node.kind {
                Kind::Leaf(_) | Kind::LeafList(_) => {}
                Kind::Map { value, .. } => {
                    if let Some(child) = element.elements().find(|child| child.name == value) {
                        operation(child, done)?;
                        return Err(bad_attribute("operation", "changes the whole value", &place.xpath));
                    }
                }
                _ => below(edits, node.children(), node.key(), element, &place, done)?,
            }
        }
    }
    Ok(())
}

/// Whether nothing lies below that could be edited by itself.
fn is_single(node: &Node) -> bool {
    matches!(node.kind, Kind::Leaf(_) | Kind::LeafList(_))
}

/// Where the element of a node stands, and its key.
fn step(node: &Node, element: &Element, around: &Place) -> Result<(Place, Option<String>), RpcError> {
    let xpath = format!("{}/ost:{}", around.xpath, node.name);
    let path = path_key(&around.path, node.name);
    Ok(match &node.kind {
        Kind::Container(_) | Kind::Switch(_) | Kind::Leaf(_) => (Place { path, xpath }, None),
        Kind::LeafList(_) => {
            let text = element.text();
            let path = format!("{path}[{}]", part(&text, is_member));
            (Place { path, xpath: format!("{xpath}[.={}]", literal(&text)) }, Some(text))
        }
        Kind::List { .. } | Kind::Named(_) | Kind::Map { .. } => {
            let name = node.key().unwrap_or_default();
            let key = element.elements().find(|child| child.name == name).map(Element::text);
            let key = key.filter(|key| !key.is_empty()).ok_or_else(|| RpcError::missing(name).at(xpath.clone()))?;
            let path = match node.kind {
                Kind::List { .. } => format!("{path}[{}]", part(&key, is_member)),
                _ => path_key(&path, &key),
            };
            (Place { path, xpath: format!("{xpath}[ost:{name}={}]", literal(&key)) }, Some(key))
        }
    })
}

/// A text as XPath 1.0 writes it.
fn literal(text: &str) -> String {
    if text.contains('\'') { format!("\"{}\"", text.replace('"', "")) } else { format!("'{text}'") }
}

/// The value that an element stands for; none where its path says it all.
fn value_at(
    node: &'static Node,
    key: Option<&str>,
    element: &Element,
    place: &Place,
) -> Result<Option<Value>, RpcError> {
    Ok(match &node.kind {
        Kind::Leaf(kind) => Some(value_of(*kind, element, &place.xpath)?),
        Kind::LeafList(kind) => {
            value_of(*kind, element, &place.xpath)?;
            None
        }
        Kind::Map { value, kind, many } => Some(map_value(value, *kind, *many, element, &place.xpath)?),
        Kind::Container(children) | Kind::Switch(children) => {
            Some(Value::Table(table_of(children, None, element, &place.xpath)?))
        }
        Kind::List { children, .. } | Kind::Named(children) => {
            let mut table = table_of(children, node.key(), element, &place.xpath)?;
            if let (true, Some(name), Some(key)) = (node.writes_key(), node.key(), key) {
                table.insert(name.to_owned(), Value::String(key.to_owned()));
            }
            Some(Value::Table(table))
        }
    })
}

/// The table that the elements in `element` make.
fn table_of(nodes: &'static [Node], key: Option<&str>, element: &Element, xpath: &str) -> Result<Table, RpcError> {
    no_text(element)?;
    let mut table = Table::new();
    let around = Place { path: String::new(), xpath: xpath.to_owned() };
    for child in element.elements() {
        is_ours(child)?;
        if key == Some(child.name.as_str()) {
            continue;
        }
        let node = find(nodes, child)?;
        let (place, key) = step(node, child, &around)?;
        let value = match node.kind {
            Kind::LeafList(kind) => Some(value_of(kind, child, &place.xpath)?),
            _ => value_at(node, key.as_deref(), child, &place)?,
        };
        let Some(value) = value else { continue };
        let twice = || {
            let message = format!("<{}> stands twice", child.name);
            RpcError::protocol(Tag::BadElement, message).about("bad-element", &child.name).at(place.xpath.clone())
        };
        match (&node.kind, key) {
            (Kind::LeafList(_) | Kind::List { .. }, _) => {
                let list = table.entry(node.name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    if matches!(node.kind, Kind::LeafList(_)) && list.contains(&value) {
                        return Err(twice());
                    }
                    list.push(value);
                }
            }
            (Kind::Named(_) | Kind::Map { .. }, Some(name)) => {
                let members = table.entry(node.name).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(members) = members
                    && members.insert(name, value).is_some()
                {
                    return Err(twice());
                }
            }
            _ => {
                if table.insert(node.name.to_owned(), value).is_some() {
                    return Err(twice());
                }
            }
        }
    }
    Ok(table)
}

fn map_value(called: &str, kind: Type, many: bool, element: &Element, xpath: &str) -> Result<Value, RpcError> {
    let mut values = Vec::new();
    for child in element.elements() {
        is_ours(child)?;
        match child.name.as_str() {
            "name" => {}
            name if name == called => values.push(value_of(kind, child, &format!("{xpath}/ost:{called}"))?),
            _ => return Err(RpcError::unknown(child).at(xpath)),
        }
    }
    match (many, values.len()) {
        (_, 0) => Err(RpcError::missing(called).at(xpath)),
        (true, _) => Ok(Value::Array(values)),
        (false, 1) => Ok(values.remove(0)),
        (false, _) => {
            let message = format!("<{called}> stands twice");
            Err(RpcError::protocol(Tag::BadElement, message).about("bad-element", called).at(xpath))
        }
    }
}

/// The value that an element of this kind holds.
fn value_of(kind: Type, element: &Element, xpath: &str) -> Result<Value, RpcError> {
    if let Some(child) = element.elements().next() {
        return Err(RpcError::unknown(child).at(xpath));
    }
    let text = element.text();
    let wrong = |expected: String| {
        RpcError::application(Tag::InvalidValue, format!("{text:?}: {expected} is expected"))
            .about("bad-element", &element.name)
            .at(xpath)
    };
    let number = |first: u64, last: u64| {
        let number = text.parse::<u64>().ok().filter(|number| (first..=last).contains(number));
        number.and_then(|number| i64::try_from(number).ok()).map(Value::Integer)
    };
    match kind {
        Type::Number(first, last) => {
            number(first, last).ok_or_else(|| wrong(format!("a whole number from {first} to {last}")))
        }
        Type::Boolean => match text.as_str() {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(wrong("true or false".to_owned())),
        },
        Type::Choice(words) if !words.contains(&text.as_str()) => Err(wrong(format!("one of {}", words.join(", ")))),
        Type::NumberOrText(last) if number(0, last).is_some() => Ok(number(0, last).unwrap_or(Value::Integer(0))),
        _ if text.is_empty() => Err(wrong("a text that is not empty".to_owned())),
        _ if text.chars().any(char::is_control) => Err(wrong("a text without control characters".to_owned())),
        _ => Ok(Value::String(text)),
    }
}

fn find(nodes: &'static [Node], element: &Element) -> Result<&'static Node, RpcError> {
    nodes.iter().find(|node| node.name == element.name).ok_or_else(|| RpcError::unknown(element))
}

/// Elements of the configuration are in our namespace; clients that write none mean it.
fn is_ours(element: &Element) -> Result<(), RpcError> {
    if element.namespace == YANG || element.namespace.is_empty() {
        return Ok(());
    }
    let message = format!("the namespace {} of <{}> is unknown here", element.namespace, element.name);
    Err(RpcError::protocol(Tag::UnknownNamespace, message)
        .about("bad-element", &element.name)
        .about("bad-namespace", &element.namespace))
}

fn no_text(element: &Element) -> Result<(), RpcError> {
    match element.has_text() {
        false => Ok(()),
        true => Err(RpcError::protocol(Tag::BadElement, format!("text stands in <{}>", element.name))
            .about("bad-element", &element.name)),
    }
}

/// The operation that an element names, or the one that holds for it.
fn operation(element: &Element, default: Operation) -> Result<Operation, RpcError> {
    for attribute in &element.attributes {
        let is_known = match attribute.namespace.as_str() {
            BASE => attribute.name == "operation",
            YANG_ATTRIBUTES => ["insert", "key", "value"].contains(&attribute.name.as_str()),
            _ => false,
        };
        if !is_known {
            let message = format!("the attribute {} of <{}> is unknown here", attribute.name, element.name);
            return Err(RpcError::protocol(Tag::UnknownAttribute, message)
                .about("bad-attribute", &attribute.name)
                .about("bad-element", &element.name));
        }
    }
    let Some(word) = element.attribute(BASE, "operation") else { return Ok(default) };
    Ok(match word {
        "merge" => Operation::Merge,
        "replace" => Operation::Replace,
        "create" => Operation::Create,
        "delete" => Operation::Delete,
        "remove" => Operation::Remove,
        _ => {
            let message = format!("operation={word:?}: merge, replace, create, delete or remove is expected");
            return Err(RpcError::protocol(Tag::BadAttribute, message)
                .about("bad-attribute", "operation")
                .about("bad-element", &element.name));
        }
    })
}

/// Where the element's attributes say that a member goes.
fn insert(node: &Node, element: &Element, place: &Place) -> Result<Option<Insert>, RpcError> {
    let Some(word) = element.attribute(YANG_ATTRIBUTES, "insert") else { return Ok(None) };
    if !matches!(node.kind, Kind::List { .. } | Kind::LeafList(_)) {
        return Err(bad_attribute("insert", "only members of ordered lists have a place", &place.xpath));
    }
    let beside = || {
        let name = if is_single(node) { "value" } else { "key" };
        let text = element.attribute(YANG_ATTRIBUTES, name).unwrap_or_default();
        // `[name='a']`, with or without prefix.
        let inner = match is_single(node) {
            true => Some(text),
            false => text.find(['\'', '"']).and_then(|at| {
                let quote = text[at..].chars().next()?;
                text[at + 1..].split(quote).next()
            }),
        };
        inner.filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| {
            let message = format!("insert={word:?} needs the attribute {name}");
            RpcError::protocol(Tag::MissingAttribute, message)
                .about("bad-attribute", name)
                .about("bad-element", &element.name)
                .at(place.xpath.clone())
        })
    };
    Ok(Some(match word {
        "first" => Insert::First,
        "last" => Insert::Last,
        "before" => Insert::Before(beside()?),
        "after" => Insert::After(beside()?),
        _ => return Err(bad_attribute("insert", "first, last, before or after is expected", &place.xpath)),
    }))
}

fn bad_attribute(name: &str, message: &str, xpath: &str) -> RpcError {
    RpcError::protocol(Tag::BadAttribute, format!("{name}: {message}")).about("bad-attribute", name).at(xpath)
}

/// Whether no element below says of itself what is done with it.
fn is_plain(element: &Element) -> bool {
    element.elements().all(|child| child.attributes.is_empty() && is_plain(child))
}

/// Refuses operations within what is done as a whole, unless they are the same.
fn plain(element: &Element, done: Operation, xpath: &str) -> Result<(), RpcError> {
    for child in element.elements() {
        if operation(child, done)? != done || child.attribute(YANG_ATTRIBUTES, "insert").is_some() {
            let message = format!("<{}> has an operation of its own within what is replaced or created", child.name);
            return Err(RpcError::protocol(Tag::BadAttribute, message)
                .about("bad-attribute", "operation")
                .about("bad-element", &child.name)
                .at(xpath));
        }
        plain(child, done, xpath)?;
    }
    Ok(())
}

fn path_key(around: &str, key: &str) -> String {
    let key = part(key, is_key);
    if around.is_empty() { key } else { format!("{around}.{key}") }
}

/// A part of a path, in quotes where it needs them.
fn part(text: &str, is_bare: fn(char) -> bool) -> String {
    if !text.is_empty() && text.chars().all(is_bare) {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

fn is_key(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_".contains(letter)
}

fn is_member(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.:/@+*".contains(letter)
}

/// What a client calls the place that a file's path names; none where it names none.
pub fn xpath(path: &str) -> Option<String> {
    let mut nodes: Option<&'static [Node]> = Some(ROOT);
    let mut node: Option<&'static Node> = None;
    let mut xpath = format!("/ost:{TOP}");
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (member, after) = take(inner, |letter| letter != ']')?;
            rest = after.strip_prefix(']')?;
            match node?.kind {
                Kind::LeafList(_) => xpath.push_str(&format!("[.={}]", literal(&member))),
                _ => xpath.push_str(&format!("[ost:{}={}]", node?.key()?, literal(&member))),
            }
            continue;
        }
        let (key, after) = take(rest.strip_prefix('.').unwrap_or(rest), is_key)?;
        rest = after;
        match node.map(|node| &node.kind) {
            // The key is the name of a member.
            Some(Kind::Named(children)) if nodes.is_none() => {
                xpath.push_str(&format!("[ost:name={}]", literal(&key)));
                nodes = Some(children);
            }
            Some(Kind::Map { .. }) => xpath.push_str(&format!("[ost:name={}]", literal(&key))),
            _ => {
                let found = nodes?.iter().find(|node| node.name == key)?;
                xpath.push_str(&format!("/ost:{key}"));
                nodes = if matches!(found.kind, Kind::Named(_)) { None } else { Some(found.children()) };
                node = Some(found);
            }
        }
    }
    Some(xpath)
}

/// The first part of a path, and what follows it.
fn take(text: &str, is_bare: impl Fn(char) -> bool) -> Option<(String, &str)> {
    if text.starts_with('"') {
        let mut parts = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let part = parts.next()?.ok()?;
        let end = parts.byte_offset();
        return Some((part, &text[end..]));
    }
    let end = text.find(|letter| !is_bare(letter)).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::super::config_xml::to_xml;
    use super::super::xml::read;
    use super::*;

    fn config(content: &str) -> Element {
        let text = format!(
            "<config xmlns:nc='{BASE}' xmlns:y='{YANG_ATTRIBUTES}'><firewall xmlns='{YANG}'>{content}</firewall></config>"
        );
        read(text.as_bytes()).unwrap()
    }

    fn made(content: &str) -> Vec<String> {
        let edits = edits(&config(content), Operation::Merge).unwrap();
        edits.iter().map(|edit| serde_json::to_string(edit).unwrap()).collect()
    }

    fn refused(content: &str) -> Tag {
        edits(&config(content), Operation::Merge).unwrap_err().tag
    }

    #[test]
    fn a_tree_without_operations_is_merged_as_a_whole() {
        assert_eq!(
            made(
                "<rule><name>a</name><source>x</source><source>y</source><session-logging>true</session-logging></rule>"
            ),
            [r#"{"path":"rule[a]","kind":"merge","value":{"name":"a","session-logging":true,"source":["x","y"]}}"#]
        );
        assert_eq!(
            made("<system><host-name>fw</host-name></system>"),
            [r#"{"path":"system","kind":"merge","value":{"host-name":"fw"}}"#]
        );
        assert_eq!(
            made("<address><name>office</name><item>10.1.0.0/16</item></address>"),
            [r#"{"path":"address.office","kind":"merge","value":["10.1.0.0/16"]}"#]
        );
        assert_eq!(
            made("<nat><name>a.b</name><ports-per-host>5</ports-per-host></nat>"),
            [r#"{"path":"nat.\"a.b\"","kind":"merge","value":{"ports-per-host":5}}"#]
        );
    }

    #[test]
    fn operations_are_done_where_they_stand() {
        assert_eq!(
            made("<rule nc:operation='delete'><name>a</name></rule>"),
            [r#"{"path":"rule[a]","kind":"delete"}"#]
        );
        assert_eq!(
            made("<rule><name>a</name><profile nc:operation='remove'/><action>deny</action></rule>"),
            [
                r#"{"path":"rule[a]","kind":"merge","value":{"name":"a"}}"#,
                r#"{"path":"rule[a].profile","kind":"remove"}"#,
                r#"{"path":"rule[a].action","kind":"merge","value":"deny"}"#,
            ]
        );
        assert_eq!(
            made("<rule><name>a</name><source nc:operation='delete'>10.0.0.0/8</source></rule>"),
            [
                r#"{"path":"rule[a]","kind":"merge","value":{"name":"a"}}"#,
                r#"{"path":"rule[a].source[10.0.0.0/8]","kind":"delete"}"#,
            ]
        );
        assert_eq!(
            made("<log><im nc:operation='replace'><enable>true</enable></im></log>"),
            [r#"{"path":"log.im","kind":"replace","value":{"enable":true}}"#]
        );
        assert_eq!(
            made("<rule nc:operation='create' y:insert='before' y:key=\"[name='b']\"><name>a</name></rule>"),
            [r#"{"path":"rule[a]","kind":"create","value":{"name":"a"},"insert":{"before":"b"}}"#]
        );
    }

    #[test]
    fn none_only_descends() {
        let tree = config("<rule><name>a</name><action nc:operation='replace'>deny</action></rule>");
        let edits = edits(&tree, Operation::None).unwrap();
        assert_eq!(edits.len(), 1);
        assert_eq!((edits[0].path.as_str(), edits[0].kind), ("rule[a].action", Operation::Replace));
    }

    #[test]
    fn what_the_model_does_not_have_is_refused() {
        for (content, tag) in [
            ("<rules/>", Tag::UnknownElement),
            ("<x xmlns='urn:x'/>", Tag::UnknownNamespace),
            ("<rule><action>deny</action></rule>", Tag::MissingElement),
            ("<rule><name>a</name><action>drop</action></rule>", Tag::InvalidValue),
            ("<port><name>a</name><mtu>9</mtu></port>", Tag::InvalidValue),
            ("<rule><name>a</name><session-logging>yes</session-logging></rule>", Tag::InvalidValue),
            ("<rule operation='delete'><name>a</name></rule>", Tag::UnknownAttribute),
            ("<rule nc:operation='kill'><name>a</name></rule>", Tag::BadAttribute),
            ("<rule nc:operation='replace'><name>a</name><action nc:operation='delete'/></rule>", Tag::BadAttribute),
            ("<rule><name>a</name><action>deny</action><action>deny</action></rule>", Tag::BadElement),
            ("<rule>x</rule>", Tag::MissingElement),
            ("<rule y:insert='before'><name>a</name></rule>", Tag::MissingAttribute),
            ("<system>x</system>", Tag::BadElement),
        ] {
            assert_eq!(refused(content), tag, "{content}");
        }
    }

    #[test]
    fn paths_of_files_are_paths_of_clients() {
        for (path, expected) in [
            ("rule[a].action", "/ost:rule[ost:name='a']/ost:action"),
            ("rule[a].source[10.0.0.0/8]", "/ost:rule[ost:name='a']/ost:source[.='10.0.0.0/8']"),
            ("nat.\"a.b\".pool", "/ost:nat[ost:name='a.b']/ost:pool"),
            ("address.office", "/ost:address[ost:name='office']"),
            ("log.im.accounts.qq", "/ost:log/ost:im/ost:accounts[ost:name='qq']"),
            ("wire[1]", "/ost:wire[ost:number='1']"),
        ] {
            assert_eq!(xpath(path), Some(format!("/ost:firewall{expected}")), "{path}");
        }
        for wrong in ["rules", "rule[a", "[a]", "rule[a].", "system.x.y", "nat.\"a"] {
            assert_eq!(xpath(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_written_as_xml_reads_back() {
        let file: Table = r#"
            [system]
            host-name = "fw"
            [[rule]]
            name = "all"
            source = ["office", "lab"]
            action = "permit"
            [address]
            office = ["10.1.0.0/16"]
            [[wire]]
            ports = ["inside", "outside"]
            [nat.pool1]
            pool = ["198.51.100.1"]
            [profile.chat.im-audit]
            qq = "both"
            [[log-host]]
            name = "siem"
            dscp = 46
            spool = { size = "1 GiB" }
            rate-limit = { session = 20000 }
            [[log-host]]
            name = "b"
            dscp = "ef"
            statistics-interval = "off"
        "#
        .parse()
        .unwrap();
        let config = Element::new(BASE, "config").with(to_xml(&file));
        assert_eq!(document(&config).unwrap(), file);
    }
}
