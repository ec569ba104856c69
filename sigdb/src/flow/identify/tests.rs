//! What the sieve leaves, and what is shared between clues, against every clue by itself.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::Start;
use crate::automaton::opening::begins;
use crate::database::Database;
use crate::framing::Kind;
use crate::source::FileSource;
use crate::turns::Turns;

/// A message, and what is known of its flow.
#[derive(Clone, Debug)]
struct Shown {
    transport: Transport,
    server_port: u16,
    from: Sender,
    octets: Vec<u8>,
}

const SIGNATURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/signatures");

static SHIPPED: LazyLock<Database> = LazyLock::new(|| crate::compile_folder(Path::new(SIGNATURES)).unwrap());

/// All messages of all shipped samples.
static SAMPLES: LazyLock<Vec<Shown>> = LazyLock::new(|| {
    let files = std::fs::read_dir(SIGNATURES).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
    let parsed = texts.filter_map(|text| toml::from_str::<FileSource>(&text).ok());
    let mut shown = Vec::new();
    for sample in parsed.flat_map(|file| file.sample) {
        for piece in crate::sample::pieces(&sample).unwrap() {
            let (transport, server_port) = (sample.transport, sample.server_port);
            shown.push(Shown { transport, server_port, from: piece.from, octets: piece.octets });
        }
    }
    shown
});

type Held = Vec<((u16, u16), Outcome)>;

/// The slow twin: each clue whose first octet fits, with all decoders, a frame of its own, and no set of anything.
fn plainly(shown: &Shown, context: Context<'_>) -> Held {
    let (mut scratch, mut memory) = (Scratch::new(), Memory::default());
    let Shown { transport, from, octets, .. } = shown;
    let looks = Looks::of(*transport, &Kind::ALL, SHIPPED.names(), octets, &mut scratch, &mut memory);
    let mut held = Vec::new();
    for (index, protocol) in SHIPPED.program().protocols.iter().enumerate() {
        for (number, clue) in protocol.clues.iter().enumerate() {
            let sends = clue.from == Sender::Either || clue.from == *from;
            if protocol.transport != *transport || !sends || !begins(protocol, clue, octets[0]) {
                continue;
            }
            let outcome = fits(context, protocol, clue, octets, &looks, SHIPPED.names(), &mut None);
            held.push(((index as u16, number as u16), outcome));
        }
    }
    held.retain(|(_, outcome)| *outcome != Outcome::No);
    held
}

/// As [`FlowState::identify`] goes about it, up to what it makes of the outcomes; and how many clues it tried.
fn sieved(shown: &Shown, context: Context<'_>) -> (Held, usize) {
    let (mut scratch, mut memory) = (Scratch::new(), Memory::default());
    let Shown { transport, from, octets, server_port } = shown;
    let sifted = SHIPPED.sieve(*transport).sift(*from, *server_port, octets);
    let looks = Looks::of(*transport, &sifted.kinds(), SHIPPED.names(), octets, &mut scratch, &mut memory);
    let mut cut = Cut::default();
    let mut held = Vec::new();
    for (index, number) in sifted.left(&looks) {
        let protocol = SHIPPED.protocol(index).unwrap();
        let clue = &protocol.clues[usize::from(number)];
        let cut = cut.of(SHIPPED.framing(index));
        held.push(((index, number), fits(context, protocol, clue, octets, &looks, SHIPPED.names(), cut)));
    }
    let tried = held.len();
    held.retain(|(_, outcome)| *outcome != Outcome::No);
    (held, tried)
}

fn agree(shown: &Shown) -> Result<usize, TestCaseError> {
    if shown.octets.is_empty() {
        return Ok(0);
    }
    let turns = Turns::new();
    let context = Context { server_port: shown.server_port, turns: &turns };
    let (quickly, tried) = sieved(shown, context);
    prop_assert_eq!(quickly, plainly(shown, context));
    Ok(tried)
}

#[test]
fn samples_fit_the_same_clues_and_few_are_tried() {
    let tried: usize = SAMPLES.iter().map(|shown| agree(shown).unwrap()).sum();
    assert!(SAMPLES.len() > 100 && tried / SAMPLES.len() <= 24, "{tried} tried for {} messages", SAMPLES.len());
}

/// Segments of a flow met in its middle that are shown before it is given up.
fn shown_before_giving_up(database: &Database, octets: &[u8]) -> usize {
    let start = Start { transport: Transport::Tcp, server_port: 9, from_start: false, resolved: None };
    let (mut state, mut scratch, mut findings) = (FlowState::new(start), Scratch::new(), Findings::new());
    let mut read = || state.read(database, &mut scratch, 0, Sender::Client, octets, &mut findings);
    1 + std::iter::from_fn(|| (read() != Step::GaveUp).then_some(())).take(1_000).count()
}

#[test]
fn a_flow_is_given_up_after_so_many_segments_or_octets() {
    assert_eq!(shown_before_giving_up(&Database::default(), &[0xee; 1460]), usize::from(PATIENCE));
    for database in [&Database::default(), &*SHIPPED] {
        assert_eq!(shown_before_giving_up(database, &[0xee; WINDOW]), 8);
        // What lies behind the window is not looked at.
        assert_eq!(shown_before_giving_up(database, &[0xee; 16 * WINDOW]), 8);
    }
}

/// A shipped sample's message, its octets changed, cut, joined to another's, of the other side or to another port.
fn variant() -> impl Strategy<Value = Shown> {
    let changes = prop::collection::vec((0..24_usize, any::<u8>()), 0..4);
    let any_message = any::<prop::sample::Index>;
    (any_message(), any_message(), changes, any::<bool>(), 0..3_u8, 1..64_usize).prop_map(
        |(message, other, changes, is_turned, joins, length)| {
            let mut shown = SAMPLES[message.index(SAMPLES.len())].clone();
            let other = &SAMPLES[other.index(SAMPLES.len())];
            match joins {
                0 => shown.octets.extend(&other.octets),
                1 => shown.octets.truncate(length),
                _ => shown.server_port = other.server_port,
            }
            if is_turned {
                shown.from = if shown.from == Sender::Client { Sender::Server } else { Sender::Client };
            }
            for (place, octet) in changes {
                if let Some(there) = shown.octets.get_mut(place) {
                    *there = octet;
                }
            }
            shown
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn variants_of_samples_fit_the_same_clues(shown in variant()) {
        agree(&shown)?;
    }

    #[test]
    fn any_octets_fit_the_same_clues(
        is_tcp: bool,
        is_client: bool,
        server_port in prop_oneof![Just(443), Just(53), Just(8000), any::<u16>()],
        octets in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let transport = if is_tcp { Transport::Tcp } else { Transport::Udp };
        let from = if is_client { Sender::Client } else { Sender::Server };
        agree(&Shown { transport, server_port, from, octets })?;
    }
}
