//! A flow explained to people: it tells the same of it as the packet path finds, and of every rule that it says holds, each
//! condition holds. The first octets are transport, server port, and an application; then pieces as in `flow`.

use sigdb::{AppId, Held, Piece, Sender, Start, Transport, explain};

/// Explains it.
pub fn run(data: &[u8]) {
    let database = super::signatures();
    let Some((&[transport, high, low, application], mut data)) = data.split_first_chunk::<4>() else { return };
    let transport = if transport & 1 == 1 { Transport::Udp } else { Transport::Tcp };
    let start = Start { transport, server_port: u16::from_be_bytes([high, low]), from_start: true, resolved: None };
    let mut pieces = Vec::new();
    while let Some((&[side, high, low], rest)) = data.split_first_chunk::<3>() {
        let (octets, after) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
        data = after;
        let from = if side & 1 == 0 { Sender::Client } else { Sender::Server };
        pieces.push(Piece { from, octets: octets.to_vec(), after: u32::from(side >> 1 & 3) * 20 });
    }
    let names: Vec<String> = database.applications().map(|(name, _)| name.to_owned()).collect();
    let name = &names[usize::from(application) % names.len()];
    let application = database.by_name(name).expect("it is one of the database's");
    let explained = explain(&database, application, start, &pieces);
    // Whoever's rules are looked at, the flow is what it is.
    let other = explain(&database, AppId::UNKNOWN, start, &pieces);
    assert_eq!((&explained.application, &explained.sightings), (&other.application, &other.sightings));
    assert!(other.notes.is_empty(), "no rule is of no application");
    assert!(explained.application == "none" || names.contains(&explained.application));
    for note in &explained.notes {
        assert!((1..=pieces.len()).contains(&note.piece));
        if note.held == Held::Yes {
            let holds = |at: usize| note.tests[at].held == Held::Yes;
            assert!((0..note.tests.len()).all(holds), "{note:?}");
        }
        for (at, octets) in note.tests.iter().filter_map(|test| test.found.as_ref()) {
            assert!(octets.len() <= 32 && *at < 1 << 40);
        }
    }
    // A rule of the flow's own application held, unless a name that resolved told it or the connection's other side did.
    if explained.application == *name {
        assert!(explained.notes.iter().any(|note| note.held == Held::Yes), "{name} without a rule that holds");
    }
}
