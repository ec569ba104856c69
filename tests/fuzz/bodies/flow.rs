//! A flow and the signatures of this checkout, as the packet path shows them to each other: the first three octets are
//! transport and server port; then pieces, each behind a direction and a length.

use sigdb::{Finding, Findings, FlowState, Scratch, Sender, Start, Step, Transport, WINDOW};

/// Shows the pieces.
pub fn run(data: &[u8]) {
    let database = super::signatures();
    let Some((&[transport, high, low], mut data)) = data.split_first_chunk::<3>() else { return };
    let datagrams = transport & 1 == 1;
    let mut flow = FlowState::new(Start {
        transport: if datagrams { Transport::Udp } else { Transport::Tcp },
        server_port: u16::from_be_bytes([high, low]),
        from_start: datagrams || transport & 2 == 0,
        resolved: None,
    });
    let mut scratch = Scratch::new();
    let mut waiting = [Vec::new(), Vec::new()];
    let mut skip = [0_usize; 2];
    let mut named = 0;
    let mut now = 0;
    while let Some((&[side, high, low], rest)) = data.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (piece, after) = rest.split_at(length);
        data = after;
        let at = usize::from(side & 1);
        // A quarter of a second goes by before some pieces, a minute before others.
        now += [0, 0, 250_000_000, 60_000_000_000][usize::from(side >> 1 & 3)];
        let from = [Sender::Client, Sender::Server][at];
        let skipped = skip[at].min(piece.len());
        skip[at] -= skipped;
        waiting[at].extend_from_slice(&piece[skipped..]);
        loop {
            let shown = &waiting[at][..waiting[at].len().min(WINDOW)];
            if shown.is_empty() {
                break;
            }
            let mut findings = Findings::new();
            let step = flow.read(&database, &mut scratch, now, from, shown, &mut findings);
            for finding in findings {
                match finding {
                    Finding::Application(application, _) => {
                        assert_ne!(database.name(application), "unknown");
                        named += 1;
                    }
                    Finding::SignOn(sign_on) => assert!(sign_on.account.len() <= 128),
                    // Unknown says that an address is nobody's any more.
                    Finding::Resolved(_) => {}
                }
            }
            assert!(named <= 1, "a flow is named once");
            match step {
                Step::Consumed(0) => break,
                Step::Consumed(octets) => {
                    skip[at] = octets.saturating_sub(waiting[at].len());
                    let taken = octets.min(waiting[at].len());
                    waiting[at].drain(..taken);
                }
                Step::More if shown.len() == WINDOW => {
                    // The packet path gives up here too.
                    waiting[at].clear();
                }
                Step::More => break,
                Step::Resync => waiting[at].clear(),
                Step::Finished | Step::GaveUp => return,
            }
            if datagrams {
                waiting[at].clear();
            }
        }
        if datagrams {
            waiting[at].clear();
        }
    }
    let _ = flow.end(&database);
}
