//! Keys of `[dataplane]`, ports, wires, interfaces and routes.

use super::kind::{Node, Type, container, leaf, leaves};

pub(super) const DATAPLANE: &[Node] = &[
    leaves("workers", CORE, "Cores, one worker each; default core 1."),
    leaf("dispatcher", CORE, "A core that receives for the workers; default none."),
    leaf("idle", Type::Choice(&["poll", "back-off"]), "What workers do while nothing comes; default poll."),
    leaf("hugepages", Type::Boolean, "Whether memory is of hugepages; default true."),
    leaf("memory", Type::Size, "What DPDK takes at start; default 512 MiB."),
    leaf("file-prefix", Type::Name, "The prefix of DPDK's files; default ostiary."),
    leaf("mbufs", Type::Number(1_024, 1 << 26), "Packet buffers; default: as many as queues need."),
    leaf("descriptors", DESCRIPTORS, "Descriptors of each queue; default 1024."),
    leaf("max-sessions", Type::Number(1_024, 1 << 28), "Sessions of all workers together; default 1,000,000."),
    leaf("inspection-slots", Type::Number(16, 1 << 24), "Sessions under inspection by worker; default 65,536."),
    leaf("resolved-addresses", Type::Number(0, 1 << 24), "Addresses learnt from DNS; default 65,536."),
    leaf("fragment-slots", Type::Number(16, 1 << 20), "Fragmented packets by worker; default 4,096."),
    leaf("neighbours", Type::Number(16, 1 << 20), "Neighbours of all interfaces; default 4,096."),
    leaf("session-events", Type::Number(64, 1 << 24), "Queue of session events by worker; default 65,536."),
    leaf("sign-on-events", Type::Number(64, 1 << 24), "Queue of sign-on events by worker; default 16,384."),
    leaf("tcp-midstream", Type::Choice(&["permit", "drop"]), "TCP seen from its middle on; default permit."),
    leaf("verify-checksums", Type::Boolean, "Whether checksums are verified; default true."),
    leaf("mirror", Type::Boolean, "Whether ports get copies of both directions; default false."),
    container("timeouts", "After how long without a packet sessions end.", TIMEOUTS),
];

const CORE: Type = Type::Number(0, 1_023);
const DESCRIPTORS: Type = Type::Number(64, 32_768);

const TIMEOUTS: &[Node] = &[
    leaf("tcp-opening", Type::Duration, "TCP whose handshake is not done."),
    leaf("tcp-established", Type::Duration, "TCP whose handshake is done."),
    leaf("tcp-closing", Type::Duration, "TCP that is being closed."),
    leaf("udp", Type::Duration, "UDP that had no reply."),
    leaf("udp-stream", Type::Duration, "UDP that had one."),
    leaf("icmp", Type::Duration, "ICMP requests."),
    leaf("other", Type::Duration, "Any other protocol."),
];

pub(super) const PORT: &[Node] = &[
    leaf("name", Type::Name, "The port's name."),
    leaf("device", Type::Text, "A PCI address or a DPDK device with its arguments."),
    leaf("zone", Type::Name, "The zone that it belongs to."),
    leaf("mtu", Type::Number(68, 9_600), "The largest packet, in octets; default 1500."),
    leaf("descriptors", DESCRIPTORS, "Descriptors of each of its queues."),
];

pub(super) const WIRE: &[Node] = &[leaves("ports", Type::Name, "Exactly two ports.")];

pub(super) const INTERFACE: &[Node] = &[
    leaf("port", Type::Name, "A port that is in no wire."),
    leaves("addresses", Type::Prefix, "Its addresses, with the prefixes of their networks."),
    leaf("mtu", Type::Number(576, 9_600), "The largest packet sent, in octets; default: the port's."),
    leaf("reverse-path-check", Type::Boolean, "Whether sources must be routed where they come from; default true."),
];

pub(super) const ROUTE: &[Node] = &[
    leaf("to", Type::Prefix, "A network."),
    leaf("via", Type::Address, "The router's address."),
    leaf("interface", Type::Name, "The port that leads to a link-local router."),
    leaf("discard", Type::Boolean, "Whether packets for it are dropped; default false."),
];
