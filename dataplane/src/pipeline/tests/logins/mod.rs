//! A login reads the same however its packets are cut, mixed, repeated, contradicted, forged beside, fragmented and wrapped.

mod line;
mod quic;
mod said;
mod samples;

use proptest::prelude::*;

use self::line::{Cut, Line, Manner, Order, Records, Trick, Untaken, Wrapping, manner, trick, wrappings};
use self::said::{Login, logins};

const UNWRAPPED: Wrapping = Wrapping { is_v6: false, is_extended: false, shims: vec![] };

/// What a login shows that nobody meddles with.
fn plainly(login: &Login) -> Records {
    Line::new(&UNWRAPPED, Manner::PLAIN, login.port).play(login, &[Trick::plain(1_400)])
}

fn played(login: &Login, wrapping: &Wrapping, tricks: &[Trick]) -> Records {
    Line::new(wrapping, Manner::PLAIN, login.port).play(login, tricks)
}

#[test]
fn every_login_shows_what_it_should() {
    let shown = logins().into_iter().map(|login| (login.name, plainly(&login), login.shows));
    let wrong: Vec<_> = shown.filter(|(_, records, shows)| records != shows).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn wrapped_it_shows_the_same() {
    for login in logins() {
        for wrapping in wrappings() {
            assert_eq!(played(&login, &wrapping, &[Trick::plain(1_400)]), login.shows, "{} {wrapping:?}", login.name);
        }
    }
}

/// A login with one of its turns cut in two, which come in order or not; wrapped by turns in all ways.
#[test]
fn cut_at_any_octet_it_shows_the_same() {
    let wrappings = wrappings();
    for login in logins().into_iter().filter(|login| login.is_tcp) {
        for (turn, (_, octets)) in login.turns.iter().enumerate() {
            let whole = Trick::plain(1_400);
            let pieces = |octets: &Vec<u8>| octets.len().div_ceil(1_400);
            let before: usize = login.turns[..turn].iter().map(|(_, octets)| pieces(octets)).sum();
            for at in 1..octets.len().min(1_400) {
                let late = usize::from(at % 2 == 0) * 2;
                let mut tricks = vec![whole; before];
                tricks.extend([Trick { late, ..Trick::plain(at) }, whole]);
                tricks.extend(vec![whole; 20]);
                let wrapping = &wrappings[at % wrappings.len()];
                assert_eq!(played(&login, wrapping, &tricks), login.shows, "{} turn {turn} at {at}", login.name);
            }
        }
    }
}

#[test]
fn octet_by_octet_it_shows_the_same() {
    let one = Trick::plain(1);
    let disorders = [vec![one], vec![Trick { late: 2, ..one }, one], vec![Trick { late: 7, ..one }, one, one, one]];
    let others = [
        vec![Trick { again: true, acknowledged: true, ..one }],
        vec![Trick { forged: true, ..one }],
        vec![Trick { urgent: true, ..one }],
        vec![Trick { back: 3, ..Trick::plain(2) }],
    ];
    for login in logins().into_iter().filter(|login| login.is_tcp) {
        for tricks in disorders.iter().chain(&others) {
            assert_eq!(played(&login, &UNWRAPPED, tricks), login.shows, "{} {tricks:?}", login.name);
        }
    }
}

#[test]
fn what_nobody_takes_changes_nothing() {
    use Untaken::{Checksum, Fin, Hops, Overlap, Reset, Window};
    for login in logins() {
        for untaken in [Checksum, Hops, Window, Reset, Fin, Overlap] {
            let tricks = [Trick { untaken: Some(untaken), ..Trick::plain(50) }];
            for wrapping in &wrappings()[..3] {
                assert_eq!(played(&login, wrapping, &tricks), login.shows, "{} {untaken:?}", login.name);
            }
        }
    }
}

#[test]
fn in_fragments_of_any_size_it_shows_the_same() {
    let wrappings = wrappings();
    for login in logins() {
        for units in 1..40 {
            for order in [Order::Forward, Order::Backward, Order::Turned] {
                let cut = Cut { size: units * 8, order, twice: units % 4 == 0 };
                let tricks = [Trick { fragments: Some(cut), ..Trick::plain(1_200) }];
                let wrapping = &wrappings[units % wrappings.len()];
                assert_eq!(played(&login, wrapping, &tricks), login.shows, "{} {cut:?}", login.name);
            }
        }
    }
}

#[test]
fn a_server_name_is_found_whichever_packet_of_a_hello_comes_first() {
    let quic = logins().into_iter().find(|login| login.name == "QUIC").unwrap();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let turns = order.map(|packet| quic.turns[packet].clone());
        // Each comes twice, and so does what nobody can open.
        let turns = turns.iter().flat_map(|turn| [turn.clone(), turn.clone()]).collect();
        assert_eq!(plainly(&Login { turns, ..quic.clone() }), quic.shows, "{order:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_login_shows_the_same_records(
        login in prop::sample::select(logins()),
        wrapping in prop::sample::select(wrappings()),
        manner in manner(),
        tricks in prop::collection::vec(trick(), 1..40),
    ) {
        let records = Line::new(&wrapping, manner, login.port).play(&login, &tricks);
        prop_assert_eq!(records, login.shows);
    }
}
