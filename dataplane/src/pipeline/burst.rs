//! A burst on its way, in stages: all frames are read, then all lines of the table asked for, then each packet is judged,
//! so that the waits for memory overlap. A usual packet of a flow that just goes on takes the short lane; every other the
//! whole way, which gives the same answer for any packet.

use arrayvec::ArrayVec;

use super::housekeeping::PLACES;
use super::protection::on_its_side;
use super::{BURST, Frame, Pipeline, Timeouts};
use crate::counters::Counter;
use crate::endpoint::Direction;
use crate::flow::{Flags, FlowKey, Patience, Realm, Slot, State};
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
    guesses: [Slot; BURST],
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
            guesses: [Slot::default(); BURST],
            hashes: [0; BURST],
            parsed: ArrayVec::new(),
            verdicts: [Verdict::Drop(DropReason::NoWire); BURST],
        }
    }
}

/// Frames read between asking for a line of the index and looking into it.
const AHEAD: usize = 24;

/// A bit for each frame of a burst, the first lowest.
type Frames = u64;
const _: () = assert!(Frames::BITS as usize >= BURST);

/// A burst at large.
#[derive(Clone, Copy, Debug, Default)]
struct Outline {
    /// Which are usual packets.
    usual: Frames,
    /// Which came by another port than the one before; the first too.
    turns: Frames,
    /// Octets of all.
    octets: u64,
}

impl Outline {
    /// How many from a frame on are usual packets that came by the same port.
    const fn run(&self, at: usize) -> usize {
        // The last bit falls off where `at` is that of the last frame; so does that of the turn at `at` itself.
        let usual = (self.usual >> at).trailing_ones();
        let same = ((self.turns >> at) >> 1).trailing_zeros() + 1;
        (if usual < same { usual } else { same }) as usize
    }
}

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
        let outline = self.read(frames, &mut stages);
        let common = self.pass(now, frames, &outline, &mut stages);
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
    fn read(&self, frames: &[Frame<'_>], stages: &mut Stages) -> Outline {
        stages.parsed.clear();
        let verify_checksums = self.settings.verify_checksums;
        let short_lane = self.short_lane;
        let mut port = None;
        let mut wire = None;
        let mut outline = Outline::default();
        for (number, (frame, plain)) in frames.iter().zip(&mut stages.plain).enumerate() {
            if port != Some(frame.port) {
                port = Some(frame.port);
                wire = self.wires.from(frame.port).map(|(wire, _)| wire);
                outline.turns |= 1 << number;
            }
            outline.octets += u64::from(frame.length);
            let hash;
            let read = wire.and_then(|wire| plain.read(frame.bytes, frame.length, wire, verify_checksums));
            if read.is_some() && short_lane {
                hash = self.table.hash(&plain.key);
                outline.usual |= 1 << number;
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
        outline
    }

    #[inline(never)]
    pub(super) fn parse(&self, frame: &Frame<'_>, wire: Option<u8>) -> Result<Parsed, DropReason> {
        let settings = &self.settings;
        let routed = self.router.routes(frame.port).then_some(Realm::ROUTED);
        let wire = wire.or(routed).ok_or(DropReason::NoWire)?;
        packet::parse(frame, wire, settings.verify_checksums, settings.protection.screens)
    }

    /// Judges every frame, in order; the port by which all leave, if it is one.
    fn pass(&mut self, now: Nanos, frames: &mut [Frame<'_>], outline: &Outline, stages: &mut Stages) -> Option<PortId> {
        let first = self.out_of(frames.first()?.port);
        let mut is_common = true;
        let mut forwarded = 0;
        let mut parsed = stages.parsed.drain(..);
        let mut at = 0;
        while let Some(frame) = frames.get_mut(at) {
            let out = self.out_of(frame.port);
            is_common &= out == first;
            let ran = self.run(&frames[at..], outline.run(at), &stages.plain[at..], &stages.guesses[at..]);
            if let Some(places) = stages.verdicts.get_mut(at..at + ran) {
                places.fill(Verdict::Forward(out));
            }
            at += ran;
            forwarded += ran as u64;
            let (Some(frame), Some(place)) = (frames.get_mut(at), stages.verdicts.get_mut(at)) else { break };
            if outline.turns >> at & 1 != 0 && ran > 0 {
                continue;
            }
            let (plain, hash) = (&stages.plain[at], stages.hashes[at]);
            let verdict = if outline.usual >> at & 1 != 0 {
                self.judge(now, frame, &Parsed::Packet(plain.describe(frame.bytes)), hash)
            } else {
                let parsed = parsed.next().unwrap_or(Err(DropReason::Truncated));
                parsed.and_then(|parsed| self.judge(now, frame, &parsed, hash))
            };
            at += 1;
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
        self.counters.add(Counter::PacketsReceived, frames.len() as u64);
        self.counters.add(Counter::OctetsReceived, outline.octets);
        self.counters.add(Counter::PacketsForwarded, forwarded);
        is_common.then_some(first)
    }

    /// Where a wire's other end is; of a port without a wire, whose frames are not read, any.
    fn out_of(&self, port: PortId) -> PortId {
        self.wires.from(port).map_or(port, |(_, out)| out)
    }

    /// How many packets, of `most` usual ones from the same port, just carry their flows on, so that nothing needs to be
    /// decided: up to the first that does not, and they are counted. What does not change is read once for all of them.
    #[inline(always)]
    fn run(&mut self, frames: &[Frame<'_>], most: usize, plain: &[Plain], guesses: &[Slot]) -> usize {
        let epoch = self.policy.epoch();
        let is_bound = self.guard.is_bound();
        let is_second = frames.first().is_some_and(|frame| self.wires.is_second(frame.port));
        let mut ran = 0;
        while ran < most {
            let lane = &self.lane;
            let present = self.table.present();
            let mut flows = self.table.flows();
            let mut ran_over = None;
            for ((frame, plain), guess) in frames.iter().zip(plain).zip(guesses).take(most).skip(ran) {
                let Some(record) = flows.at(*guess, &plain.key) else { return ran };
                let direction = plain.sender.direction(record.client());
                let patience = lane.patience(direction, record.standing());
                let is_over = patience == Patience::default() || record.is_silent(present, patience);
                if is_over || record.is_inspected() || !record.is_of_epoch(epoch) {
                    return ran;
                }
                if is_bound && !on_its_side(is_second, plain.sender, record) {
                    return ran;
                }
                if plain.key.protocol() == protocol::TCP {
                    let Some(tcp) = plain.tcp(frame.bytes) else { return ran };
                    let segment = plain.segment(&tcp);
                    if !record.tcp.goes_on(direction, &segment) {
                        return ran;
                    }
                    if segment.payload_length > 0 {
                        record.set(Flags::FROM_START, false);
                    }
                } else if record.has(Flags::WATCHED) {
                    return ran;
                }
                record.touch(present);
                ran += 1;
                let carries = record.count(direction, plain.length);
                if carries.0 | carries.1 {
                    ran_over = Some((*guess, direction, carries));
                    break;
                }
            }
            match ran_over {
                Some((slot, direction, carries)) => self.table.carry(slot, direction, carries),
                None => break,
            }
        }
        ran
    }
}

/// The flow that a packet concerns.
fn key(parsed: &Result<Parsed, DropReason>) -> Option<&FlowKey> {
    match parsed {
        Ok(Parsed::Packet(info)) => Some(info.flow_key()),
        _ => None,
    }
}
