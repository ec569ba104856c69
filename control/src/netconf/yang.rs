//! The YANG module of the configuration, made from the model of its keys, and the modules that a client can have.

use std::fmt::Write;

use super::config_xml::TOP;
use super::{EVENTS, STATE, SYSLOG, YANG, events, state};
use crate::config::model::{Kind, Node, ROOT, Type};

/// The day on which the generated module last changed.
const REVISION: &str = "2026-11-22";

/// A module that a client can have by `get-schema`.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// Its revision.
    pub revision: &'static str,
    /// Its namespace.
    pub namespace: &'static str,
}

/// Our modules.
pub const MODULES: &[Module] = &[
    Module { name: "ostiary", revision: REVISION, namespace: YANG },
    Module { name: "ostiary-state", revision: state::REVISION, namespace: STATE },
    Module { name: "ostiary-events", revision: events::REVISION, namespace: EVENTS },
    Module { name: "ostiary-syslog", revision: events::REVISION, namespace: SYSLOG },
];

/// The text of one of [`MODULES`].
pub fn module_text(name: &str) -> Option<String> {
    match name {
        "ostiary" => Some(configuration()),
        "ostiary-state" => Some(state::module()),
        "ostiary-events" => Some(events::module()),
        "ostiary-syslog" => Some(events::syslog_module()),
        _ => None,
    }
}

/// `ostiary`: the module of the configuration.
fn configuration() -> String {
    let mut text = format!(
        r#"module ostiary {{
  yang-version 1.1;
  namespace "{YANG}";
  prefix ost;

  organization
    "Ostiary";
  contact
    "The operator of the firewall.";
  description
    "The configuration of an Ostiary firewall: the keys of its policy file. Made from the model of
     these keys; what is not said here, such as defaults and what values exclude each other, the
     manual says and validate judges.";

  revision {REVISION} {{
    description
      "The keys of version 0.1.";
  }}

  typedef name {{
    type string {{
      length "1..63";
      pattern '[A-Za-z0-9][A-Za-z0-9._\-]*';
    }}
    description
      "The name of an object.";
  }}
  typedef text {{
    type string {{
      length "1..4096";
    }}
    description
      "A text that is not empty.";
  }}
  typedef duration {{
    type string {{
      pattern ' *[0-9][0-9_]* *(ms|s|min|m|h|d) *';
    }}
    description
      "A duration with its unit, like 60 s or 10 min.";
  }}
  typedef size {{
    type string {{
      pattern ' *[0-9][0-9_]* *(B|KiB|MiB|GiB|kB|MB|GB) *';
    }}
    description
      "A size in octets with its unit, like 512 MiB.";
  }}
  typedef address {{
    type string {{
      pattern '[0-9a-fA-F:.]+';
    }}
    description
      "An IPv4 or IPv6 address.";
  }}
  typedef prefix {{
    type string {{
      pattern '[0-9a-fA-F:.]+/[0-9]{{1,3}}';
    }}
    description
      "An IPv4 or IPv6 address and the length of a prefix.";
  }}
  typedef path {{
    type string {{
      length "1..4096";
    }}
    description
      "A path of the firewall's file system.";
  }}

  container {TOP} {{
    description
      "The policy file.";
"#
    );
    for node in ROOT {
        one(&mut text, 4, node);
    }
    text.push_str("  }\n}\n");
    text
}

fn one(text: &mut String, indent: usize, node: &Node) {
    let pad = " ".repeat(indent);
    // Writing to a string cannot fail.
    let mut line = |content: &str| {
        let _ = writeln!(text, "{pad}{content}");
    };
    let about = |line: &mut dyn FnMut(&str)| {
        line("  description");
        line(&format!("    \"{}\";", node.about));
    };
    match node.kind {
        Kind::Leaf(kind) => {
            line(&format!("leaf {} {{", node.name));
            type_lines(&mut line, kind);
            about(&mut line);
        }
        Kind::LeafList(kind) => {
            line(&format!("leaf-list {} {{", node.name));
            type_lines(&mut line, kind);
            line("  ordered-by user;");
            about(&mut line);
        }
        Kind::Container(children) | Kind::Switch(children) => {
            line(&format!("container {} {{", node.name));
            about(&mut line);
            for child in children {
                one(text, indent + 2, child);
            }
        }
        Kind::List { children, .. } | Kind::Named(children) => {
            let key = node.key().unwrap_or_default();
            line(&format!("list {} {{", node.name));
            line(&format!("  key \"{key}\";"));
            if matches!(node.kind, Kind::List { .. }) {
                line("  ordered-by user;");
            }
            about(&mut line);
            if !node.writes_key() {
                key_leaf(&mut line, key);
            }
            for child in children {
                one(text, indent + 2, child);
            }
        }
        Kind::Map { value, kind, many } => {
            line(&format!("list {} {{", node.name));
            line("  key \"name\";");
            about(&mut line);
            key_leaf(&mut line, "name");
            line(&format!("  {} {value} {{", if many { "leaf-list" } else { "leaf" }));
            type_lines(&mut |content| line(&format!("  {content}")), kind);
            if many {
                line("    ordered-by user;");
                line("    min-elements 1;");
            } else {
                line("    mandatory true;");
            }
            line("    description");
            line("      \"What stands there.\";");
            line("  }");
        }
    }
    let _ = writeln!(text, "{pad}}}");
}

fn key_leaf(line: &mut impl FnMut(&str), key: &str) {
    line(&format!("  leaf {key} {{"));
    if key == "number" {
        line("    type uint32 {");
        line("      range \"1..max\";");
        line("    }");
        line("    description");
        line("      \"The place in the list, from 1.\";");
    } else {
        line("    type name;");
        line("    description");
        line("      \"The name that the operator chose.\";");
    }
    line("  }");
}

fn type_lines(line: &mut impl FnMut(&str), kind: Type) {
    let number = |first: u64, last: u64| {
        let size = if last > u64::from(u32::MAX) { "uint64" } else { "uint32" };
        [format!("type {size} {{"), format!("  range \"{first}..{last}\";"), "}".to_owned()]
    };
    let lines = match kind {
        Type::Text => vec!["type text;".to_owned()],
        Type::Name => vec!["type name;".to_owned()],
        Type::Boolean => vec!["type boolean;".to_owned()],
        Type::Duration => vec!["type duration;".to_owned()],
        Type::Size => vec!["type size;".to_owned()],
        Type::Address => vec!["type address;".to_owned()],
        Type::Prefix => vec!["type prefix;".to_owned()],
        Type::Path => vec!["type path;".to_owned()],
        Type::Number(first, last) => number(first, last).to_vec(),
        Type::Choice(words) => enumeration(words),
        Type::DurationOr(words) => {
            let mut lines = vec!["type union {".to_owned()];
            lines.extend(enumeration(words).into_iter().map(|line| format!("  {line}")));
            lines.extend(["  type duration;".to_owned(), "}".to_owned()]);
            lines
        }
        Type::NumberOrText(last) => {
            let mut lines = vec!["type union {".to_owned()];
            lines.extend(number(0, last).map(|line| format!("  {line}")));
            lines.extend(["  type text;".to_owned(), "}".to_owned()]);
            lines
        }
    };
    for content in lines {
        line(&format!("  {content}"));
    }
}

fn enumeration(words: &[&str]) -> Vec<String> {
    let mut lines = vec!["type enumeration {".to_owned()];
    for word in words {
        lines.push(format!("  enum {} {{", quoted(word)));
        lines.push("    description".to_owned());
        lines.push(format!("      \"{word}.\";"));
        lines.push("  }".to_owned());
    }
    lines.push("}".to_owned());
    lines
}

/// An argument of YANG needs quotes where it is no identifier.
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_and_braces_match() {
        for module in MODULES {
            let text = module_text(module.name).unwrap();
            for line in text.lines() {
                assert!(line.len() <= 100, "{line}");
            }
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{}", module.name);
            assert!(text.contains(&format!("revision {} ", module.revision)) && text.contains(module.namespace));
        }
    }

    /// `control/yang` has the modules for those who read them without a firewall: UPDATE_YANG=1 writes them anew.
    #[test]
    fn the_modules_in_the_folder_are_those_of_the_program() {
        for module in MODULES {
            let path = format!("{}/yang/{}@{}.yang", env!("CARGO_MANIFEST_DIR"), module.name, module.revision);
            let text = module_text(module.name).unwrap();
            if std::env::var_os("UPDATE_YANG").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                written == text,
                "{path} is not what the program has: run UPDATE_YANG=1 cargo test -p control yang"
            );
        }
    }
}
