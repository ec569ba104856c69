//! What workers are told of who is where, and whose sessions are to end.

use std::sync::Arc;

use dataplane::access::{Leavers, UserTags};
use dataplane::flow::Realm;
use proptest::prelude::*;

use super::random::{step, tell};
use super::*;
use crate::presence::access::AccessUser;
use crate::presence::access::entry::ANYWHERE;
use crate::presence::access::labels::{Label, Sign, UserLabels};

const ALICE: u64 = 0b1;
const GOLD: u64 = 0b10;
const STAFF: u64 = 0b100;

/// A rule names alice, one the groups gold (Class `gold`, Filter-Id `g1`) and staff (bob, and the Class `staff`).
fn labels() -> Arc<UserLabels> {
    let mut labels = UserLabels::default();
    assert_eq!(labels.label(&Label::User("alice".into())), Some(ALICE));
    assert_eq!(labels.label(&Label::Group("gold".into())), Some(GOLD));
    assert_eq!(labels.label(&Label::Group("staff".into())), Some(STAFF));
    assert_eq!(labels.label(&Label::User("alice".into())), Some(ALICE), "it has one already");
    labels.add(Sign::Class, b"gold", GOLD);
    labels.add(Sign::Filter, b"g1", GOLD);
    labels.add(Sign::User, b"bob", STAFF);
    labels.add(Sign::Class, b"staff", STAFF);
    Arc::new(labels)
}

/// A table that is told to workers.
fn told_of() -> (Story, Arc<UserTags>) {
    let (mut story, tags) = (Story::new(), Arc::new(UserTags::new(4_000)));
    assert!(story.table.tag(&labels(), &tags));
    (story, tags)
}

fn at_address(tags: &UserTags, svlan: u16, address: u8) -> u64 {
    tags.labels(Realm::new(0, svlan, 0), Address::v4([10, 0, 0, address]))
}

fn with(mut event: AccessEvent, which: Text, octets: &[u8]) -> AccessEvent {
    event.texts.push(which, octets);
    event
}

fn pppoe(kind: AccessKind, session: u64, name: &str, address: u8) -> AccessEvent {
    let mut event = AccessEvent::new(kind, Source::Pppoe);
    (event.session, event.mac, event.svlan, event.is_local) = (session, Some(mac(1)), 101, true);
    event.ipv4 = Some([10, 0, 0, address]);
    event.texts.push(Text::User, name.as_bytes());
    event
}

#[test]
fn names_class_and_filter_id_tell_who_is_meant() {
    let (mut story, tags) = told_of();
    story.observe(start(1, "alice", 1));
    story.observe(with(start(2, "carol", 2), Text::Class, b"gold"));
    story.observe(with(start(3, "dave", 3), Text::Filter, b"g1"));
    story.observe(start(4, "bob", 4));
    story.observe(with(start(5, "erin", 5), Text::Class, b"golden"));
    let all: Vec<u64> = (1..7).map(|address| at_address(&tags, 0, address)).collect();
    assert_eq!(all, [ALICE, GOLD, GOLD, STAFF, 0, 0]);
    let user = story.table.users().find(|user| *user.account == *b"carol").unwrap();
    assert_eq!(labels().groups(story.table.labels_of(user, &labels())), ["gold"]);
    // A group that comes later, a user who goes, an address that is another's.
    story.observe(with(interim(1, "alice", 1), Text::Class, b"gold"));
    story.observe(stop(2, "carol", 2));
    story.observe(start(6, "alice", 4));
    let all: Vec<u64> = (1..5).map(|address| at_address(&tags, 0, address)).collect();
    assert_eq!(all, [ALICE | GOLD, 0, GOLD, ALICE]);
    story.after(25 * 3_600_000);
    assert!(tags.is_empty(), "silence ends them all");
}

#[test]
fn a_group_of_radius_is_that_of_the_same_user_by_pppoe() {
    let (mut story, tags) = told_of();
    story.observe(pppoe(AccessKind::Login { more: false }, 1, "alice", 1));
    assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1)), (ALICE, 0));
    let of_radius = AccessEvent { mac: Some(mac(1)), ..with(start(2, "alice", 1), Text::Class, b"gold") };
    story.observe(of_radius);
    assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1)), (ALICE | GOLD, ALICE | GOLD));
    // The group is of the session that ends, the address hers until both have ended; another who has it elsewhere is another.
    story.observe(stop(2, "alice", 1));
    assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1)), (ALICE, ALICE));
    story.observe(with(start(3, "bob", 1), Text::Class, b"gold"));
    assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1)), (ALICE, STAFF | GOLD));
    story.observe(pppoe(AccessKind::Logout, 1, "alice", 1));
    assert_eq!(at_address(&tags, 101, 1), STAFF | GOLD);
}

/// A port that is let in by name has no address; the host behind it has.
#[test]
fn a_host_behind_a_port_is_its_users_until_he_logs_off() {
    let (mut story, tags) = told_of();
    let dot1x = |kind| {
        let event = AccessEvent {
            session: 9,
            mac: Some(mac(5)),
            svlan: 7,
            is_local: true,
            ..AccessEvent::new(kind, Source::Dot1x)
        };
        with(AccessEvent { transaction: 1, code: ResultCode::Accepted, ..event }, Text::User, b"alice")
    };
    story.observe(dot1x(AccessKind::Result { success: true }));
    story.observe(lease(1, 5, 9, 600));
    story.observe(lease(2, 6, 8, 600));
    assert_eq!((at_address(&tags, 7, 9), at_address(&tags, 7, 8), tags.len()), (ALICE, 0, 1));
    let mut leavers = Leavers::default();
    let mut out = Vec::new();
    let mut logoff = dot1x(AccessKind::Logout);
    logoff.header.time = at(story.now);
    story.table.observe(&logoff, &mut out);
    assert_eq!(at_address(&tags, 7, 9), 0);
    out.iter().for_each(|told| story.table.see_off(told, at(story.now), &mut leavers));
    assert!(leavers.had(Realm::new(0, 7, 0), Address::v4([10, 0, 0, 9]), at(0)));
    assert!(!leavers.had(Realm::new(0, 7, 0), Address::v4([10, 0, 0, 8]), at(0)));
    story.observe(AccessEvent { transaction: 2, ..dot1x(AccessKind::Result { success: true }) });
    assert_eq!(at_address(&tags, 7, 9), ALICE, "the name is his again");
}

#[test]
fn a_new_policy_has_a_table_of_its_own_that_is_filled_while_users_come_and_go() {
    let (mut story, before) = told_of();
    let limits = AccessLimits { users: 10_000, ..LIMITS };
    story.table.reconfigure(limits);
    let address = |user: u32| [10, 9, (user >> 8) as u8, user as u8];
    let sign_on = |kind, user: u32| AccessEvent {
        ipv4: Some(address(user)),
        ..accounting(kind, u64::from(user) + 100, "bob", 0)
    };
    for user in 0..3_000 {
        story.observe(sign_on(AccessKind::Login { more: false }, user));
    }
    let mut other = UserLabels::default();
    assert_eq!(other.label(&Label::User("bob".into())), Some(1));
    let (other, after) = (Arc::new(other), Arc::new(UserTags::new(10_000)));
    let (mut turns, mut gone) = (0, 0);
    while !story.table.tag(&other, &after) {
        turns += 1;
        for user in [turns * 10, 2_999 - turns * 10] {
            story.observe(AccessEvent { cause: 1, ..sign_on(AccessKind::Logout, user) });
            gone += 1;
        }
    }
    assert!(turns >= 2, "it is not done at once");
    let all = |tags: &UserTags, label: u64| {
        (0..3_000).filter(|user| tags.labels(Realm::default(), Address::v4(address(*user))) == label).count()
    };
    assert_eq!((all(&before, STAFF), all(&after, 1)), (3_000 - gone, 3_000 - gone));
    story.table.keep_tags(Some(&after));
    story.observe(sign_on(AccessKind::Login { more: false }, 5_000));
    let at_last = |tags: &UserTags| tags.labels(Realm::default(), Address::v4(address(5_000)));
    assert_eq!((at_last(&before), at_last(&after)), (0, 1), "nobody judges by the one before");
    story.table.keep_tags(None);
    story.observe(sign_on(AccessKind::Logout, 5_000));
    assert_eq!(at_last(&after), 1, "nor by this one");
}

/// Whose sessions end when this happens: of these addresses, those that began this many milliseconds ago, in VLAN 101.
fn ends(story: &mut Story, mut event: AccessEvent, address: u8) -> Option<u64> {
    let mut out = Vec::new();
    event.header.time = at(story.now);
    story.table.observe(&event, &mut out);
    let mut leavers = Leavers::default();
    out.iter().for_each(|told| story.table.see_off(told, at(story.now), &mut leavers));
    let had = |ago: &u64| leavers.had(Realm::new(0, 101, 0), Address::v4([10, 0, 0, address]), at(story.now - ago));
    [0, 20_000, 90_000].into_iter().find(had)
}

#[test]
fn a_logout_ends_the_sessions_that_began_while_the_user_was_there() {
    let mut story = Story::new();
    story.after(100_000);
    story.observe(start(1, "alice", 1));
    // Told late; who had the address since then is nobody.
    assert_eq!(ends(&mut story, AccessEvent { back: 10, ..stop(1, "alice", 1) }, 1), Some(0));
    // Nobody signs off.
    assert_eq!(ends(&mut story, start(2, "alice", 1), 1), None);
    assert_eq!(ends(&mut story, interim(2, "alice", 1), 1), None);
    // Another has the address: what began since his start is his.
    story.after(30_000);
    let late = AccessEvent { back: 10, ..start(3, "bob", 1) };
    assert_eq!(ends(&mut story, late, 1), Some(20_000));
    // The same signs on anew.
    assert_eq!(ends(&mut story, start(4, "bob", 1), 1), None);
    assert_eq!(ends(&mut story, stop(4, "bob", 1), 2), None);
}

#[test]
fn who_is_there_by_another_sign_on_is_not_seen_off() {
    let mut story = Story::new();
    story.after(100_000);
    story.observe(pppoe(AccessKind::Login { more: false }, 1, "alice", 1));
    story.observe(AccessEvent { mac: Some(mac(1)), ..start(2, "alice", 1) });
    assert_eq!(ends(&mut story, stop(2, "alice", 1), 1), None);
    assert_eq!(ends(&mut story, pppoe(AccessKind::Logout, 1, "alice", 1), 1), Some(0));
    // A lease that ends is not the end of the person who has the address.
    story.observe(AccessEvent { svlan: 101, ..lease(1, 1, 3, 600) });
    story.observe(start(3, "carol", 3));
    assert_eq!(ends(&mut story, AccessEvent { svlan: 101, ..dhcp(AccessKind::Logout, 2, 1, 3) }, 3), None);
    assert_eq!(ends(&mut story, stop(3, "carol", 3), 3), Some(0));
    story.observe(AccessEvent { svlan: 101, ..lease(3, 1, 3, 600) });
    assert_eq!(ends(&mut story, AccessEvent { svlan: 101, ..dhcp(AccessKind::Logout, 4, 1, 3) }, 3), Some(0));
}

/// Whichever source is the last, the sessions end in the user's VLAN and behind the access server.
#[test]
fn the_last_end_of_two_sources_ends_sessions_in_the_realms_of_both() {
    for is_radius_last in [true, false] {
        let (mut story, tags) = told_of();
        story.after(100_000);
        story.observe(pppoe(AccessKind::Login { more: false }, 1, "alice", 1));
        // Another name for the same, and no MAC address.
        story.observe(with(start(2, "alice@isp", 1), Text::Class, b"gold"));
        assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1)), (ALICE | GOLD, GOLD));
        let ends = [stop(2, "alice@isp", 1), pppoe(AccessKind::Logout, 1, "alice", 1)];
        let [first, last] = if is_radius_last {
            let [radius, line] = ends;
            [line, radius]
        } else {
            ends
        };
        let mut leavers_of = |mut event: AccessEvent| {
            let (mut out, mut leavers) = (Vec::new(), Leavers::default());
            event.header.time = at(story.now);
            story.table.observe(&event, &mut out);
            assert_eq!(out.len(), 1, "{out:?}");
            out.iter().for_each(|told| story.table.see_off(told, at(story.now), &mut leavers));
            [101, 0].map(|svlan| leavers.had(Realm::new(0, svlan, 0), Address::v4([10, 0, 0, 1]), at(0)))
        };
        assert_eq!(leavers_of(first), [false; 2]);
        assert!(at_address(&tags, 101, 1) & ALICE != 0);
        assert!(!tags.is_empty());
        assert_eq!(leavers_of(last), [true; 2]);
        assert_eq!((at_address(&tags, 101, 1), at_address(&tags, 0, 1), tags.len()), (0, 0, 0));
    }
}

#[test]
fn whoever_gives_way_in_a_full_table_has_not_signed_off() {
    let mut story = Story::with(AccessLimits { users: 1, ..LIMITS });
    story.after(100_000);
    story.observe(start(1, "alice", 1));
    let mut out = Vec::new();
    let mut event = start(2, "bob", 2);
    event.header.time = at(story.now);
    story.table.observe(&event, &mut out);
    let mut leavers = Leavers::default();
    out.iter().for_each(|told| story.table.see_off(told, at(story.now), &mut leavers));
    assert!(out.iter().any(|told| told.reason == crate::presence::access::AccessReason::Evicted), "{out:?}");
    assert!(leavers.is_empty());
}

/// The twin: goes through all users.
fn slowly(table: &AccessTable, labels: &UserLabels, vlans: (u16, u16), address: [u8; 4]) -> u64 {
    let users: Vec<&AccessUser> = table.users().collect();
    let of = |user: &AccessUser| {
        let is_same = |other: &&&AccessUser| {
            user.user.is_some() && user.mac.is_some() && (other.mac, &other.user) == (user.mac, &user.user)
        };
        users.iter().filter(is_same).fold(labels.of(user), |all, other| all | labels.of(other))
    };
    let mut host = 0;
    for vlans in [vlans, ANYWHERE] {
        let here = || users.iter().filter(|user| user.vlans() == vlans && user.ipv4 == Some(address));
        if let Some(person) = here().filter(|user| user.source.is_personal()).min_by_key(|user| user.source) {
            return of(person);
        }
        host = if host == 0 { here().map(|user| of(user)).next().unwrap_or(0) } else { host };
    }
    host
}

proptest! {
    #[test]
    fn workers_are_told_what_a_slow_twin_finds(steps in prop::collection::vec(step(), 1..120), begin in 0..60usize) {
        let (mut story, tags, labels) = (Story::new(), Arc::new(UserTags::new(1_000)), labels());
        story.after(100_000);
        for (number, step) in steps.into_iter().enumerate() {
            if number == begin {
                while !story.table.tag(&labels, &tags) {}
            }
            tell(&mut story, number as u64 + 1, step);
            for (svlan, address) in [0, 7].into_iter().flat_map(|svlan| (1..5).map(move |address| (svlan, address))) {
                let expected = if number < begin { 0 } else { slowly(&story.table, &labels, (svlan, 0), [10, 0, 0, address]) };
                prop_assert_eq!(at_address(&tags, svlan, address), expected, "{:?}", step);
            }
        }
    }
}
