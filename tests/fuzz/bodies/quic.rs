//! QUIC's first datagrams: a length in two octets before each.

use sigdb::quic::{Look, State, Workspace, look};

/// Shows them to two flows by turns, as they share memory.
pub fn run(mut data: &[u8]) {
    let mut work = Workspace::new(2);
    let mut flows = [State::default(), State::default()];
    let mut turn = 0;
    while let Some((head, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*head) & 0x7ff).min(rest.len());
        let (datagram, after) = rest.split_at(length);
        if let Look::Hello(hello) = look(&mut work, &mut flows[turn % 2], datagram) {
            assert!(hello.application_protocols().count() <= 4096);
        }
        turn += usize::from(head[0] >> 7);
        data = after;
    }
}
