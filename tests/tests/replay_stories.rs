//! Every story of the traffic generator is told truly by `ostiary replay`: the sign-ons that went in, no others, and the
//! flows of messengers named as such.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use bench::pktgen::pcap::{Container, Layout, LinkType};
use bench::pktgen::stories as catalogue;
use ostiary_tests::program::Replay;
use ostiary_tests::stories;

fn told(name: &str, seed: u64, layout: Layout) -> Vec<String> {
    let story = catalogue::find(name).unwrap_or_else(|| panic!("no story {name}")).tell(seed);
    let folder = tempfile::tempdir().unwrap();
    let file = stories::write(&story, layout, folder.path(), "story.pcap");
    stories::differences(&story, &Replay::of([&file]))
}

#[track_caller]
fn is_told_truly(name: &str) {
    let differences = told(name, 1, Layout::PLAIN);
    assert!(differences.is_empty(), "{name}:\n{}", differences.join("\n"));
}

macro_rules! stories_told {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            is_told_truly(stringify!($name));
        })*

        #[test]
        fn no_story_is_left_out() {
            let told = [$(stringify!($name)),*];
            let all: Vec<&str> = catalogue::all().map(|tale| tale.name).collect();
            assert_eq!(told.to_vec(), all);
        }
    };
}

stories_told! {
    qq_udp_day
    qq_tcp_day
    qq_generation_a_day
    qq_generation_a_named_day
    qq_generation_b_day
    qq_qr_login
    qq_login_again
    qq_two_accounts
    qq_retransmissions
    qq_tcp_retransmission
    qq_tcp_reordering
    qq_tcp_loss
    qq_tcp_overlap
    qq_tcp_cut
    qq_silence
    qq_midsession
    qq_midsession_stays
    qq_failed_login
    qq_failed_then_login
    qq_generation_a_failed
    qq_unanswered
    qq_reports
    qq_reports_in_session
    qq_vlan
    qq_qinq
    qq_pppoe
    qq_ipv6
    msf_day
    msf_token_restart
    msf_reconnect
    msf_two_connections
    msf_two_clients
    msf_failed_login
    msf_midsession
    msf_silence
    msf_reset
    msf_retransmission
    msf_reordering
    msf_loss
    msf_small_segments
    msf_vlan
    msf_ipv6
    ntqq_day
    wechat_day
    wechat_ticket_day
    wechat_reconnect_3s
    wechat_repeated_requests
    wechat_silence
    wechat_reset
    wechat_reordering
    wechat_signed_out
    wechat_midsession
    wechat_legacy_day
    wechat_legacy_autoauth_day
    wechat_legacy_link_login
    wechat_legacy_midsession
    wechat_pc_files
    wechat_web
    wechat_qinq
    wechat_pppoe
    wechat_ipv6
    day
    look_alikes
    background
    access_pap
    access_pap_refused
    access_chap
    access_chap_refused
    access_qinq
    access_dual_stack
    access_echo_loss
    access_radius_day
    access_radius_troubles
    access_pppoe_and_radius
    access_dhcp_day
    access_dot1x
    access_hostile_names
    access_floods
}

#[test]
fn other_accounts_and_other_times_change_nothing() {
    let mut differences = Vec::new();
    for name in [
        "day",
        "qq_udp_day",
        "qq_tcp_reordering",
        "msf_reconnect",
        "msf_loss",
        "wechat_repeated_requests",
        "access_radius_day",
        "access_dhcp_day",
    ] {
        for seed in [2, 3, 5, 8, 13] {
            differences
                .extend(told(name, seed, Layout::PLAIN).into_iter().map(|what| format!("{name} {seed}: {what}")));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_container_tells_the_same() {
    let link = LinkType::Ethernet;
    for container in [Container::Pcap, Container::PcapNanoseconds, Container::PcapBigEndian, Container::PcapNg] {
        let differences = told("wechat_reconnect_3s", 1, Layout { container, link });
        assert!(differences.is_empty(), "{container:?}:\n{}", differences.join("\n"));
    }
}

#[test]
fn every_link_type_tells_the_same() {
    let links = [
        LinkType::Ethernet,
        LinkType::Raw,
        LinkType::LinuxCooked,
        LinkType::LinuxCooked2,
        LinkType::Null,
        LinkType::Loop,
        LinkType::Ppp,
    ];
    for link in links {
        for container in [Container::Pcap, Container::PcapNg] {
            for name in ["qq_ipv6", "msf_day"] {
                let differences = told(name, 1, Layout { container, link });
                assert!(differences.is_empty(), "{name} {link:?} {container:?}:\n{}", differences.join("\n"));
            }
        }
    }
}
