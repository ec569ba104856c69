//! A firewall for tests: one wire between port 0 (`inside`, zone 0) and port 1 (`outside`, zone 1), a clock that a test
//! sets, and everything that comes out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::access::{AccessEvent, AccessSettings};
use crate::appid::ResolvedTable;
use crate::command::Command;
use crate::event::{CloseReason, EventReceiver, SessionChange, SessionEvent, SignOnEvent, WorkerId, channel};
use crate::guard::Protection;
use crate::pipeline::{Frame, Midstream, Pipeline, Reply, Settings, Timeouts};
use crate::policy::{Action, Policy, PolicySource, PortId, RuleSource, ZoneId};
use crate::time::Nanos;
use crate::verdict::{DropReason, Verdict};
use crate::wire::build::{Packet, Tcp};

pub(super) const INSIDE: PortId = PortId(0);
pub(super) const OUTSIDE: PortId = PortId(1);

pub(super) struct Firewall {
    pub(super) pipeline: Pipeline,
    pub(super) events: EventReceiver,
    pub(super) now: Nanos,
    /// Counters as they were at the last [`Firewall::moved`].
    seen: BTreeMap<&'static str, u64>,
}

/// What became of a frame.
#[derive(Debug)]
pub(super) struct Fate {
    verdict: Verdict,
    port: PortId,
    pub(super) replies: Vec<Reply>,
    /// What was sent of what had waited.
    pub(super) sent: Vec<(PortId, Vec<u8>)>,
}

impl Fate {
    #[track_caller]
    pub(super) fn passes(&self) {
        let other = if self.port == INSIDE { OUTSIDE } else { INSIDE };
        assert_eq!(self.verdict, Verdict::Forward(other));
        assert!(self.replies.is_empty());
    }

    /// It waits for more.
    #[track_caller]
    pub(super) fn waits(&self) {
        assert_eq!((self.verdict, self.sent.as_slice()), (Verdict::Taken, &[][..]));
    }

    /// With it leaves what had waited, as it came, in this order.
    #[track_caller]
    pub(super) fn releases(&self, expected: &[&Packet]) {
        let other = if self.port == INSIDE { OUTSIDE } else { INSIDE };
        assert_eq!(self.verdict, Verdict::Taken);
        let expected: Vec<_> = expected.iter().map(|packet| (other, packet.frame())).collect();
        assert_eq!(self.sent, expected);
    }

    pub(super) fn verdict_is_forward(&self) -> bool {
        matches!(self.verdict, Verdict::Forward(_))
    }

    #[track_caller]
    pub(super) fn drops(&self, reason: DropReason) {
        assert_eq!(self.verdict, Verdict::Drop(reason));
    }
}

/// A rule that permits what goes from zone 0 to zone 1, and logs.
pub(super) fn outbound() -> RuleSource {
    RuleSource { from: vec![ZoneId(0)], to: vec![ZoneId(1)], session_logging: true, ..rule(Action::Permit) }
}

/// A rule that matches everything and does not log.
pub(super) fn rule(action: Action) -> RuleSource {
    RuleSource {
        from: vec![],
        to: vec![],
        source: vec![],
        destination: vec![],
        service: vec![],
        application: vec![],
        users: 0,
        action,
        session_logging: false,
        profile: false,
        source_nat: None,
    }
}

pub(super) fn policy(rules: Vec<RuleSource>) -> PolicySource {
    let zones = vec![ZoneId(0), ZoneId(1)];
    PolicySource { rules, implicit_deny_logging: false, full_identification: false, zones }
}

pub(super) fn settings() -> Settings {
    Settings {
        worker: WorkerId(3),
        max_sessions: 1000,
        inspection_slots: 100,
        fragment_slots: 64,
        timeouts: Timeouts::default(),
        wires: vec![(INSIDE, OUTSIDE)],
        nat: vec![],
        routing: Default::default(),
        midstream: Midstream::Permit,
        verify_checksums: true,
        protection: Protection::default(),
    }
}

impl Firewall {
    /// With these rules, and everything else as usual.
    pub(super) fn with(rules: Vec<RuleSource>) -> Self {
        Self::set_up(settings(), policy(rules), sigdb::Database::default())
    }

    pub(super) fn set_up(settings: Settings, policy: PolicySource, signatures: sigdb::Database) -> Self {
        Self::set_up_shared(settings, policy, Arc::new(signatures))
    }

    pub(super) fn set_up_shared(settings: Settings, policy: PolicySource, signatures: Arc<sigdb::Database>) -> Self {
        let (sender, events) = channel(settings.worker, 1000, 1000);
        let pipeline = Pipeline::new(settings, Arc::new(Policy::compile(policy)), signatures, sender);
        let seen = pipeline.counters().read().into_iter().collect();
        Self { pipeline, events, now: Nanos::from_parts(1_800_000_000, 0), seen }
    }

    /// The same, remembering which addresses names resolved to.
    pub(super) fn remembering(mut self) -> Self {
        self.pipeline = self.pipeline.sharing(Arc::new(ResolvedTable::new(64)));
        self
    }

    /// The same, looking for sign-ons of access users.
    pub(super) fn watching(mut self, settings: AccessSettings) -> Self {
        self.pipeline = self.pipeline.watching(Arc::new(settings));
        self
    }

    pub(super) fn access_events(&mut self) -> Vec<AccessEvent> {
        std::iter::from_fn(|| self.events.access()).collect()
    }

    /// Lets time pass, and the housekeeping that falls into it.
    pub(super) fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        for _ in 0..20 {
            self.pipeline.turn(self.now);
        }
    }

    /// From now on by these rules.
    pub(super) fn commit(&mut self, policy: PolicySource) {
        self.commit_compiled(Policy::compile(policy));
    }

    pub(super) fn commit_compiled(&mut self, policy: Policy) {
        let (retired, old) = crossbeam::channel::bounded(1);
        let policy = Arc::new(policy);
        self.pipeline.command(self.now, Command::Policy { policy, database: None, retired });
        old.try_recv().expect("the old policy comes back");
    }

    pub(super) fn send_bytes(&mut self, port: PortId, bytes: &[u8]) -> Fate {
        let mut bytes = bytes.to_vec();
        let length = bytes.len() as u32;
        let frame = Frame::new(port, &mut bytes, length);
        let mut verdicts = ArrayVec::new();
        self.pipeline.process(self.now, &mut [frame], &mut verdicts);
        let replies = self.pipeline.replies().collect();
        let sent = self.pipeline.originated().map(|(port, frame)| (port, frame.to_vec())).collect();
        self.pipeline.clear_originated();
        Fate { verdict: verdicts[0], port, replies, sent }
    }

    /// Sends a packet from inside.
    pub(super) fn out(&mut self, packet: &Packet) -> Fate {
        self.send_bytes(INSIDE, &packet.frame())
    }

    /// Sends a packet from outside.
    pub(super) fn back(&mut self, packet: &Packet) -> Fate {
        self.send_bytes(OUTSIDE, &packet.frame())
    }

    pub(super) fn session_events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.events.session()).collect()
    }

    pub(super) fn sign_ons(&mut self) -> Vec<SignOnEvent> {
        std::iter::from_fn(|| self.events.sign_on()).collect()
    }

    /// The changes alone, as words.
    pub(super) fn changes(&mut self) -> Vec<String> {
        self.session_events()
            .iter()
            .map(|event| match event.change {
                SessionChange::Create => "create".into(),
                SessionChange::Close { reason } => format!("close {}", word(reason)),
                SessionChange::Deny if event.to_server.packets == 1 => "deny".into(),
                SessionChange::Deny => format!("deny {}", event.to_server.packets),
                SessionChange::Attack { kind, phase, .. } => {
                    format!("{} {phase:?} {} of {}", kind.name(), event.to_server.packets, event.to_client.packets)
                }
                SessionChange::Application(_) => "application".into(),
            })
            .collect()
    }

    /// Has [`Firewall::moved`] count from here.
    pub(super) fn forget(&mut self) {
        self.seen = self.pipeline.counters().read().into_iter().collect();
    }

    /// Asserts that since the last call exactly these counters moved, by so much. Octets are not looked at here.
    #[track_caller]
    pub(super) fn moved(&mut self, expected: &[(&str, i64)]) {
        let now: BTreeMap<_, _> = self.pipeline.counters().read().into_iter().collect();
        let mut moved: Vec<(&str, i64)> = Vec::new();
        for (name, value) in &now {
            let by = *value as i64 - self.seen[name] as i64;
            if by != 0 && *name != "octets_received" {
                moved.push((name, by));
            }
        }
        self.seen = now;
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        moved.sort_unstable();
        assert_eq!(moved, expected);
    }
}

fn word(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Fin => "fin",
        CloseReason::Reset => "reset",
        CloseReason::Timeout => "timeout",
        CloseReason::Policy => "policy",
        CloseReason::Logout => "logout",
        CloseReason::Evicted => "evicted",
        CloseReason::Shutdown => "shutdown",
    }
}

/// Both ends of a TCP connection with the numbers that they are at, to speak as either.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// Next sequence number of the client and of the server.
    pub(super) next: [u32; 2],
}

/// Window scale 7, with padding.
const SCALE: [u8; 4] = [1, 3, 3, 7];

impl Connection {
    pub(super) fn new(client: &str, server: &str) -> Self {
        Self { client: client.parse().unwrap(), server: server.parse().unwrap(), next: [1000, 500_000] }
    }

    /// A segment from the client with what is due, which advances by it.
    pub(super) fn client(&mut self, flags: u8, payload: &[u8]) -> Packet {
        self.segment(0, flags, payload)
    }

    /// Likewise from the server.
    pub(super) fn server(&mut self, flags: u8, payload: &[u8]) -> Packet {
        self.segment(1, flags, payload)
    }

    pub(super) fn tcp(&self, from: usize, flags: u8, payload: &[u8]) -> Tcp {
        use crate::wire::tcp::{ACK, SYN};
        let ends = [self.client, self.server];
        Tcp {
            source: ends[from],
            destination: ends[1 - from],
            flags,
            sequence: self.next[from],
            acknowledgment: if flags & ACK != 0 { self.next[1 - from] } else { 0 },
            window: 1000,
            options: if flags & SYN != 0 { SCALE.to_vec() } else { vec![] },
            payload: payload.to_vec(),
        }
    }

    fn segment(&mut self, from: usize, flags: u8, payload: &[u8]) -> Packet {
        use crate::wire::tcp::{FIN, SYN};
        let packet = self.tcp(from, flags, payload).packet();
        let length = payload.len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        self.next[from] = self.next[from].wrapping_add(length);
        packet
    }
}
