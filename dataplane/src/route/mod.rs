//! Routing, for ports that are interfaces rather than ends of a wire: where a packet goes next, who is there, and what the
//! firewall itself has to say on the way. Nothing here knows DPDK or the flow table.

mod arp;
mod echo;
mod fib;
mod fragment;
mod hop;
mod icmp;
mod interface;
mod ndp;
mod neighbour;
mod outbox;
mod router;
mod trie;
mod waiting;

pub use crate::endpoint::Mac;
pub use arp::Arp;
pub use echo::{answer, is_echo_request};
pub use fib::Fib;
pub use fragment::{Fragments, is_dont_fragment};
pub use hop::{Hop, Target, decrement, hop_limit};
pub use icmp::{Error, Limit};
pub use interface::{Interface, StaticRoute, is_edge, is_within};
pub use ndp::{Kind, Ndp, Read};
pub use neighbour::{Claim, Due, Learned, NeighbourView, Neighbours, Resolution};
pub use outbox::Outbox;
pub(crate) use router::is_plain;
pub use router::{Departure, Router};
pub use waiting::Held;

use crate::policy::PortId;

/// What a router is made of.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Ports with addresses. Empty: nothing is routed.
    pub interfaces: Vec<Interface>,
    /// Routes besides the connected networks.
    pub routes: Vec<StaticRoute>,
    /// The firewall itself, as the policy and the records have it: a port behind those of the configuration. Where there is
    /// a management port, this is it.
    pub own: Option<PortId>,
    /// The MAC address of the kernel's side of the management port, where there is one.
    pub management: Option<Mac>,
    /// Neighbours known at most.
    pub neighbours: usize,
}
