//! Faults of rules and of the objects that they name.

use std::net::IpAddr;

use ::dataplane::endpoint::Address;
use ::dataplane::policy::{AddressRange, PortRange, ServiceMatch};

use super::*;

/// A rule of five lines with this one as its sixth.
fn rule(line: &str) -> String {
    format!("[[rule]]\nname = \"r\"\nfrom = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\n{line}\n")
}

#[track_caller]
fn refused_rule(line: &str, key: &str, expected: &str, advice: &str) {
    refused(&rule(line), 6, &format!("rule[r].{key}"), expected, advice);
}

fn range(first: &str, last: &str) -> AddressRange {
    let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
    AddressRange { first: address(first), last: address(last) }
}

#[test]
fn a_rule_is_resolved() {
    let database = crate::signatures::shipped();
    let compiled = compiled(
        r#"[address]
office = ["10.1.0.0/16", "lab"]
lab = ["10.9.0.1-10.9.0.9"]
one = "192.0.2.1"
[service]
web = ["http", "tcp/8080"]
[[rule]]
name = "r"
from = ["trust"]
to = ["untrust", "trust"]
source = ["office", "10.1.0.0/16", "2001:db8::1"]
destination = ["one"]
service = ["web"]
application = ["wechat", "qq", "qq"]
action = "reset"
session-logging = true
[[rule]]
name = "s"
from = ["any"]
source = ["any"]
service = ["any"]
application = ["any"]
action = "deny"
[policy]
implicit-deny-logging = true
"#,
    );
    let [first, second] = &compiled.policy.source().rules[..] else { panic!("two rules") };
    assert_eq!((&first.from[..], &first.to[..]), (&[ZoneId(0)][..], &[ZoneId(0), ZoneId(1)][..]));
    let sources =
        [range("10.1.0.0", "10.1.255.255"), range("10.9.0.1", "10.9.0.9"), range("2001:db8::1", "2001:db8::1")];
    assert_eq!(first.source, sources);
    assert_eq!(first.destination, [range("192.0.2.1", "192.0.2.1")]);
    let tcp = |port| ServiceMatch {
        protocol: Some(6),
        source: PortRange::ANY,
        destination: PortRange { first: port, last: port },
    };
    assert_eq!(first.service, [tcp(80), tcp(8080)]);
    let mut applications = ["qq", "wechat"].map(|name| database.by_name(name).unwrap());
    applications.sort();
    assert_eq!(first.application, applications);
    assert_eq!((first.action, first.session_logging, first.profile), (Action::Reset, true, false));
    assert!(second.from.is_empty() && second.source.is_empty() && second.service.is_empty());
    assert!(second.application.is_empty() && second.action == Action::Deny && !second.session_logging);
    assert!(compiled.policy.source().implicit_deny_logging);
    assert_eq!(&**compiled.names.rule(RuleId(1)), "s");
    assert_eq!(&**compiled.names.application(applications[0]), database.name(applications[0]));
}

#[test]
fn rules_need_a_name_and_an_action() {
    refused("[[rule]]\naction = \"permit\"\n", 1, "rule[1].name", "the rule's name", "add name");
    refused("[[rule]]\nname = \"a\"\n", 1, "rule[a].action", "\"permit\", \"deny\", \"reset\"", "add action");
    refused("[[rule]]\nname = \"a b\"\naction = \"deny\"\n", 2, "rule[1].name", "a name: letters", "record");
    refused("[[rule]]\nname = \"implicit-deny\"\naction = \"deny\"\n", 2, "rule[1].name", "other than", "another");
    refused(&format!("{}{}", rule(""), rule("")), 8, "rule[2].name", "of its own", "line 12");
}

#[test]
fn names_in_rules_exist() {
    refused_rule("source = [\"ofice\"]", "source", "[address]", "define it in [address]");
    refused_rule("destination = [\"10.0.0.1/8\"]", "destination", "without bits", "\"10.0.0.0/8\"");
    refused_rule("service = [\"htpp\"]", "service", "[service]", "did you mean \"http\"");
    refused_rule("service = [\"tcp/http\"]", "service", "PROTOCOL/PORT", "a port from 0 to 65535");
    refused_rule(
        "application = [\"wechta\"]",
        "application",
        "signature database (version ",
        "did you mean \"wechat\"?",
    );
    refused_rule("application = [\"telepathy\"]", "application", "signature database", "ostiary sigdb show");
    refused_rule("profile = \"none\"", "profile", "the name of a profile", "[profile.NAME]");
    refused_rule("session-logging = \"yes\"", "session-logging", "true or false", "without quotes");
    refused_rule("source = \"10.0.0.1\"", "source", "a list", "brackets");
    refused_rule("source = []", "source", "at least one item", "leave the key out");
    refused_rule("source = [\"any\", \"10.0.0.1\"]", "source", "\"any\" alone", "remove one");
    refused_rule("application = [\"any\", \"qq\"]", "application", "\"any\" alone", "remove one");
    refused(
        "[[rule]]\nname = \"a\"\nfrom = [\"trsut\"]\naction = \"deny\"\n",
        3,
        "rule[a].from",
        "the zone of a port",
        "\"trust\"",
    );
    refused(
        "[[rule]]\nname = \"a\"\nto = [\"any\", \"trust\"]\naction = \"deny\"\n",
        3,
        "rule[a].to",
        "\"any\" alone",
        "",
    );
}

#[test]
fn groups_do_not_contain_themselves() {
    let cycle = fault("[address]\na = [\"b\"]\nb = [\"10.0.0.1\", \"c\"]\nc = [\"a\"]\n");
    assert_eq!((cycle.place.line - 10, cycle.place.key.as_str()), (4, "address.c"));
    assert_eq!(cycle.found.as_deref(), Some("a → b → c → a"));
    let own = fault("[service]\nmine = [\"tcp/1\", \"mine\"]\n");
    assert_eq!((own.place.line - 10, own.found.as_deref()), (2, Some("mine → mine")));
}

#[test]
fn groups_have_limits() {
    let chain = |count: usize| {
        let links: String = (1..count).map(|i| format!("a{i} = [\"a{}\"]\n", i + 1)).collect();
        format!("[address]\n{links}a{count} = [\"10.0.0.1\"]\n")
    };
    assert_eq!(faults(&chain(16)), []);
    assert!(
        fault(&format!("[address]\na0 = [\"a1\"]\n{}", &chain(16)["[address]\n".len()..]))
            .expected
            .contains("at most 16 groups")
    );
    let list: Vec<String> = (0..=100_000_u32).map(|i| format!("\"{}\"", std::net::Ipv4Addr::from(i * 2))).collect();
    refused(&format!("[address]\nall = [{}]\n", list.join(",")), 2, "address.all", "at most 100000 items", "prefixes");
}

#[test]
fn objects_are_checked_even_where_no_rule_names_them() {
    refused("[address]\na = [\"b\"]\n", 2, "address.a", "an object in [address]", "define it");
    refused("[address]\na = [\"10.0.0.9-10.0.0.1\"]\n", 2, "address.a", "lowest to the highest", "10.0.0.1-10.0.0.9");
    refused("[address]\na = [7]\n", 2, "address.a", "a text in quotes", "quotes");
    refused("[address]\na = [\"any\"]\n", 2, "address.a", "objects with a limit", "in the rule itself");
    refused("[address]\nany = [\"10.0.0.1\"]\n", 2, "address.any", "not predefined", "another name");
    refused("[address]\n1a = [\"10.0.0.1\"]\n", 2, "address.1a", "begins with a letter", "an address");
    refused("[address]\n\"a b\" = [\"10.0.0.1\"]\n", 2, "address.a b", "a name: letters", "");
    refused("[service]\nhttp = [\"tcp/81\"]\n", 2, "service.http", "not predefined", "another name");
    refused("[service]\na = [\"icmp/300\"]\n", 2, "service.a", "from 0 to 255", "icmp/8");
}

#[test]
fn profiles_are_checked() {
    let used = |profile: &str| {
        format!("{profile}{}session-logging = true\n[log.im]\nenable = true\n", rule("profile = \"p\""))
    };
    assert_eq!(faults(&used("[profile.p]\nim-audit = { qq = \"both\" }\n")), []);
    refused(
        &used("[profile.p]\nim-audit = { qq = \"all\" }\n"),
        2,
        "profile.p.im-audit.qq",
        "\"both\", \"online\"",
        "",
    );
    refused(
        &used("[profile.p]\nim-audit = { icq = \"both\" }\n"),
        2,
        "profile.p.im-audit.icq",
        "signature database",
        "ostiary sigdb show",
    );
    refused(&used("[profile.p]\nim-audit = 1\n"), 2, "profile.p.im-audit", "a table", "");
    refused(&used("[profile.p]\n"), 1, "profile.p", "im-audit = ", "add im-audit");
    refused(&used("[profile.p]\nim-audit = { qq = \"both\" }\nurl = 1\n"), 3, "profile.p.url", "im-audit", "remove it");
    refused("[profile]\np = 1\n", 2, "profile.p", "a table", "[profile.p]");
    let compiled = compiled(&used("[profile.p]\nim-audit = { qq = \"online\" }\n"));
    assert!(compiled.policy.source().rules[0].profile);
    assert!(compiled.im.records(RuleId(0), "qq", crate::record::ImAction::Login));
    assert!(!compiled.im.records(RuleId(0), "qq", crate::record::ImAction::Logout));
}

#[test]
fn the_mode_of_identification_is_checked() {
    let section = "application-identification";
    refused(&format!("[{section}]\nmode = \"all\"\n"), 2, &format!("{section}.mode"), "\"on-demand\", \"full\"", "");
    assert!(compiled(&format!("[{section}]\nmode = \"full\"\n")).policy.source().full_identification);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sigdb");
    std::fs::write(&file, crate::signatures::shipped().encode()).unwrap();
    let named = compiled(&format!("[{section}]\nsignatures = \"{}\"\nunsigned = \"allow\"\n", file.display()));
    assert_eq!(named.signatures, Some(file));
}

#[test]
fn a_database_that_cannot_be_read_is_a_fault_at_its_key() {
    let text = format!("{BASE}[application-identification]\nsignatures = \"/nonexistent/a.sigdb\"\n");
    let faults = compile_text(Path::new("policy.toml"), &text, Purpose::Run, None).unwrap_err();
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!((fault.place.line, fault.place.key.as_str()), (12, "application-identification.signatures"));
    assert!(
        fault.found.as_ref().unwrap().contains("/nonexistent/a.sigdb")
            && fault.advice.contains("ostiary sigdb compile")
    );
}

#[test]
fn a_successor_keeps_the_numbers_of_its_rules_and_of_nothing_else() {
    let rule = |name: &str, action: &str| format!("[[rule]]\nname = \"{name}\"\naction = \"{action}\"\n");
    let first = compiled(&(rule("a", "permit") + &rule("b", "deny")));
    let mut numbering = Numbering::new(&first.names.rules);
    let mut second = compiled(&(rule("new", "reset") + &rule("b", "permit")));
    second.succeed(&first, &mut numbering).unwrap();
    let names: Vec<&str> = second.names.rules.iter().map(|name| &**name).collect();
    assert_eq!(names, ["a", "b", "new"]);
    let numbers: Vec<RuleId> = (0..3).map(|place| second.policy.number(place)).collect();
    assert_eq!(numbers, [RuleId(2), RuleId(1), RuleId::IMPLICIT]);
    let actions: Vec<Action> = (0..3).map(|number| second.policy.action(RuleId(number))).collect();
    assert_eq!(actions, [Action::Deny, Action::Permit, Action::Reset], "what is gone denies");
    assert_eq!(second.im.audits.len(), 3);

    let mut other = compiled("[dataplane]\nmax-sessions = 5_000\n");
    let refused = other.succeed(&second, &mut numbering).unwrap_err().to_string();
    assert_eq!(refused, "dataplane.max-sessions cannot change while it runs: restart it, or put back what was there");
    // Nothing was numbered meanwhile.
    assert_eq!(numbering.names().len(), 3);
}

#[test]
fn a_policy_past_its_limits_is_refused() {
    let items: Vec<String> = (0..1_000).map(|number| format!("\"10.0.{}.{}\"", number / 250, number % 250)).collect();
    let mut text = format!("[address]\nmany = [{}]\n", items.join(","));
    for number in 0..2_010 {
        text += &format!("[[rule]]\nname = \"r{number}\"\naction = \"deny\"\nsource = [\"many\"]\n");
    }
    let refused = fault(&text);
    assert_eq!(
        (refused.place.key.as_str(), refused.expected.as_str()),
        ("rule[r2000]", "at most 2000000 in all rules")
    );

    let rule = |number| format!("[[rule]]\nname = \"r{number}\"\naction = \"deny\"\n");
    let refused = fault(&(0..60_001).map(rule).collect::<String>());
    assert_eq!((refused.place.key.as_str(), refused.expected.as_str()), ("rule[r60000]", "at most 60000 rules"));
}
