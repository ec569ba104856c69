//! What the flow table follows of a TCP connection: its states, and the window in which a segment may lie.
//!
//! The bounds are those of Guido van Rooij's "Real Stateful TCP Packet Filtering" (2001), with a window's slack: the
//! firewall is no receiver and only refuses what is clearly outside. A connection picked up in its middle, whose window
//! scale is unknown, is held to a generous guess for RST and to nothing else.
//!
//! Blind attacks (RFC 5961) are met as a middlebox can: what a receiver would answer with a challenge ACK is passed on, so
//! that it does, and changes nothing here. A RST ends the connection only at exactly the number that is due (3); one
//! that only lies within the window leaves it in doubt: it lives on with its first valid segment, and is soon forgotten
//! where none comes. A SYN within a connection changes nothing (4), nor does a SYN-ACK after it: who forges one forges
//! both, so what follows with other numbers passes and is not heeded, until a side goes on as it was. An acknowledgment must lie between what was sent
//! last and two windows before (5): one, as the RFC has it, before the oldest number that is not acknowledged, which in
//! turn lies within one of the newest.

use super::record::State;
use crate::endpoint::Direction;
use crate::event::CloseReason;
use crate::packet::Segment;
use crate::wire::tcp::{ACK, FIN, RST, SYN};

/// One side of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// One past the highest sequence number that it sent.
    end: u32,
    /// One past the highest that the other side allowed it to send.
    limit: u32,
    /// The largest window that it offered, unscaled.
    window: u16,
    /// Its window's shift.
    scale: u8,
    /// What was seen of it.
    seen: u8,
}

/// Something came from it: its numbers hold.
const SEEN: u8 = 1;
/// Its SYN was seen.
const SYN_SEEN: u8 = 2;
/// Its FIN was seen.
const FIN_SEEN: u8 = 4;
/// Its FIN was acknowledged.
const FIN_ACKED: u8 = 8;
/// Its SYN carried a window scale.
const SCALED: u8 = 16;
/// The connection's numbers are not reliable (kept in the client's side).
const LIBERAL: u8 = 32;
/// It sent data with its SYN, or before that was acknowledged (RFC 7413): the other side may acknowledge a part of them.
const SYN_DATA: u8 = 64;
/// It sent a SYN, or answered one, over an open connection, and the other side has not yet shown that it knows that
/// connection.
const ANEW: u8 = 128;

/// How strictly segments are held to their window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// To all of it: what acknowledges data that never came by is refused (RFC 5961, 5).
    Strict,
    /// Likewise, but such an acknowledgment shows that part of the connection takes another way: from then on it is only
    /// held to a guess for RST.
    #[default]
    Loose,
    /// Not at all.
    Off,
}

/// Both sides of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTrack {
    client: Side,
    server: Side,
}

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It belongs to the connection, which is now in this state.
    Pass(State),
    /// It ends the connection.
    Close(CloseReason),
    /// Its data are clearly outside the window.
    OutOfWindow,
    /// It is a RST clearly outside the window.
    ResetOutOfWindow,
    /// It acknowledges what cannot be acknowledged.
    AckOutOfRange,
    /// It belongs to no connection any more.
    Stray,
}

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where it may.
    Within,
    /// Its data do, but it acknowledges what never came by: part of the connection takes another way, or a capture has
    /// gaps. Who could forge it knows the window.
    AcknowledgesUnseen,
    /// Its data lie clearly elsewhere.
    Outside,
    /// It acknowledges what was acknowledged long ago.
    AcknowledgesOld,
}

/// Slack for sides whose window is small or unknown; the largest window without scaling.
const LEAST_SLACK: u32 = 65_535;
/// How far from what was seen last a RST may lie in a connection picked up in its middle.
const GUESSED_WINDOW: u32 = 1 << 24;

impl TcpTrack {
    /// A connection whose first segment this is, sent in `direction`, and its state.
    pub fn open(direction: Direction, segment: &Segment) -> (Self, State) {
        let mut track = Self::default();
        let is_syn = segment.flags & SYN != 0;
        track.side(direction).begin(segment);
        if is_syn && segment.flags & ACK == 0 {
            return (track, State::SynSent);
        }
        track.client.seen |= LIBERAL;
        if segment.flags & FIN != 0 {
            track.side(direction).seen |= FIN_SEEN;
        }
        (track, if is_syn { State::SynReceived } else { State::Picked })
    }

    /// Takes a segment, sent in `direction`, of a connection in `state`. A SYN that opens the next connection between the
    /// same ports is the caller's to see.
    pub fn step(&mut self, state: State, direction: Direction, segment: &Segment, window: Window) -> Step {
        let flags = segment.flags;
        if state == State::Closed {
            return self.after_close(direction, segment);
        }
        if window == Window::Off {
            self.set_liberal();
        }
        if flags & RST != 0 {
            return self.reset(state, direction, segment, window);
        }
        if flags & SYN != 0 {
            return self.synchronize(state, direction, segment);
        }
        if !self.is_liberal() {
            let is_servers_data = direction == Direction::ToClient && segment.payload_length > 0;
            if state == State::SynReceived && !self.completes(direction, segment) {
                // It may answer what took another way, or be a guess: its receiver knows (RFC 9293, 3.10.7.4).
                return if window == Window::Strict { Step::AckOutOfRange } else { Step::Pass(state) };
            }
            match self.place(direction, segment) {
                Place::Within => self.side(direction.reverse()).seen &= !ANEW,
                // Of the connection that is to come, if there is one.
                _ if self.begins_anew() => return Step::Pass(state),
                Place::AcknowledgesUnseen if window == Window::Strict => return Step::AckOutOfRange,
                Place::AcknowledgesUnseen => self.set_liberal(),
                Place::AcknowledgesOld => return Step::AckOutOfRange,
                // The server goes on: the client has answered it by another way.
                Place::Outside if state == State::SynReceived && window == Window::Loose && is_servers_data => {
                    self.set_liberal();
                    self.advance(direction, segment);
                    return Step::Pass(State::Established);
                }
                Place::Outside => return Step::OutOfWindow,
            }
        }
        self.advance(direction, segment);
        self.next_state(state, direction)
    }

    /// Takes a segment of an established connection that leaves it so; false, and nothing taken, where it may not, or where
    /// [`TcpTrack::step`] has to say what becomes of it.
    #[inline]
    pub fn goes_on(&mut self, direction: Direction, segment: &Segment) -> bool {
        let closes = (self.client.seen | self.server.seen) & (FIN_SEEN | ANEW) != 0;
        if segment.flags & (SYN | FIN | RST) != 0 || closes {
            return false;
        }
        if !self.is_liberal() && self.place(direction, segment) != Place::Within {
            return false;
        }
        self.advance(direction, segment);
        true
    }

    /// Stops judging windows: part of what the sides send is not seen whole.
    pub fn set_liberal(&mut self) {
        self.client.seen |= LIBERAL;
    }

    /// Whether a side's SYN was seen, and then its sequence number, as long as nothing followed it.
    pub fn initial_sequence(&self, direction: Direction) -> Option<u32> {
        let side = match direction {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        };
        (side.seen & SYN_SEEN != 0).then(|| side.end.wrapping_sub(1))
    }

    /// Whether both sides seem to have forgotten the connection and to begin another. Nothing proves it: somebody who knows
    /// no number of theirs could have sent both SYNs.
    fn begins_anew(&self) -> bool {
        self.client.seen & self.server.seen & ANEW != 0
    }

    fn is_liberal(&self) -> bool {
        self.client.seen & LIBERAL != 0
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    /// The sender and the receiver of a segment that goes in `direction`.
    fn sides(&self, direction: Direction) -> (&Side, &Side) {
        match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        }
    }

    fn synchronize(&mut self, state: State, direction: Direction, segment: &Segment) -> Step {
        let acknowledges = segment.flags & ACK != 0;
        match (state, direction, acknowledges) {
            // Repeated, or tried anew with another number.
            (State::SynSent, Direction::ToServer, false) => {
                self.client.begin(segment);
                Step::Pass(state)
            }
            // Opened by both at once (RFC 9293, 3.5, figure 7).
            (State::SynSent, Direction::ToClient, false) => {
                self.server.begin(segment);
                self.settle_scales();
                Step::Pass(State::SynReceived)
            }
            (State::SynSent | State::SynReceived, _, true) => {
                let liberal = self.is_liberal();
                let (sender, receiver) = self.sides(direction);
                let expected = receiver.seen & SEEN != 0 && receiver.syn_is_acknowledged(segment.acknowledgment);
                if !expected && !liberal || sender.seen & SYN_SEEN == 0 && direction == Direction::ToServer {
                    return Step::AckOutOfRange;
                }
                self.side(direction).begin(segment);
                self.settle_scales();
                self.allow(direction, segment);
                Step::Pass(State::SynReceived)
            }
            // Repeated by who saw no answer, or a new try over a connection that this side forgot: the other side answers
            // by an ACK or a RST of its own (RFC 5961, 4), and that decides.
            (_, _, false) => {
                self.side(direction).seen |= ANEW;
                Step::Pass(state)
            }
            // Repeated, or the answer to such a try by a side that forgot the connection as well: only then do the numbers
            // that follow differ from those that were.
            (_, _, true) => {
                let (sender, receiver) = self.sides(direction);
                if sender.end.wrapping_sub(segment.sequence) <= LEAST_SLACK || receiver.seen & ANEW == 0 {
                    return Step::Pass(state);
                }
                // Where a RST or a FIN came before, that is what is to be expected, and nothing is left to be protected: the
                // next connection begins clean. The scale of the SYN's window is not known.
                if matches!(state, State::Doubted | State::HalfClosed) && direction == Direction::ToClient {
                    let end = segment.acknowledgment;
                    self.client = Side { end, limit: end, seen: SEEN | SYN_SEEN | LIBERAL, ..Side::default() };
                    self.server = Side::default();
                    self.server.begin(segment);
                    self.allow(direction, segment);
                    return Step::Pass(State::SynReceived);
                }
                self.side(direction).seen |= ANEW;
                Step::Pass(state)
            }
        }
    }

    /// Scales count only where both SYNs carry them (RFC 7323, 1.3).
    fn settle_scales(&mut self) {
        if self.client.seen & self.server.seen & SCALED == 0 {
            self.client.scale = 0;
            self.server.scale = 0;
        }
    }

    fn reset(&self, state: State, direction: Direction, segment: &Segment, window: Window) -> Step {
        let (sender, receiver) = self.sides(direction);
        let close = Step::Close(CloseReason::Reset);
        if state == State::SynSent && direction == Direction::ToClient && sender.seen & SEEN == 0 {
            // The refusal of a SYN: it must acknowledge it (RFC 9293, 3.10.7.3).
            let expected = segment.flags & ACK != 0 && receiver.syn_is_acknowledged(segment.acknowledgment);
            return if expected { close } else { Step::ResetOutOfWindow };
        }
        // From the first number that the receiver may still wait for to the last that it allowed.
        let slack = if self.is_liberal() { GUESSED_WINDOW } else { receiver.slack() };
        let last = if is_after(sender.limit, sender.end) { sender.limit } else { sender.end };
        let (first, last) = (sender.end.wrapping_sub(slack), last.wrapping_add(slack));
        if sender.seen & SEEN == 0 || segment.sequence == sender.end {
            close
        } else if window == Window::Off || is_between(segment.sequence, first, last) {
            // A handshake gains no standing by it.
            let open = matches!(state, State::Established | State::HalfClosed | State::Closing | State::Doubted);
            Step::Pass(if open { State::Doubted } else { state })
        } else if self.begins_anew() {
            Step::Pass(state)
        } else {
            Step::ResetOutOfWindow
        }
    }

    /// Whether a segment, if it is the client's, acknowledges the server's SYN: only who saw that knows its number, and two
    /// windows would be too much to guess in.
    fn completes(&mut self, direction: Direction, segment: &Segment) -> bool {
        if direction == Direction::ToClient {
            if segment.payload_length > 0 {
                // Sent on a cookie of an earlier connection (RFC 7413): a part of it may be acknowledged.
                self.server.seen |= SYN_DATA;
            }
            return true;
        }
        segment.flags & ACK != 0 && self.server.syn_is_acknowledged(segment.acknowledgment)
    }

    fn place(&self, direction: Direction, segment: &Segment) -> Place {
        let (sender, receiver) = self.sides(direction);
        if sender.seen & receiver.seen & SEEN == 0 {
            return Place::Within;
        }
        let slack = receiver.slack();
        let end = segment.sequence.wrapping_add(segment.payload_length);
        if !is_between(end, sender.end.wrapping_sub(slack), sender.limit.wrapping_add(slack)) {
            return Place::Outside;
        }
        let oldest = receiver.end.wrapping_sub(sender.slack().saturating_mul(2));
        if segment.flags & ACK == 0 || is_between(segment.acknowledgment, oldest, receiver.end) {
            Place::Within
        } else if is_after(segment.acknowledgment, receiver.end) {
            Place::AcknowledgesUnseen
        } else {
            Place::AcknowledgesOld
        }
    }

    fn advance(&mut self, direction: Direction, segment: &Segment) {
        let fin = segment.flags & FIN != 0;
        let side = self.side(direction);
        let end = segment.sequence.wrapping_add(segment.payload_length).wrapping_add(u32::from(fin));
        if side.seen & SEEN == 0 {
            (side.end, side.limit) = (end, end);
        }
        if is_after(end, side.end) {
            side.end = end;
        }
        if is_after(side.end, side.limit) {
            side.limit = side.end;
        }
        side.seen |= SEEN | if fin { FIN_SEEN } else { 0 };
        side.window = side.window.max(segment.window);
        self.allow(direction, segment);
    }

    /// What the sender of a segment allows the other side by it.
    fn allow(&mut self, direction: Direction, segment: &Segment) {
        if segment.flags & ACK == 0 {
            return;
        }
        // The window of a SYN is never scaled (RFC 7323, 2.2).
        let scale = if segment.flags & SYN != 0 { 0 } else { self.side(direction).scale };
        let limit = segment.acknowledgment.wrapping_add((u32::from(segment.window) << scale).max(1));
        let other = self.side(direction.reverse());
        if other.seen & SEEN == 0 {
            return;
        }
        if is_after(limit, other.limit) {
            other.limit = limit;
        }
        if other.seen & FIN_SEEN != 0 && !is_after(other.end, segment.acknowledgment) {
            other.seen |= FIN_ACKED;
        }
    }

    fn next_state(&self, state: State, direction: Direction) -> Step {
        let (client, server) = (self.client.seen, self.server.seen);
        if client & server & FIN_ACKED != 0 {
            return Step::Close(CloseReason::Fin);
        }
        let both = client & server & SEEN != 0;
        Step::Pass(match state {
            _ if client & server & FIN_SEEN != 0 => State::Closing,
            _ if both && (client | server) & FIN_SEEN != 0 => State::HalfClosed,
            // The handshake's last acknowledgment comes from the client; whatever else comes back proves it as well.
            State::SynReceived if direction == Direction::ToServer => State::Established,
            State::SynSent | State::Picked if both => State::Established,
            State::Doubted => State::Established,
            state => state,
        })
    }

    /// After the end only repetitions pass.
    fn after_close(&mut self, direction: Direction, segment: &Segment) -> Step {
        let (sender, _) = self.sides(direction);
        let end = segment.sequence.wrapping_add(segment.payload_length);
        let new = segment.payload_length > 0 && sender.seen & SEEN != 0 && is_after(end, sender.end);
        if new { Step::Stray } else { Step::Pass(State::Closed) }
    }
}

impl Side {
    /// Takes its numbers from a segment, as its first.
    fn begin(&mut self, segment: &Segment) {
        let syn = segment.flags & SYN != 0;
        let length = segment.payload_length + u32::from(syn) + u32::from(segment.flags & FIN != 0);
        self.end = segment.sequence.wrapping_add(length);
        self.limit = self.end;
        self.window = segment.window;
        self.seen = self.seen & LIBERAL | SEEN;
        if syn {
            self.seen |= SYN_SEEN | if segment.payload_length > 0 { SYN_DATA } else { 0 };
            self.scale = segment.scale.unwrap_or(0);
            if segment.scale.is_some() {
                self.seen |= SCALED;
            }
        }
    }

    /// Whether `acknowledgment` is of its SYN, with all, some or none of the data that it may have carried (RFC 7413).
    fn syn_is_acknowledged(&self, acknowledgment: u32) -> bool {
        let most = if self.seen & SYN_DATA != 0 { LEAST_SLACK } else { 0 };
        self.end.wrapping_sub(acknowledgment) <= most
    }

    /// How far outside what it allowed a segment to it may lie: a window, and one for a FIN or a probe of a closed window
    /// beyond it.
    fn slack(&self) -> u32 {
        (u32::from(self.window) << self.scale).max(LEAST_SLACK) + 1
    }
}

/// Whether `a` comes after `b` in sequence space (RFC 9293, 3.4).
const fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// Whether `value` lies between, both ends included.
const fn is_between(value: u32, first: u32, last: u32) -> bool {
    value.wrapping_sub(first) <= last.wrapping_sub(first)
}
