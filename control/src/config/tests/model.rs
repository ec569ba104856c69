//! The model of the keys against what the readers know.

use std::path::Path;

use super::super::document::Notes;
use super::super::model::{Kind, Node, ROOT};
use super::super::schema::Source;

/// A file with every table that there is.
const EVERYTHING: &str = r#"
    [system]
    [management]
    [management.roles]
    [dataplane]
    [dataplane.timeouts]
    [[port]]
    [[wire]]
    [[interface]]
    [[route]]
    [profile.a]
    [user-group.a]
    [nat.a]
    [[rule]]
    [policy]
    [protection]
    [protection.drop]
    [protection.limit.tcp]
    [protection.limit.udp]
    [protection.limit.icmp]
    [protection.limit.other]
    [protection.limit.fragments]
    [protection.zone.a]
    [application-identification]
    [log.session]
    [log.im]
    [log.access]
    [log.call-status]
    [log.spool]
    [audit.sftp]
    [[audit.file]]
    archive = {}
    [access.dhcp]
    [access.radius]
    [access.receiver]
    [[access.nas]]
    [[log-host]]
    spool = {}
    rotate = {}
    [[log-group]]
    [ssl-policy.a]
    [configuration]
    [metrics]
    [dashboard]
    [[respond]]
    then = [{}]
"#;

/// Known to be refused by name.
const LATER: &[&str] = &["vlan", "sasl"];

/// What the readers know is what the model has: a key that one of them lacks fails this.
#[test]
fn the_model_has_the_keys_that_are_read() {
    let mut notes = Notes::new(Path::new("policy.toml"), EVERYTHING);
    let document = notes.parse(EVERYTHING);
    Source::read(&document, &mut notes);
    let mut seen = Vec::new();
    for (path, known) in &notes.sections {
        let (name, node) = resolve(path);
        let children: Vec<&str> = node.iter().map(|child| child.name).collect();
        for key in known {
            assert!(children.contains(key) || LATER.contains(key), "the model lacks {path}.{key}");
        }
        for child in &children {
            assert!(known.contains(child), "nothing reads {path}.{child}");
        }
        seen.push(name);
    }
    walk("", ROOT, &mut |path, node| {
        let is_table = !node.children().is_empty();
        assert!(!is_table || seen.iter().any(|name| name == path), "no {path} in the test's file");
    });
}

/// The node of a section's path, `log-host[1].spool`, as a path of names.
fn resolve(path: &str) -> (String, &'static [Node]) {
    let (mut name, mut nodes) = (String::new(), ROOT);
    let mut parts = path.split('.').filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        let part = part.split('[').next().unwrap();
        let node = nodes.iter().find(|node| node.name == part).unwrap_or_else(|| panic!("no {part} of {path}"));
        name.push_str(&format!("/{part}"));
        nodes = node.children();
        if matches!(node.kind, Kind::Named(_)) {
            parts.next();
        }
    }
    (name, nodes)
}

fn walk(path: &str, nodes: &[Node], visit: &mut impl FnMut(&str, &Node)) {
    for node in nodes {
        let path = format!("{path}/{}", node.name);
        visit(&path, node);
        walk(&path, node.children(), visit);
    }
}
