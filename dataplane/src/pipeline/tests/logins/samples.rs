//! Every sample of the signatures that are shipped, through the packet path: what a flow is and shows does not depend on
//! where it is cut. A near miss stays one.

use std::path::Path;

use proptest::prelude::*;
use sigdb::{SampleFlow, Sender, Source, Transport};

use super::line::{Line, Manner, Records, Trick, Wrapping};
use super::said::{Login, Turns};

/// Those of TCP that are seen from their beginning.
fn samples() -> Vec<(String, Login)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sigdb/signatures");
    let mut sources = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            sources.push(Source { name, text: std::fs::read_to_string(path).unwrap() });
        }
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let flows = sigdb::sample_flows(&sources).expect("they are shipped");
    let of_tcp = flows.into_iter().filter(|flow| flow.start.transport == Transport::Tcp && flow.start.from_start);
    of_tcp.map(|flow| (format!("{}: {}", flow.file, flow.name), login(flow))).collect()
}

fn login(flow: SampleFlow) -> Login {
    let turns: Turns =
        flow.pieces.into_iter().map(|piece| (usize::from(piece.from == Sender::Server), piece.octets)).collect();
    Login { name: "sample", port: flow.start.server_port, is_tcp: true, turns, shows: &[] }
}

fn play(login: &Login, tricks: &[Trick]) -> Records {
    let wrapping = Wrapping { is_v6: false, is_extended: false, shims: vec![] };
    Line::new(&wrapping, Manner::PLAIN, login.port).play(login, tricks)
}

#[test]
fn octet_by_octet_every_sample_shows_the_same() {
    let mut differences = Vec::new();
    for (name, login) in samples() {
        let plainly = play(&login, &[Trick::plain(1_400)]);
        for tricks in [vec![Trick::plain(1)], vec![Trick { late: 3, ..Trick::plain(3) }, Trick::plain(2)]] {
            let records = play(&login, &tricks);
            if records != plainly {
                differences.push(format!("{name}: {plainly:?} became {records:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn cut_and_mixed_every_sample_shows_the_same(
        (name, login) in prop::sample::select(samples()),
        tricks in prop::collection::vec((1..60_usize, 0..4_usize), 1..20),
    ) {
        let tricks: Vec<_> = tricks.iter().map(|&(size, late)| Trick { late, ..Trick::plain(size) }).collect();
        prop_assert_eq!(play(&login, &tricks), play(&login, &[Trick::plain(1_400)]), "{}", name);
    }
}
