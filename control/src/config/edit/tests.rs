use proptest::prelude::*;
use toml::{Table, Value};

use super::*;

const FILE: &str = r#"# The office's policy.

[system]
host-name = "fw1"                           # as in records

# Who is where.
[address]
office = ["10.1.0.0/16", "2001:db8:1::/48"] # both families

# Staff may.
[[rule]]
name = "staff"
action = "permit"                           # since March

# Guests may not.
[[rule]]
name = "guests"
action = "deny"

[log.im]
enable = true

[[wire]]
ports = ["inside", "outside"]
"#;

fn op(path: &str, kind: EditKind, value: &str) -> EditOp {
    let value = (!value.is_empty()).then(|| format!("v = {value}").parse::<Table>().unwrap().remove("v").unwrap());
    EditOp { path: path.to_owned(), kind, value, insert: None }
}

fn edited(ops: &[EditOp]) -> String {
    let mut tree = Tree::parse(FILE).unwrap();
    for op in ops {
        tree.edit(op).unwrap_or_else(|error| panic!("{error}"));
    }
    let text = tree.text();
    text.parse::<Table>().unwrap_or_else(|error| panic!("{error}\n{text}"));
    text
}

fn refused(op: &EditOp) -> Tag {
    let mut tree = Tree::parse(FILE).unwrap();
    let error = tree.edit(op).unwrap_err();
    assert_eq!(tree.text(), FILE);
    error.tag
}

#[test]
fn a_value_is_set_and_everything_else_stays() {
    let text = edited(&[op("rule[staff].action", EditKind::Replace, "\"deny\"")]);
    assert_eq!(
        text,
        FILE.replace("\"permit\"                           # since", "\"deny\"                           # since")
    );
    let text = edited(&[op("log.im.account", EditKind::Merge, "\"omit\"")]);
    assert_eq!(text, FILE.replace("enable = true\n", "enable = true\naccount = \"omit\"\n"));
}

#[test]
fn a_rule_goes_where_it_is_told() {
    let new = |insert| EditOp { insert, ..op("rule[lab]", EditKind::Create, "{ action = \"permit\" }") };
    let rule = "\n[[rule]]\nname = \"lab\"\naction = \"permit\"\n";
    assert_eq!(edited(&[new(None)]), FILE.replace("\n[log.im]", &format!("{rule}\n[log.im]")));
    assert_eq!(
        edited(&[new(Some(Insert::After("staff".into())))]),
        FILE.replace("\n# Guests", &format!("{rule}\n# Guests"))
    );
    assert_eq!(edited(&[new(Some(Insert::First))]), FILE.replace("\n# Staff", &format!("{rule}\n# Staff")));
    let moved = EditOp { insert: Some(Insert::First), ..op("rule[guests]", EditKind::Merge, "{}") };
    let table: Table = edited(&[moved]).parse().unwrap();
    let names: Vec<_> = table["rule"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["guests", "staff"]);
}

#[test]
fn a_rule_takes_its_comment_along() {
    let text = edited(&[op("rule[guests]", EditKind::Delete, "")]);
    assert_eq!(text, FILE.replace("\n# Guests may not.\n[[rule]]\nname = \"guests\"\naction = \"deny\"\n", ""));
}

#[test]
fn members_of_lists_come_and_go() {
    let text = edited(&[op("address.office[10.3.0.0/16]", EditKind::Create, "")]);
    assert!(text.contains(r#"office = ["10.1.0.0/16", "2001:db8:1::/48", "10.3.0.0/16"] # both"#), "{text}");
    let text = edited(&[op("address.office[10.1.0.0/16]", EditKind::Delete, "")]);
    assert!(text.contains(r#"office = ["2001:db8:1::/48"] # both"#), "{text}");
    // The list goes with its last member.
    let all = ["address.office[10.1.0.0/16]", "address.office[\"2001:db8:1::/48\"]"];
    let text = edited(&all.map(|path| op(path, EditKind::Remove, "")));
    assert!(!text.contains("office =") && text.contains("[address]"), "{text}");
    let text = edited(&[op("address.office", EditKind::Merge, "[\"10.1.0.0/16\", \"10.9.0.0/16\"]")]);
    assert!(text.contains(r#"office = ["10.1.0.0/16", "2001:db8:1::/48", "10.9.0.0/16"]"#), "{text}");
    let text = edited(&[
        op("wire[1].ports", EditKind::Replace, "[\"a\", \"b\"]"),
        op("wire[2].ports", EditKind::Create, "[\"c\", \"d\"]"),
    ]);
    assert!(text.contains("[[wire]]\nports = [\"a\", \"b\"]\n\n[[wire]]\nports = [\"c\", \"d\"]\n"), "{text}");
}

#[test]
fn tables_are_made_on_the_way() {
    let text = edited(&[op("log.access.enable", EditKind::Create, "true")]);
    assert!(text.contains("enable = true\n\n[log.access]\nenable = true\n"), "{text}");
    let text = edited(&[op("user-group.gold.users[ann]", EditKind::Create, "")]);
    assert!(text.ends_with("\n[user-group.gold]\nusers = [\"ann\"]\n"), "{text}");
    let text = edited(&[op("log-host[siem].address", EditKind::Merge, "\"192.0.2.1\"")]);
    assert!(text.ends_with("\n[[log-host]]\nname = \"siem\"\naddress = \"192.0.2.1\"\n"), "{text}");
    // Below a member that others follow.
    let text = edited(&[
        op("rule[staff].limit[a].rate", EditKind::Create, "3"),
        op("rule[staff].more.x", EditKind::Create, "1"),
    ]);
    let table: Table = text.parse().unwrap();
    assert_eq!(table["rule"][0]["limit"][0]["rate"].as_integer(), Some(3), "{text}");
    assert_eq!(table["rule"][0]["more"]["x"].as_integer(), Some(1), "{text}");
}

#[test]
fn operations_are_as_the_rfc_says() {
    use EditKind::{Create, Delete, Merge, Remove, Replace};
    assert_eq!(refused(&op("rule[staff].action", Create, "\"deny\"")), Tag::DataExists);
    assert_eq!(refused(&op("rule[staff]", Create, "{}")), Tag::DataExists);
    assert_eq!(refused(&op("address.office[10.1.0.0/16]", Create, "")), Tag::DataExists);
    for path in
        ["rule[none]", "none", "none.none", "rule[none].x", "rule[staff].none", "address.office[10.9.9.9]", "wire[2]"]
    {
        assert_eq!(refused(&op(path, Delete, "")), Tag::DataMissing, "{path}");
        assert_eq!(edited(&[op(path, Remove, "")]), FILE, "{path}");
    }
    for path in ["system.host-name.x", "rule.x", "system[x]", "address.office[10.1.0.0/16].x"] {
        assert_eq!(refused(&op(path, Merge, "1")), Tag::BadElement, "{path}");
    }
    assert_eq!(refused(&op("rule[staff].action", Merge, "")), Tag::InvalidValue);
    assert_eq!(refused(&op("rule[staff]", Merge, "{ name = \"other\" }")), Tag::InvalidValue);
    assert_eq!(refused(&op("rule[staff]", Replace, "3")), Tag::InvalidValue);
    assert_eq!(refused(&op("system.since", Merge, "2026-11-22")), Tag::InvalidValue);
    let placed = EditOp { insert: Some(Insert::First), ..op("rule[staff].action", Merge, "\"deny\"") };
    assert_eq!(refused(&placed), Tag::InvalidValue);
    let replaced: Table = edited(&[op("rule[staff]", Replace, "{ from = [\"a\"] }")]).parse().unwrap();
    assert_eq!(replaced["rule"][0].as_table().unwrap().len(), 2);
    let merged: Table = edited(&[op("rule[staff]", Merge, "{ from = [\"a\"] }")]).parse().unwrap();
    assert_eq!(merged["rule"][0].as_table().unwrap().len(), 3);
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_i64).prop_map(Value::from),
        prop::sample::select(vec!["x", "1", "y z", "ü\"", ""]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (0..3_i32).prop_map(|number| Value::from(f64::from(number) / 4.0)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let lists = prop::collection::vec(plain(), 0..5).prop_map(Value::from);
    let leaf = prop_oneof![plain(), plain(), lists];
    leaf.prop_recursive(3, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            table(inner.clone()).prop_map(Value::Table),
            prop::collection::vec(table(inner.clone()), 0..4).prop_map(Value::from),
            named(inner.clone()),
            named(inner),
        ]
    })
}

/// A list of tables with names, in any order.
fn named(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let names = Just(vec!["a", "b", "c", "2", "e f", "g"]).prop_shuffle();
    (names, prop::collection::vec(table(inner), 0..6)).prop_map(|(names, tables)| {
        let tables = tables.into_iter().zip(names).map(|(mut table, name)| {
            table.insert("name".to_owned(), Value::from(name));
            Value::Table(table)
        });
        Value::Array(tables.collect())
    })
}

fn table(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Table> {
    let keys = prop::sample::select(vec!["a", "b", "c", "d e", "name"]);
    prop::collection::vec((keys, inner), 0..5)
        .prop_map(|entries| entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A configuration on as few lines as there can be.
fn on_one_line(table: &Table) -> String {
    table.iter().map(|(key, value)| format!("\"{key}\" = {value}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn what_differs_makes_one_of_the_other(old in table(value()), new in table(value())) {
        let changes = diff(&old, &new);
        prop_assert_eq!(changes.is_empty(), old == new);
        for text in [toml::to_string(&old).unwrap(), on_one_line(&old)] {
            let mut tree = Tree::parse(&text).unwrap();
            prop_assert_eq!(tree.text(), text.clone());
            tree.apply(&changes).unwrap_or_else(|error| panic!("{error}\n{text}\n{changes:#?}"));
            let text = tree.text();
            let made = text.parse::<Table>().unwrap_or_else(|error| panic!("{error}\n{text}"));
            prop_assert_eq!(made, new.clone(), "{}", text);
        }
    }

    #[test]
    fn no_edit_panics_or_breaks_the_file(path in "[a-e\\[\\]1-3.]{1,12}", kind in 0..5_usize, value in prop::option::of(value()), old in table(value())) {
        let kind = [EditKind::Merge, EditKind::Replace, EditKind::Create, EditKind::Delete, EditKind::Remove][kind];
        let mut tree = Tree::parse(&toml::to_string(&old).unwrap()).unwrap();
        let before = tree.text();
        match tree.edit(&EditOp { path, kind, value, insert: None }) {
            Ok(()) => { prop_assert!(tree.text().parse::<Table>().is_ok(), "{}", tree.text()); }
            Err(_) => prop_assert_eq!(tree.text(), before),
        }
    }
}
