//! What becomes of records on their way, by example and at random.

use proptest::prelude::*;

use super::*;
use crate::presence::access::AccessAction;
use crate::record::sample;

fn record(class: Class, sequence: u64) -> Arc<Record> {
    let mut record = match class {
        Class::Session => sample::create(sample::flow_v4()),
        Class::Im => sample::login("10001"),
        Class::Attack => sample::attack(sample::flow_v4()),
        Class::Access => sample::access(AccessAction::Login),
        Class::CallStatus => sample::access(AccessAction::Result { success: false }),
    };
    record.sequence = sequence;
    Arc::new(record)
}

/// Takes and writes everything; gives what the host got.
fn drain(backlog: &mut Backlog) -> Vec<Record> {
    let mut got = Vec::new();
    loop {
        backlog.say_losses();
        let Some(record) = backlog.front().cloned() else { return got };
        backlog.take();
        backlog.written(1, Instant::now());
        got.push(record);
    }
}

#[test]
fn a_full_queue_says_what_it_lost_once_there_is_room() {
    let mut backlog = Backlog::new("siem".into(), 3, true);
    (1..=10).for_each(|sequence| backlog.push(&record(Class::Session, sequence)));
    backlog.say_losses();
    let got = drain(&mut backlog);
    assert_eq!(got.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let Body::Loss(loss) = &got[3].body else { panic!("a loss") };
    assert_eq!((loss.count, &loss.place), (7, &LossPlace::Host("siem".into())));
    let counts = Counts { pushed: 10, sent: 3, dropped: 7, losses_said: 1, ..Counts::default() };
    assert_eq!(backlog.counts(Class::Session), counts);
}

#[test]
fn a_sign_on_takes_the_place_of_a_session_record() {
    let mut backlog = Backlog::new("siem".into(), 2, true);
    backlog.push(&record(Class::Session, 1));
    backlog.push(&record(Class::Session, 2));
    backlog.push(&record(Class::Im, 3));
    backlog.push(&record(Class::Im, 4));
    backlog.push(&record(Class::Im, 5));
    let got: Vec<(u64, Class)> = drain(&mut backlog).iter().map(|r| (r.sequence, r.body.class())).collect();
    assert_eq!(got, [(3, Class::Im), (4, Class::Im), (2, Class::Session), (5, Class::Im)]);
    assert_eq!(backlog.counts(Class::Session).dropped, 2);
    assert_eq!(backlog.counts(Class::Im).dropped, 1);
}

#[test]
fn what_a_connection_took_is_written_again_first() {
    let mut backlog = Backlog::new("siem".into(), 9, true);
    (1..=4).for_each(|sequence| backlog.push(&record(Class::Im, sequence)));
    backlog.take();
    backlog.take();
    backlog.take();
    backlog.written(2, Instant::now());
    backlog.broke();
    backlog.broke();
    assert_eq!(drain(&mut backlog).iter().map(|record| record.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let counts = Counts { pushed: 4, sent: 4, resent: 2, ..Counts::default() };
    assert_eq!(backlog.counts(Class::Im), counts);
    backlog.expire(Instant::now() + WINDOW_AGE * 2);
    backlog.broke();
    assert!(backlog.is_empty());
}

#[test]
fn giving_up_counts_what_is_left() {
    let mut backlog = Backlog::new("siem".into(), 2, true);
    (1..=5).for_each(|sequence| backlog.push(&record(Class::Im, sequence)));
    backlog.take();
    let left = backlog.give_up(sample::TIME);
    let left: Vec<(u64, LossPlace)> = left.into_iter().map(|loss| (loss.count, loss.place)).collect();
    assert_eq!(left, [(2, LossPlace::Shutdown("siem".into())), (3, LossPlace::Host("siem".into()))]);
    assert_eq!(backlog.counts(Class::Im), Counts { pushed: 5, dropped: 5, ..Counts::default() });
}

#[derive(Clone, Debug)]
enum Step {
    Push(Class),
    LeaveOut(Class),
    Take,
    Written(usize),
    Broke,
    Say,
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::sample::select(Class::ALL.to_vec()).prop_map(Step::Push),
        1 => prop::sample::select(Class::ALL.to_vec()).prop_map(Step::LeaveOut),
        4 => Just(Step::Take),
        2 => (1..5_usize).prop_map(Step::Written),
        1 => Just(Step::Broke),
        2 => Just(Step::Say),
        1 => Just(Step::Expire),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: pushed = sent + dropped + queued + uncarried, the queue is bounded, and in the end the
    /// host has every record that was not dropped, and was told of exactly those that were.
    #[test]
    fn no_record_is_unaccounted_for(steps in prop::collection::vec(step(), 0..300), capacity in 1..12_usize) {
        let mut backlog = Backlog::new("siem".into(), capacity, true);
        let (mut sequence, mut got, mut taken) = (0, Vec::new(), VecDeque::new());
        let now = Instant::now();
        for step in steps {
            match step {
                Step::Push(class) => {
                    sequence += 1;
                    backlog.push(&record(class, sequence));
                }
                Step::LeaveOut(class) => backlog.leave_out(class),
                Step::Take => {
                    taken.extend(backlog.front().cloned());
                    backlog.take();
                }
                Step::Written(count) => {
                    let count = count.min(taken.len());
                    got.extend(taken.drain(..count));
                    backlog.written(count, now);
                }
                Step::Broke => {
                    taken.clear();
                    backlog.broke();
                }
                Step::Say => backlog.say_losses(),
                Step::Expire => backlog.expire(now + WINDOW_AGE * 2),
            }
            let mut queued = 0;
            for class in Class::ALL {
                let counts = backlog.counts(class);
                prop_assert_eq!(counts.pushed, counts.sent + counts.dropped + counts.queued + counts.uncarried);
                let waiting = backlog.waiting(class, 0..u64::MAX);
                let places = waiting.iter().map(|(place, _)| *place);
                prop_assert!(places.eq(counts.sent..counts.sent + counts.queued));
                let numbers = || waiting.iter().map(|(_, record)| record.sequence);
                prop_assert!(numbers().zip(numbers().skip(1)).all(|(one, next)| one < next));
                let third = counts.sent + 2;
                let one: Vec<u64> = backlog.waiting(class, third..third + 1).iter().map(|(_, r)| r.sequence).collect();
                prop_assert_eq!(one, numbers().skip(2).take(1).collect::<Vec<_>>());
                queued += counts.queued;
            }
            let owed = backlog.again.iter().chain(&backlog.taken).chain(backlog.waiting.iter().flatten());
            let counted = owed.filter(|owed| !owed.own && !owed.sent).count();
            prop_assert_eq!((counted, counted as u64), (backlog.queued, queued));
            prop_assert!(counted <= capacity);
        }
        backlog.broke();
        got.extend(drain(&mut backlog));
        for class in Class::ALL {
            let counts = backlog.counts(class);
            let of_class = || got.iter().filter(|record| record.body.class() == class);
            let distinct: std::collections::BTreeSet<u64> =
                of_class().filter(|r| !matches!(r.body, Body::Loss(_))).map(|r| r.sequence).collect();
            prop_assert_eq!(distinct.len() as u64, counts.sent);
            let losses: std::collections::BTreeMap<u64, u64> = of_class()
                .filter_map(|r| if let Body::Loss(loss) = &r.body { Some((r.sequence, loss.count)) } else { None })
                .collect();
            prop_assert_eq!(losses.values().sum::<u64>(), counts.dropped);
            prop_assert!(losses.keys().all(|sequence| !distinct.contains(sequence)));
        }
    }
}
