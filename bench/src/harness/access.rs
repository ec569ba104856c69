//! Sign-ons of access users from end to end: frames through the pipeline, its events through the table of users, and what
//! follows from them through records into IPFIX messages. All on one core, one after the other; nothing is sent.

mod dhcp;
mod pppoe;
mod radius;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use control::config::{self, Compiled};
use control::presence::access::{AccessLimits, AccessTable, AccessTransition};
use control::record::BootId;
use control::record::ipfix::{AccessVersion, Encoder, Outcome};
use control::record::sequence::Recorder;
use control::signatures;
use dataplane::access::AccessSettings;
use dataplane::event::{self, EventReceiver, Sizes, WorkerId};
use dataplane::pipeline::{BURST, Frame, Pipeline, Settings};
use dataplane::policy::PortId;
use dataplane::time::Nanos;

use super::Fallible;
use super::machine;
use super::scene::{Figure, Plan, figure};
use crate::pktgen::frames::Side;

/// Users who sign on.
const USERS: usize = 1_000_000;
/// Users whose frames are made at a time, outside of what is measured.
const BATCH: usize = 4096;
/// Access servers among which users are spread.
const SERVERS: usize = 16;
/// Octets of an IPFIX message over Ethernet.
const MESSAGE: usize = 1_440;

/// How users sign on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// By RADIUS; with a secret that is known or not.
    Radius {
        /// Whether it is.
        verified: bool,
    },
    /// By PPPoE.
    Pppoe,
    /// By DHCP.
    Dhcp,
}

/// What each of the users does, one after the other.
struct Act {
    /// What it is, with its frames and records.
    name: &'static str,
    /// The frames of a user, and from which side each comes.
    frames: fn(usize) -> Vec<(Side, Vec<u8>)>,
    /// Records that follow from them.
    records: u64,
    /// Whether the users are signed on afterwards.
    stay: bool,
    /// From one burst to the next.
    pause: Duration,
}

impl Story {
    fn acts(self) -> Vec<Act> {
        match self {
            Self::Radius { .. } => radius::acts(),
            Self::Pppoe => pppoe::acts(),
            Self::Dhcp => dhcp::acts(),
        }
    }
}

/// Has users do what a story tells: sign on, go on, sign off.
pub fn measure(plan: &Plan, story: Story) -> Fallible<Vec<Figure>> {
    let users = plan.size(USERS);
    let mut bench = Bench::new(users, story);
    let empty = machine::memory_in_use();
    let mut figures = vec![figure("users", users as f64 / 1e6, "M")];
    let mut memory = None;
    for act in story.acts() {
        let span = bench.run(users, &act)?;
        bench.expect(act.name, act.records * users as u64, if act.stay { users } else { 0 })?;
        figures.push(figure(act.name, users as f64 / span.as_secs_f64() / 1e3, "k/s"));
        memory.get_or_insert_with(|| machine::memory_in_use().saturating_sub(empty));
    }
    // The table of users, what it is saved from, and nothing of the pipeline: that has its memory from the start.
    figures.push(figure("memory", memory.unwrap_or(0) as f64 / users as f64, "octets a user"));
    Ok(figures)
}

struct Bench {
    pipeline: Pipeline,
    events: EventReceiver,
    table: AccessTable,
    recorder: Recorder,
    encoder: Encoder,
    now: Nanos,
    records: u64,
}

impl Bench {
    fn new(users: usize, story: Story) -> Self {
        let configuration = config::replay_default(signatures::shipped());
        let clients = if story == (Story::Radius { verified: true }) { vec![radius::client()] } else { Vec::new() };
        let settings = AccessSettings { clients, ..AccessSettings::clone(&configuration.access.settings) };
        let (sender, events) = event::channels(WorkerId(0), Sizes { session: 4096, sign_on: 64, access: 4096 });
        let (policy, database) = (Arc::clone(&configuration.policy), Arc::clone(&configuration.database));
        let pipeline =
            Pipeline::new(pipeline(&configuration, users), policy, database, sender).watching(Arc::new(settings));
        Self {
            pipeline,
            events,
            table: AccessTable::new(AccessLimits { users, ..configuration.access.limits() }),
            recorder: Recorder::new(BootId(1), &configuration),
            encoder: Encoder::new(1, MESSAGE).with_access(AccessVersion::V4),
            now: Nanos::from_parts(1_800_000_000, 0),
            records: 0,
        }
    }

    /// Shows the frames of each user; how long it took, without making them.
    fn run(&mut self, users: usize, act: &Act) -> Fallible<Duration> {
        let mut span = Duration::ZERO;
        let mut transitions = Vec::new();
        for first in (0..users).step_by(BATCH) {
            let mut frames: Vec<_> = (first..users.min(first + BATCH)).flat_map(act.frames).collect();
            let begin = Instant::now();
            for burst in frames.chunks_mut(BURST) {
                self.now = self.now + act.pause;
                let mut burst: ArrayVec<Frame<'_>, BURST> = burst
                    .iter_mut()
                    .map(|(side, bytes)| {
                        let length = bytes.len() as u32;
                        Frame::new(PortId(u16::from(*side == Side::Server)), bytes, length)
                    })
                    .collect();
                let mut verdicts = ArrayVec::new();
                self.pipeline.process(self.now, &mut burst, &mut verdicts);
                self.take(&mut transitions)?;
            }
            self.pipeline.turn(self.now);
            self.table.advance(self.now, &mut transitions);
            self.take(&mut transitions)?;
            span += begin.elapsed();
        }
        Ok(span)
    }

    /// What the control core does with what waits.
    fn take(&mut self, transitions: &mut Vec<AccessTransition>) -> Fallible<()> {
        while self.events.session().is_some() {}
        self.table.heard(self.now);
        while let Some(event) = self.events.access() {
            self.table.observe(&event, transitions);
        }
        for transition in transitions.drain(..) {
            let Some(record) = self.recorder.access(&transition) else { continue };
            self.records += 1;
            if self.encoder.add(&record) == Outcome::Full {
                self.encoder.finish((self.now.millis() / 1000) as u32);
                if self.encoder.add(&record) == Outcome::Full {
                    return Err("a record has no room in a message".into());
                }
            }
        }
        Ok(())
    }

    /// Whether exactly so many records were made since the last call and so many users are there, and nothing was lost.
    fn expect(&mut self, what: &str, records: u64, users: usize) -> Fallible<()> {
        let made = std::mem::take(&mut self.records);
        let (there, lost) = (self.table.len(), self.events.lost().access);
        if (made, there, lost) != (records, users, 0) {
            return Err(
                format!("after {what}: {made} records of {records}, {there} users of {users}, {lost} lost").into()
            );
        }
        Ok(())
    }
}

/// With a session for each user, whom a DHCP server answers at an address of his own.
fn pipeline(configuration: &Compiled, users: usize) -> Settings {
    let dataplane = &configuration.dataplane;
    Settings {
        worker: WorkerId(0),
        max_sessions: users + 65_536,
        inspection_slots: 1024,
        fragment_slots: 64,
        timeouts: dataplane.timeouts,
        wires: vec![(PortId(0), PortId(1))],
        nat: Vec::new(),
        routing: Default::default(),
        midstream: dataplane.midstream,
        verify_checksums: true,
        protection: dataplane.protection.clone(),
    }
}

/// What a user's address is.
fn address(user: usize) -> [u8; 4] {
    (0x6440_0000 + user as u32).to_be_bytes()
}

/// And the MAC address.
fn station(user: usize) -> [u8; 6] {
    let [.., a, b, c, d] = user.to_be_bytes();
    [2, 0, a, b, c, d]
}
