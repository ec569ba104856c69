//! RADIUS and PPPoE.

use super::*;

fn pppoe(kind: AccessKind, session: u64, name: &str, address: u8) -> AccessEvent {
    let mut event = AccessEvent::new(kind, Source::Pppoe);
    (event.session, event.mac, event.svlan, event.is_local) = (session, Some(mac(1)), 101, true);
    event.ipv4 = (address > 0).then_some([10, 0, 0, address]);
    event.texts.push(Text::User, name.as_bytes());
    event
}

#[test]
fn accounting_begins_goes_on_and_ends() {
    let mut story = Story::new();
    assert_eq!(story.observe(start(1, "alice", 9)), ["login message alice 10.0.0.9"]);
    assert!(story.observe(start(1, "alice", 9)).is_empty());
    story.after(60_000);
    assert!(story.observe(interim(1, "alice", 9)).is_empty());
    assert_eq!(story.holder((0, 0), "10.0.0.9"), "alice -");
    assert_eq!(story.observe(stop(1, "alice", 0)), ["logout user-request alice 10.0.0.9 60s"]);
    assert!(story.observe(stop(1, "alice", 0)).is_empty());
    assert_eq!(story.observe(interim(2, "bob", 8)), ["seen mid-session bob 10.0.0.8"]);
    assert_eq!(story.observe(stop(2, "bob", 8)), ["logout user-request bob 10.0.0.8"]);
    assert_eq!(story.table.tally().of(Source::Radius).logouts, 2);
}

#[test]
fn what_comes_late_begins_nothing() {
    let mut story = Story::new();
    assert!(story.observe(stop(1, "alice", 9)).is_empty());
    story.after(3_000);
    let late = AccessEvent { back: 10, ..start(1, "alice", 9) };
    assert!(story.observe(late).is_empty());
    assert!(story.observe(AccessEvent { back: 4, ..interim(1, "alice", 9) }).is_empty());
    assert_eq!((story.table.len(), story.table.tally().repeated), (0, 2));
    // The number may be used again.
    assert_eq!(story.observe(start(1, "alice", 9)), ["login message alice 10.0.0.9"]);
}

#[test]
fn an_address_or_a_number_that_is_used_again_ends_who_had_it() {
    let mut story = Story::new();
    story.observe(start(1, "alice", 9));
    story.after(2_000);
    assert_eq!(story.observe(start(2, "bob", 9)), ["logout replaced alice 10.0.0.9 2s", "login message bob 10.0.0.9"]);
    assert_eq!(
        story.observe(start(2, "carol", 8)),
        ["logout replaced bob 10.0.0.9 0s", "login message carol 10.0.0.8"]
    );
    assert_eq!(story.holder_at((0, 0), "10.0.0.9", 1_000), "alice -");
    assert_eq!(story.holder_at((0, 0), "10.0.0.9", 2_000), "- -");
    // An address that comes later.
    story.observe(start(3, "dave", 0));
    assert_eq!(story.observe(interim(3, "dave", 8)), ["logout replaced carol 10.0.0.8 0s"]);
    assert_eq!(story.holder((0, 0), "10.0.0.8"), "dave -");
    let asks = AccessEvent { ipv4: Some([255, 255, 255, 254]), ..start(4, "erin", 0) };
    assert_eq!(story.observe(asks), ["login message erin"]);
}

#[test]
fn an_access_server_that_begins_anew_has_nobody() {
    let mut story = Story::with(AccessLimits { users: 5_000, ..LIMITS });
    for user in 0..3_000u32 {
        let mut login = start(u64::from(user) + 1, &format!("user{user}"), 0);
        if user % 2 == 1 {
            login.nas = Some(Address::v4([192, 0, 2, 2]));
        }
        login.ipv4 = Some((0x0a00_0000 + user).to_be_bytes());
        assert_eq!(story.observe(login).len(), 1);
    }
    story.after(1_000);
    let gone = AccessEvent { kind: AccessKind::NasGone, ..accounting(AccessKind::NasGone, 0, "", 0) };
    let mut told = story.observe(gone);
    // Not all at once, and who signs on meanwhile stays.
    assert!(told.len() < 600);
    story.after(1_000);
    let before = told.len();
    told.extend(story.observe(start(9_000, "new", 0)));
    assert_eq!(told.len(), before + 1);
    told.extend(story.finish());
    let logouts = told.iter().filter(|line| line.starts_with("logout nas-reboot")).count();
    let rest = story.table.len();
    assert!(rest == 1_501, "{rest} {logouts}");
}

#[test]
fn servers_are_told_apart_by_name_before_address() {
    let mut story = Story::new();
    for (session, name) in [(1, "bras1"), (2, "bras2"), (3, "")] {
        let mut login = start(session, "alice", 0);
        login.texts.push(Text::NasId, name.as_bytes());
        story.observe(login);
    }
    let mut gone = accounting(AccessKind::NasGone, 0, "", 0);
    gone.texts.push(Text::NasId, b"bras1");
    assert_eq!(story.observe(gone).len(), 2);
    assert_eq!(story.table.users().next().unwrap().session, 2);
    // One that says only where it came from may be a proxy's; by its own address it is everything that is there.
    let gone = accounting(AccessKind::NasGone, 0, "", 0);
    assert!(story.observe(gone.clone()).is_empty());
    assert_eq!(story.observe(AccessEvent { cause: AccessEvent::BY_ADDRESS, ..gone }).len(), 1);
}

#[test]
fn a_verdict_is_told_once_and_is_no_login() {
    let mut story = Story::new();
    assert_eq!(story.observe(verdict(true, 5, "alice")), ["ok accepted alice"]);
    assert!(story.observe(verdict(true, 5, "alice")).is_empty());
    assert_eq!(story.observe(verdict(false, 6, "mallory")), ["fail rejected mallory"]);
    assert_eq!(story.table.len(), 0);
    let timeout = AccessEvent { code: ResultCode::Timeout, ..verdict(false, 7, "bob") };
    assert_eq!(story.observe(timeout), ["fail timeout bob"]);
}

#[test]
fn what_was_granted_holds_for_the_session() {
    let mut story = Story::new();
    let mut accept = AccessEvent { lifetime: Some(3_600), mac: Some(mac(3)), ..verdict(true, 5, "alice") };
    accept.texts.push(Text::Filter, b"gold");
    story.observe(accept);
    story.observe(start(1, "alice", 9));
    let user = story.table.users().next().unwrap();
    assert_eq!((user.text(Text::Filter), user.mac), (&b"gold"[..], Some(mac(3))));
    assert_eq!(story.observe(lease(1, 3, 9, 7_200)), ["login lease 02:00:00:00:00:03 10.0.0.9 (alice)"]);
    assert_eq!(story.after(3_700_000), ["logout session-timeout alice 10.0.0.9 3660s"]);
}

#[test]
fn of_two_families_of_addresses_there_is_one_login() {
    let mut story = Story::new();
    let mut first = pppoe(AccessKind::Login { more: true }, 1, "alice", 0);
    first.ipv6 = Some("2001:db8::5".parse::<std::net::Ipv6Addr>().unwrap().octets());
    assert!(story.observe(first.clone()).is_empty());
    assert_eq!(story.table.users().count(), 0);
    story.after(500);
    let second = pppoe(AccessKind::Login { more: false }, 1, "alice", 9);
    assert_eq!(story.observe(second), ["login message alice 10.0.0.9"]);
    assert_eq!(story.holder((101, 0), "2001:db8::5"), "alice -");
    assert!(story.observe(pppoe(AccessKind::Result { success: true }, 1, "alice", 0)).is_empty());
    let end = pppoe(AccessKind::Logout, 1, "", 0);
    assert_eq!(story.observe(end), ["logout terminated alice 10.0.0.9 0s"]);
    // One that waits is told in the end.
    first.session = 2;
    assert!(story.observe(first.clone()).is_empty());
    assert_eq!(story.after(3_000), ["login message alice"]);
    first.session = 3;
    assert_eq!(story.observe(first), ["logout replaced alice 3s"]);
    assert_eq!(story.finish(), ["login message alice"]);
}

#[test]
fn the_person_is_told_before_the_host_and_the_own_vlan_before_any() {
    let mut story = Story::new();
    story.observe(start(1, "alice", 9));
    story.observe(lease(1, 5, 9, 600));
    story.observe(pppoe(AccessKind::Login { more: false }, 1, "bob", 9));
    assert_eq!(story.holder((7, 0), "10.0.0.9"), "alice 02:00:00:00:00:05");
    assert_eq!(story.holder((101, 0), "10.0.0.9"), "bob -");
    assert_eq!(story.holder((0, 0), "10.0.0.9"), "alice -");
}

/// UDP keeps no order, and not every access server says how late it tells.
#[test]
fn a_start_that_its_stop_overtook_signs_nobody_on() {
    let mut story = Story::new();
    let named = |mut event: AccessEvent| {
        event.texts.push(Text::SessionId, b"000ab");
        event
    };
    assert!(story.observe(named(stop(1, "alice", 9))).is_empty());
    story.after(2_000);
    assert!(story.observe(named(start(1, "alice", 9))).is_empty());
    assert!(story.observe(named(interim(1, "alice", 0))).is_empty());
    // By way of a proxy.
    assert!(story.observe(named(start(1, "alice@isp", 9))).is_empty());
    assert_eq!((story.table.len(), story.table.tally().repeated), (0, 3));
    // An access server that gives its numbers anew: another user, another address, or a minute later.
    assert_eq!(story.observe(named(start(1, "bob", 9))), ["login message bob 10.0.0.9"]);
    story.observe(named(stop(1, "bob", 9)));
    assert_eq!(story.observe(named(start(1, "bob", 8))), ["login message bob 10.0.0.8"]);
    story.observe(named(stop(1, "bob", 8)));
    story.after(59_000);
    assert!(story.observe(named(start(1, "bob", 8))).is_empty());
    story.after(1_000);
    assert_eq!(story.observe(named(start(1, "bob", 8))), ["login message bob 10.0.0.8"]);
}

/// The wire carries the access server's question to a proxy, and the proxy's to the server that knows the user.
#[test]
fn both_legs_of_a_proxy_tell_one_verdict_each_try() {
    let mut story = Story::new();
    let leg =
        |success, transaction, name: &str, proxies| AccessEvent { proxies, ..verdict(success, transaction, name) };
    for first in [10, 20] {
        // The answer comes from behind the proxy first; where that strips the realm, it is the same user.
        assert_eq!(story.observe(leg(false, first + 2, "mallory", 2)), ["fail rejected mallory"]);
        assert!(story.observe(leg(false, first + 1, "mallory", 1)).is_empty());
        assert!(story.observe(leg(false, first, "mallory@isp", 0)).is_empty());
        story.after(100);
    }
    // A proxy that thinks otherwise is heard, and so is another user, another port, another access server.
    assert_eq!(story.observe(leg(true, 31, "alice", 1)), ["ok accepted alice"]);
    assert_eq!(story.observe(leg(false, 30, "alice", 0)), ["fail rejected alice"]);
    assert_eq!(story.observe(leg(true, 32, "bob", 0)), ["ok accepted bob"]);
    assert_eq!(story.observe(AccessEvent { nas_port: Some(1), ..leg(true, 33, "alice", 0) }), ["ok accepted alice"]);
    let mut elsewhere = leg(true, 34, "alice", 0);
    elsewhere.texts.push(Text::NasId, b"bras2");
    assert_eq!(story.observe(elsewhere), ["ok accepted alice"]);
    assert!(story.observe(leg(true, 35, "alice@isp", 0)).is_empty());
    // Without a proxy each try is one.
    assert_eq!(story.observe(leg(false, 40, "carol", 0)).len() + story.observe(leg(false, 41, "carol", 0)).len(), 2);
    assert_eq!(story.observe(leg(false, 50, "erin", 1)).len() + story.observe(leg(false, 51, "erin", 1)).len(), 2);
    // What nobody answers is given up in any order.
    let silent =
        |transaction, proxies| AccessEvent { code: ResultCode::Timeout, ..leg(false, transaction, "dave", proxies) };
    assert_eq!(story.observe(silent(60, 0)), ["fail timeout dave"]);
    assert!(story.observe(silent(61, 1)).is_empty());
    story.after(30_000);
    assert_eq!(story.observe(silent(63, 1)), ["fail timeout dave"]);
    assert!(story.observe(silent(62, 0)).is_empty());
}

#[test]
fn accounting_on_both_sides_of_a_proxy_is_one_session() {
    let mut story = Story::new();
    assert_eq!(story.observe(start(1, "alice@isp", 9)), ["login message alice@isp 10.0.0.9"]);
    assert!(story.observe(start(1, "alice", 9)).is_empty());
    assert_eq!(story.observe(stop(1, "alice@isp", 9)), ["logout user-request alice@isp 10.0.0.9 0s"]);
    assert!(story.observe(stop(1, "alice", 9)).is_empty());
}

#[test]
fn pages_have_everyone_once_whoever_comes_and_goes() {
    let mut story = Story::new();
    for user in 1..=100u8 {
        story.observe(start(user.into(), "alice", user));
    }
    let (mut seen, mut from) = (Vec::new(), 0);
    while from < story.table.places() {
        seen.extend(story.table.page(from, 7).map(|person| person.user.session));
        from += 7;
        // Who was shown goes, and others take the places.
        let gone = seen[seen.len() - 1];
        story.observe(stop(gone, "alice", 0));
        story.observe(start(1_000 + gone, "bob", 0));
    }
    seen.retain(|session| *session <= 100);
    assert_eq!(seen, (1..=100).collect::<Vec<u64>>());
}
