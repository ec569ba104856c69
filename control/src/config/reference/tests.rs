//! Schema, page and example say what the reader does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use toml::de::DeTable;

use super::super::describe::{Key, Kind, Shape, keys};
use super::super::document::Notes;
use super::super::schema::Source;
use super::super::units::{duration_text, size_text};
use super::super::{Compiled, Fault, Fixed, Purpose, Warning, compile_text};
use super::meaning::{Default, meaning, meanings};
use super::*;

fn load_text(text: &str) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    compile_text(Path::new("policy.toml"), text, Purpose::Run, None)
}

#[test]
fn every_key_has_a_meaning_and_no_other_has_one() {
    let known: BTreeSet<String> =
        keys().into_iter().filter(|key| !key.kinds.contains(&Kind::Later)).map(|key| key.path).collect();
    for path in &known {
        assert!(meaning(path).is_some(), "{path} has no meaning: write one below config/reference/meaning/");
    }
    let mut seen = BTreeSet::new();
    for (path, ..) in meanings() {
        assert!(known.contains(*path), "{path} has a meaning, but the reader knows no such key");
        assert!(seen.insert(path), "{path} has two meanings");
    }
}

#[test]
fn the_page_of_the_documentation_is_this_one() {
    let page = page();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policy.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{} is old: ostiary policy reference > control/policy.md", path.display());
}

/// What a key's value is written at: its section's heads, with `x1` for names, and a line.
fn document(key: &Key, value: &str) -> String {
    let mut text = String::new();
    let section = key.section().replace("NAME", "x1");
    let mut path = String::new();
    for step in section.split('.').filter(|step| !step.is_empty()) {
        path.push_str(step.trim_end_matches("[]"));
        if step.ends_with("[]") {
            text.push_str(&format!("[[{path}]]\n"));
        }
        path.push('.');
    }
    if !section.is_empty() && !section.ends_with("[]") {
        text.push_str(&format!("[{}]\n", path.trim_end_matches('.')));
    }
    format!("{text}{} = {value}\n", key.name().replace("NAME", "x1"))
}

/// Whether the reader refuses what stands at a key, whatever else it misses.
fn refuses(key: &Key, text: &str) -> bool {
    let document = DeTable::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut notes = Notes::new(Path::new("policy.toml"), text);
    Source::read(&document, &mut notes);
    let path = key.path.replace("[]", "[1]").replace("NAME", "x1");
    // Tables with names are called by them.
    let is_it = |fault: &Fault| fault.place.key == path && fault.found.is_some();
    notes.faults.iter().any(is_it)
}

/// Values that a form takes, and values that it does not; both at its limits.
fn values(shape: &Shape) -> (Vec<String>, Vec<String>) {
    let quoted = |text: &str| format!("\"{text}\"");
    match shape {
        Shape::Boolean => (vec!["true".into(), "false".into()], vec!["1".into(), quoted("true")]),
        Shape::Text | Shape::Name => {
            (Vec::new(), vec!["1.5".into(), "true".into(), quoted(""), quoted(" "), quoted("a\\u0007")])
        }
        Shape::Number { first, last } => {
            let wrong = [first.checked_sub(1), last.checked_add(1)].into_iter().flatten();
            let mut wrong: Vec<String> = wrong.map(|number| number.to_string()).collect();
            wrong.extend(["-1".into(), "1.5".into(), quoted("1 ")]);
            (Vec::new(), wrong)
        }
        Shape::Duration { first, last } => (
            vec![quoted(&duration_text(*first)), quoted(&duration_text(*last))],
            ["", "60", "1 fortnight", "-1 s", "1.5 h", "1__0 s", "s"]
                .map(quoted)
                .into_iter()
                .chain(["60".into()])
                .collect(),
        ),
        Shape::Size { first, last } => (
            vec![quoted(&size_text(*first)), quoted(&size_text(*last))],
            ["", "10", "10 mib", "1.5 GiB", "-1 B"].map(quoted).into_iter().chain(["10".into()]).collect(),
        ),
        Shape::Choice(words) => {
            let wrong = ["alow", "", format!("{}X", words[0]).as_str()].map(quoted);
            (words.iter().map(|word| quoted(word)).collect(), wrong.into_iter().chain(["7".into()]).collect())
        }
        Shape::Either(shapes) => {
            let (right, wrong): (Vec<_>, Vec<_>) = shapes.iter().map(values).unzip();
            let refused = |value: &String| wrong.iter().all(|wrong| wrong.contains(value));
            (right.concat(), wrong.concat().into_iter().filter(refused).collect())
        }
    }
}

/// Every key of a single value or a list, with texts that hold a value of it: that it takes, and that it does not.
fn samples() -> Vec<(Key, Vec<String>, Vec<String>)> {
    let mut samples = Vec::new();
    for key in keys() {
        for kind in &key.kinds {
            let (shape, list) = match kind {
                Kind::Value(shape) if key.kinds.len() == 1 => (shape, false),
                Kind::List(shape) if key.kinds.len() == 1 => (shape, true),
                _ => continue,
            };
            let (mut right, mut wrong) = values(shape);
            if let Shape::Number { first, last } = shape {
                right.extend([first.to_string(), last.to_string()]);
            }
            if list {
                (right, wrong) = (bracketed(right), bracketed(wrong));
                wrong.extend(["[]".to_owned(), "7".to_owned(), "true".to_owned()]);
            }
            wrong.push("{ x1 = 1 }".to_owned());
            let texts = |values: Vec<String>| values.iter().map(|value| document(&key, value)).collect();
            let (right, wrong) = (texts(right), texts(wrong));
            samples.push((key.clone(), right, wrong));
        }
    }
    samples
}

fn bracketed(values: Vec<String>) -> Vec<String> {
    values.into_iter().map(|value| format!("[{value}]")).collect()
}

/// The reader's own limits are those that it describes.
#[test]
fn limits_and_words_are_those_of_the_reader() {
    let mut tried = 0;
    for (key, right, wrong) in samples() {
        // A pair of ports is no single one; a file for a host is needed or refused.
        for text in right.iter().filter(|_| key.path != "wire[].ports") {
            assert!(!refuses(&key, text), "refused: {text}");
            tried += 1;
        }
        for text in &wrong {
            assert!(refuses(&key, text), "taken: {text}");
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}

const VALIDATE: &str = "
import json, sys, jsonschema
given = json.load(sys.stdin)
jsonschema.Draft7Validator.check_schema(given['schema'])
validator = jsonschema.Draft7Validator(given['schema'])
json.dump([[str(e.message)[:200] for e in validator.iter_errors(case)] for case in given['cases']], sys.stdout)
";

/// What another's validator says of each: nothing, or what is wrong. None where it is not installed.
fn validate(schema: &Value, cases: &[Value]) -> Option<Vec<Vec<String>>> {
    let is_there = Command::new("python3").args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        let reason = "python3-jsonschema is missing: the schema of the policy file is not proved";
        eprintln!("{reason}");
        if let Some(path) = std::env::var_os("OSTIARY_SKIPPED") {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            writeln!(file, "{reason}").unwrap();
        }
        return None;
    }
    let mut python =
        Command::new("python3").args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let given = json!({ "schema": schema, "cases": cases }).to_string();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(given.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// As editors see it: times are texts.
fn as_json(text: &str) -> Value {
    fn of(value: toml::Value) -> Value {
        match value {
            toml::Value::Table(table) => {
                Value::Object(table.into_iter().map(|(key, value)| (key, of(value))).collect())
            }
            toml::Value::Array(list) => list.into_iter().map(of).collect(),
            toml::Value::Datetime(time) => json!(time.to_string()),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    of(toml::Value::Table(text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))))
}

/// The schema without what has to be there: keys are tried one by one.
fn without_required(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => object
            .iter()
            // A key may have that name too: then it has a schema.
            .filter(|(key, value)| key.as_str() != "required" || !value.is_array())
            .map(|(key, value)| (key.clone(), without_required(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_required).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_schema_takes_and_refuses_what_the_reader_does() {
    let mut cases = Vec::new();
    for (key, right, wrong) in samples() {
        let right = right.into_iter().filter(|_| key.path != "wire[].ports").map(|text| (true, text));
        cases.extend(right.chain(wrong.into_iter().map(|text| (false, text))));
    }
    for key in keys().iter().filter(|key| key.is_section()) {
        let unknown = Key { path: format!("{}.no-such-key", key.below()), kinds: Vec::new(), required: false };
        // Below a section of names, a name is no fault, but its value is.
        cases.push((false, document(&unknown, "1.5")));
    }
    let instances: Vec<Value> = cases.iter().map(|(_, text)| as_json(text)).collect();
    let Some(said) = validate(&without_required(&schema()), &instances) else { return };
    for ((right, text), errors) in cases.iter().zip(said) {
        assert_eq!(errors.is_empty(), *right, "{text}{errors:?}");
    }
}

/// The policy files of the tests.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn every_policy_file_is_valid_by_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    files(&root.join("tests/data"), &mut found);
    let mut texts: Vec<(String, String)> = found
        .iter()
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .filter(|(_, text)| text.lines().any(|line| line.trim() == "[[port]]"))
        .collect();
    assert!(texts.len() >= 2, "{texts:?}");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let whole = readme.split("```toml\n").skip(1).filter_map(|block| block.split("\n```").next());
    texts.extend(
        whole.filter(|block| block.contains("[[port]]")).map(|block| ("README.md".to_owned(), block.to_owned())),
    );
    texts.push(("example".to_owned(), example(false)));
    texts.push(("full example".to_owned(), example(true)));
    texts.push(("every section".to_owned(), EVERY_SECTION.to_owned()));
    let instances: Vec<Value> = texts.iter().map(|(_, text)| as_json(text)).collect();
    let Some(said) = validate(&schema(), &instances) else { return };
    for ((name, _), errors) in texts.iter().zip(said) {
        assert_eq!(errors, [""; 0], "{name}");
    }
}

#[test]
fn what_has_to_be_there_is_asked_for_by_the_schema_too() {
    let cases: Vec<(Key, Value)> = keys()
        .into_iter()
        .filter(|key| key.required)
        .map(|key| {
            let mut document: Value = json!({});
            let mut at = &mut document;
            for step in key.section().replace("NAME", "x1").split('.') {
                at = match step.strip_suffix("[]") {
                    Some(name) => {
                        at[name] = json!([{}]);
                        &mut at[name][0]
                    }
                    None => {
                        at[step] = json!({});
                        &mut at[step]
                    }
                };
            }
            (key, document)
        })
        .collect();
    let instances: Vec<Value> = cases.iter().map(|(_, document)| document.clone()).collect();
    let Some(said) = validate(&schema(), &instances) else { return };
    for ((key, _), errors) in cases.iter().zip(said) {
        let asked = format!("'{}' is a required property", key.name());
        assert!(errors.contains(&asked), "{}: {errors:?}", key.path);
    }
}

/// One of each section that an operator names or repeats, with what it needs: beside it, its defaults are tried.
const EVERY_SECTION: &str = r#"
[system]
host-name = "fw1"
[dashboard]
listen = "127.0.0.1:8443"
[dataplane]
[[port]]
name = "inside"
device = "net_null0"
zone = "trust"
[[port]]
name = "outside"
device = "net_null1"
zone = "untrust"
[[port]]
name = "routed"
device = "net_null2"
zone = "lab"
[[wire]]
ports = ["inside", "outside"]
[[interface]]
port = "routed"
addresses = ["192.0.2.1/24"]
[[route]]
to = "198.51.100.0/24"
via = "192.0.2.254"
[nat.x1]
pool = ["203.0.113.1"]
[[rule]]
name = "one"
action = "permit"
source-nat = "x1"
profile = "x1"
[profile.x1]
im-audit = { qq = "both" }
[protection.zone.trust]
networks = ["10.0.0.0/8"]
[[log-host]]
name = "siem"
address = "192.0.2.10"
[ssl-policy.x1]
ca = "/etc/ssl/certs/ca-certificates.crt"
[[audit.file]]
name = "sessions"
select = ["session"]
archive = { files = 9 }
[[respond]]
name = "guessing"
on = ["login-failed"]
then = [{ raise = "alert" }]
"#;

/// What a text compiles to, but for what says how it was written.
fn print(text: &str) -> String {
    let loaded = compile_text(Path::new("policy.toml"), text, Purpose::Replay, None);
    let (mut compiled, _) = loaded.unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    compiled.database = std::sync::Arc::default();
    compiled.fixed = Fixed::default();
    let text = format!("{compiled:?}");
    // Each policy that is compiled has a number of its own.
    let (before, behind) = text.split_once(" epoch: ").expect("a policy");
    format!("{before}{}", behind.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

/// `text` with a line below the first head of a section, or below one that is added.
fn with_line(text: &str, section: &str, line: &str) -> String {
    match text.split_once(&format!("\n{section}\n")) {
        Some((before, behind)) => format!("{before}\n{section}\n{line}\n{behind}"),
        None => format!("{text}\n{section}\n{line}\n"),
    }
}

#[test]
fn defaults_are_true() {
    let plain = print(EVERY_SECTION);
    let mut tried = 0;
    let keys = keys();
    for key in &keys {
        let Some((_, Default::Is(value), _)) = meaning(&key.path) else { continue };
        // Of an access server, a secret would have to be there; `archive` stands in braces.
        if key.path.starts_with("access.nas") || key.path.starts_with("audit.file[].archive") {
            continue;
        }
        let section = keys.iter().find(|section| section.below() == key.section()).unwrap();
        let name = if key.path.starts_with("protection.zone.NAME") { "trust" } else { "x1" };
        let text = with_line(EVERY_SECTION, &head(section).replace("NAME", name), &format!("{} = {value}", key.name()));
        assert_eq!(print(&text), plain, "{} = {value}", key.path);
        tried += 1;
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn the_example_is_accepted_without_a_warning() {
    for text in [example(false), example(true)] {
        let (_, warnings) = load_text(&text).unwrap_or_else(|faults| panic!("{}\n{text}", faults[0]));
        assert_eq!(warnings, []);
    }
    assert_eq!(print(&example(true)), print(&example(false)));
}

#[test]
fn the_full_example_names_every_key_and_its_defaults_change_nothing() {
    let full = example(true);
    for key in keys().iter().filter(|key| !key.is_section() && !key.kinds.contains(&Kind::Later)) {
        let is_it = |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{} = ", key.name()));
        assert!(full.lines().any(is_it), "{}", key.path);
    }
    let plain = print(&full);
    let lines: Vec<&str> = full.lines().collect();
    let (mut head, mut all, mut tried) = (None, Vec::new(), 0);
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('[') || line.starts_with("#[") {
            head = Some(at);
        }
        let is_setting = line.starts_with('#') && line.chars().nth(1).is_some_and(|letter| letter.is_ascii_lowercase());
        let Some(head) = head.filter(|_| is_setting) else { continue };
        // A section that is left out because it needs more than defaults stays so.
        if lines[head].starts_with('#') && needs_more(lines[head].trim_start_matches('#')) {
            continue;
        }
        all.extend([head, at]);
        let uncommented = |chosen: &[usize]| {
            let line = |(at, line): (usize, &&str)| match chosen.contains(&at) {
                true => line.trim_start_matches('#').to_owned(),
                false => (*line).to_owned(),
            };
            lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(print(&uncommented(&[head, at])), plain, "{line}");
        tried += 1;
        if tried % 16 == 0 {
            assert_eq!(print(&uncommented(&all)), plain);
        }
    }
    assert!(tried > 60, "{tried}");
}

/// Whether a section is refused, or is another thing, with its defaults alone.
fn needs_more(section: &str) -> bool {
    let keys = keys();
    let section = keys.iter().find(|key| key.is_section() && head(key) == section).expect("a section");
    let mut parts = section.path.split('.');
    parts.any(|part| part == "NAME" || part.ends_with("[]"))
        || section.kinds.contains(&Kind::Tables)
        || keys.iter().any(|key| key.required && key.section() == section.path)
}
