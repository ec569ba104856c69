//! The policy files that the README shows and names.

use super::*;
use crate::record::ImAction;

const SAMPLE: &str = include_str!("../../../../tests/data/policy.toml");

#[test]
fn the_sample_is_accepted_without_a_warning() {
    // Purpose::Replay: its cores, certificates and NICs are not those of the machine that runs the tests.
    let (compiled, warnings) = load_text(SAMPLE, Purpose::Replay).unwrap();
    assert_eq!(warnings, []);
    let rules: Vec<_> = compiled.names.rules.iter().map(|name| &**name).collect();
    assert_eq!(rules, ["staff-im", "guests-web", "names-and-ping", "backup", "no-telnet"]);
    assert_eq!(compiled.policy.source().rules[0].application.len(), 2);
    assert_eq!(compiled.policy.source().rules[1].service.len(), 4);
    assert_eq!(compiled.policy.source().rules[2].source.len(), 3);
    assert_eq!(compiled.hosts.len(), 2);
    assert_eq!(compiled.hosts[1].target.to_string(), "[2001:db8:2::20]:4739");
    assert!(compiled.im.records(RuleId(0), "wechat", ImAction::Logout));
    assert!(!compiled.im.records(RuleId(1), "wechat", ImAction::Logout));
    assert!(compiled.im.records(RuleId(1), "wechat", ImAction::Login));
}

/// Whatever the sample states to be a default is one: without those lines it compiles to the same.
#[test]
fn the_defaults_that_the_sample_states_are_true() {
    let mut in_defaults = false;
    let mut dropped = Vec::new();
    let mut kept = String::new();
    for line in SAMPLE.lines() {
        if line.starts_with('[') || line.is_empty() {
            in_defaults = line.contains("these are the defaults");
        } else if in_defaults || states_its_default(line) {
            dropped.push(line);
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    assert_eq!(dropped.len(), 55, "{dropped:#?}");
    let (full, _) = load_text(SAMPLE, Purpose::Replay).unwrap();
    let (short, warnings) = load_text(&kept, Purpose::Replay).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(format!("{:?}", full.dataplane), format!("{:?}", short.dataplane));
    assert_eq!(format!("{:?}", full.hosts), format!("{:?}", short.hosts));
    assert_eq!(format!("{:?}", full.policy.source()), format!("{:?}", short.policy.source()));
    assert_eq!(
        (full.socket, full.signatures, full.session_format),
        (short.socket, short.signatures, short.session_format)
    );
    assert_eq!((full.im.enable, full.im.accounts.general.word()), (short.im.enable, short.im.accounts.general.word()));
}

/// Whether the comment of a line `key = value` says that `value` is the default.
fn states_its_default(line: &str) -> bool {
    let plain = |text: &str| text.replace([',', '_', '"', '(', ')', ';'], "");
    let Some((setting, comment)) = line.split_once(" # ") else { return false };
    let Some((_, value)) = setting.split_once(" = ") else { return false };
    let (value, comment) = (plain(value.trim()), plain(comment));
    let words = format!(" {comment} ");
    words.contains("this is the default")
        || words.contains(&format!(" default {value} "))
        || words.contains(&format!(" {value} the default "))
        || words.contains(&format!(" {value} IPFIX the default "))
}

const README: &str = include_str!("../../../../README.md");
const REFERENCE: &str = include_str!("../../../policy.md");

/// The policy file in the README's text, which begins by its name.
#[test]
fn the_policy_of_the_readme_is_accepted_without_a_warning() {
    let (_, behind) = README.split_once("```toml\n# policy.toml\n").expect("the README shows a policy file");
    let (policy, _) = behind.split_once("\n```\n").expect("and ends it");
    let (compiled, warnings) = load_text(policy, Purpose::Replay).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((compiled.policy.source().rules.len(), compiled.hosts.len(), compiled.im.enable), (3, 1, true));
}

/// The lab sends accounts over loopback in clear, and is warned of it as the README shows.
#[test]
fn the_lab_of_the_readme_is_accepted() {
    let (compiled, warnings) = load_text(include_str!("../../../../tests/data/lab.toml"), Purpose::Replay).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!((compiled.policy.source().rules.len(), compiled.hosts.len()), (3, 1));
}

/// Every key of the sample has its row in the reference.
#[test]
fn the_reference_names_every_key_of_the_sample() {
    for line in SAMPLE.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, _)) = line.split_once(" = ") else { continue };
        let is_object = ["office", "guests", "servers", "people", "web", "backup"].contains(&key);
        let named = [format!("`{key}`"), format!(".{key}]`")];
        assert!(is_object || named.iter().any(|named| REFERENCE.contains(named)), "{key}");
    }
}
