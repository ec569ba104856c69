//! The table against a slow and obvious twin, and TCP's window against two honest hosts.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::endpoint::{Address, Direction, Endpoint};
use crate::event::{CloseReason, SessionId};
use crate::packet::Segment;
use crate::time::Nanos;
use crate::wire::tcp::{ACK, FIN, SYN};

const CAPACITY: usize = 24;
const PATIENCE: Duration = Duration::from_secs(60);
/// How late the wheel may be: an entry is looked at when the tick after its time has begun.
const LATENESS: Duration = Duration::from_nanos(2 << 30);

#[derive(Clone, Debug)]
enum Act {
    Insert(u8, State),
    Remove(u8),
    Touch(u8),
    Change(u8, State),
    Wait(u64),
    Evict,
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::OneWay,
        State::BothWays,
        State::SynSent,
        State::Established,
        State::Closed,
        State::Denied,
    ])
}

fn act() -> impl Strategy<Value = Act> {
    let key = || 0..40_u8;
    prop_oneof![
        6 => (key(), state()).prop_map(|(key, state)| Act::Insert(key, state)),
        2 => key().prop_map(Act::Remove),
        3 => key().prop_map(Act::Touch),
        2 => (key(), state()).prop_map(|(key, state)| Act::Change(key, state)),
        2 => (0..90_u64).prop_map(Act::Wait),
        1 => (4000..20_000_u64).prop_map(Act::Wait),
        2 => Just(Act::Evict),
    ]
}

fn key(number: u8) -> FlowKey {
    let a = Endpoint { address: Address::v4([10, 0, 0, 1]), port: u16::from(number) };
    let b = Endpoint { address: Address::v4([10, 0, 0, 2]), port: 80 };
    FlowKey::of(a, b, 6, Realm::new(0, 0, 0)).0
}

fn class(state: State) -> u8 {
    match state {
        State::Closed | State::Denied => 0,
        State::SynSent | State::SynReceived => 1,
        State::OneWay | State::Picked => 2,
        _ => 3,
    }
}

/// What the twin keeps: when last seen, the state, the session.
type Twin = HashMap<u8, (Nanos, State, u64)>;

fn find(table: &Table, number: u8) -> Option<Slot> {
    let key = key(number);
    table.find(&key, table.hash(&key))
}

fn check(table: &Table, twin: &Twin) -> Result<(), TestCaseError> {
    prop_assert_eq!(table.len(), twin.len());
    for number in 0..40 {
        let found = find(table, number).map(|slot| {
            let record = table.record(slot);
            assert_eq!(record.key(), key(number));
            assert_eq!(table.by_id(table.id(slot)), Some(slot));
            (record.last, record.state, table.session(slot).0)
        });
        prop_assert_eq!(found, twin.get(&number).copied());
    }
    let open = (0..table.capacity()).filter(|place| table.open_at(*place).is_some()).count();
    prop_assert_eq!(open, twin.values().filter(|entry| entry.1.is_open()).count());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_its_slow_twin(acts in prop::collection::vec(act(), 1..200)) {
        let mut table = Table::new(CAPACITY);
        let mut twin = Twin::new();
        let mut now = Nanos::from_parts(1_800_000_000, 0);
        for (session, act) in (1..).zip(acts) {
            match act {
                Act::Insert(number, state) if !twin.contains_key(&number) => {
                    let key = key(number);
                    let mut record = Record::new(&key, End::Low, now);
                    record.state = state;
                    let slot = table.insert(table.hash(&key), record, SessionId(session), now + PATIENCE);
                    prop_assert_eq!(slot.is_some(), twin.len() < CAPACITY);
                    if slot.is_some() {
                        twin.insert(number, (now, state, session));
                    }
                }
                Act::Insert(..) => {}
                Act::Remove(number) => {
                    if let Some(slot) = find(&table, number) {
                        let id = table.id(slot);
                        table.remove(slot);
                        prop_assert_eq!(table.by_id(id), None);
                    }
                    twin.remove(&number);
                }
                Act::Touch(number) => {
                    if let Some(slot) = find(&table, number) {
                        table.record_mut(slot).last = now;
                    }
                    twin.entry(number).and_modify(|entry| entry.0 = now);
                }
                Act::Change(number, state) => {
                    if let Some(slot) = find(&table, number) {
                        table.record_mut(slot).state = state;
                        table.reclassify(slot);
                    }
                    twin.entry(number).and_modify(|entry| entry.1 = state);
                }
                Act::Wait(seconds) => {
                    now = now + Duration::from_secs(seconds);
                    expire(&mut table, &mut twin, now)?;
                }
                Act::Evict => {
                    let victim = table.victim(now);
                    prop_assert_eq!(victim.is_some(), !twin.is_empty());
                    if let Some(slot) = victim {
                        let session = table.session(slot).0;
                        let (&number, entry) = twin.iter().find(|(_, entry)| entry.2 == session).expect("it is there");
                        let least = twin.values().map(|entry| class(entry.1)).min();
                        prop_assert_eq!(Some(class(entry.1)), least);
                        table.remove(slot);
                        twin.remove(&number);
                    }
                }
            }
            check(&table, &twin)?;
        }
    }
}

/// Lets the wheel turn until it has nothing more; what it takes must be over, what it leaves must not be.
fn expire(table: &mut Table, twin: &mut Twin, now: Nanos) -> Result<(), TestCaseError> {
    let mut idle = 0;
    while idle < 20 {
        let mut budget = Table::turn_budget();
        let before = twin.len();
        while let Some(slot) = table.due(now, &mut budget) {
            let due = table.record(slot).last + PATIENCE;
            if due > now {
                table.put_back(slot, now, due);
                continue;
            }
            let session = table.session(slot).0;
            table.remove_off_wheel(slot);
            twin.retain(|_, entry| entry.2 != session);
        }
        idle = if before == twin.len() { idle + 1 } else { 0 };
    }
    for (last, ..) in twin.values() {
        prop_assert!(*last + PATIENCE + LATENESS > now);
    }
    Ok(())
}

#[test]
fn a_flow_with_a_sign_on_gives_way_only_after_a_silence() {
    let mut table = Table::new(2);
    let now = Nanos::from_parts(1_800_000_000, 0);
    for number in 0..2 {
        let key = key(number);
        let mut record = Record::new(&key, End::Low, now);
        record.state = State::Established;
        record.flags.set(Flags::SIGNED_ON, true);
        table.insert(table.hash(&key), record, SessionId(1), now + PATIENCE).unwrap();
    }
    assert_eq!(table.victim(now + Duration::from_secs(59)), None);
    assert!(table.victim(now + Duration::from_secs(60)).is_some());
}

/// A host of an honest pair.
#[derive(Clone, Copy, Debug)]
struct Host {
    /// Next number to send, and the oldest not acknowledged.
    next: u32,
    oldest: u32,
    /// Next number expected, and how much it takes.
    expected: u32,
    window: u16,
    scale: Option<u8>,
    /// One past what the other allows.
    limit: u32,
}

impl Host {
    fn shift(&self, other: &Self) -> u8 {
        if other.scale.is_some() { self.scale.unwrap_or(0) } else { 0 }
    }

    fn segment(&self, flags: u8, sequence: u32, payload_length: u32) -> Segment {
        Segment { flags, sequence, acknowledgment: self.expected, window: self.window, payload_length, scale: None }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever honest hosts send, lost and repeated on the far side of the firewall, lies within the window.
    #[test]
    fn honest_hosts_are_never_outside_the_window(
        numbers: [u32; 2],
        windows in prop::array::uniform2(1..=u16::MAX),
        scales in prop::array::uniform2(prop::option::of(0..=14_u8)),
        acts in prop::collection::vec((0..2_usize, 0..4_u8, 1..100_000_u32, any::<bool>()), 0..200),
    ) {
        let mut hosts = [0, 1].map(|at| Host {
            next: numbers[at].wrapping_add(1),
            oldest: numbers[at].wrapping_add(1),
            expected: numbers[1 - at].wrapping_add(1),
            window: windows[at],
            scale: scales[at],
            limit: numbers[at].wrapping_add(1).wrapping_add(u32::from(windows[1 - at])),
        });
        let directions = [Direction::ToServer, Direction::ToClient];
        let syn = Segment { scale: scales[0], ..hosts[0].segment(SYN, numbers[0], 0) };
        let (mut track, mut state) = TcpTrack::open(Direction::ToServer, &syn);
        let answer = Segment { scale: scales[1], ..hosts[1].segment(SYN | ACK, numbers[1], 0) };
        for (direction, segment) in [
            (Direction::ToServer, syn),
            (Direction::ToClient, answer),
            (Direction::ToClient, answer),
            (Direction::ToServer, hosts[0].segment(ACK, hosts[0].next, 0)),
        ] {
            let Step::Pass(next) = track.step(state, direction, &segment) else { panic!("{segment:?}") };
            state = next;
        }
        prop_assert_eq!(state, State::Established);
        for (from, what, amount, arrives) in acts {
            let (sender, receiver) = (hosts[from], hosts[1 - from]);
            let in_flight = sender.next.wrapping_sub(sender.oldest);
            let (sequence, length) = match what {
                // New data, as far as allowed.
                0 | 1 => (sender.next, amount.min(sender.limit.wrapping_sub(sender.next))),
                // What was not acknowledged yet, again.
                2 => (sender.oldest, amount.min(in_flight)),
                _ => (sender.next, 0),
            };
            let segment = sender.segment(ACK, sequence, length);
            let step = track.step(state, directions[from], &segment);
            prop_assert_eq!(step, Step::Pass(State::Established), "{:?} {:?}", segment, track);
            let end = sequence.wrapping_add(length);
            if end.wrapping_sub(sender.next) as i32 > 0 {
                hosts[from].next = end;
            }
            if arrives {
                let other = &mut hosts[1 - from];
                if sequence.wrapping_sub(other.expected) as i32 <= 0 && end.wrapping_sub(other.expected) as i32 > 0 {
                    other.expected = end;
                }
                if sender.expected.wrapping_sub(other.oldest) as i32 > 0 {
                    other.oldest = sender.expected;
                }
                let allowed = u32::from(sender.window) << sender.shift(&receiver);
                let limit = sender.expected.wrapping_add(allowed);
                if limit.wrapping_sub(other.limit) as i32 > 0 {
                    other.limit = limit;
                }
            }
        }
        let close = |host: usize, track: &mut TcpTrack, state| {
            let segment = hosts[host].segment(ACK | FIN, hosts[host].next, 0);
            track.step(state, directions[host], &segment)
        };
        prop_assert_eq!(close(0, &mut track, state), Step::Pass(State::HalfClosed));
        prop_assert_eq!(close(1, &mut track, State::HalfClosed), Step::Pass(State::Closing));
        for (host, last) in [(0, Step::Pass(State::Closing)), (1, Step::Close(CloseReason::Fin))] {
            let mut segment = hosts[host].segment(ACK, hosts[host].next.wrapping_add(1), 0);
            segment.acknowledgment = hosts[1 - host].next.wrapping_add(1);
            prop_assert_eq!(track.step(State::Closing, directions[host], &segment), last);
        }
    }
}
