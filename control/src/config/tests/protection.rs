//! `[protection]`: its defaults, its keys, and what it refuses.

use ::dataplane::endpoint::Address;
use ::dataplane::flow::Window;
use ::dataplane::guard::{Limit, Protection, Screen};

use super::*;

fn protection(addition: &str) -> Protection {
    compiled(addition).dataplane.protection
}

#[test]
fn without_a_section_what_no_honest_host_sends_is_dropped() {
    let default = protection("");
    assert!(default.screens.has(Screen::Land) && default.screens.has(Screen::SourceRoute));
    assert!(!default.screens.has(Screen::IcmpRedirect) && !default.screens.has(Screen::LargeIcmp));
    assert_eq!((default.tcp_window, default.syn_retry, default.stray_rate), (Window::Loose, true, 100));
    assert_eq!(default.floods.tcp, Limit::default());
    assert!(default.origins.iter().all(|rule| rule.networks.is_empty() && rule.elsewhere.is_empty()));
}

#[test]
fn every_key_counts() {
    let all = protection(concat!(
        "[protection]\ntcp-window = \"strict\"\nsyn-retry = false\nstray-rate = 7\nlargest-icmp = 1024\n",
        "[protection.drop]\nland = false\nicmp-redirect = true\n",
        "[protection.limit]\ntcp = { source = 5, destination = 6 }\nfragments = { source = 8 }\n",
    ));
    assert_eq!((all.tcp_window, all.syn_retry, all.stray_rate, all.large_icmp), (Window::Strict, false, 7, 1024));
    assert!(all.screens.has(Screen::LargeIcmp) && all.screens.has(Screen::IcmpRedirect));
    assert!(!all.screens.has(Screen::Land));
    assert_eq!(all.floods.tcp, Limit { source: 5, destination: 6 });
    assert_eq!(all.floods.fragments, Limit { source: 8, destination: 0 });
}

#[test]
fn a_zone_s_networks_are_its_own() {
    let networks = "[address]\noffice = [\"10.1.0.0/16\"]\n[protection.zone.trust]\nnetworks = [\"office\"]\n";
    let origins = protection(networks).origins;
    let first = Address::v4([10, 1, 0, 0]);
    assert_eq!((origins[0].networks[0].first, origins[1].elsewhere[0].first), (first, first));
    assert!(origins[0].elsewhere.is_empty() && origins[1].networks.is_empty() && !origins[1].drop_bogons);
    let untrust = "[protection.zone.untrust]\nreverse-check = false\ndrop-bogons = true\n";
    let origins = protection(&format!("{networks}{untrust}")).origins;
    assert!(origins[1].elsewhere.is_empty() && origins[1].drop_bogons);
}

#[test]
fn networks_cannot_change_while_it_runs_by_an_object_either() {
    let file = "[address]\noffice = [\"10.1.0.0/16\"]\nlab = [\"10.2.0.0/16\"]\n[protection.zone.trust]\nnetworks = [\"office\"]\n";
    let before = compiled(file);
    let mut numbering = Numbering::new(&before.names.rules);
    let mut succeeds = |file: &str| compiled(file).succeed(&before, &mut numbering);
    assert_eq!(succeeds(&file.replace("10.2.", "10.3.")), Ok(()), "nobody names it");
    let refused = succeeds(&file.replace("10.1.", "10.3.")).unwrap_err();
    assert_eq!(refused, NeedsRestart::Networks);
    assert!(refused.to_string().starts_with("[protection]: the networks of its zones cannot change"), "{refused}");
}

#[test]
fn what_cannot_be_is_refused() {
    refused("[protection.drop]\nlands = true\n", 2, "protection.drop.lands", "known keys", "did you mean \"land\"?");
    refused("[protection]\ntcp-window = \"tight\"\n", 2, "protection.tcp-window", "one of \"strict\"", "");
    refused("[protection.limit]\nudp = { source = 0 }\n", 2, "protection.limit.udp.source", "from 1 to", "");
    refused(
        "[protection.zone.trusted]\n",
        1,
        "protection.zone.trusted",
        "the zone of a port",
        "did you mean \"trust\"?",
    );
    refused("[protection.zone.trust]\nnetworks = [\"office\"]\n", 2, "protection.zone.trust.networks", "", "");
    let any = "[protection.zone.trust]\nnetworks = [\"any\"]\n";
    refused(any, 2, "protection.zone.trust.networks", "any address may come in", "leave networks out");
    let both = "[protection.zone.trust]\nnetworks = [\"10.0.0.0/8\"]\nreverse-check = false\n";
    refused(both, 3, "protection.zone.trust.reverse-check", "no reverse-check beside networks", "remove it");
}
