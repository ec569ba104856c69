//! Sign-ons of access users from end to end: RADIUS frames through the pipeline, its events through the table of users, and
//! what follows from them through records into IPFIX messages. All on one core, one after the other; nothing is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use control::config::{self, Compiled};
use control::presence::access::{AccessLimits, AccessTable, AccessTransition};
use control::record::BootId;
use control::record::ipfix::{AccessVersion, Encoder, Outcome};
use control::record::sequence::Recorder;
use control::signatures;
use dataplane::access::{AccessSettings, RadiusClient};
use dataplane::endpoint::Address;
use dataplane::event::{self, EventReceiver, Sizes, WorkerId};
use dataplane::pipeline::{BURST, Frame, Pipeline, Settings};
use dataplane::policy::PortId;
use dataplane::time::Nanos;
use md5::{Digest, Md5};

use super::Fallible;
use super::machine;
use super::scene::{Figure, Plan, figure};
use crate::pktgen::frames::{Link, Side, udp_packet};

/// Users who sign on.
const USERS: usize = 1_000_000;
/// Users whose frames are made at a time, outside of what is measured.
const BATCH: usize = 4096;
/// Access servers among which users are spread.
const SERVERS: usize = 16;
/// What each of them shares with the RADIUS server.
const SECRET: &[u8] = b"a secret of 24 octets ..";
/// Octets of an IPFIX message over Ethernet.
const MESSAGE: usize = 1_440;

/// Signs users on, has each told of once more while it lasts, and signs them off; `verified` with a secret that is known.
pub fn measure(plan: &Plan, verified: bool) -> Fallible<Vec<Figure>> {
    let users = plan.size(USERS);
    let mut bench = Bench::new(users, verified);
    let empty = machine::memory_in_use();
    let on = bench.run(users, sign_on)?;
    bench.expect("sign-ons", 2 * users as u64, users)?;
    let memory = machine::memory_in_use().saturating_sub(empty);
    let interim = bench.run(users, |user| vec![(Side::Client, accounting(user, 3))])?;
    bench.expect("interim messages", 0, users)?;
    let off = bench.run(users, |user| vec![(Side::Client, accounting(user, 2))])?;
    bench.expect("sign-offs", users as u64, 0)?;
    let rate = |span: Duration| users as f64 / span.as_secs_f64() / 1e3;
    Ok(vec![
        figure("users", users as f64 / 1e6, "M"),
        figure("sign-ons (4 frames, 2 records)", rate(on), "k/s"),
        figure("interim messages (1 frame)", rate(interim), "k/s"),
        figure("sign-offs (1 frame, 1 record)", rate(off), "k/s"),
        // The table of users, what it is saved from, and nothing of the pipeline: that has its memory from the start.
        figure("memory", memory as f64 / users as f64, "octets a user"),
    ])
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
    fn new(users: usize, verified: bool) -> Self {
        let configuration = config::replay_default(signatures::shipped());
        let clients = if verified {
            let networks = vec![(Address::v4([10, 1, 0, 0]), 96 + 16)];
            vec![RadiusClient { name: "bras".to_owned(), networks, secret: SECRET.into(), believes_unverified: false }]
        } else {
            Vec::new()
        };
        let settings = AccessSettings { clients, ..AccessSettings::clone(&configuration.access.settings) };
        let (sender, events) = event::channels(WorkerId(0), Sizes { session: 4096, sign_on: 64, access: 4096 });
        let (policy, database) = (Arc::clone(&configuration.policy), Arc::clone(&configuration.database));
        let pipeline = Pipeline::new(pipeline(&configuration), policy, database, sender).watching(Arc::new(settings));
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

    /// Shows what each user's messages are; how long it took, without making them.
    fn run(&mut self, users: usize, messages: impl Fn(usize) -> Vec<(Side, Vec<u8>)>) -> Fallible<Duration> {
        let link = Link::plain();
        let mut span = Duration::ZERO;
        let mut transitions = Vec::new();
        for first in (0..users).step_by(BATCH) {
            let mut frames: Vec<_> = (first..users.min(first + BATCH))
                .flat_map(|user| messages(user).into_iter().map(move |message| (user, message)))
                .map(|(user, (side, payload))| (side, link.frame(side, &packet(user, side, &payload))))
                .collect();
            let begin = Instant::now();
            for burst in frames.chunks_mut(BURST) {
                self.now = self.now + Duration::from_micros(50);
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

fn pipeline(configuration: &Compiled) -> Settings {
    let dataplane = &configuration.dataplane;
    Settings {
        worker: WorkerId(0),
        max_sessions: 65_536,
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

/// A datagram of a user's access server, or the answer; each server asks from 64 ports in turn, accounting from others.
fn packet(user: usize, side: Side, payload: &[u8]) -> Vec<u8> {
    let is_accounting = matches!(payload.first(), Some(4 | 5));
    let server = user % SERVERS;
    let port = 20_000 + (user / SERVERS % 64) as u16 + if is_accounting { 1000 } else { 0 };
    let access_server = SocketAddr::from(([10, 1, 0, server as u8], port));
    let radius_server = SocketAddr::from(([192, 0, 2, 1], if is_accounting { 1813 } else { 1812 }));
    match side {
        Side::Client => udp_packet(access_server, radius_server, user as u16, payload),
        Side::Server => udp_packet(radius_server, access_server, user as u16, payload),
    }
}

/// Asked and accepted, begun and acknowledged.
fn sign_on(user: usize) -> Vec<(Side, Vec<u8>)> {
    let asked = message(1, user, &[identity(user), attribute(2, &[7; 16])].concat(), None);
    let accept =
        [attribute(8, &address(user)), attribute(25, b"gold"), attribute(27, &86_400_u32.to_be_bytes())].concat();
    let accept = message(2, user, &accept, Some(&asked));
    let start = accounting(user, 1);
    let response = message(5, user, &[], Some(&start));
    vec![(Side::Client, asked), (Side::Server, accept), (Side::Client, start), (Side::Server, response)]
}

/// An Accounting-Request of that status.
fn accounting(user: usize, status: u32) -> Vec<u8> {
    let mut attributes = identity(user);
    attributes.extend(attribute(40, &status.to_be_bytes()));
    attributes.extend(attribute(44, format!("{user:08x}").as_bytes()));
    attributes.extend(attribute(8, &address(user)));
    if status != 1 {
        attributes.extend([42, 43, 46, 47, 48].into_iter().flat_map(|kind| attribute(kind, &77_777_u32.to_be_bytes())));
    }
    if status == 2 {
        attributes.extend(attribute(49, &1_u32.to_be_bytes()));
    }
    message(4, user, &attributes, None)
}

/// Name, access server, its port, both stations.
fn identity(user: usize) -> Vec<u8> {
    let [.., a, b, c, d] = user.to_be_bytes();
    [
        attribute(1, format!("user{user:07}@isp.example").as_bytes()),
        attribute(4, &[10, 1, 0, (user % SERVERS) as u8]),
        attribute(5, &(user as u32).to_be_bytes()),
        attribute(6, &2_u32.to_be_bytes()),
        attribute(31, format!("02-00-{a:02X}-{b:02X}-{c:02X}-{d:02X}").as_bytes()),
        attribute(32, format!("bras{}", user % SERVERS).as_bytes()),
        attribute(61, &15_u32.to_be_bytes()),
        attribute(87, format!("eth 0/{}:{}", user % 8, user % 4096).as_bytes()),
    ]
    .concat()
}

fn address(user: usize) -> [u8; 4] {
    (0x6440_0000 + user as u32).to_be_bytes()
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8 + 2], value].concat()
}

/// A message with its authenticator: of an Access-Request a digest, of what answers a request the one that follows from it.
fn message(code: u8, user: usize, attributes: &[u8], request: Option<&[u8]>) -> Vec<u8> {
    // Of a server's port, each number is used once in 256 messages.
    let id = (user / SERVERS / 64) as u8;
    let length = (20 + attributes.len()) as u16;
    let asked = request.and_then(|request| request.get(4..20)).unwrap_or(&[0; 16]);
    let mut octets = [&[code, id], &length.to_be_bytes()[..], asked, attributes].concat();
    let authenticator = Md5::digest([&octets, SECRET].concat());
    octets[4..20].copy_from_slice(&authenticator);
    octets
}
