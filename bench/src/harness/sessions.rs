//! New sessions, made in line: each frame of the wire becomes the next packet of a session that nobody has seen.

use dataplane::dpdk::Mbuf;
use dataplane::policy::PortId;
use dataplane::worker::Probe;

use super::compose::{self, DATA, Tcp};
use super::flow::{Flow, MOST};
use super::rewrite::{rewrite, side_of};
use crate::pktgen::frames::{ACK, FIN, PSH, SYN, Side};

/// UDP: every frame opens a session. Comes round after [`MOST`].
#[derive(Debug, Default)]
pub struct NewUdp {
    next: u32,
}

impl Probe for NewUdp {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        for frame in frames {
            rewrite(frame.bytes_mut(), Flow(self.next % MOST), side_of(port));
            self.next = self.next.wrapping_add(1);
        }
    }
}

/// A whole TCP connection in eight packets, as a server makes them that closes first (HTTP/1.0): handshake, request,
/// response, FIN from both, all acknowledged. The sides take turns.
pub const PACKETS: u32 = 8;

/// What `side` sends in its turn `step`, 0 to 3.
pub fn segment(side: Side, step: u32) -> Tcp {
    let data = |octets: &[u8; DATA]| Some(*octets);
    let (sent, heard) = (DATA as u32 + 1, DATA as u32 + 1);
    let (own, other) = match side {
        Side::Client => (CLIENT, SERVER),
        Side::Server => (SERVER, CLIENT),
    };
    let tcp = |sequence: u32, acknowledgement: u32, flags, data| Tcp {
        sequence: own.wrapping_add(sequence),
        acknowledgement: if flags & ACK == 0 { 0 } else { other.wrapping_add(acknowledgement) },
        flags,
        data,
    };
    match (side, step) {
        (Side::Client, 0) => tcp(0, 0, SYN, None),
        (Side::Server, 0) => tcp(0, 1, SYN | ACK, None),
        (Side::Client, 1) => tcp(1, 1, ACK | PSH, data(b"GET / HTTP")),
        (Side::Server, 1) => tcp(1, sent, ACK | PSH, data(b"HTTP/1.0 2")),
        (Side::Client, 2) => tcp(sent, heard, ACK, None),
        (Side::Server, 2) => tcp(sent, heard, FIN | ACK, None),
        (Side::Client, _) => tcp(sent, heard + 1, FIN | ACK, None),
        (Side::Server, _) => tcp(sent + 1, heard + 1, ACK, None),
    }
}

/// Data within a connection, after so many octets of data from this side and from the other.
pub fn data(side: Side, sent: u32, heard: u32) -> Tcp {
    let (own, other) = match side {
        Side::Client => (CLIENT, SERVER),
        Side::Server => (SERVER, CLIENT),
    };
    Tcp {
        sequence: own.wrapping_add(1).wrapping_add(sent),
        acknowledgement: other.wrapping_add(1).wrapping_add(heard),
        flags: ACK | PSH,
        data: Some(*b"0123456789"),
    }
}

/// Where a side stands in a series of connections that are taken `many` at a time, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counts connections.
    pub connection: u32,
    /// 0 to 3.
    pub step: u32,
}

impl Place {
    /// Of a side's packet by its number.
    pub const fn of(number: u64, many: u64) -> Self {
        let steps = PACKETS as u64 / 2;
        let connection = number / (many * steps) * many + number % many;
        Self { connection: connection as u32, step: (number / many % steps) as u32 }
    }
}

/// TCP: connections from handshake to close, so many open at a time.
#[derive(Debug, Default)]
pub struct TcpConnections {
    /// Packets of each side.
    sent: [u64; 2],
}

/// Connections of [`TcpConnections`] that are open at a time.
pub const AT_A_TIME: u64 = 1024;

impl Probe for TcpConnections {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        let side = side_of(port);
        let sent = &mut self.sent[usize::from(port.0 & 1)];
        for frame in frames {
            let place = Place::of(*sent, AT_A_TIME);
            let header = Flow(place.connection % MOST).header(side);
            compose::tcp(frame.bytes_mut(), header, segment(side, place.step));
            *sent += 1;
        }
    }
}

/// Initial sequence numbers.
const CLIENT: u32 = 0x1000_0000;
const SERVER: u32 = 0x9000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_goes_through_every_step_of_each_connection_in_order() {
        let mut steps = vec![Vec::new(); 6];
        for number in 0..24 {
            let place = Place::of(number, 3);
            steps[place.connection as usize].push(place.step);
        }
        assert!(steps.iter().all(|steps| steps == &[0, 1, 2, 3]), "{steps:?}");
    }

    #[test]
    fn what_is_acknowledged_was_sent() {
        let length = |tcp: &Tcp| u32::from(tcp.flags & (SYN | FIN) != 0) + tcp.data.map_or(0, |data| data.len() as u32);
        let mut next = [CLIENT, SERVER];
        for step in 0..4 {
            for (own, side) in [Side::Client, Side::Server].into_iter().enumerate() {
                let tcp = segment(side, step);
                assert_eq!(tcp.sequence, next[own], "{side:?} {step}");
                assert!(tcp.flags & ACK == 0 || tcp.acknowledgement == next[1 - own], "{side:?} {step}");
                next[own] += length(&tcp);
            }
        }
    }
}
