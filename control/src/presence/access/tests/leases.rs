//! DHCP.

use super::*;

fn release(transaction: u64, host: u8, address: u8) -> AccessEvent {
    AccessEvent { cause: 7, ..dhcp(AccessKind::Logout, transaction, host, address) }
}

fn nak(transaction: u64, host: u8) -> AccessEvent {
    AccessEvent { code: ResultCode::Nak, ..dhcp(AccessKind::Result { success: false }, transaction, host, 0) }
}

#[test]
fn a_lease_begins_once_and_ends_once() {
    let mut story = Story::new();
    assert!(story.observe(dhcp(AccessKind::Hint, 1, 5, 0)).is_empty());
    assert_eq!(story.observe(lease(1, 5, 9, 600)), ["login lease 02:00:00:00:00:05 10.0.0.9"]);
    assert!(story.observe(lease(1, 5, 9, 600)).is_empty());
    assert_eq!(story.holder((7, 0), "10.0.0.9"), "- 02:00:00:00:00:05");
    assert_eq!(story.holder((8, 0), "10.0.0.9"), "- -");
    story.after(300_000);
    assert!(story.observe(dhcp(AccessKind::Hint, 2, 5, 9)).is_empty());
    assert!(story.observe(lease(2, 5, 9, 600)).is_empty());
    assert!(story.after(599_000).is_empty());
    assert_eq!(story.after(2_000), ["logout expired 02:00:00:00:00:05 10.0.0.9 900s"]);
    assert!(story.observe(release(3, 5, 9)).is_empty());
    assert_eq!(story.table.len(), 0);
}

#[test]
fn who_asks_to_keep_an_address_had_it() {
    let mut story = Story::new();
    story.observe(dhcp(AccessKind::Hint, 1, 5, 9));
    assert_eq!(story.observe(lease(1, 5, 9, 600)), ["seen renewal 02:00:00:00:00:05 10.0.0.9"]);
    assert_eq!(story.observe(release(2, 5, 9)), ["logout release 02:00:00:00:00:05 10.0.0.9"]);
    // A lone answer says nothing of what was asked.
    assert_eq!(story.observe(lease(9, 6, 10, 600)), ["login lease 02:00:00:00:00:06 10.0.0.10"]);
    let renewed = dhcp(AccessKind::Seen, 10, 7, 11);
    assert_eq!(story.observe(renewed), ["seen renewal 02:00:00:00:00:07 10.0.0.11"]);
    // Servers say of any address that the client had it: the request knows better.
    story.observe(dhcp(AccessKind::Hint, 11, 8, 0));
    assert_eq!(story.observe(dhcp(AccessKind::Seen, 11, 8, 12)), ["login lease 02:00:00:00:00:08 10.0.0.12"]);
}

#[test]
fn another_address_is_a_move_and_another_host_a_replacement() {
    let mut story = Story::new();
    story.observe(lease(1, 5, 9, 600));
    story.after(10_000);
    assert_eq!(
        story.observe(lease(2, 5, 10, 600)),
        ["logout moved 02:00:00:00:00:05 10.0.0.9 10s", "login lease 02:00:00:00:00:05 10.0.0.10"]
    );
    assert_eq!(
        story.observe(lease(3, 6, 10, 600)),
        ["logout replaced 02:00:00:00:00:05 10.0.0.10 0s", "login lease 02:00:00:00:00:06 10.0.0.10"]
    );
    // What is given back is another's lease.
    assert!(story.observe(release(4, 6, 9)).is_empty());
    assert_eq!(story.holder_at((7, 0), "10.0.0.9", 5_000), "- 02:00:00:00:00:05");
}

#[test]
fn a_refusal_counts_where_somebody_asked_and_ends_no_lease() {
    let mut story = Story::new();
    assert!(story.observe(nak(1, 5)).is_empty());
    assert_eq!(story.table.tally().unasked, 1);
    story.observe(lease(2, 5, 9, 600));
    story.observe(AccessEvent { cause: 8, ..dhcp(AccessKind::Hint, 3, 5, 9) });
    assert!(story.observe(nak(3, 5)).is_empty());
    story.observe(dhcp(AccessKind::Hint, 3, 5, 0));
    assert_eq!(story.observe(nak(3, 5)), ["fail nak 02:00:00:00:00:05"]);
    assert!(story.observe(nak(3, 5)).is_empty());
    assert_eq!(story.table.len(), 1);
    let decline = AccessEvent { cause: 4, ..dhcp(AccessKind::Logout, 4, 5, 9) };
    assert_eq!(story.observe(decline), ["logout decline 02:00:00:00:00:05 10.0.0.9 0s"]);
    assert!(story.observe(release(5, 5, 0)).is_empty());
}

#[test]
fn an_answer_that_is_seen_on_both_sides_of_a_relay_is_one() {
    let mut story = Story::new();
    assert_eq!(story.observe(lease(1, 5, 9, 600)).len(), 1);
    let other_side = AccessEvent { session: 77, svlan: 0, is_local: false, ..lease(1, 5, 9, 600) };
    assert!(story.observe(other_side).is_empty());
    assert_eq!((story.table.len(), story.table.tally().repeated), (1, 1));
}

/// The request crosses on its way to the relay and from there on; so does the answer.
#[test]
fn a_relayed_client_is_where_it_asked() {
    let mut story = Story::new();
    let mut hint = dhcp(AccessKind::Hint, 1, 5, 0);
    hint.ports = (3, 4);
    let elsewhere =
        |event: AccessEvent| AccessEvent { session: 77, svlan: 20, is_local: false, ports: (5, 6), ..event };
    let mut relayed = elsewhere(hint.clone());
    relayed.texts.push(Text::CircuitId, b"ge-1");
    story.observe(hint.clone());
    story.observe(relayed);
    assert_eq!(story.observe(elsewhere(lease(1, 5, 9, 600))), ["login lease 02:00:00:00:00:05 10.0.0.9"]);
    assert!(story.observe(lease(1, 5, 9, 600)).is_empty());
    let user = story.table.users().next().unwrap();
    assert_eq!((user.text(Text::CircuitId), user.ports, user.svlan), (&b"ge-1"[..], (3, 4), 7));
    // It renews and returns it by itself.
    story.after(60_000);
    story.observe(AccessEvent { transaction: 2, ipv4: Some([10, 0, 0, 9]), ..hint });
    assert!(story.observe(elsewhere(lease(2, 5, 9, 600))).is_empty());
    assert!(story.observe(lease(2, 5, 9, 600)).is_empty());
    assert_eq!(story.observe(release(3, 5, 9)), ["logout release 02:00:00:00:00:05 10.0.0.9 60s"]);
    assert!(story.observe(elsewhere(release(3, 5, 9))).is_empty());
    assert_eq!(story.table.len(), 0);
}

#[test]
fn a_lease_of_ipv6_begins_once_and_ends_once() {
    let mut story = Story::new();
    let event = |kind, transaction, last: Option<u8>| {
        let mut event = AccessEvent::new(kind, Source::Dhcpv6);
        (event.transaction, event.session, event.mac) = (transaction, 0xd6, Some(mac(5)));
        (event.svlan, event.is_local) = (7, true);
        event.ipv6 = last.map(|last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        event.lifetime = matches!(kind, AccessKind::Login { .. }).then_some(600);
        event
    };
    let reply = |transaction| event(AccessKind::Login { more: false }, transaction, Some(9));
    story.observe(event(AccessKind::Hint, 1, None));
    let relayed = AccessEvent { session: 0x77, svlan: 0, is_local: false, ..reply(1) };
    assert_eq!(story.observe(relayed), ["login lease 02:00:00:00:00:05"]);
    assert!(story.observe(reply(1)).is_empty());
    story.after(300_000);
    story.observe(event(AccessKind::Hint, 2, Some(9)));
    assert!(story.observe(reply(2)).is_empty());
    assert_eq!(story.after(601_000), ["logout expired 02:00:00:00:00:05 900s"]);
    // Who asks for more time had it.
    story.observe(event(AccessKind::Hint, 3, Some(9)));
    assert_eq!(story.observe(reply(3)), ["seen renewal 02:00:00:00:00:05"]);
}

#[test]
fn the_request_says_who_the_host_is() {
    let mut story = Story::new();
    let mut hint = dhcp(AccessKind::Hint, 1, 5, 0);
    hint.texts.push(Text::HostName, b"laptop");
    hint.ports = (3, 4);
    story.observe(hint);
    story.observe(lease(1, 5, 9, 600));
    let user = story.table.users().next().unwrap();
    assert_eq!((user.text(Text::HostName), user.ports, user.identifies()), (&b"laptop"[..], (3, 4), "host"));
}

#[test]
fn the_name_with_which_the_port_was_opened_is_the_hosts() {
    let mut story = Story::new();
    let mut success = AccessEvent::new(AccessKind::Result { success: true }, Source::Dot1x);
    (success.session, success.mac, success.svlan, success.is_local) = (40, Some(mac(5)), 7, true);
    success.texts.push(Text::User, b"alice");
    assert_eq!(story.observe(success), ["ok accepted alice"]);
    assert_eq!(story.observe(lease(1, 5, 9, 600)), ["login lease 02:00:00:00:00:05 10.0.0.9 (alice)"]);
    let mut logoff = AccessEvent::new(AccessKind::Logout, Source::Dot1x);
    logoff.session = 40;
    story.after(5_000);
    assert_eq!(story.observe(logoff.clone()), ["logout logoff alice 5s"]);
    assert!(story.observe(logoff).is_empty());
    assert_eq!(story.observe(release(2, 5, 9)), ["logout release 02:00:00:00:00:05 10.0.0.9 (alice) 5s"]);
}

#[test]
fn addresses_of_ipv6_are_those_of_who_is_known() {
    let mut story = Story::new();
    let mut told = AccessEvent::new(AccessKind::Update, Source::Dhcpv6);
    (told.session, told.mac, told.svlan, told.is_local) = (0x6666, Some(mac(5)), 7, true);
    told.prefix = Some(("2001:db8:5::".parse::<std::net::Ipv6Addr>().unwrap().octets(), 48));
    assert!(story.observe(told.clone()).is_empty());
    assert_eq!(story.table.tally().unknown, 1);
    story.observe(lease(1, 5, 9, 600));
    assert!(story.observe(told.clone()).is_empty());
    assert_eq!(story.holder((7, 0), "2001:db8:5:77::1"), "- 02:00:00:00:00:05");
    assert_eq!(story.holder((7, 0), "2001:db8:6::1"), "- -");
    told.kind = AccessKind::Logout;
    assert!(story.observe(told).is_empty());
    assert_eq!((story.holder((7, 0), "2001:db8:5:77::1"), story.table.len()), ("- -".into(), 1));
}

#[test]
fn an_answer_that_crosses_the_release_leases_nothing() {
    let mut story = Story::new();
    story.observe(lease(1, 5, 9, 600));
    story.after(300_000);
    // The client asks for more time, and gives up before the answer comes.
    story.observe(dhcp(AccessKind::Hint, 2, 5, 9));
    story.after(1);
    assert_eq!(story.observe(release(3, 5, 9)), ["logout release 02:00:00:00:00:05 10.0.0.9 300s"]);
    story.after(1);
    assert!(story.observe(dhcp(AccessKind::Seen, 2, 5, 9)).is_empty());
    assert!(story.observe(lease(2, 5, 9, 600)).is_empty());
    // Nor does the one to a request that was not seen.
    assert!(story.observe(dhcp(AccessKind::Seen, 4, 5, 9)).is_empty());
    assert_eq!((story.table.len(), story.table.tally().repeated), (0, 3));
    // What is asked for after that is another lease, seen or not.
    story.observe(dhcp(AccessKind::Hint, 5, 5, 0));
    assert_eq!(story.observe(dhcp(AccessKind::Seen, 5, 5, 9)), ["login lease 02:00:00:00:00:05 10.0.0.9"]);
    story.observe(release(6, 5, 9));
    story.after(1);
    assert_eq!(story.observe(lease(7, 5, 9, 600)), ["login lease 02:00:00:00:00:05 10.0.0.9"]);
    // After a minute it is not remembered.
    story.observe(release(8, 5, 9));
    story.after(60_000);
    assert_eq!(story.observe(dhcp(AccessKind::Seen, 9, 5, 9)), ["seen renewal 02:00:00:00:00:05 10.0.0.9"]);
}

/// What is given back of another's says nothing of the own lease.
#[test]
fn a_release_of_another_address_ends_nothing_now_or_later() {
    let mut story = Story::new();
    story.observe(lease(1, 5, 9, 600));
    assert!(story.observe(release(2, 5, 8)).is_empty());
    assert_eq!(story.table.tally().unknown, 1);
    assert_eq!(story.after(601_000), ["logout expired 02:00:00:00:00:05 10.0.0.9 600s"]);
}
