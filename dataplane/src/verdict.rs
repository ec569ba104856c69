//! What becomes of a frame, and by what name a frame that goes nowhere is counted.

use crate::policy::PortId;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it, as it is now, out of this port.
    Forward(PortId),
    /// Drop it.
    Drop(DropReason),
}

/// Declares the reasons with their counter names, so that no reason lacks a counter.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why a frame was dropped. Each has a counter of its own, `drop_<name>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason { $($(#[$doc])* $reason,)* }

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
    /// A source address that no host may use: multicast, broadcast, loopback, or the destination itself (LAND).
    BadAddress = "bad_address",
    /// TCP flags that no stack sends together.
    BadTcpFlags = "bad_tcp_flags",
    /// More VLAN tags than two.
    TooManyTags = "too_many_tags",
    /// A fragment that overlaps another, exceeds the datagram's limit, or is too small to hold its header.
    BadFragment = "bad_fragment",
    /// A later fragment whose first never came.
    FragmentUnknown = "fragment_unknown",
    /// The table of fragments is full.
    FragmentTableFull = "fragment_table_full",
    /// A TCP segment that no entry of the table knows and that cannot open a session.
    TcpNotSyn = "tcp_not_syn",
    /// A TCP segment outside its window.
    TcpOutOfWindow = "tcp_out_of_window",
    /// An ICMP error that quotes a flow we do not know, or a reply to a query that was not asked.
    IcmpUnknownFlow = "icmp_unknown_flow",
    /// A rule denies it.
    Policy = "policy",
    /// A rule resets it.
    PolicyReset = "policy_reset",
    /// No rule matches it.
    ImplicitDeny = "implicit_deny",
    /// The flow table is full and nothing in it may give way.
    TableFull = "table_full",
    /// The ingress port belongs to no wire.
    NoWire = "no_wire",
    /// The transmit queue took no more.
    TxFull = "tx_full",
    /// The dispatcher's ring to a worker took no more.
    DispatchFull = "dispatch_full",
    /// A frame in more segments, or larger, than can be looked at.
    Oversize = "oversize",
    /// A frame, handed over by pointer, that asks the transmitting device for more than checksums and a tag.
    OffloadRequested = "offload_requested",
}
