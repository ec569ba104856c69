//! Streams cut, mixed and repeated in every way.

use proptest::prelude::*;

use super::*;

/// Messages of one length octet and as many octets.
fn reader(messages: &mut Vec<Vec<u8>>) -> impl FnMut(&[u8]) -> Step {
    |octets: &[u8]| {
        let length = usize::from(octets[0]) + 1;
        match octets.get(..length) {
            Some(message) => {
                messages.push(message.to_vec());
                Step::Consumed(length)
            }
            None => Step::More,
        }
    }
}

fn stream(lengths: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let messages: Vec<Vec<u8>> =
        lengths.iter().map(|&n| std::iter::once(n).chain((0..n).map(|i| i ^ n)).collect()).collect();
    (messages.concat(), messages)
}

/// What is done with a segment besides sending it.
#[derive(Clone, Copy, Debug)]
struct Trick {
    /// By how many segments it is late.
    late: usize,
    /// It is sent again, with the same octets.
    again: bool,
    /// It is sent again with another content from this octet on.
    forged: Option<usize>,
    /// The other side acknowledges all that it has.
    acknowledged: bool,
}

fn trick() -> impl Strategy<Value = Trick> {
    let forged = prop::option::weighted(0.3, 0..80_usize);
    (prop_oneof![3 => Just(0), 1 => 0..8_usize], prop::bool::weighted(0.2), forged, prop::bool::weighted(0.1))
        .prop_map(|(late, again, forged, acknowledged)| Trick { late, again, forged, acknowledged })
}

proptest! {
    #[test]
    fn any_cut_disorder_and_repetition_reads_the_same(
        lengths in prop::collection::vec(0u8..90, 1..40),
        cuts in prop::collection::vec(1usize..70, 1..80),
        tricks in prop::collection::vec(trick(), 80),
        start in any::<u32>(),
        refused: bool,
    ) {
        let (octets, expected) = stream(&lengths);
        let mut segments = Vec::new();
        let mut at = 0;
        for (number, cut) in cuts.iter().cycle().enumerate() {
            if at >= octets.len() { break }
            let end = (at + cut).min(octets.len());
            let trick = tricks[number % tricks.len()];
            segments.push((number + trick.late, at, end, trick));
            at = end;
        }
        segments.sort_by_key(|segment| segment.0);
        let mut pool = Pool::new(1);
        let mut half = Half::default();
        let mut messages = Vec::new();
        let mut received = vec![false; octets.len()];
        let have = |received: &[bool]| received.iter().take_while(|octet| **octet).count();
        let number = |at: usize| start.wrapping_add(1).wrapping_add(at as u32);
        {
            let mut read = reader(&mut messages);
            half.segment(&mut pool, start, true, &[], refused, &mut read).unwrap();
            let mut acknowledged = 0;
            for &(_, from, to, trick) in &segments {
                half.segment(&mut pool, number(from), false, &octets[from..to], refused, &mut read).unwrap();
                received[from..to].fill(true);
                if trick.acknowledged {
                    acknowledged = have(&received);
                    half.acknowledge(&mut pool, number(acknowledged));
                }
                if trick.again {
                    half.segment(&mut pool, number(from), false, &octets[from..to], refused, &mut read).unwrap();
                }
                if let Some(place) = trick.forged {
                    let mut forged = octets[from..to].to_vec();
                    let place = place % forged.len();
                    forged[place..].iter_mut().for_each(|octet| *octet ^= 0x55);
                    let taken = half.segment(&mut pool, number(from), false, &forged, refused, &mut read);
                    // As long as nothing is acknowledged, one octet may be a keepalive's.
                    if to - from > 1 || acknowledged > 0 {
                        prop_assert_eq!(taken.is_err(), refused && to > acknowledged);
                    }
                }
            }
        }
        prop_assert_eq!(messages, expected);
        half.acknowledge(&mut pool, number(octets.len()));
        prop_assert_eq!(pool.in_use(), 0);
    }

    /// Whatever comes, nothing panics, no octet is read twice, and the buffer comes back.
    #[test]
    fn any_segments_do_no_harm(
        segments in prop::collection::vec((0..12_000_u32, 0..6_000_usize, any::<bool>(), prop::option::of(0..12_000_u32)), 0..60),
        start in any::<u32>(),
        buffers in 0..2_usize,
        from_start: bool,
    ) {
        let mut pool = Pool::new(buffers);
        let mut half = Half::default();
        let mut read = 0;
        let mut count = |octets: &[u8]| {
            let length = usize::from(octets[0] % 7) * 100 + 1;
            match octets.len() {
                held if held < length => Step::More,
                _ if octets[0] == 3 => Step::Resync,
                _ => { read += length; Step::Consumed(length) }
            }
        };
        half.segment(&mut pool, start, from_start, &[], true, &mut count).unwrap();
        for (at, length, refused, acknowledged) in segments {
            let octets: Vec<u8> = (0..length).map(|n| ((at as usize + n) / 97) as u8).collect();
            let sequence = start.wrapping_add(1).wrapping_add(at);
            let taken = half.segment(&mut pool, sequence, false, &octets, refused, &mut count).unwrap();
            prop_assert_eq!(taken.progress, None);
            if let Some(number) = acknowledged {
                half.acknowledge(&mut pool, start.wrapping_add(1).wrapping_add(number));
            }
        }
        prop_assert!(read <= 18_000, "{read} of 18,000 octets");
        half.forget(&mut pool);
        prop_assert_eq!(pool.in_use(), 0);
    }
}

#[test]
fn what_passed_unseen_is_never_read() {
    let mut pool = Pool::new(1);
    let mut half = Half::default();
    let mut messages = Vec::new();
    {
        let mut read = reader(&mut messages);
        half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
        // Far ahead, where it cannot be kept; then what comes before, and something else in its place.
        half.segment(&mut pool, 5_001, false, &[1, 9, 1, 9], true, &mut read).unwrap();
        for n in 0..500 {
            half.segment(&mut pool, 1 + 10 * n, false, &[9; 10], true, &mut read).unwrap();
        }
        half.segment(&mut pool, 5_001, false, &[1, 6, 1, 6], true, &mut read).unwrap();
        half.segment(&mut pool, 5_005, false, &[1, 7], true, &mut read).unwrap();
    }
    assert_eq!(messages.len(), 501);
    assert_eq!(messages.last(), Some(&vec![1, 7]));
}

#[test]
fn holes_that_close_again_and_again_are_each_waited_for() {
    let message: Vec<u8> = (0..2_000).map(|n| n as u8).collect();
    let (mut pool, mut half) = (Pool::new(1), Half::default());
    let mut seen = 0;
    let mut read = |octets: &[u8]| {
        seen = octets.len();
        if seen == 2_000 { Step::Consumed(seen) } else { Step::More }
    };
    half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
    for n in (0..2_000).step_by(2) {
        for at in [n + 1, n] {
            half.segment(&mut pool, 1 + at as u32, false, &message[at..=at], true, &mut read).unwrap();
        }
    }
    assert_eq!(seen, 2_000);
}

#[test]
fn a_hole_that_the_receiver_has_is_given_up() {
    let mut pool = Pool::new(1);
    let mut half = Half::default();
    let mut messages = Vec::new();
    {
        let mut read = reader(&mut messages);
        half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
        half.segment(&mut pool, 101, false, &[1, 1], true, &mut read).unwrap();
        half.acknowledge(&mut pool, 103);
        half.segment(&mut pool, 103, false, &[1, 2], true, &mut read).unwrap();
        // The octet before the one that is due asks whether the other side lives.
        half.acknowledge(&mut pool, 105);
        half.segment(&mut pool, 104, false, &[0], true, &mut read).unwrap();
    }
    assert_eq!(messages, [vec![1, 1], vec![1, 2]]);
    assert_eq!(pool.in_use(), 0);
}

#[test]
fn a_long_message_is_skipped_without_being_kept() {
    let mut pool = Pool::new(1);
    let mut half = Half::default();
    let mut starts = Vec::new();
    let mut read = |octets: &[u8]| {
        starts.push(octets[0]);
        Step::Consumed(10_000)
    };
    half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
    half.segment(&mut pool, 1, false, &[1; 1000], true, &mut read).unwrap();
    half.acknowledge(&mut pool, 1001);
    assert_eq!(pool.in_use(), 0);
    for n in 1..10 {
        half.segment(&mut pool, 1 + n * 1000, false, &[2; 1000], true, &mut read).unwrap();
    }
    half.segment(&mut pool, 10_001, false, &[3; 10], true, &mut read).unwrap();
    assert_eq!(starts, [1, 3]);
}

#[test]
fn a_segment_longer_than_the_window_goes_behind_what_waits() {
    let lengths: Vec<u8> = (0..60).map(|n| 200 + n % 50).collect();
    let (octets, expected) = stream(&lengths);
    for first in [1, 7, 300] {
        let mut pool = Pool::new(1);
        let mut half = Half::default();
        let mut messages = Vec::new();
        {
            let mut read = reader(&mut messages);
            half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
            half.segment(&mut pool, 1, false, &octets[..first], true, &mut read).unwrap();
            half.segment(&mut pool, 1 + first as u32, false, &octets[first..], true, &mut read).unwrap();
        }
        assert!(messages == expected, "after {first} octets");
        half.acknowledge(&mut pool, 1 + octets.len() as u32);
        assert_eq!(pool.in_use(), 0);
    }
}

#[test]
fn a_hole_that_stays_is_given_up() {
    let mut pool = Pool::new(1);
    let mut half = Half::default();
    let mut messages = Vec::new();
    {
        let mut read = reader(&mut messages);
        half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
        half.segment(&mut pool, 500, false, &[1, 9], true, &mut read).unwrap();
        assert_eq!(pool.in_use(), 1);
        for n in 0..=u32::from(PATIENCE) {
            half.segment(&mut pool, 502 + 2 * n, false, &[1, n as u8], true, &mut read).unwrap();
        }
    }
    // So many of a segment; the rest at the next.
    let all: Vec<_> = std::iter::once(vec![1, 9]).chain((0..=PATIENCE).map(|n| vec![1, n])).collect();
    assert!(messages.len() >= MESSAGES_PER_SEGMENT && all.starts_with(&messages), "{messages:?}");
}

#[test]
fn without_a_buffer_the_next_segment_is_a_new_start() {
    let mut pool = Pool::new(0);
    let mut half = Half::default();
    let mut messages = Vec::new();
    {
        let mut read = reader(&mut messages);
        half.segment(&mut pool, 0, true, &[], true, &mut read).unwrap();
        half.segment(&mut pool, 1, false, &[5, 0, 0], true, &mut read).unwrap();
        half.segment(&mut pool, 4, false, &[1, 7], true, &mut read).unwrap();
    }
    assert_eq!(messages, [vec![1, 7]]);
}

/// Messages whose ends are passed over leave holes in what is kept: many of them, none acknowledged, cost no message.
#[test]
fn a_flight_of_messages_that_are_read_early_is_read_to_its_end() {
    let mut pool = Pool::new(1);
    let mut half = Half::default();
    let mut read = 0;
    // A message of 256 octets is told from its first six.
    let mut early = |octets: &[u8]| {
        if octets.len() < 6 {
            return Step::More;
        }
        read += 1;
        Step::Consumed(256)
    };
    half.segment(&mut pool, 0, true, &[], true, &mut early).unwrap();
    let octets = vec![7; 20 * 256];
    for (number, segment) in octets.chunks(97).enumerate() {
        half.segment(&mut pool, 1 + number as u32 * 97, false, segment, true, &mut early).unwrap();
    }
    assert_eq!(read, 20);
}

/// A server that answers a SYN twice, as if it had forgotten the first: the client agreed to the first number.
#[test]
fn a_second_syn_with_another_number_changes_nothing_once_the_first_is_acknowledged() {
    let (octets, expected) = stream(&[3, 5]);
    for (acknowledged, number) in [(true, 101), (false, 9001)] {
        let (mut pool, mut half, mut messages) = (Pool::new(1), Half::default(), Vec::new());
        {
            let mut read = reader(&mut messages);
            half.segment(&mut pool, 100, true, &[], true, &mut read).unwrap();
            if acknowledged {
                half.acknowledge(&mut pool, 101);
            }
            half.segment(&mut pool, 9000, true, &[], true, &mut read).unwrap();
            half.segment(&mut pool, number, false, &octets, true, &mut read).unwrap();
        }
        assert_eq!(half.start(), Some(number));
        assert_eq!(messages, expected);
    }
}
