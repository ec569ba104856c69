//! What happens to records between being pushed and being acknowledged.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::export::{Format, Target, Transport, WindowLimits};
use crate::presence::access::AccessAction;
use crate::record::audit::AuditEvent;
use crate::record::{Body, sample};

pub(super) fn record(class: Class, sequence: u64) -> Arc<Record> {
    let mut record = match class {
        Class::Session => sample::create(sample::flow_v4()),
        Class::Im => sample::login("10001"),
        Class::Attack => sample::attack(sample::flow_v4()),
        Class::Access => sample::access(AccessAction::Login),
        Class::CallStatus => sample::access(AccessAction::Result { success: false }),
        Class::Audit => sample::audit(AuditEvent::LoginFailed),
    };
    record.sequence = sequence;
    Arc::new(record)
}

pub(super) fn configuration(capacity: usize, relp: bool) -> HostConfig {
    let target = Target::Address(([127, 0, 0, 1], 514).into());
    let records = Class::ALL.map(|class| (class, Format::Syslog)).to_vec();
    let transport = if relp { Transport::Relp } else { Transport::Tcp };
    let window = WindowLimits { frames: 5, reserve: 300, ..WindowLimits::default() };
    HostConfig { queue: capacity, window, ..HostConfig::new("siem", target, transport, records) }
}

fn backlog(capacity: usize) -> Backlog {
    Backlog::new(&configuration(capacity, false))
}

fn copy(matter: &Matter) -> Record {
    match matter {
        Matter::Record(record) => Record::clone(record),
        Matter::Payload(_) => panic!("nothing is spooled"),
    }
}

/// Takes, writes and acknowledges everything; gives what the host got.
fn drain(backlog: &mut Backlog) -> Vec<Record> {
    let mut got = Vec::new();
    loop {
        backlog.say_losses(Instant::now(), true);
        let Some(record) = backlog.front().map(copy) else { return got };
        backlog.take();
        backlog.written(1, 100, Some(Until::Position(0)), Instant::now());
        backlog.acknowledged(0, Instant::now());
        got.push(record);
    }
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.sequence).collect()
}

fn dropped(cause: Cause, count: u64) -> [u64; Cause::COUNT] {
    Cause::ALL.map(|one| if one == cause { count } else { 0 })
}

#[test]
fn a_full_queue_says_what_it_lost_once_there_is_room() {
    let mut backlog = backlog(3);
    (1..=10).for_each(|sequence| backlog.push(&record(Class::Session, sequence)));
    backlog.say_losses(Instant::now(), true);
    let got = drain(&mut backlog);
    assert_eq!(numbers(&got), [1, 2, 3, 4]);
    let Body::Loss(loss) = &got[3].body else { panic!("a loss") };
    assert_eq!((loss.count, &loss.place), (7, &LossPlace::Host("siem".into())));
    assert_eq!((loss.sequences, loss.reason), (Some((4, 10)), LossReason::Host(Cause::QueueFull)));
    let dropped = dropped(Cause::QueueFull, 7);
    let counts = Counts { generated: 10, sent: 3, acknowledged: 3, dropped, losses_said: 1, ..Counts::default() };
    assert_eq!(backlog.counts(Class::Session), counts);
}

#[test]
fn a_sign_on_takes_the_place_of_a_session_record() {
    let mut backlog = backlog(2);
    backlog.push(&record(Class::Session, 1));
    backlog.push(&record(Class::Session, 2));
    backlog.push(&record(Class::Im, 3));
    backlog.push(&record(Class::Im, 4));
    backlog.push(&record(Class::Im, 5));
    let got: Vec<(u64, Class)> = drain(&mut backlog).iter().map(|r| (r.sequence, r.body.class())).collect();
    assert_eq!(got, [(3, Class::Im), (4, Class::Im), (1, Class::Session), (5, Class::Im)]);
    assert_eq!(backlog.counts(Class::Session).dropped(), 2);
    assert_eq!(backlog.counts(Class::Im).dropped(), 1);
}

#[test]
fn what_a_connection_took_is_written_again_first() {
    let mut backlog = backlog(9);
    (1..=4).for_each(|sequence| backlog.push(&record(Class::Im, sequence)));
    (0..3).for_each(|_| backlog.take());
    let now = Instant::now();
    backlog.written(2, 200, Some(Until::Position(200)), now);
    let counts = Counts { generated: 4, sent: 2, queued: 4, unacknowledged: 2, ..Counts::default() };
    assert_eq!(backlog.counts(Class::Im), counts);
    backlog.acknowledged(200, now);
    backlog.broke();
    backlog.broke();
    assert_eq!(numbers(&drain(&mut backlog)), [1, 2, 3, 4]);
    let counts = Counts { generated: 4, sent: 4, acknowledged: 4, resent: 2, ..Counts::default() };
    assert_eq!(backlog.counts(Class::Im), counts);
    backlog.acknowledged(0, now + Duration::from_secs(3_600));
    backlog.broke();
    assert!(backlog.is_empty());
}

#[test]
fn giving_up_counts_what_is_left() {
    let mut backlog = backlog(2);
    (1..=5).for_each(|sequence| backlog.push(&record(Class::Im, sequence)));
    backlog.take();
    let left = backlog.give_up(sample::TIME);
    let left: Vec<_> = left.into_iter().map(|loss| (loss.count, loss.place, loss.sequences)).collect();
    let shutdown = (2, LossPlace::Shutdown("siem".into()), Some((1, 2)));
    assert_eq!(left, [shutdown, (3, LossPlace::Host("siem".into()), Some((3, 5)))]);
    let counts = backlog.counts(Class::Im);
    assert_eq!((counts.generated, counts.dropped_by(Cause::Shutdown), counts.dropped()), (5, 2, 5));
    assert!(counts.holds());
}

#[derive(Clone, Debug)]
enum Step {
    Push(Class),
    LeaveOut(Class),
    Take,
    Written(usize),
    Acknowledged(u64),
    Broke,
    Say,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::sample::select(Class::ALL.to_vec()).prop_map(Step::Push),
        1 => prop::sample::select(Class::ALL.to_vec()).prop_map(Step::LeaveOut),
        4 => Just(Step::Take),
        2 => (1..5_usize).prop_map(Step::Written),
        2 => (0..5_u64).prop_map(Step::Acknowledged),
        1 => Just(Step::Broke),
        2 => Just(Step::Say),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: the law holds, what waits is bounded, and in the end the host has every record
    /// that was not dropped, and was told of exactly those that were.
    #[test]
    fn no_record_is_unaccounted_for(steps in prop::collection::vec(step(), 0..300), capacity in 1..12_usize) {
        let mut backlog = backlog(capacity);
            let (mut sequence, mut got, mut taken) = (0, Vec::new(), VecDeque::new());
        let (mut position, mut acknowledged) = (0, 0);
        let now = Instant::now();
        for step in steps {
            match step {
                Step::Push(class) => {
                    sequence += 1;
                    backlog.push(&record(class, sequence));
                }
                Step::LeaveOut(class) => {
                        sequence += 1;
                        backlog.leave_out(&record(class, sequence), Cause::Uncarried);
                    }
                Step::Take => {
                    taken.extend(backlog.front().map(copy));
                    backlog.take();
                }
                Step::Written(count) => {
                    let count = count.min(taken.len());
                    got.extend(taken.drain(..count));
                    position += count as u64 * 100;
                    backlog.written(count, count * 100, Some(Until::Position(position)), now);
                }
                Step::Acknowledged(records) => {
                    acknowledged = (acknowledged + records * 100).min(position);
                    backlog.acknowledged(acknowledged, now);
                }
                Step::Broke => {
                    taken.clear();
                    (position, acknowledged) = (0, 0);
                    backlog.broke();
                }
                Step::Say => backlog.say_losses(Instant::now(), true),
            }
            let mut waiting_all = 0;
            for class in Class::ALL {
                let counts = backlog.counts(class);
                prop_assert!(counts.holds(), "{counts:?}");
                let waiting = backlog.waiting(class, 0..u64::MAX);
                let places = waiting.iter().map(|(place, _)| *place);
                prop_assert!(places.eq(counts.sent..counts.sent + waiting.len() as u64));
                let numbers = || waiting.iter().map(|(_, record)| record.sequence);
                prop_assert!(numbers().zip(numbers().skip(1)).all(|(one, next)| one < next));
                let third = counts.sent + 2;
                let one: Vec<u64> = backlog.waiting(class, third..third + 1).iter().map(|(_, r)| r.sequence).collect();
                prop_assert_eq!(one, numbers().skip(2).take(1).collect::<Vec<_>>());
                waiting_all += waiting.len();
            }
            prop_assert_eq!(waiting_all as u64, backlog.unsent.iter().sum::<u64>());
            prop_assert!(waiting_all <= capacity);
        }
        backlog.broke();
        got.extend(drain(&mut backlog));
        for class in Class::ALL {
            let counts = backlog.counts(class);
            let of_class = || got.iter().filter(|record| record.body.class() == class);
            let distinct: std::collections::BTreeSet<u64> =
                of_class().filter(|r| !matches!(r.body, Body::Loss(_))).map(|r| r.sequence).collect();
            prop_assert_eq!(distinct.len() as u64, counts.sent);
            prop_assert_eq!((counts.sent, counts.queued), (counts.acknowledged, 0));
            let losses: std::collections::BTreeMap<u64, u64> = of_class()
                .filter_map(|r| if let Body::Loss(loss) = &r.body { Some((r.sequence, loss.count)) } else { None })
                .collect();
            prop_assert_eq!(losses.values().sum::<u64>(), counts.dropped());
            prop_assert!(losses.keys().all(|sequence| !distinct.contains(sequence)));
        }
    }
}
