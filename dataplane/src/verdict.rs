//! What becomes of a frame, and by what name a frame that goes nowhere is counted.

use crate::policy::PortId;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it, as it is now, out of this port.
    Forward(PortId),
    /// Nothing more is to be done with it: it was for the firewall itself, or waits, or left in pieces.
    Taken,
    /// Drop it.
    Drop(DropReason),
}

/// Declares the reasons with their counter names, so that no reason lacks a counter.
macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $name:literal,)*) => {
        /// Why a frame was dropped. Each has a counter of its own, `drop_<name>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason { $($(#[doc = $doc])* $reason,)* }

        impl DropReason {
            /// All, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];
            /// The name in records.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)* }
            }
            /// The counter's name.
            pub const fn counter(self) -> &'static str {
                match self { $(Self::$reason => concat!("drop_", $name),)* }
            }
            /// What it means, as it is written above it.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$reason => concat!($($doc, "\n"),*),)* }
            }
        }
    };
}

drop_reasons! {
    /// The frame ends before its header does.
    Truncated = "truncated",
    /// An IP header that contradicts itself: version, header length, total length.
    BadIpHeader = "bad_ip_header",
    /// The IPv4 header checksum is wrong.
    BadIpChecksum = "bad_ip_checksum",
    /// A TCP, UDP or ICMP header that contradicts itself.
    BadTransportHeader = "bad_transport_header",
    /// An IPv6 extension chain longer than we follow, or out of order.
    BadExtensionChain = "bad_extension_chain",
    /// A source address that no host may use: multicast, broadcast, loopback.
    BadAddress = "bad_address",
    /// Source and destination are the same, ports included.
    Land = "land",
    /// TCP flags that no stack sends together.
    BadTcpFlags = "bad_tcp_flags",
    /// More VLAN tags than two.
    TooManyTags = "too_many_tags",
    /// A fragment that is empty, of no multiple of eight octets, too small for its header, or came twice.
    BadFragment = "bad_fragment",
    /// A fragment that overlaps another, or lies beyond the last (RFC 1858; RFC 5722), or that is of a datagram with such.
    Teardrop = "teardrop",
    /// A fragment that reaches beyond the largest datagram.
    PingOfDeath = "ping_of_death",
    /// More datagrams in fragments than their source, or destination, may have a second, or one too large for all the room.
    FragmentFlood = "fragment_flood",
    /// A hop limit or TTL of 0.
    TtlZero = "ttl_zero",
    /// IPv4 source route, or IPv6 routing header of type 0.
    SourceRoute = "source_route",
    /// IPv4 record route.
    RecordRoute = "record_route",
    /// IPv4 timestamp option.
    IpTimestamp = "ip_timestamp",
    /// Another IPv4 option.
    IpOption = "ip_option",
    /// IPv4 options that contradict themselves.
    BadIpOption = "bad_ip_option",
    /// An ICMP query to a broadcast address.
    Smurf = "smurf",
    /// UDP to or from a small service of a broadcast address.
    Fraggle = "fraggle",
    /// An ICMP redirect.
    IcmpRedirect = "icmp_redirect",
    /// ICMP in fragments.
    IcmpFragment = "icmp_fragment",
    /// A large ICMP packet.
    LargeIcmp = "large_icmp",
    /// A SYN in fragments.
    SynFragment = "syn_fragment",
    /// A protocol number that is not assigned.
    UnknownProtocol = "unknown_protocol",
    /// A source address that does not belong to the zone where it came in, or a session's packet on the wrong side.
    Spoofed = "spoofed",
    /// A source address that the Internet does not route.
    Bogon = "bogon",
    /// A SYN beyond its source's or destination's limit, or one that would have pushed a young handshake out.
    SynFlood = "syn_flood",
    /// A UDP session beyond its source's or destination's limit.
    UdpFlood = "udp_flood",
    /// An ICMP query beyond its source's or destination's limit.
    IcmpFlood = "icmp_flood",
    /// A session of another protocol beyond its source's or destination's limit.
    SessionFlood = "session_flood",
    /// A TCP segment that no entry of the table knows and that cannot open a session.
    TcpNotSyn = "tcp_not_syn",
    /// A TCP segment whose data lie outside their window.
    TcpOutOfWindow = "tcp_out_of_window",
    /// A RST outside its window (RFC 5961, 3).
    TcpResetOutOfWindow = "tcp_reset_out_of_window",
    /// A TCP segment that acknowledges what cannot be acknowledged (RFC 5961, 5).
    TcpAckOutOfRange = "tcp_ack_out_of_range",
    /// A TCP segment of an inspected flow that repeats octets with other content before their receiver has them.
    TcpOverlap = "tcp_overlap",
    /// A TCP segment or UDP datagram of an inspected flow whose checksum is wrong.
    BadTransportChecksum = "bad_transport_checksum",
    /// A packet of an inspected flow with far fewer hops left than others of its side, so that it may not arrive.
    TtlAnomaly = "ttl_anomaly",
    /// An ICMP error that quotes a flow we do not know, or a reply to a query that was not asked.
    IcmpUnknownFlow = "icmp_unknown_flow",
    /// A rule denies it.
    Policy = "policy",
    /// A rule resets it.
    PolicyReset = "policy_reset",
    /// No rule matches it.
    ImplicitDeny = "implicit_deny",
    /// Control refuses the source for a time, whatever the rules say.
    BlockedSource = "blocked_source",
    /// The audit trail has no room, and nothing new is let through until it has.
    AuditFull = "audit_full",
    /// The flow table is full and nothing in it may give way.
    TableFull = "table_full",
    /// No port of the pool is free for a session that a rule translates, or there is no memory for one more mapping.
    NatExhausted = "nat_exhausted",
    /// The host has as many ports of the pool as it may have.
    NatHostLimit = "nat_host_limit",
    /// A rule translates it, and it has neither ports nor an ICMP query's identifier.
    NatProtocol = "nat_protocol",
    /// For a pool address, and nobody inside asked for it; or for a translated session, and not by its pool address.
    NatUnsolicited = "nat_unsolicited",
    /// The session ended because the rule that applies now translates it otherwise; the next packet opens another.
    NatChanged = "nat_changed",
    /// The ingress port belongs to no wire.
    NoWire = "no_wire",
    /// The transmit queue took no more.
    TxFull = "tx_full",
    /// It was to be sent by a port that the worker does not serve.
    TxPort = "tx_port",
    /// In several segments, where the transmitting port takes but one, and longer than a buffer.
    TxSegments = "tx_segments",
    /// The dispatcher's ring to a worker took no more.
    DispatchFull = "dispatch_full",
    /// A frame of which not as much is at hand as has to be sent.
    Oversize = "oversize",
    /// A frame, handed over by pointer, that asks the transmitting device for more than checksums and a tag.
    OffloadRequested = "offload_requested",
    /// At an interface: it is for another by its MAC address, tagged, or of a protocol that is not routed.
    NotForUs = "not_for_us",
    /// No route leads to its destination.
    NoRoute = "no_route",
    /// Its route says to drop it.
    DiscardRoute = "discard_route",
    /// It is for a group, all hosts of a network, or within one link: no router forwards it.
    GroupDestination = "group_destination",
    /// Its time to live or hop limit ran out here.
    TtlExpired = "ttl_expired",
    /// It is larger than the next link's MTU and must not be fragmented.
    MtuExceeded = "mtu_exceeded",
    /// Its next hop does not answer, or too many packets wait for it.
    NeighbourUnresolved = "neighbour_unresolved",
    /// An ARP or neighbour discovery message that contradicts itself, or that cannot be true at this interface.
    BadNeighbourMessage = "bad_neighbour_message",
    /// Another claims an address of ours.
    AddressConflict = "address_conflict",
    /// A new session whose source is routed to another zone than it comes from.
    ReversePath = "reverse_path",
    /// A packet of a session between other zones than the session was judged for.
    WrongZone = "wrong_zone",
    /// It is for one of our addresses, let through, and nothing here serves it.
    NoLocalService = "no_local_service",
}

impl DropReason {
    /// Whether it is an attack, of which the log is told; what the policy or a route refuses, what a network does in the
    /// ordinary, and what the firewall itself lacks is not.
    pub const fn is_attack(self) -> bool {
        !matches!(
            self,
            Self::Policy
                | Self::PolicyReset
                | Self::ImplicitDeny
                | Self::BlockedSource
                | Self::AuditFull
                | Self::NoWire
                | Self::TxFull
                | Self::TxPort
                | Self::TxSegments
                | Self::DispatchFull
                | Self::OffloadRequested
                | Self::Oversize
                | Self::TooManyTags
                | Self::NotForUs
                | Self::DiscardRoute
                | Self::GroupDestination
                | Self::MtuExceeded
        )
    }

    /// Whether faults and late packets of honest hosts cause it too, so that only many of them are an attack.
    pub const fn may_be_stray(self) -> bool {
        matches!(
            self,
            Self::Truncated
                | Self::BadIpHeader
                | Self::BadIpChecksum
                | Self::BadTransportHeader
                | Self::BadTransportChecksum
                | Self::BadExtensionChain
                | Self::BadFragment
                | Self::TcpNotSyn
                | Self::TcpOutOfWindow
                | Self::TcpResetOutOfWindow
                | Self::TcpAckOutOfRange
                | Self::IcmpUnknownFlow
                | Self::TableFull
                | Self::NatExhausted
                | Self::NatHostLimit
                | Self::NatProtocol
                | Self::NatUnsolicited
                | Self::NatChanged
                | Self::NoRoute
                | Self::TtlExpired
                | Self::NeighbourUnresolved
                | Self::NoLocalService
                | Self::WrongZone
        )
    }
}
