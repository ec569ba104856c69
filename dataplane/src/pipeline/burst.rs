//! A burst on its way, in stages: all frames are read, then all lines of the table asked for, then each packet is judged,
//! so that the waits for memory overlap. A usual packet of a flow that just goes on takes the short lane; every other the
//! whole way, which gives the same answer for any packet.

use arrayvec::ArrayVec;

use super::housekeeping::PLACES_PER_BURST;
use super::{BURST, Frame, Pipeline, Timeouts};
use crate::counters::Counter;
use crate::flow::{Flags, FlowKey, Patience, Slot, Stage, State};
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

/// Which frames of a burst are usual packets: a bit each, the first lowest.
type Usual = u64;
const _: () = assert!(Usual::BITS as usize >= BURST);

/// What the short lane compares with, and what it counts in a burst.
#[derive(Debug)]
pub(super) struct Lane {
    epoch: u32,
    udp: Patience,
    udp_stream: Patience,
    established: Patience,
}

impl Lane {
    fn new(timeouts: &Timeouts, epoch: u32) -> Self {
        Self {
            epoch,
            udp: timeouts.udp.into(),
            udp_stream: timeouts.udp_stream.into(),
            established: timeouts.tcp_established.into(),
        }
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
        for (guess, hash) in stages.guesses.iter_mut().zip(&stages.hashes).take(count) {
            *guess = self.table.prefetch_record(*hash);
        }
        let common = self.pass(now, frames, usual, &mut stages);
        verdicts.extend(stages.verdicts[..count].iter().copied());
        self.stages = Some(stages);
        // At most one session a packet is opened, so this keeps up with any rate.
        self.expire(now, BURST, PLACES_PER_BURST);
        self.events.publish();
        common
    }

    /// Reads all headers, and asks for the lines of the index.
    fn read(&self, frames: &[Frame<'_>], stages: &mut Stages) -> Usual {
        stages.parsed.clear();
        let verify_checksums = self.settings.verify_checksums;
        let (mut port, mut wire) = (None, None);
        let mut usual = 0;
        let places = stages.plain.iter_mut().zip(&mut stages.hashes);
        for (number, (frame, (plain, hash))) in frames.iter().zip(places).enumerate() {
            if port != Some(frame.port) {
                port = Some(frame.port);
                wire = self.wires.from(frame.port).map(|(wire, _)| wire);
            }
            let read = wire.and_then(|wire| Plain::read(frame.bytes, frame.length, wire, verify_checksums));
            if let Some(read) = read.filter(|_| self.short_lane) {
                *hash = self.table.hash(&read.key);
                *plain = read;
                usual |= 1 << number;
            } else {
                let parsed = self.parse(frame, wire);
                *hash = key(&parsed).map_or(0, |key| self.table.hash(key));
                stages.parsed.push(parsed);
            }
            self.table.prefetch_index(*hash);
        }
        usual
    }

    #[inline(never)]
    fn parse(&self, frame: &Frame<'_>, wire: Option<u8>) -> Result<Parsed, DropReason> {
        packet::parse(frame, wire.ok_or(DropReason::NoWire)?, self.settings.verify_checksums)
    }

    /// Judges every frame; the port by which all leave, if it is one.
    fn pass(&mut self, now: Nanos, frames: &mut [Frame<'_>], usual: Usual, stages: &mut Stages) -> Option<PortId> {
        let lane = Lane::new(&self.settings.timeouts, self.policy.epoch());
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
                if self.goes_on(&lane, frame, plain, hash, guess) {
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
                Ok(port) => {
                    forwarded += 1;
                    is_common &= port == first;
                    Verdict::Forward(port)
                }
                Err(reason) => {
                    is_common = false;
                    self.counters.add_drop(reason, 1);
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
    fn goes_on(&mut self, lane: &Lane, frame: &Frame<'_>, plain: &Plain, hash: u64, guess: Option<Slot>) -> bool {
        let Some(slot) = self.table.find_at(guess, &plain.key, hash) else { return false };
        let record = self.table.record(slot);
        let is_inspected = record.has(Flags::INSPECT) && record.stage() != Stage::Over;
        if !record.is_of_epoch(lane.epoch) || is_inspected {
            return false;
        }
        let direction = plain.sender.direction(record.client());
        let is_tcp = plain.key.protocol() == protocol::TCP;
        let patience = match record.state() {
            State::BothWays => lane.udp_stream,
            State::OneWay if plain.sender == record.client() => lane.udp,
            State::Established => lane.established,
            _ => return false,
        };
        if self.table.is_silent(slot, patience) {
            return false;
        }
        if is_tcp {
            let Some(tcp) = plain.tcp(frame.bytes) else { return false };
            let segment = plain.segment(&tcp);
            let record = self.table.record_mut(slot);
            if !record.tcp.goes_on(direction, &segment) {
                return false;
            }
            if segment.payload_length > 0 {
                record.set(Flags::FROM_START, false);
            }
        }
        self.table.touch(slot);
        self.table.count(slot, direction, plain.length);
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
