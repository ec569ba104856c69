//! Users and groups in rules.

use ::dataplane::access::UserTags;

use super::*;
use crate::presence::access::labels::Label;

/// A rule of three lines, and further ones.
fn rule(lines: &str) -> String {
    format!("[[rule]]\nname = \"r\"\naction = \"deny\"\n{lines}\n[access.radius]\nunknown-nas = \"refuse\"\n")
}

fn file(folder: &Path, octets: &[u8]) -> String {
    let file = folder.join("members");
    std::fs::write(&file, octets).unwrap();
    file.display().to_string()
}

#[test]
fn rules_name_users_and_groups() {
    let folder = tempfile::tempdir().unwrap();
    let members = file(folder.path(), b"# of the house\n\ncarol@isp \r\n\"dave\"\n\xff\xfe\n");
    let text = format!(
        "{}[[rule]]\nname = \"s\"\naction = \"deny\"\nuser = [\"any\"]\nuser-group = [\"staff\"]\n\
         [[rule]]\nname = \"t\"\naction = \"deny\"\nuser = [\"any\"]\n\
         [user-group]\ngold = {{ users = [\"bob\"], class = [\"gold\"], filter-id = [\"g1\"] }}\n\
         [user-group.staff]\nfile = \"{members}\"\n",
        rule("user = [\"alice@isp\", \"alice@isp\"]\nuser-group = [\"gold\"]")
    );
    let compiled = compiled(&text);
    let users: Vec<u64> = compiled.policy.source().rules.iter().map(|rule| rule.users).collect();
    assert_eq!(users, [0b11, 0b100, 0]);
    let named: Vec<&Label> = compiled.users.iter().collect();
    let group = |name: &str| Label::Group(name.into());
    assert_eq!(named, [&Label::User("alice@isp".into()), &group("gold"), &group("staff")]);
    assert_eq!(
        (compiled.users.users(0b11), compiled.users.groups(0b111)),
        (vec!["alice@isp".into()], vec!["gold".into(), "staff".into()])
    );
    let labels = |name: &[u8], class: &[u8], filter: &[u8]| {
        use ::dataplane::access::{AccessEvent, AccessKind, Source, Text};
        let mut event = AccessEvent::new(AccessKind::Seen, Source::Radius);
        for (text, octets) in [(Text::User, name), (Text::Class, class), (Text::Filter, filter)] {
            event.texts.push(text, octets);
        }
        compiled.users.of(&crate::presence::access::AccessUser::of(&event))
    };
    assert_eq!(
        ["alice@isp", "bob", "carol@isp", "\"dave\"", "Alice@isp", "# of the house", ""].map(|name| labels(
            name.as_bytes(),
            b"",
            b""
        )),
        [1, 2, 4, 4, 0, 0, 0]
    );
    assert_eq!(
        (labels(b"\xff\xfe", b"", b""), labels(b"x", b"gold", b"g1"), labels(b"gold", b"g1", b"gold")),
        (4, 2, 0)
    );
    assert_eq!(warnings_of(&text), []);
    // Nothing is made of it before it is wanted, and nothing where nobody is named.
    assert!(compiled.policy.names_users() && compiled.policy.tags().is_none());
    assert!(!super::compiled("").policy.names_users());
}

#[test]
fn what_is_wrong_with_them_is_said() {
    let group = |body: &str| format!("{}[user-group]\ng = {body}\n", rule("user-group = [\"g\"]"));
    refused(&rule("user-group = [\"g\"]"), 4, "rule[r].user-group", "the name of a group", "define it in [user-group]");
    let near = group("{ users = [\"a\"] }").replace("[\"g\"]", "[\"gg\"]");
    refused(&near.replace("\ng =", "\nggg ="), 4, "rule[r].user-group", "the name of a group", "did you mean \"ggg\"?");
    refused(&rule("user = []"), 4, "rule[r].user", "at least one item", "leave the key out");
    refused(&rule("user = [\"any\", \"bob\"]"), 4, "rule[r].user", "\"any\" alone", "one or the other");
    refused(&rule(&format!("user = [\"{}\"]", "a".repeat(254))), 4, "rule[r].user", "at most 253 octets", "");
    refused(&group("{}"), 8, "user-group.g", "who is in the group", "users");
    refused(&group("[\"bob\"]").replace("user-group = [\"g\"]", ""), 8, "user-group.g", "a table", "[user-group.g]");
    refused(&group(&format!("{{ class = [\"{}\"] }}", "a".repeat(64))), 8, "user-group.g.class", "at most 63", "");
    refused(&group("{ users = [\"bob\"], level = 1 }"), 8, "user-group.g.level", "known keys", "");
    let many = (0..UserTags::LABELS + 2).map(|user| format!("\"u{user}\"")).collect::<Vec<_>>().join(", ");
    refused(&rule(&format!("user = [{many}]")), 4, "rule[r].user", "at most 63 different users", "[user-group]");
}

#[test]
fn a_groups_file_is_read_and_its_faults_are_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let with = |path: &str| format!("{}[user-group]\ng = {{ file = \"{path}\" }}\n", rule("user-group = [\"g\"]"));
    refused(&with("/nonexistent"), 8, "user-group.g.file", "can be read", "correct the path");
    refused(&with(&folder.path().display().to_string()), 8, "user-group.g.file", "can be read", "");
    refused(
        &with(&file(folder.path(), b"\n# nobody\n")),
        8,
        "user-group.g.file",
        "at least one name",
        "one in each line",
    );
    let long = [&b"bob\n"[..], &[b'a'; 254]].concat();
    let path = file(folder.path(), &long);
    let faults = load_text(&format!("{BASE}{}", with(&path)), Purpose::Run).unwrap_err();
    assert_eq!(faults[0].found.as_deref(), Some(&*format!("{path}, line 2 (254 octets)")));
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let group = "[user-group]\ng = { class = [\"gold\"] }\n";
    warned(group, 2, "user-group.g", "no rule names this group");
    let named = rule("user-group = [\"g\"]");
    assert_eq!(warnings_of(&format!("{named}{group}")), []);
    warned(&format!("{named}[access]\nsources = [\"dhcp\"]\n{group}"), 8, "access.sources", "never match");
    let class = format!("{named}[access]\nsources = [\"pppoe\"]\n{group}");
    warned(&class, 10, "user-group.g.class", "which is not looked at");
    let believed = format!("{named}{group}").replace("\"refuse\"", "\"believe\"");
    warned(&believed, 1, "rule[r]", "whoever can send RADIUS");
}

/// Labels that mean the same are looked up where they are; others are not.
#[test]
fn a_reload_has_a_table_of_its_own_where_labels_mean_something_else() {
    let gold = |class: &str| format!("{}[user-group]\ng = {{ class = [\"{class}\"] }}\n", rule("user-group = [\"g\"]"));
    let mut before = compiled(&gold("gold"));
    before.make_user_table();
    let tags = Arc::clone(before.policy.tags().unwrap());
    let mut numbering = Numbering::new(&before.names.rules);
    let mut next = |text: &str| {
        let mut next = compiled(text);
        next.succeed(&before, &mut numbering).unwrap();
        next.policy.tags().cloned()
    };
    assert!(Arc::ptr_eq(&next(&gold("gold").replace("deny", "permit")).unwrap(), &tags));
    assert!(!Arc::ptr_eq(&next(&gold("silver")).unwrap(), &tags));
    assert!(next("").is_none());
}
