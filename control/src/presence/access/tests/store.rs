//! What a restart finds.

use super::*;
use crate::config::Compiled;
use crate::presence::access::store::{self, Snapshot};
use crate::presence::store::StoreError;

pub(super) fn configuration() -> Compiled {
    crate::config::replay_default(crate::signatures::shipped())
}

pub(super) fn written(story: &Story, now: Nanos) -> Vec<u8> {
    let mut snapshot = Snapshot::default();
    while !snapshot.copy(&story.table, 2) {}
    snapshot.encode(now, 77, &["inside".to_owned(), "outside".to_owned()])
}

/// Told what was told before, the run after this one says nothing; what is over is told once, as if it had gone on.
#[test]
fn whoever_is_still_there_does_not_sign_on_again() {
    let configuration = configuration();
    let mut story = Story::new();
    let mut login = AccessEvent { interim: Some(300), ports: (1, 0), ..start(1, "alice", 9) };
    login.texts.push(Text::Class, b"gold");
    story.observe(login);
    story.observe(lease(1, 5, 9, 600));
    story.observe(lease(2, 6, 8, 7_200));
    story.observe(interim(3, "bob", 7));
    story.after(100_000);
    let octets = written(&story, at(story.now));
    assert_eq!(store::seed(&octets), Ok(77));

    let mut after = Story::new();
    after.now = story.now + 1_000_000;
    assert_eq!(after.table.take_over(&octets, &configuration.names, at(after.now)), Ok(4));
    assert_eq!(after.table.take_over(&octets, &configuration.names, at(after.now)), Ok(0));
    let alice = after.table.users().find(|user| user.session == 1).unwrap();
    assert_eq!((&*alice.account, alice.text(Text::Class), alice.login), (&b"alice"[..], &b"gold"[..], true));
    assert_eq!(alice.ports, (configuration.names.port_of("outside"), configuration.names.port_of("inside")));
    assert_eq!(after.holder((7, 0), "10.0.0.9"), "alice 02:00:00:00:00:05");
    // One lease was over while nobody listened, but may have been renewed.
    assert!(after.after(59_000).is_empty());
    assert!(after.observe(interim(1, "alice", 9)).is_empty());
    assert!(after.observe(interim(3, "bob", 7)).is_empty());
    assert!(after.observe(start(1, "alice", 9)).is_empty());
    assert_eq!(after.after(1_000), ["logout expired 02:00:00:00:00:05 10.0.0.9 (alice) 1160s"]);
    assert_eq!(after.observe(stop(1, "alice", 9)), ["logout user-request alice 10.0.0.9 1160s"]);
    assert_eq!(after.observe(stop(3, "bob", 7)), ["logout user-request bob 10.0.0.7"]);
    assert_eq!(after.table.len(), 1);
}

#[test]
fn what_is_none_of_ours_takes_nobody_over() {
    let names = configuration().names;
    let mut story = Story::new();
    story.observe(start(1, "alice", 9));
    let octets = written(&story, at(5));
    let mut table = AccessTable::new(LIMITS);
    for place in 0..octets.len() {
        let mut wrong = octets.clone();
        wrong[place] ^= 1;
        assert_eq!(table.take_over(&wrong, &names, at(9)), Err(StoreError::Damaged));
        assert!(table.take_over(&octets[..place], &names, at(9)).is_err());
    }
    assert_eq!(table.take_over(&octets, &names, at(0)), Err(StoreError::Clock(1)));
    assert!(table.is_empty());
}

#[test]
fn a_table_that_changes_while_it_is_copied_is_copied_all_the_same() {
    let mut story = Story::new();
    (1..=9).for_each(|number| drop(story.observe(start(number, "user", number as u8))));
    let mut snapshot = Snapshot::default();
    assert!(!snapshot.copy(&story.table, 4));
    (1..=3).for_each(|number| drop(story.observe(stop(number, "user", 0))));
    story.observe(start(20, "late", 20));
    while !snapshot.copy(&story.table, 4) {}
    let octets = snapshot.encode(at(0), 1, &[]);
    let mut after = AccessTable::new(LIMITS);
    let count = after.take_over(&octets, &configuration().names, at(0)).unwrap();
    assert!((6..=10).contains(&count), "{count}");
}
