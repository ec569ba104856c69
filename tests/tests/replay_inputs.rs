//! Replay with input that is not as it should be: a clear error, exit code 2, and what was whole is still told.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::Path;

use bench::pktgen::pcap::{Container, Layout, LinkType};
use bench::pktgen::stories as catalogue;
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::program::Replay;
use ostiary_tests::stories;

fn day(folder: &Path, container: Container) -> std::path::PathBuf {
    let story = catalogue::find("qq_login_again").unwrap().tell(1);
    stories::write(&story, Layout { container, link: LinkType::Ethernet }, folder, "day.pcap")
}

#[track_caller]
fn refused(replay: &Replay, words: &[&str]) {
    assert_eq!(replay.code, 2, "{}", replay.errors);
    for word in words {
        assert!(replay.errors.contains(word), "no `{word}` in: {}", replay.errors);
    }
}

#[test]
fn what_is_whole_of_a_truncated_capture_is_replayed() {
    for container in [Container::Pcap, Container::PcapNg] {
        let folder = tempfile::tempdir().unwrap();
        let file = day(folder.path(), container);
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        let replay = Replay::of([&file]);
        refused(&replay, &["day.pcap", "truncated"]);
        let story = catalogue::find("qq_login_again").unwrap().tell(1);
        assert_eq!(replay.summary()["packets"], story.frames.len() - 1);
        assert_eq!(replay.events("signon").filter(|event| event["action"] == "login").count(), 2);
    }
}

#[test]
fn packets_of_another_link_type_are_skipped_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = day(folder.path(), Container::Pcap);
    let mut bytes = fs::read(&file).unwrap();
    // LINKTYPE_IEEE802_11.
    bytes[20] = 105;
    fs::write(&file, bytes).unwrap();
    let replay = Replay::of([&file]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    for word in ["day.pcap", "link type IEEE802_11 (105)", "Ethernet (1)"] {
        assert!(replay.errors.contains(word), "no `{word}` in: {}", replay.errors);
    }
    let frames = catalogue::find("qq_login_again").unwrap().tell(1).frames.len();
    assert_eq!((&replay.summary()["packets"], &replay.summary()["skipped"]), (&0.into(), &frames.into()));
    assert_eq!(replay.events("signon").count(), 0);
}

#[test]
fn a_missing_file_is_named() {
    refused(&Replay::of(["/nonexistent/day.pcap"]), &["/nonexistent/day.pcap", "No such file"]);
}

#[test]
fn a_file_that_is_no_capture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in [("empty.pcap", &b""[..]), ("text.pcap", b"This is not a capture, however long it is.")] {
        let file = folder.path().join(name);
        fs::write(&file, contents).unwrap();
        refused(&Replay::of([&file]), &[name]);
    }
}

#[test]
fn no_file_at_all_is_a_fault_of_usage() {
    let replay = Replay::of::<&str>([]);
    refused(&replay, &["--help"]);
}

#[test]
fn a_bad_policy_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = day(folder.path(), Container::Pcap);
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "[log.im]\nenable = true\n\n[[rule]]\nname = \"all\"\naction = \"allow\"\n").unwrap();
    let replay = Replay::of(["--config".as_ref(), policy.as_os_str(), file.as_os_str()]);
    refused(&replay, &["policy.toml:6", "action", "allow", "permit"]);
    assert!(replay.events.is_empty(), "nothing is half-started");
}

/// The words of a replay under a policy with these keys in its only rule.
fn actions_under(rule: &str, change: impl FnOnce(&mut Policy)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = day(folder.path(), Container::Pcap);
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", rule);
    change(&mut policy);
    let config = folder.path().join("policy.toml");
    fs::write(&config, policy.text(&folder.path().join("socket"), &signatures(folder.path()))).unwrap();
    let replay = Replay::of(["--config".as_ref(), config.as_os_str(), file.as_os_str()]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    let signons = replay.events("signon").map(|event| {
        assert_eq!(event["rule"], "all");
        event["action"].as_str().unwrap().to_owned()
    });
    signons.collect()
}

const TWO_VISITS: [&str; 4] = ["login", "logout", "login", "logout"];
const PERMIT: &str = "action = \"permit\"\nsession-logging = true\n";

#[test]
fn a_rule_that_names_the_application_has_its_sign_ons_recorded() {
    assert_eq!(actions_under(&format!("{PERMIT}application = [\"qq\"]\n"), |_| {}), TWO_VISITS);
}

#[test]
fn full_identification_needs_no_application_in_the_rule() {
    assert_eq!(actions_under(PERMIT, |policy| policy.full = true), TWO_VISITS);
}

#[test]
fn a_content_profile_sends_traffic_to_the_engine() {
    let rule = format!("{PERMIT}profile = \"messengers\"\n");
    let profile = |policy: &mut Policy| policy.rest.push_str("[profile.messengers]\nim-audit = { qq = \"both\" }\n");
    assert_eq!(actions_under(&rule, profile), TWO_VISITS);
}

#[test]
fn a_routers_policy_is_asked_between_its_first_two_interfaces() {
    let interface =
        |port: &str, address: &str| format!("[[interface]]\nport = \"{port}\"\naddresses = [\"{address}\"]\n");
    let zones = "from = [\"trust\"]\nto = [\"untrust\"]\n";
    let both = interface("inside", "10.1.0.1/24") + &interface("outside", "192.0.2.1/30");
    let rule = format!("{PERMIT}{zones}application = [\"qq\"]\n");
    assert_eq!(actions_under(&rule, |policy| policy.topology = both), TWO_VISITS);
}

#[test]
fn on_demand_and_without_application_nothing_is_identified() {
    assert!(actions_under(PERMIT, |_| {}).is_empty());
}

#[test]
fn without_im_logging_there_are_no_sign_ons() {
    assert!(actions_under(PERMIT, |policy| (policy.im, policy.full) = (false, true)).is_empty());
}

#[test]
fn without_session_logging_on_the_rule_there_are_no_sign_ons() {
    assert!(actions_under("action = \"permit\"\nsession-logging = false\n", |policy| policy.full = true).is_empty());
}
