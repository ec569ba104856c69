//! One person of whom RADIUS and PPPoE tell.

use proptest::prelude::*;

use super::store::{configuration, written};
use super::*;
use crate::presence::access::AccessUser;

const LOGIN: AccessKind = AccessKind::Login { more: false };

/// RADIUS knows the session.
fn radius(kind: AccessKind, session: u64, name: &str, address: u8) -> AccessEvent {
    let mut event = AccessEvent { cause: 1, ..accounting(kind, session, name, address) };
    event.texts.push(Text::SessionId, format!("s-{session}").as_bytes());
    event.texts.push(Text::NasId, b"bras1");
    event
}

/// PPPoE knows the line.
fn line(kind: AccessKind, session: u64, name: &str, address: u8) -> AccessEvent {
    let mut event = AccessEvent::new(kind, Source::Pppoe);
    (event.session, event.mac, event.svlan, event.is_local) = (session, Some(mac(1)), 101, true);
    (event.ports, event.ipv4) = ((4, 5), (address > 0).then_some([10, 0, 0, address]));
    event.texts.push(Text::User, name.as_bytes());
    event
}

fn transitions(story: &mut Story, mut event: AccessEvent) -> Vec<AccessTransition> {
    event.header.time = at(story.now);
    let mut out = Vec::new();
    story.table.observe(&event, &mut out);
    out
}

/// What the one transition says: source, action, and what either source alone would not know.
fn known(told: &[AccessTransition]) -> (&'static str, &'static str, bool) {
    let [told] = told else { panic!("{told:?}") };
    let user = &told.user;
    let line = (user.mac, user.ports, user.svlan) == (Some(mac(1)), (4, 5), 101);
    let server = (user.text(Text::SessionId), user.text(Text::NasId), user.nas.is_some());
    (user.source.name(), told.action.text(), line && server == (b"s-7", b"bras1", true))
}

#[test]
fn each_source_is_told_once_with_what_both_know() {
    for (is_radius_first, ends_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut story = Story::new();
        let of = |is_radius: bool, kind| {
            if is_radius { radius(kind, 7, "alice", 9) } else { line(kind, 1, "alice@isp", 9) }
        };
        let name = |is_radius: bool| if is_radius { "radius" } else { "pppoe" };
        let first = transitions(&mut story, of(is_radius_first, LOGIN));
        assert_eq!(known(&first), (name(is_radius_first), "login", false));
        let second = transitions(&mut story, of(!is_radius_first, LOGIN));
        assert_eq!(known(&second), (name(!is_radius_first), "login", true));
        // Said again, it is nothing.
        assert!(transitions(&mut story, of(true, AccessKind::Seen)).is_empty());
        assert!([true, false].into_iter().all(|is_radius| transitions(&mut story, of(is_radius, LOGIN)).is_empty()));
        // Listed once, as what both know.
        assert_eq!((story.table.listed(), story.table.len(), story.table.tally().merged), (1, 2, 1));
        {
            let people: Vec<_> = story.table.page(0, 100).collect();
            let names: Vec<_> = people[0].sources().into_iter().map(Source::name).collect();
            assert_eq!((people.len(), names), (1, vec![name(is_radius_first), name(!is_radius_first)]));
            assert_eq!((people[0].user.mac, people[0].user.text(Text::NasId)), (Some(mac(1)), &b"bras1"[..]));
        }
        story.after(2_000);
        // The address is the person's until the last end.
        let there = [story.holder((101, 0), "10.0.0.9"), story.holder((0, 0), "10.0.0.9")];
        assert_eq!(there, ["alice@isp -", "alice -"]);
        let gone = transitions(&mut story, of(ends_first, AccessKind::Logout));
        assert_eq!(known(&gone), (name(ends_first), "logout", true));
        assert_eq!([story.holder((101, 0), "10.0.0.9"), story.holder((0, 0), "10.0.0.9")], there);
        assert_eq!((story.table.listed(), story.table.users().next().unwrap().source.name()), (1, name(!ends_first)));
        assert!(transitions(&mut story, of(ends_first, AccessKind::Logout)).is_empty());
        let gone = transitions(&mut story, of(!ends_first, AccessKind::Logout));
        assert_eq!(known(&gone), (name(!ends_first), "logout", true));
        assert_eq!((story.table.listed(), story.table.len()), (0, 0));
        assert_eq!([story.holder((101, 0), "10.0.0.9"), story.holder((0, 0), "10.0.0.9")], ["- -", "- -"]);
    }
}

#[test]
fn the_silence_of_one_source_is_its_own_end() {
    let mut story = Story::new();
    story.observe(AccessEvent { interim: Some(300), ..start(1, "alice", 9) });
    assert_eq!(story.observe(line(LOGIN, 1, "alice", 9)), ["login message alice 10.0.0.9"]);
    assert_eq!(story.after(1_000_000), ["logout silence alice 10.0.0.9 900s"]);
    assert_eq!(story.table.users().next().unwrap().source, Source::Pppoe);
    assert_eq!(story.holder((0, 0), "10.0.0.9"), "alice -");
    // RADIUS begins anew: another session, whose counts and names are its own.
    let again = transitions(&mut story, radius(LOGIN, 2, "alice", 9));
    assert_eq!((again.len(), again[0].user.text(Text::SessionId)), (1, &b"s-2"[..]));
    assert_eq!((story.table.len(), story.table.listed()), (2, 1));
    assert_eq!(story.observe(line(AccessKind::Logout, 1, "", 0)), ["logout terminated alice 10.0.0.9 1000s"]);
    assert_eq!(story.observe(radius(AccessKind::Logout, 2, "alice", 9)), ["logout user-request alice 10.0.0.9 0s"]);
    assert!(story.table.is_empty());
}

#[test]
fn one_that_is_over_gives_way_to_whoever_gets_the_address() {
    let mut story = Story::new();
    story.observe(start(1, "alice", 9));
    story.observe(line(LOGIN, 1, "alice", 9));
    story.observe(stop(1, "alice", 9));
    assert_eq!(story.observe(start(2, "bob", 9)), ["login message bob 10.0.0.9"]);
    assert_eq!(
        (story.holder((0, 0), "10.0.0.9"), story.holder((101, 0), "10.0.0.9")),
        ("bob -".into(), "alice -".into())
    );
    assert_eq!((story.table.len(), story.table.listed()), (2, 2));
    // Where there is no room, first of all.
    let mut story = Story::with(AccessLimits { users: 2, ..LIMITS });
    story.observe(start(1, "alice", 9));
    story.observe(line(LOGIN, 1, "alice", 9));
    story.observe(stop(1, "alice", 9));
    assert_eq!(story.observe(lease(1, 5, 8, 600)), ["login lease 02:00:00:00:00:05 10.0.0.8"]);
    assert_eq!((story.table.len(), story.table.listed(), story.table.tally().evicted), (2, 2, 0));
}

#[test]
fn one_that_is_over_does_not_hide_who_has_the_address() {
    let mut story = Story::new();
    story.observe(radius(LOGIN, 1, "alice", 3));
    story.observe(radius(LOGIN, 2, "alice", 0));
    story.observe(line(LOGIN, 1, "alice", 3));
    // Its end names an address that another session of the same person has.
    assert_eq!(story.observe(radius(AccessKind::Logout, 2, "alice", 3)).len(), 1);
    story.after(61_000);
    let told = ["logout replaced alice 10.0.0.3 61s", "login message alice 10.0.0.3"];
    assert_eq!(story.observe(radius(LOGIN, 2, "alice", 3)), told);
}

#[test]
fn others_are_not_one_user() {
    let mut story = Story::new();
    story.observe(start(1, "alice@isp", 9));
    // Another name; another realm; the same name elsewhere; a host.
    assert_eq!(story.observe(line(LOGIN, 1, "bob", 9)).len(), 1);
    assert_eq!(story.observe(AccessEvent { svlan: 102, ..line(LOGIN, 2, "alice@other", 9) }).len(), 1);
    assert_eq!(story.observe(line(LOGIN, 3, "alice@isp", 8)).len(), 1);
    assert_eq!(story.observe(lease(1, 5, 9, 600)).len(), 1);
    assert_eq!((story.table.listed(), story.table.tally().merged), (5, 0));
    // One who moves away from the other is a user of its own again.
    let mut story = Story::new();
    story.observe(line(LOGIN, 1, "alice", 9));
    story.observe(start(1, "alice", 9));
    assert_eq!(story.table.listed(), 1);
    assert!(story.observe(interim(1, "alice", 8)).is_empty());
    assert_eq!((story.table.listed(), story.table.len()), (2, 2));
    assert_eq!(story.observe(line(AccessKind::Logout, 1, "alice", 9)), ["logout terminated alice 10.0.0.9 0s"]);
    assert_eq!(story.observe(stop(1, "alice", 8)), ["logout user-request alice 10.0.0.8 0s"]);
    assert!(story.table.is_empty());
}

#[test]
fn a_restart_knows_both_and_what_is_over() {
    let names = configuration().names;
    for is_over in [false, true] {
        let mut story = Story::new();
        story.observe(line(LOGIN, 1, "alice", 9));
        story.observe(start(1, "alice", 9));
        if is_over {
            story.observe(stop(1, "alice", 9));
        }
        let octets = written(&story, at(story.now));
        let mut after = Story::new();
        assert_eq!(after.table.take_over(&octets, &names, at(0)), Ok(2));
        assert_eq!(after.table.take_over(&octets, &names, at(0)), Ok(0));
        assert_eq!((after.table.listed(), after.holder((0, 0), "10.0.0.9")), (1, "alice -".into()));
        assert!(after.observe(line(LOGIN, 1, "alice", 9)).is_empty());
        assert_eq!(after.observe(stop(1, "alice", 9)).len(), usize::from(!is_over));
        assert_eq!(after.observe(line(AccessKind::Logout, 1, "", 0)).len(), 1);
        assert!(after.table.is_empty());
        // What is over is not taken over alone.
        let mut small = AccessTable::new(AccessLimits { users: 1, ..LIMITS });
        assert_eq!(small.take_over(&octets, &names, at(0)), Ok(1));
        assert_eq!((small.len(), small.listed()), (1, 1));
    }
}

#[derive(Clone, Copy, Debug)]
struct Step {
    is_radius: bool,
    what: u8,
    session: u64,
    name: usize,
    address: u8,
}

fn step() -> impl Strategy<Value = Step> {
    (any::<bool>(), 0..4u8, 1..4u64, 0..2usize, 0..4u8).prop_map(|(is_radius, what, session, name, address)| Step {
        is_radius,
        what,
        session,
        name,
        address,
    })
}

fn tell(story: &mut Story, step: Step) -> Vec<String> {
    let Step { is_radius, what, session, name, address } = step;
    let kind = [LOGIN, AccessKind::Seen, AccessKind::Logout, LOGIN][usize::from(what)];
    let name = ["alice", "bob"][name];
    let event = if is_radius { radius(kind, session, name, address) } else { line(kind, session, name, address) };
    // Without the address: one source may know it by the other.
    let short = |line: String| line.split(' ').filter(|word| !word.starts_with("10.")).collect::<Vec<_>>().join(" ");
    story.observe(event).into_iter().map(short).collect()
}

proptest! {
    /// The slow twin: two tables, each of which hears one source only.
    #[test]
    fn each_source_is_told_as_if_there_were_no_other(steps in prop::collection::vec(step(), 1..120)) {
        let (mut both, mut alone) = (Story::new(), [Story::new(), Story::new()]);
        for step in steps {
            both.after(61_000);
            alone.iter_mut().for_each(|story| drop(story.after(61_000)));
            let expected = tell(&mut alone[usize::from(step.is_radius)], step);
            prop_assert_eq!(tell(&mut both, step), expected, "{:?}", step);
            let [line, radius] = alone.each_ref().map(|story| story.table.users().collect::<Vec<_>>());
            // Of names and addresses, as there are no realms and prefixes here.
            let is_same = |one: &&AccessUser, other: &&AccessUser| {
                one.account == other.account && one.ipv4.is_some() && one.ipv4 == other.ipv4
            };
            let second = radius.iter().filter(|user| line.iter().any(|other| is_same(user, other))).count();
            prop_assert_eq!(both.table.listed(), line.len() + radius.len() - second);
            prop_assert_eq!(both.table.page(0, usize::MAX).count(), both.table.listed());
            let all: usize = both.table.page(0, usize::MAX).map(|person| person.sign_ons().count()).sum();
            prop_assert_eq!(all, line.len() + radius.len(), "everyone is of one person");
        }
    }
}
