//! The rows of `ostiary show nat`: how much of each pool is in use.

use dataplane::nat::{Kind, PoolUsage};
use serde::{Deserialize, Serialize};

/// A pool of source NAT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NatRow {
    /// Its name.
    pub pool: String,
    /// Its addresses.
    pub addresses: u64,
    /// Ports of each protocol, of all addresses.
    pub ports: u64,
    /// TCP ports taken, those that are held included, as in the next two.
    pub tcp: u64,
    /// UDP ports taken.
    pub udp: u64,
    /// Identifiers of ICMP queries taken.
    pub icmp: u64,
    /// Ports of all protocols that no session uses any more and that are not free yet.
    pub held: u64,
    /// Inside hosts that have ports.
    pub hosts: u64,
    /// Mappings made since start.
    pub mappings: u64,
    /// Sessions refused since start: no port was free.
    pub exhausted: u64,
    /// Sessions refused since start: their host had as many ports as it may have.
    pub host_limited: u64,
}

impl NatRow {
    /// A pool with its name.
    pub fn new(pool: &str, usage: &PoolUsage) -> Self {
        Self {
            pool: pool.to_owned(),
            addresses: usage.addresses(),
            ports: usage.size(),
            tcp: usage.ports(Kind::Tcp),
            udp: usage.ports(Kind::Udp),
            icmp: usage.ports(Kind::Icmp),
            held: usage.ports_held(),
            hosts: usage.hosts(),
            mappings: usage.mappings(),
            exhausted: usage.exhausted(),
            host_limited: usage.limited(),
        }
    }
}
