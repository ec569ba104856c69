//! A burst on its way, in stages: all frames are read, then all lines of the table asked for, then each packet is judged,
//! so that the waits for memory overlap. A usual packet of a flow that just goes on takes the short lane; every other the
//! whole way, which gives the same answer for any packet.

use arrayvec::ArrayVec;

use super::housekeeping::PLACES;
use super::protection::on_its_side;
use super::{BURST, Frame, Pipeline, Timeouts};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::flow::{Flags, FlowKey, Patience, Realm, Slot, Stage, State};
use crate::packet::{self, Parsed, Plain};
use crate::policy::PortId;
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};
use crate::wire::protocol;

/// What is known of each frame of a burst.
#[derive(Debug)]
pub(super) struct Stages {
    /// Of a usual packet; of another what was there before.
    plain: [Plain; BURST],
    /// The slot where its flow most likely is.
    guesses: [Option<Slot>; BURST],
    /// The hash of its key.
    hashes: [u64; BURST],
    /// Of those that are not usual, in order.
    parsed: ArrayVec<Result<Parsed, DropReason>, BURST>,
    verdicts: [Verdict; BURST],
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            plain: [Plain::default(); BURST],
            guesses: [None; BURST],
            hashes: [0; BURST],
            parsed: ArrayVec::new(),
            verdicts: [Verdict::Drop(DropReason::NoWire); BURST],
        }
    }
}

/// Frames read between asking for a line of the index and looking into it.
const AHEAD: usize = 24;

/// Which frames of a burst are usual packets: a bit each, the first lowest.
type Usual = u64;
const _: () = assert!(Usual::BITS as usize >= BURST);

/// How long a flow may be silent whose packets take the short lane: by direction and [`crate::flow::Record::standing`]. Zero where they
/// do not take it, as those of translated flows, which have to be rewritten.
#[derive(Debug)]
pub(super) struct Lane([[Patience; STANDINGS]; 2]);

/// Room for the states, of flows that are translated and that are not: a power of two.
const STANDINGS: usize = 32;

impl Lane {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        let mut lane = [[Patience::default(); STANDINGS]; 2];
        for direction in [Direction::ToServer, Direction::ToClient] {
            let lane = &mut lane[direction as usize];
            lane[State::BothWays as usize] = timeouts.udp_stream.into();
            lane[State::Established as usize] = timeouts.tcp_established.into();
        }
        lane[Direction::ToServer as usize][State::OneWay as usize] = timeouts.udp.into();
        Self(lane)
    }

    #[inline(always)]
    fn patience(&self, direction: Direction, standing: usize) -> Patience {
        self.0[direction as usize % 2][standing % STANDINGS]
    }
}

impl Pipeline {
    /// Judges a burst (at most [`BURST`] frames): one verdict a frame, in order. Headers of a frame that is forwarded may
    /// be rewritten; then it says so. Where all leave by one port, that is the answer. Time is read once a burst.
    pub fn process(
        &mut self,
        now: Nanos,
        frames: &mut [Frame<'_>],
        verdicts: &mut ArrayVec<Verdict, BURST>,
    ) -> Option<PortId> {
        verdicts.clear();
        self.started.get_or_insert(now);
        self.table.advance(now);
        let mut stages = self.stages.take()?;
        let count = frames.len().min(BURST);
        let (frames, _) = frames.split_at_mut(count);
        let usual = self.read(frames, &mut stages);
        let common = self.pass(now, frames, usual, &mut stages);
        // There is room: both hold a burst.
        let _ = verdicts.try_extend_from_slice(&stages.verdicts[..count]);
        self.stages = Some(stages);
        // At most one session a packet is opened, so this keeps up with any rate.
        self.expire(now, BURST, PLACES);
        self.events.publish();
        common
    }

    /// Reads all headers, and asks for the lines of the index and of the records, these [`AHEAD`] frames later: evenly
    /// among the reading, as a core waits where it asks for too many at once.
    fn read(&self, frames: &[Frame<'_>], stages: &mut Stages) -> Usual {
        stages.parsed.clear();
        let verify_checksums = self.settings.verify_checksums;
        let (mut port, mut wire) = (None, None);
        let mut usual = 0;
        for (number, (frame, plain)) in frames.iter().zip(&mut stages.plain).enumerate() {
            if port != Some(frame.port) {
                port = Some(frame.port);
                wire = self.wires.from(frame.port).map(|(wire, _)| wire);
            }
            let hash;
            let read = wire.and_then(|wire| plain.read(frame.bytes, frame.length, wire, verify_checksums));
            if read.is_some() && self.short_lane {
                hash = self.table.hash(&plain.key);
                usual |= 1 << number;
            } else {
                let parsed = self.parse(frame, wire);
                hash = key(&parsed).map_or(0, |key| self.table.hash(key));
                stages.parsed.push(parsed);
            }
            self.table.prefetch_index(hash);
            stages.hashes[number % BURST] = hash;
            if number >= AHEAD {
                let number = (number - AHEAD) % BURST;
                stages.guesses[number] = self.table.prefetch_record(stages.hashes[number]);
            }
        }
        let rest = frames.len().saturating_sub(AHEAD);
        let rest = stages.guesses.iter_mut().zip(&stages.hashes).take(frames.len()).skip(rest);
        rest.for_each(|(guess, hash)| *guess = self.table.prefetch_record(*hash));
        usual
    }

    #[inline(never)]
    fn parse(&self, frame: &Frame<'_>, wire: Option<u8>) -> Result<Parsed, DropReason> {
        let settings = &self.settings;
        let routed = self.router.routes(frame.port).then_some(Realm::ROUTED);
        let wire = wire.or(routed).ok_or(DropReason::NoWire)?;
        packet::parse(frame, wire, settings.verify_checksums, settings.protection.screens)
    }

    /// Judges every frame; the port by which all leave, if it is one.
    fn pass(&mut self, now: Nanos, frames: &mut [Frame<'_>], usual: Usual, stages: &mut Stages) -> Option<PortId> {
        let epoch = self.policy.epoch();
        let mut port = frames.first()?.port;
        let mut out = self.out_of(port);
        let first = out;
        let mut is_common = true;
        let (mut octets, mut forwarded) = (0, 0);
        let received = frames.len() as u64;
        let mut parsed = stages.parsed.drain(..);
        let lookups = stages.hashes.iter().zip(&stages.guesses);
        let places = stages.plain.iter().zip(lookups).zip(&mut stages.verdicts);
        for (number, (frame, ((plain, (&hash, &guess)), place))) in frames.iter_mut().zip(places).enumerate() {
            octets += u64::from(frame.length);
            let is_usual = usual >> number & 1 != 0;
            let verdict = if is_usual {
                if port != frame.port {
                    port = frame.port;
                    out = self.out_of(port);
                    is_common = false;
                }
                if self.goes_on(epoch, frame, plain, hash, guess) {
                    forwarded += 1;
                    *place = Verdict::Forward(out);
                    continue;
                }
                self.judge(now, frame, &Parsed::Packet(plain.describe(frame.bytes)), hash)
            } else {
                let parsed = parsed.next().unwrap_or(Err(DropReason::Truncated));
                parsed.and_then(|parsed| self.judge(now, frame, &parsed, hash))
            };
            *place = match verdict {
                Ok(verdict) => {
                    is_common &= verdict == Verdict::Forward(first);
                    match verdict {
                        Verdict::Taken => self.counters.add(Counter::PacketsTaken, 1),
                        _ => forwarded += 1,
                    }
                    verdict
                }
                Err(reason) => {
                    is_common = false;
                    self.counters.add_drop(reason, 1);
                    self.guard.dropped(now, frame, reason);
                    Verdict::Drop(reason)
                }
            };
        }
        self.counters.add(Counter::PacketsReceived, received);
        self.counters.add(Counter::OctetsReceived, octets);
        self.counters.add(Counter::PacketsForwarded, forwarded);
        is_common.then_some(first)
    }

    /// Where a wire's other end is; of a port without a wire, whose frames are not read, any.
    fn out_of(&self, port: PortId) -> PortId {
        self.wires.from(port).map_or(port, |(_, out)| out)
    }

    /// Whether a packet just carries its flow on, so that nothing needs to be decided; then it is counted.
    #[inline(always)]
    fn goes_on(&mut self, epoch: u32, frame: &Frame<'_>, plain: &Plain, hash: u64, guess: Option<Slot>) -> bool {
        let present = self.table.present();
        let Some((slot, record)) = self.table.find_mut_at(guess, &plain.key, hash) else { return false };
        let direction = plain.sender.direction(record.client());
        let patience = self.lane.patience(direction, record.standing());
        let is_inspected = record.has(Flags::INSPECT) && record.stage() != Stage::Over;
        let is_over = patience == Patience::default() || record.is_silent(present, patience);
        if is_over || is_inspected || !record.is_of_epoch(epoch) {
            return false;
        }
        if self.guard.is_bound() && !on_its_side(self.wires.is_second(frame.port), plain.sender, record) {
            return false;
        }
        if plain.key.protocol() == protocol::TCP {
            let Some(tcp) = plain.tcp(frame.bytes) else { return false };
            let segment = plain.segment(&tcp);
            if !record.tcp.goes_on(direction, &segment) {
                return false;
            }
            if segment.payload_length > 0 {
                record.set(Flags::FROM_START, false);
            }
        }
        record.touch(present);
        let carries = record.count(direction, plain.length);
        if carries.0 | carries.1 {
            self.table.carry(slot, direction, carries);
        }
        true
    }
}

/// The flow that a packet concerns.
fn key(parsed: &Result<Parsed, DropReason>) -> Option<&FlowKey> {
    match parsed {
        Ok(Parsed::Packet(info)) => Some(info.flow_key()),
        _ => None,
    }
}
