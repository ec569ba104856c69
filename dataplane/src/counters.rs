//! What a worker counts: written by one core with plain stores, read by control at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::policy::RuleId;
use crate::verdict::DropReason;

/// Declares the counters with their names, so that none lacks one.
macro_rules! counters {
    ($($(#[doc = $doc:literal])* $counter:ident = $name:literal,)*) => {
        /// A counter of a worker; drops have theirs by [`DropReason`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Counter { $($(#[doc = $doc])* $counter,)* }

        impl Counter {
            /// All, in the order in which they are read.
            pub const ALL: &[Self] = &[$(Self::$counter,)*];
            /// The name in statistics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$counter => $name,)* }
            }
            /// What it counts, as it is written above it: the first sentence stands alone, and that of a gauge says so.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$counter => concat!($($doc, "\n"),*),)* }
            }
            /// Whether it goes down as well.
            pub fn is_gauge(self) -> bool {
                self.help().starts_with(" Gauge: ")
            }
        }
    };
}

counters! {
    /// Frames given to the pipeline. Each is forwarded, taken or dropped, so `packets_received` is the sum of
    /// `packets_forwarded`, `packets_taken` and every `drop_…` except `drop_tx_…`, which the worker adds after that, of
    /// frames of our own as well.
    PacketsReceived = "packets_received",
    /// Octets of the frames given to the pipeline, Ethernet header included, FCS not.
    OctetsReceived = "octets_received",
    /// Frames with the verdict to forward.
    PacketsForwarded = "packets_forwarded",
    /// Forwarded frames that are not IP: ARP, LLDP, PPPoE discovery, PPP control, EAPOL … A wire is transparent to them.
    PassedNonIp = "passed_non_ip",
    /// Forwarded ICMPv6 of the link itself: neighbour discovery, multicast listener discovery (RFC 4890, 4.4.1).
    PassedLinkControl = "passed_link_control",
    /// Sessions that entered the table.
    SessionsOpened = "sessions_opened",
    /// Sessions that ended, for whatever reason.
    SessionsClosed = "sessions_closed",
    /// Gauge: sessions open now.
    SessionsActive = "sessions_active",
    /// Gauge: entries of the flow table in use; more than the sessions by those that linger closed or denied.
    TableEntries = "table_entries",
    /// Sessions that ended because they timed out.
    SessionsTimedOut = "sessions_timed_out",
    /// Sessions that ended because their client's user signed off.
    SessionsLoggedOut = "sessions_logged_out",
    /// Entries that gave way to others in a full table.
    SessionsEvicted = "sessions_evicted",
    /// Sessions that began unrecorded, though their rule logs, because so many wait for an answer.
    SessionsUnreported = "sessions_unreported",
    /// SYNs that were refused in a flood and let in when they were repeated.
    SynRetries = "syn_retries",
    /// Sessions judged anew: application known or given up, or policy changed.
    SessionsRejudged = "sessions_rejudged",
    /// Packets of sessions that were open, or had an entry, when they were denied; each is a drop as well. A first packet
    /// that a rule denies has no session and counts as a drop only.
    DeniedPackets = "denied_packets",
    /// Sessions opened that source NAT translates.
    SessionsTranslated = "sessions_translated",
    /// TCP sessions that were picked up without their SYN.
    TcpMidstream = "tcp_midstream",
    /// Forwarded ICMP errors that quote a known flow.
    IcmpErrors = "icmp_errors",
    /// Forwarded fragments, first and later.
    Fragments = "fragments",
    /// Fragments that had to wait for the rest of their datagram.
    FragmentsHeld = "fragments_held",
    /// Fragments that waited and were lost: their datagram was refused or given up. They and those that left are as many
    /// as had to wait, but for those that still do.
    FragmentsLost = "fragments_lost",
    /// Datagrams in fragments that were given up because their rest never came, or not soon enough in a full table.
    FragmentsTimedOut = "fragments_timed_out",
    /// Flows that were shown to the engine.
    AppidInspected = "appid_inspected",
    /// Packets that were shown to the engine.
    AppidPackets = "appid_packets",
    /// Flows that the engine named.
    AppidIdentified = "appid_identified",
    /// Flows that the engine gave up.
    AppidGaveUp = "appid_gave_up",
    /// Flows that found no free inspection slot.
    AppidNoSlot = "appid_no_slot",
    /// Gauge: flows with the engine now. Those named whose protocol reports sign-ons are among them.
    AppidSlots = "appid_slots",
    /// Segments of inspected flows that repeat octets which are not kept any more, so that they passed uncompared.
    AppidUnverified = "appid_unverified",
    /// Segments of inspected flows that lost their urgent pointer.
    UrgentCleared = "urgent_cleared",
    /// Sign-on events sent.
    SignonEvents = "signon_events",
    /// Sign-on events lost to a full queue, or because one segment showed more than the engine can tell.
    SignonEventsLost = "signon_events_lost",
    /// Session events sent.
    SessionEvents = "session_events",
    /// Session events lost to a full queue; of denied packets told together, as many as they are.
    SessionEventsLost = "session_events_lost",
    /// Notices of attacks sent.
    AttackEvents = "attack_events",
    /// Notices of attacks lost to a full queue.
    AttackEventsLost = "attack_events_lost",
    /// Events of access users sent.
    AccessEvents = "access_events",
    /// Events of access users lost to a full queue.
    AccessEventsLost = "access_events_lost",
    /// RADIUS requests seen.
    RadiusRequests = "radius_requests",
    /// RADIUS answers to a request that was seen.
    RadiusAnswers = "radius_answers",
    /// RADIUS answers to no request that was seen; they are not believed.
    RadiusUnmatched = "radius_unmatched",
    /// RADIUS messages with a wrong authenticator; they are not believed.
    RadiusForged = "radius_forged",
    /// RADIUS messages that are not believed because they cannot be verified.
    RadiusUnverified = "radius_unverified",
    /// RADIUS requests forgotten before they were answered, because of so many others.
    RadiusEvicted = "radius_evicted",
    /// PPPoE discovery and PPP control packets seen.
    PppoeControl = "pppoe_control",
    /// PPPoE sessions forgotten because of so many others, and control packets of sessions whose beginning was not seen.
    PppoeLost = "pppoe_lost",
    /// EAPOL frames seen.
    EapolFrames = "eapol_frames",
    /// Supplicants of 802.1X forgotten because of so many others, though they were let in or waited for their verdict.
    EapolLost = "eapol_lost",
    /// DHCP messages seen.
    DhcpMessages = "dhcp_messages",
    /// DHCPv6 messages seen.
    Dhcpv6Messages = "dhcpv6_messages",
    /// DHCP messages of servers that the configuration does not list; they are not believed.
    DhcpUnlisted = "dhcp_unlisted",
    /// Messages of RADIUS, PPPoE, 802.1X and DHCP that contradict themselves; they are not believed.
    AccessMalformed = "access_malformed",
    /// Frames that the dispatcher handed to workers. Of a dispatcher only.
    FramesDispatched = "frames_dispatched",
    /// Frames that the firewall itself sends: RST and ICMP errors.
    Replies = "replies",
    /// Replies not sent because of their rate limit or a full queue.
    RepliesLimited = "replies_limited",
    /// Frames at interfaces that were for the firewall itself, wait for their neighbour, or left in fragments; fragments anywhere.
    PacketsTaken = "packets_taken",
    /// Gauge: neighbours known or asked for.
    Neighbours = "neighbours",
    /// ARP requests and neighbour solicitations sent.
    NeighbourQuestions = "neighbour_questions",
    /// ARP replies and neighbour advertisements sent.
    NeighbourAnswers = "neighbour_answers",
    /// Our own addresses announced: gratuitous ARP, unsolicited neighbour advertisements.
    NeighbourAnnouncements = "neighbour_announcements",
    /// Claims of a known neighbour's address by another MAC address.
    NeighbourConflicts = "neighbour_conflicts",
    /// Packets that had to wait for their neighbour to answer.
    NeighbourHeld = "neighbour_held",
    /// Packets that had waited for their neighbour and left when it answered.
    NeighbourReleased = "neighbour_released",
    /// Packets that waited for their neighbour and were lost because it did not answer, or because another needed its place;
    /// with those that left they are as many as had to wait, but for those that still do.
    NeighbourLost = "neighbour_lost",
    /// Echo requests to our own addresses answered.
    EchoReplies = "echo_replies",
    /// ICMP errors of the router sent.
    ErrorsSent = "icmp_errors_sent",
    /// ICMP errors of the router not sent because of their rate limit.
    ErrorsLimited = "icmp_errors_limited",
    /// Packets that left in fragments.
    Fragmented = "packets_fragmented",
    /// Fragments that packets left in.
    FragmentsMade = "fragments_made",
    /// Frames of our own that found no room in a burst.
    OriginatedLost = "originated_lost",
}

/// The numbers that a rule can have.
const RULES: usize = 1 << u16::BITS;

/// The counters of one worker. Only that worker writes; anyone may read.
#[derive(Debug)]
pub struct Counters {
    counters: CachePadded<[AtomicU64; Counter::ALL.len()]>,
    drops: CachePadded<[AtomicU64; DropReason::ALL.len()]>,
    /// Cycles of turns with packets, and of turns without.
    load: CachePadded<[AtomicU64; 2]>,
    longest_turn: CachePadded<AtomicU64>,
    /// By [`RuleId`].
    hits: Box<[AtomicU64]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            counters: CachePadded::new([const { AtomicU64::new(0) }; Counter::ALL.len()]),
            drops: CachePadded::new([const { AtomicU64::new(0) }; DropReason::ALL.len()]),
            load: CachePadded::default(),
            longest_turn: CachePadded::default(),
            hits: std::iter::repeat_with(AtomicU64::default).take(RULES).collect(),
        }
    }
}

impl Counters {
    /// Adds to a counter. Of the one writer only.
    pub fn add(&self, counter: Counter, n: u64) {
        bump(&self.counters[counter as usize], n);
    }

    /// Sets a gauge. Of the one writer only.
    pub fn set(&self, gauge: Counter, value: u64) {
        self.counters[gauge as usize].store(value, Ordering::Relaxed);
    }

    /// Counts `n` dropped frames. Of the one writer only.
    pub fn add_drop(&self, reason: DropReason, n: u64) {
        bump(&self.drops[reason as usize], n);
    }

    /// Counts a flow that came under a rule. Of the one writer only.
    pub fn hit(&self, rule: RuleId) {
        if let Some(cell) = self.hits.get(usize::from(rule.0)) {
            bump(cell, 1);
        }
    }

    /// Flows that came under a rule: when they were opened or refused, or when what became known of them, or another policy,
    /// brought them there.
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.hits.get(usize::from(rule.0)).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// Adds cycles of turns with packets and of turns without. Of the one writer only.
    pub fn add_load(&self, busy: u64, idle: u64) {
        bump(&self.load[0], busy);
        bump(&self.load[1], idle);
    }

    /// Notes how many cycles a turn with packets took.
    pub fn note_turn(&self, cycles: u64) {
        // A locked instruction, for readers set it back; rare, as it takes a longer turn than any since.
        if cycles > self.longest_turn.load(Ordering::Relaxed) {
            self.longest_turn.fetch_max(cycles, Ordering::Relaxed);
        }
    }

    /// Cycles of the time-stamp counter spent in turns with packets, and in turns without.
    pub fn load(&self) -> (u64, u64) {
        (self.load[0].load(Ordering::Relaxed), self.load[1].load(Ordering::Relaxed))
    }

    /// The cycles of the longest turn with packets since the last call.
    pub fn take_longest_turn(&self) -> u64 {
        self.longest_turn.swap(0, Ordering::Relaxed)
    }

    /// One counter's value.
    pub fn value(&self, counter: Counter) -> u64 {
        self.counters[counter as usize].load(Ordering::Relaxed)
    }

    /// Frames dropped for one reason.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].load(Ordering::Relaxed)
    }

    /// Every counter by its name, in a fixed order, zeros included; drops are `drop_<reason>`.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let counters = Counter::ALL.iter().map(|&counter| (counter.name(), self.value(counter)));
        let drops = DropReason::ALL.iter().map(|&reason| (reason.counter(), self.drops(reason)));
        counters.chain(drops).collect()
    }
}

/// A load and a store instead of a locked addition: there is one writer, and readers may be a moment behind.
fn bump(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let read = Counters::default().read();
        let names: HashSet<_> = read.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), Counter::ALL.len() + DropReason::ALL.len());
    }

    #[test]
    fn every_counter_says_what_it_counts() {
        let gauges: Vec<_> =
            Counter::ALL.iter().filter(|counter| counter.is_gauge()).map(|gauge| gauge.name()).collect();
        assert_eq!(gauges, ["sessions_active", "table_entries", "appid_slots", "neighbours"]);
        let helps: HashSet<_> = Counter::ALL.iter().map(|counter| counter.help()).collect();
        assert_eq!(helps.len(), Counter::ALL.len());
        // Read alone, "those" would be nobody.
        assert!(
            helps.iter().all(|help| help.len() > 10 && !help.starts_with(" Those") && !help.starts_with(" Of those"))
        );
    }

    #[test]
    fn what_is_added_is_read() {
        let counters = Counters::default();
        counters.add(Counter::PacketsReceived, 3);
        counters.add(Counter::PacketsReceived, 4);
        counters.add_drop(DropReason::TxFull, 2);
        counters.set(Counter::SessionsActive, 9);
        counters.hit(RuleId::IMPLICIT);
        counters.hit(RuleId(3));
        counters.hit(RuleId(3));
        assert_eq!([RuleId(3), RuleId::IMPLICIT, RuleId(0)].map(|rule| counters.hits(rule)), [2, 1, 0]);
        let read: Vec<_> = counters.read().into_iter().filter(|&(_, value)| value != 0).collect();
        assert_eq!(read, [("packets_received", 7), ("sessions_active", 9), ("drop_tx_full", 2)]);
    }
}
