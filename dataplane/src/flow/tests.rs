//! The table against a slow and obvious twin, and TCP's window against two honest hosts.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::appid::InspectionId;
use crate::endpoint::{Address, Direction, Endpoint};
use crate::event::{CloseReason, SessionId, Volume, WorkerId};
use crate::packet::Segment;
use crate::time::Nanos;
use crate::wire::tcp::{ACK, FIN, SYN};

const CAPACITY: usize = 24;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
enum Act {
    Insert(u8, State),
    Remove(u8),
    Touch(u8),
    Change(u8, State),
    Wait(u64),
    Count(u8, Direction, u32),
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

fn direction() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::ToServer, Direction::ToClient])
}

fn act() -> impl Strategy<Value = Act> {
    let key = || 0..40_u8;
    prop_oneof![
        6 => (key(), state()).prop_map(|(key, state)| Act::Insert(key, state)),
        2 => key().prop_map(Act::Remove),
        3 => key().prop_map(Act::Touch),
        2 => (key(), state()).prop_map(|(key, state)| Act::Change(key, state)),
        2 => (0..90_000_000_000_u64).prop_map(Act::Wait),
        1 => (4_000..40_000_000_u64).prop_map(|seconds| Act::Wait(seconds * 1_000_000_000)),
        3 => (key(), direction(), any::<u32>()).prop_map(|(key, direction, octets)| Act::Count(key, direction, octets)),
        2 => Just(Act::Evict),
    ]
}

fn key(number: u8) -> FlowKey {
    // Every fourth is IPv6, and differs from the others in the upper part only.
    let address = |last: u8| match number % 4 {
        0 if number.is_multiple_of(8) => Address([0x20, number / 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
        0 => Address([0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, number, 0, 0, 0, 0, last]),
        _ => Address::v4([10, 0, 0, last]),
    };
    let port = if number.is_multiple_of(4) { 1 } else { u16::from(number) };
    let a = Endpoint { address: address(1), port };
    let b = Endpoint { address: address(2), port: 80 };
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

/// What the twin keeps of an entry.
#[derive(Clone, Copy, Debug)]
struct Entry {
    last: Nanos,
    start: Nanos,
    state: State,
    session: u64,
    volumes: [Volume; 2],
}

type Twin = HashMap<u8, Entry>;

fn micros(time: Nanos) -> u64 {
    time.0 / 1_000
}

fn millis_above(time: Nanos) -> u64 {
    time.0.div_ceil(1_000_000)
}

fn find(table: &Table, number: u8) -> Option<Slot> {
    let key = key(number);
    table.find(&key, table.hash(&key))
}

fn check(table: &mut Table, twin: &Twin) -> Result<(), TestCaseError> {
    prop_assert_eq!(table.len(), twin.len());
    for number in 0..40 {
        let found = find(table, number);
        let entry = twin.get(&number);
        prop_assert_eq!(found.is_some(), entry.is_some());
        let hash = table.hash(&key(number));
        // A guess may be another's slot; where it is right it is the one, and with no slot at all there is nothing.
        let guess = table.prefetch_record(hash);
        let right = Some(guess).filter(|slot| table.flows().at(*slot, &key(number)).is_some());
        prop_assert!(right.is_none() || right == found);
        prop_assert!(guess != Slot::NOWHERE || found.is_none());
        let (Some(slot), Some(entry)) = (found, entry) else { continue };
        prop_assert_eq!(table.key(slot), key(number));
        prop_assert_eq!(table.by_id(table.id(slot)), Some(slot));
        prop_assert_eq!(table.session(slot), SessionId(7 << 48 | entry.session));
        prop_assert_eq!(table.record(slot).state(), entry.state);
        prop_assert_eq!(micros(table.start(slot)), micros(entry.start));
        prop_assert_eq!(millis_above(table.last(slot)), millis_above(entry.last));
        let volumes = [Direction::ToServer, Direction::ToClient].map(|direction| table.volume(slot, direction));
        prop_assert_eq!(volumes, entry.volumes);
        prop_assert_eq!(table.record(slot).passed_packets(), volumes.iter().any(|volume| volume.packets > 0));
    }
    let open = (0..table.capacity()).filter(|place| table.open_at(*place).is_some()).count();
    prop_assert_eq!(open, twin.values().filter(|entry| entry.state.is_open()).count());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_its_slow_twin(acts in prop::collection::vec(act(), 1..200)) {
        let mut table = Table::new(WorkerId(7), CAPACITY, 4);
        let mut twin = Twin::new();
        let mut now = Nanos::from_parts(1_800_000_000, 123_456_789);
        let mut session = 0;
        table.advance(now);
        for act in acts {
            match act {
                Act::Insert(number, state) if !twin.contains_key(&number) => {
                    let key = key(number);
                    let mut record = Record::new(&key, End::Low);
                    record.set_state(state);
                    let slot = table.insert(table.hash(&key), &key, record, PATIENCE.into());
                    prop_assert_eq!(slot.is_some(), twin.len() < CAPACITY);
                    if slot.is_some() {
                        session += 1;
                        let volumes = [Volume::default(); 2];
                        twin.insert(number, Entry { last: now, start: now, state, session, volumes });
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
                        table.touch(slot);
                    }
                    twin.entry(number).and_modify(|entry| entry.last = now);
                }
                Act::Change(number, state) => {
                    if let Some(slot) = find(&table, number) {
                        table.record_mut(slot).set_state(state);
                        table.reclassify(slot);
                    }
                    twin.entry(number).and_modify(|entry| entry.state = state);
                }
                Act::Count(number, direction, octets) => {
                    if let Some(slot) = find(&table, number) {
                        // More than 256, so that the count of packets runs over.
                        (0..300).for_each(|_| table.count(slot, direction, octets));
                    }
                    twin.entry(number).and_modify(|entry| {
                        let volume = &mut entry.volumes[direction as usize];
                        volume.packets += 300;
                        volume.octets += 300 * u64::from(octets);
                    });
                }
                Act::Wait(nanoseconds) => {
                    now = now + Duration::from_nanos(nanoseconds);
                    table.advance(now);
                    expire(&mut table, &mut twin, now)?;
                    // All places were gone through.
                    let left = twin.values().all(|entry| entry.last + PATIENCE + Duration::from_millis(2) > now);
                    prop_assert!(left || nanoseconds < 1_000_000_000);
                }
                Act::Evict => {
                    let victim = table.victim();
                    prop_assert_eq!(victim.is_some(), !twin.is_empty());
                    if let Some(slot) = victim {
                        let session = table.session(slot).0 & 0xffff_ffff;
                        let (&number, entry) =
                            twin.iter().find(|(_, entry)| entry.session == session).expect("it is there");
                        let least = twin.values().map(|entry| class(entry.state)).min();
                        prop_assert_eq!(Some(class(entry.state)), least);
                        // No more than are looked at: then it is the one silent for longest of all. Who waits for an answer
                        // goes in turn.
                        let waits = matches!(class(entry.state), 1 | 2);
                        let others = twin.values().filter(|entry| Some(class(entry.state)) == least);
                        let oldest = others.clone().map(|entry| millis_above(entry.last)).min();
                        prop_assert!(waits || others.count() > 16 || Some(millis_above(entry.last)) == oldest);
                        table.remove(slot);
                        twin.remove(&number);
                    }
                }
            }
            check(&mut table, &twin)?;
        }
    }
}

/// Lets the sweep go on until it has nothing more; what it takes must be over, what it leaves must not be.
fn expire(table: &mut Table, twin: &mut Twin, now: Nanos) -> Result<(), TestCaseError> {
    let mut idle = 0;
    while idle < 4 {
        let before = twin.len();
        let mut batch = Vec::new();
        table.due(7, |slot| {
            batch.push(slot);
            batch.len() < 4
        });
        for slot in batch.into_iter().take(3) {
            let last = twin.values().find(|entry| SessionId(7 << 48 | entry.session) == table.session(slot));
            let over = last.is_some_and(|entry| entry.last + PATIENCE <= now);
            // A millisecond that has begun counts.
            prop_assert!(over || !table.is_silent(slot, PATIENCE.into()));
            if !table.is_silent(slot, PATIENCE.into()) {
                table.schedule(slot, PATIENCE.into());
                continue;
            }
            table.prefetch_removal(slot);
            let session = table.session(slot);
            table.remove(slot);
            twin.retain(|_, entry| SessionId(7 << 48 | entry.session) != session);
        }
        idle = if before == twin.len() { idle + 1 } else { 0 };
    }
    Ok(())
}

/// The time after which nothing may be left of what is over.
#[test]
fn what_is_over_is_gone_within_a_second() {
    let mut table = Table::new(WorkerId(0), 1000, 1);
    let begun = Nanos::from_parts(1_800_000_000, 999_999_999);
    table.advance(begun);
    for number in 0..40 {
        let key = key(number);
        table.insert(table.hash(&key), &key, Record::new(&key, End::Low), PATIENCE.into()).unwrap();
    }
    let mut twin = Twin::new();
    for step in (0..=60_000).step_by(10) {
        table.advance(begun + Duration::from_millis(step));
        expire(&mut table, &mut twin, begun + Duration::from_millis(step)).unwrap();
        assert_eq!(table.len(), 40);
    }
    for step in 1..=1001 {
        table.advance(begun + PATIENCE + Duration::from_millis(step));
        let mut found = Vec::new();
        table.due(100, |slot| {
            found.push(slot);
            true
        });
        for slot in found {
            assert!(table.is_silent(slot, PATIENCE.into()));
            table.remove(slot);
        }
    }
    assert!(table.is_empty());
}

#[test]
fn a_flow_with_a_sign_on_gives_way_only_after_a_silence() {
    let mut table = Table::new(WorkerId(0), 2, 1);
    let now = Nanos::from_parts(1_800_000_000, 0);
    table.advance(now);
    for number in 1..3 {
        let key = key(number);
        let mut record = Record::new(&key, End::Low);
        record.set_state(State::Established);
        record.set(Flags::SIGNED_ON, true);
        table.insert(table.hash(&key), &key, record, PATIENCE.into()).unwrap();
    }
    table.advance(now + Duration::from_secs(59));
    assert_eq!(table.victim(), None);
    table.advance(now + Duration::from_secs(60));
    assert!(table.victim().is_some());
}

/// A session of ten million takes 128 octets at most, of all that is allocated for it.
#[test]
fn an_entry_takes_128_octets_all_in() {
    let capacity = 1_000_000;
    let table = Table::new(WorkerId(0), capacity, 1);
    // Ten arrays, each rounded up to whole pages, are more at a million than at ten.
    let rounding = 10 * (2 << 20);
    assert!(table.octets() <= 128 * capacity + rounding, "{}", table.octets());
    assert_eq!(Table::octets_for(capacity), table.octets());
    assert!(Table::octets_for(10_000_000) <= 1_280_000_000, "{}", Table::octets_for(10_000_000));
}

#[test]
fn inspections_are_kept_beside_the_table() {
    let mut table = Table::new(WorkerId(0), 8, 3);
    let slots: Vec<Slot> = (0..5)
        .map(|number| {
            table
                .insert(table.hash(&key(number)), &key(number), Record::new(&key(number), End::Low), PATIENCE.into())
                .unwrap()
        })
        .collect();
    for (id, slot) in slots.iter().take(3).enumerate() {
        table.set_identification(*slot, Identification::Running(InspectionId(id as u32)));
    }
    // The engine has no such slot.
    table.set_identification(slots[3], Identification::Running(InspectionId(3)));
    let stages = |table: &Table| slots.iter().map(|slot| table.identification(*slot)).collect::<Vec<_>>();
    let running = |id| Identification::Running(InspectionId(id));
    let (over, none) = (Identification::Over, Identification::NotBegun);
    assert_eq!(stages(&table), [running(0), running(1), running(2), over, none]);
    table.set_identification(slots[1], Identification::NotBegun);
    table.set_identification(slots[4], running(1));
    table.set_identification(slots[2], running(2));
    assert_eq!(stages(&table), [running(0), none, running(2), over, running(1)]);
    table.remove(slots[0]);
    table.set_identification(slots[1], running(0));
    assert_eq!(table.identification(slots[1]), running(0));
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
            let Step::Pass(next) = track.step(state, direction, &segment, Window::Strict) else { panic!("{segment:?}") };
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
            let step = track.step(state, directions[from], &segment, Window::Strict);
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
            track.step(state, directions[host], &segment, Window::Strict)
        };
        prop_assert_eq!(close(0, &mut track, state), Step::Pass(State::HalfClosed));
        prop_assert_eq!(close(1, &mut track, State::HalfClosed), Step::Pass(State::Closing));
        for (host, last) in [(0, Step::Pass(State::Closing)), (1, Step::Close(CloseReason::Fin))] {
            let mut segment = hosts[host].segment(ACK, hosts[host].next.wrapping_add(1), 0);
            segment.acknowledgment = hosts[1 - host].next.wrapping_add(1);
            prop_assert_eq!(track.step(State::Closing, directions[host], &segment, Window::Strict), last);
        }
    }
}

#[test]
fn the_counts_of_ipv6_stay_where_they_end() {
    let mut table = Table::new(WorkerId(0), 1, 1);
    table.advance(Nanos::from_parts(1_800_000_000, 0));
    for (number, end) in [(0, Some((1 << 48) - 1)), (1, None)] {
        let key = key(number);
        let slot = table.insert(table.hash(&key), &key, Record::new(&key, End::Low), PATIENCE.into()).unwrap();
        for packets in 1..=70_000_u64 {
            table.count(slot, Direction::ToClient, u32::MAX);
            let sum = packets * u64::from(u32::MAX);
            let octets = end.map_or(sum, |end| sum.min(end));
            assert_eq!(table.volume(slot, Direction::ToClient), Volume { packets, octets });
        }
        table.count(slot, Direction::ToServer, 1);
        assert_eq!(table.volume(slot, Direction::ToServer), Volume { packets: 1, octets: 1 });
        table.remove(slot);
    }
}
