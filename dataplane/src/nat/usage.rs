//! How much of each pool is in use: written by one worker, read by control.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::pool::{Kind, Pools};
use super::{PoolId, PoolSource, Refusal};

/// Of all pools.
#[derive(Debug)]
pub struct Usage(Box<[PoolUsage]>);

/// Of one pool. Ports count each protocol's apart.
#[derive(Debug, Default)]
pub struct PoolUsage {
    addresses: u64,
    size: u64,
    ports: [AtomicI64; Kind::COUNT],
    held: AtomicI64,
    hosts: AtomicI64,
    opened: AtomicU64,
    exhausted: AtomicU64,
    limited: AtomicU64,
}

impl Usage {
    /// Of pools in which nothing is used.
    pub(super) fn new(pools: &Pools, sources: &[PoolSource]) -> Self {
        let usage = sources.iter().enumerate().map(|(number, source)| {
            let addresses = pools.addresses_of(PoolId(number as u8)).len() as u64;
            let ports = u64::from(source.ports.last.saturating_sub(source.ports.first)) + 1;
            PoolUsage { addresses, size: addresses * ports, ..PoolUsage::default() }
        });
        Self(usage.collect())
    }

    /// By [`PoolId`].
    pub fn pools(&self) -> &[PoolUsage] {
        &self.0
    }

    pub(super) fn pool(&self, id: PoolId) -> &PoolUsage {
        static NONE: PoolUsage = PoolUsage {
            addresses: 0,
            size: 0,
            ports: [const { AtomicI64::new(0) }; Kind::COUNT],
            held: AtomicI64::new(0),
            hosts: AtomicI64::new(0),
            opened: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            limited: AtomicU64::new(0),
        };
        self.0.get(usize::from(id.0)).unwrap_or(&NONE)
    }
}

impl PoolUsage {
    /// Its addresses.
    pub const fn addresses(&self) -> u64 {
        self.addresses
    }

    /// Ports in all, of each protocol.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Ports of a protocol that are taken, those that are held included.
    pub fn ports(&self, kind: Kind) -> u64 {
        gauge(&self.ports[kind as usize])
    }

    /// Ports of all protocols that no session uses any more and that are not free yet.
    pub fn ports_held(&self) -> u64 {
        gauge(&self.held)
    }

    /// Inside hosts that have ports.
    pub fn hosts(&self) -> u64 {
        gauge(&self.hosts)
    }

    /// Mappings made since start.
    pub fn mappings(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sessions refused since start because no port was free, or because the memory for mappings was used up.
    pub fn exhausted(&self) -> u64 {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// Sessions refused since start because their host had as many ports as it may have.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    pub(super) fn opened(&self, kind: Kind, is_new_host: bool) {
        step(&self.ports[kind as usize], 1);
        step(&self.hosts, i64::from(is_new_host));
        bump(&self.opened);
    }

    pub(super) fn closed(&self, kind: Kind, is_host_gone: bool) {
        step(&self.ports[kind as usize], -1);
        step(&self.held, -1);
        step(&self.hosts, -i64::from(is_host_gone));
    }

    pub(super) fn held(&self, by: i64) {
        step(&self.held, by);
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        bump(match refusal {
            Refusal::Exhausted => &self.exhausted,
            Refusal::Limit => &self.limited,
        });
    }
}

fn gauge(cell: &AtomicI64) -> u64 {
    cell.load(Ordering::Relaxed).max(0) as u64
}

/// A load and a store: there is one writer.
fn step(cell: &AtomicI64, by: i64) {
    cell.store(cell.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

fn bump(cell: &AtomicU64) {
    cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}
