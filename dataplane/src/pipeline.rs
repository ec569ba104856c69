//! From a burst of frames to a verdict for each, and events: everything of the packet path meets here, without DPDK.

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::command::Command;
use crate::counters::Counters;
use crate::event::{EventSender, WorkerId};
use crate::policy::{Policy, PortId};
use crate::time::Nanos;
use crate::verdict::Verdict;

/// Frames handled together at most.
pub const BURST: usize = 64;

/// How long a silent flow stays in the table.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP before its handshake is complete.
    pub tcp_opening: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP after a FIN or RST.
    pub tcp_closing: Duration,
    /// UDP seen in one direction only.
    pub udp: Duration,
    /// UDP seen in both.
    pub udp_stream: Duration,
    /// ICMP and ICMPv6 queries.
    pub icmp: Duration,
    /// Any other protocol.
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_opening: Duration::from_secs(20),
            tcp_established: Duration::from_secs(3600),
            tcp_closing: Duration::from_secs(10),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_secs(180),
            icmp: Duration::from_secs(10),
            other: Duration::from_secs(60),
        }
    }
}

/// What a TCP segment without SYN does that no entry knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Midstream {
    /// It may open a session, judged as the policy says: sessions survive a restart of the firewall.
    Permit,
    /// It is dropped as `tcp_not_syn`.
    Drop,
}

/// What a pipeline is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The worker that runs it.
    pub worker: WorkerId,
    /// Sessions at most, of this worker.
    pub max_sessions: usize,
    /// Flows under inspection at most.
    pub inspection_slots: usize,
    /// Datagrams in fragments followed at a time, at most.
    pub fragment_slots: usize,
    /// Per protocol.
    pub timeouts: Timeouts,
    /// Pairs of ports: what enters one leaves by the other.
    pub wires: Vec<(PortId, PortId)>,
    /// TCP picked up in its middle.
    pub midstream: Midstream,
    /// Whether the IPv4 header checksum is verified; captures taken at a sender often lack it.
    pub verify_checksums: bool,
}

/// A frame as it came.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Where it came in.
    pub port: PortId,
    /// Ethernet frame without FCS; of a longer frame the part at hand (first segment, or what the capture kept).
    pub bytes: &'a [u8],
    /// The whole frame's length on the wire.
    pub length: u32,
}

/// A frame that the firewall itself sends: a RST, an ICMP error.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where it leaves.
    pub port: PortId,
    /// The Ethernet frame.
    pub bytes: ArrayVec<u8, 128>,
}

/// The packet path of one worker.
#[derive(Debug)]
pub struct Pipeline {
    counters: Arc<Counters>,
    #[allow(dead_code)]
    events: EventSender,
}

impl Pipeline {
    /// Takes all its memory now. The signature database is the one that `policy` was compiled against.
    pub fn new(settings: Settings, policy: Arc<Policy>, signatures: Arc<sigdb::Database>, events: EventSender) -> Self {
        let _ = (settings, policy, signatures);
        Self { counters: Arc::default(), events }
    }

    /// Judges a burst (at most [`BURST`] frames): one verdict a frame, in order. Time is read once a burst.
    pub fn process(&mut self, now: Nanos, frames: &[Frame<'_>], verdicts: &mut ArrayVec<Verdict, BURST>) {
        let _ = (now, frames, verdicts);
    }

    /// Frames that the last burst asks to be sent; the caller empties it.
    pub fn replies(&mut self) -> impl Iterator<Item = Reply> + '_ {
        std::iter::empty()
    }

    /// Housekeeping: expiry and open dumps, a bounded piece of it. Call it every few bursts, and when idle.
    pub fn turn(&mut self, now: Nanos) {
        let _ = now;
    }

    /// Carries out a command from control.
    pub fn command(&mut self, now: Nanos, command: Command) {
        let _ = (now, command);
    }

    /// Ends every session with [`crate::event::CloseReason::Shutdown`].
    pub fn shutdown(&mut self, now: Nanos) {
        let _ = now;
    }

    /// The counters, shared with control.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}
