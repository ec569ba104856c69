//! A scripted TCP connection: handshake, data cut into segments and acknowledged, and an end; with the faults that a path
//! adds where a story asks for them.

use std::time::Duration;

use super::frames::{ACK, Ends, FIN, PSH, RST, SYN, Segment, Side};
use super::script::Script;

/// What the path does to data that takes several segments (retransmissions: to any).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// Every second segment comes twice, the second time after a retransmission timeout.
    Retransmission,
    /// Neighbouring segments change places.
    Reordering,
    /// The first segment is lost before it is seen, and comes last.
    Loss,
    /// Part of the data comes again in one segment cut elsewhere.
    Overlap,
}

/// A connection and its clock.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Both ends.
    pub ends: Ends,
    /// The time that has come.
    pub now: Duration,
    /// Octets of data in a segment at most.
    pub mss: usize,
    /// What the path does.
    pub faults: Faults,
    client_next: u32,
    server_next: u32,
    sent: u32,
}

/// Half a round trip.
const HALF: Duration = Duration::from_millis(15);
/// Between segments that leave together.
const GAP: Duration = Duration::from_micros(120);
/// How long a sender waits for an acknowledgement.
const RETRANSMISSION: Duration = Duration::from_millis(220);

impl Connection {
    /// Opens a connection by handshake at `at`.
    pub fn open(script: &mut Script, ends: Ends, at: Duration) -> Self {
        let mut connection = Self::midway(script, ends, at);
        let mss = Some(1440);
        let syn = connection.segment(Side::Client, SYN, &[]);
        script.tcp(connection.now, Side::Client, ends, Segment { mss, ..syn });
        connection.client_next = connection.client_next.wrapping_add(1);
        connection.now += HALF;
        let answer = connection.segment(Side::Server, SYN | ACK, &[]);
        script.tcp(connection.now, Side::Server, ends, Segment { mss, ..answer });
        connection.server_next = connection.server_next.wrapping_add(1);
        connection.now += GAP;
        connection.bare(script, Side::Client, ACK);
        connection
    }

    /// A connection that was opened before the story begins.
    pub fn midway(script: &mut Script, ends: Ends, at: Duration) -> Self {
        // A sequence space that wraps in the middle of the connection is as legal as any other.
        let client_next = if script.dice.between(0, 4) == 0 { 0_u32.wrapping_sub(300) } else { script.dice.half() };
        let server_next = script.dice.half();
        Self { ends, now: at, mss: 1440, faults: Faults::None, client_next, server_next, sent: 0 }
    }

    /// A connection attempt that the server refuses.
    pub fn refused(script: &mut Script, ends: Ends, at: Duration) {
        let mut connection = Self::midway(script, ends, at);
        let syn = connection.segment(Side::Client, SYN, &[]);
        script.tcp(at, Side::Client, ends, Segment { mss: Some(1440), ..syn });
        connection.client_next = connection.client_next.wrapping_add(1);
        connection.server_next = 0;
        connection.now += HALF;
        connection.bare(script, Side::Server, RST | ACK);
    }

    /// The same connection with faults.
    pub fn with(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, span: Duration) {
        self.now += span;
    }

    /// Sends data, cut at the maximum segment size, and its acknowledgement.
    pub fn send(&mut self, script: &mut Script, from: Side, data: &[u8]) {
        self.send_cut(script, from, data, self.mss);
    }

    /// Sends data in segments of `size` octets.
    pub fn send_cut(&mut self, script: &mut Script, from: Side, data: &[u8], size: usize) {
        let first = self.next(from);
        let mut pieces: Vec<(u32, &[u8])> = data
            .chunks(size.max(1))
            .enumerate()
            .map(|(i, piece)| (first.wrapping_add((i * size.max(1)) as u32), piece))
            .collect();
        match self.faults {
            Faults::Reordering => pieces.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1)),
            Faults::Loss => pieces.rotate_left(1),
            Faults::None | Faults::Retransmission | Faults::Overlap => {}
        }
        let last = pieces.len().saturating_sub(1);
        for (i, &(sequence, piece)) in pieces.iter().enumerate() {
            if self.faults == Faults::Loss && i == last && last > 0 {
                self.now += RETRANSMISSION;
            }
            self.emit(script, from, sequence, piece);
            self.sent += 1;
            if self.faults == Faults::Retransmission && self.sent.is_multiple_of(2) {
                let again = Self { now: self.now + RETRANSMISSION, ..self.clone() };
                again.emit(script, from, sequence, piece);
            }
            self.now += GAP;
        }
        if self.faults == Faults::Overlap && data.len() > 2 {
            let cut = data.len() / 3;
            self.emit(script, from, first.wrapping_add(cut as u32), &data[cut..][..(data.len() - cut).min(self.mss)]);
        }
        self.advance(from, data.len() as u32);
        self.now += HALF;
        self.bare(script, from.other(), ACK);
        if self.faults == Faults::Retransmission {
            // What comes next must not come before the repetition of what came last.
            self.now += RETRANSMISSION;
        }
        self.now += HALF;
    }

    /// Ends the connection by FIN, `first` being the one who ends it.
    pub fn finish(mut self, script: &mut Script, first: Side) -> Duration {
        self.bare(script, first, FIN | ACK);
        self.advance(first, 1);
        self.now += HALF;
        self.bare(script, first.other(), FIN | ACK);
        self.advance(first.other(), 1);
        self.now += GAP;
        self.bare(script, first, ACK);
        self.now
    }

    /// Ends the connection by RST.
    pub fn reset(self, script: &mut Script, from: Side) -> Duration {
        self.bare(script, from, RST | ACK);
        self.now
    }

    fn emit(&self, script: &mut Script, from: Side, sequence: u32, payload: &[u8]) {
        let segment = Segment { sequence, ..self.segment(from, ACK | PSH, payload) };
        script.tcp(self.now, from, self.ends, segment);
    }

    fn bare(&self, script: &mut Script, from: Side, flags: u8) {
        script.tcp(self.now, from, self.ends, self.segment(from, flags, &[]));
    }

    fn segment<'a>(&self, from: Side, flags: u8, payload: &'a [u8]) -> Segment<'a> {
        let (sequence, acknowledgement) = (self.next(from), self.next(from.other()));
        Segment { sequence, acknowledgement, flags, mss: None, payload }
    }

    const fn next(&self, side: Side) -> u32 {
        match side {
            Side::Client => self.client_next,
            Side::Server => self.server_next,
        }
    }

    fn advance(&mut self, side: Side, octets: u32) {
        let next = match side {
            Side::Client => &mut self.client_next,
            Side::Server => &mut self.server_next,
        };
        *next = next.wrapping_add(octets);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::dice::Dice;
    use super::super::frames::Link;
    use super::*;

    /// Puts the client's data together by sequence number; it must not matter what the path did.
    fn received(faults: Faults) -> Vec<u8> {
        let mut script = Script::new(Link::plain(), Dice::new(5));
        let ends = Ends { client: "10.0.0.1:1000".parse().unwrap(), server: "10.0.0.2:80".parse().unwrap() };
        let mut connection = Connection::open(&mut script, ends, Duration::ZERO).with(faults);
        connection.send(&mut script, Side::Client, &[1; 4000]);
        connection.send(&mut script, Side::Server, &[9; 100]);
        connection.send_cut(&mut script, Side::Client, &[2; 10], 3);
        connection.finish(&mut script, Side::Client);
        let (frames, _) = script.in_order();
        let start = u32::from_be_bytes(frames[0].bytes[38..42].try_into().unwrap()).wrapping_add(1);
        let mut octets = BTreeMap::new();
        for frame in frames.iter().filter(|frame| frame.from == Side::Client) {
            let length = usize::from(u16::from_be_bytes([frame.bytes[16], frame.bytes[17]])) + 14;
            let offset = 34 + usize::from(frame.bytes[46] >> 4) * 4;
            let sequence = u32::from_be_bytes(frame.bytes[38..42].try_into().unwrap());
            for (i, &octet) in frame.bytes[offset..length].iter().enumerate() {
                let known = octets.insert(sequence.wrapping_sub(start).wrapping_add(i as u32), octet);
                assert!(known.is_none_or(|known| known == octet));
            }
        }
        octets.into_values().collect()
    }

    #[test]
    fn data_arrives_whatever_the_path_does() {
        let sent = [vec![1; 4000], vec![2; 10]].concat();
        for faults in [Faults::None, Faults::Retransmission, Faults::Reordering, Faults::Loss, Faults::Overlap] {
            assert_eq!(received(faults), sent, "{faults:?}");
        }
    }
}
