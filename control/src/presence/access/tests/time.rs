//! What silence says, and what a full table does.

use super::*;

const HOUR: u64 = 3_600_000;

#[test]
fn interim_messages_that_fail_to_come_end_the_session() {
    let mut story = Story::new();
    story.observe(AccessEvent { interim: Some(300), ..start(1, "alice", 9) });
    story.after(800_000);
    story.observe(interim(1, "alice", 9));
    assert!(story.after(899_000).is_empty());
    assert_eq!(story.after(2_000), ["logout silence alice 10.0.0.9 1700s"]);
    // Short ones are given ten minutes; those that nobody told of are learnt.
    story.observe(start(2, "bob", 9));
    for _ in 0..3 {
        story.after(20_000);
        story.observe(interim(2, "bob", 9));
    }
    assert!(story.after(599_000).is_empty());
    assert_eq!(story.after(2_000), ["logout silence bob 10.0.0.9 660s"]);
}

#[test]
fn without_a_word_of_the_source_the_limit_of_silence_holds() {
    let mut story = Story::new();
    story.observe(start(1, "alice", 9));
    assert!(story.after(24 * HOUR - 1).is_empty());
    assert_eq!(story.after(1), ["logout silence alice 10.0.0.9 86400s"]);
    let mut story = Story::with(AccessLimits { silence: None, ..LIMITS });
    story.observe(start(1, "alice", 9));
    assert!(story.after(1_000 * HOUR).is_empty());
    story.table.reconfigure(LIMITS);
    assert_eq!(story.after(HOUR), ["logout silence alice 10.0.0.9 86400s"]);
}

#[test]
fn who_answers_echoes_is_soon_missed() {
    let mut story = Story::new();
    let mut login = AccessEvent::new(AccessKind::Login { more: false }, Source::Pppoe);
    login.session = 5;
    story.observe(login.clone());
    story.after(HOUR);
    let alive = AccessEvent { kind: AccessKind::Alive, cause: AccessEvent::ECHO, ..login };
    assert!(story.observe(alive).is_empty());
    assert!(story.after(179_000).is_empty());
    assert_eq!(story.after(1_000), ["logout silence  3780s"]);
}

#[test]
fn the_concentrators_packets_keep_nobody_online() {
    let mut story = Story::new();
    let mut login = AccessEvent::new(AccessKind::Login { more: false }, Source::Pppoe);
    (login.session, login.mac) = (5, Some(Mac([2, 0, 0, 0, 0, 1])));
    story.observe(login.clone());
    story.observe(AccessEvent { kind: AccessKind::Alive, cause: AccessEvent::ECHO, ..login.clone() });
    story.after(170_000);
    let other = AccessEvent { kind: AccessKind::Alive, mac: Some(Mac([2, 0, 0, 0, 0, 0xfe])), ..login };
    assert!(story.observe(other).is_empty());
    assert_eq!(story.after(10_000).len(), 1, "the user was silent for three minutes");
}

#[test]
fn a_dead_tap_signs_nobody_off() {
    let mut story = Story::new();
    story.observe(lease(1, 5, 9, 8 * 3_600));
    assert!(story.silence(72 * HOUR).is_empty());
    assert!(story.observe(lease(2, 6, 8, 60)).len() == 1);
    assert_eq!(story.after(HOUR).len(), 1);
    // Nor does one outage after the other.
    assert!(story.silence(72 * HOUR).is_empty());
    story.table.heard(at(story.now));
    assert!(story.after(6 * HOUR).is_empty());
    assert_eq!(story.after(HOUR).len(), 1);
    assert!(story.table.is_empty());
}

#[test]
fn a_clock_that_is_set_back_ends_nothing() {
    let mut story = Story::new();
    story.after(10 * HOUR);
    story.observe(lease(1, 5, 9, 600));
    story.now -= 9 * HOUR;
    assert!(story.observe(lease(2, 6, 8, 600)).len() == 1);
    assert!(story.after(590_000).is_empty());
    assert_eq!(story.after(20_000).len(), 2);
}

#[test]
fn the_next_deadline_is_when_something_is_due() {
    let mut story = Story::new();
    assert_eq!(story.table.next_deadline(), None);
    story.observe(lease(1, 5, 9, 600));
    assert_eq!(story.table.next_deadline(), Some(at(600_000)));
    // Beyond what silence is believed for, nothing is.
    story.observe(lease(2, 5, 9, 7 * 3_600));
    story.after(700_000);
    story.table.heard(at(700_000));
    assert_eq!(story.table.next_deadline(), None);
}

#[test]
fn when_it_is_full_hosts_give_way_to_persons_and_no_person_to_a_host() {
    let mut story = Story::with(AccessLimits { users: 40, ..LIMITS });
    for number in 1..=20 {
        story.observe(lease(u64::from(number), number, number, 600 + u32::from(number)));
        story.observe(start(number.into(), "person", 100 + number));
    }
    assert_eq!(story.table.len(), 40);
    for number in 1..=20 {
        let told = story.observe(start(100 + u64::from(number), "late", 150 + number));
        assert!(told.len() == 2 && told[0].starts_with("logout evicted 02:"), "{told:?}");
    }
    assert!(story.observe(lease(99, 99, 99, 600)).is_empty());
    let told = story.observe(start(999, "last", 200));
    assert!(told[0].starts_with("logout evicted"), "{told:?}");
    let tally = story.table.tally();
    assert_eq!((story.table.len(), tally.evicted, tally.refused), (40, 21, 1));
}

#[test]
fn what_is_due_at_once_is_told_a_piece_at_a_time() {
    let mut story = Story::with(AccessLimits { users: 5_000, ..LIMITS });
    for number in 0..3_000u32 {
        let mut event = lease(u64::from(number) + 1, 0, 1, 60);
        (event.session, event.mac, event.ipv4) = (u64::from(number) + 1, None, Some(number.to_be_bytes()));
        event.ipv4 = Some((0x0a00_0000 + number).to_be_bytes());
        story.observe(event);
    }
    let pieces: Vec<usize> = (0..4).map(|_| story.silence(60_000).len()).collect();
    assert_eq!(pieces, [1_024, 1_024, 952, 0]);
}

/// The queue of deadlines has nobody in it who left, whatever went before.
#[test]
fn who_leaves_is_waited_for_no_more() {
    let mut story = Story::new();
    for round in 0..100u64 {
        for user in 1..=20 {
            story.observe(AccessEvent { lifetime: Some(600 - round as u32), ..start(user, "alice", user as u8) });
        }
        assert_eq!(story.table.queue.len(), 20);
        for user in 1..=20 {
            story.observe(stop(user, "alice", 0));
        }
        assert_eq!((story.table.queue.len(), story.table.len()), (0, 0));
    }
    assert_eq!(story.table.next_deadline(), None);
}
