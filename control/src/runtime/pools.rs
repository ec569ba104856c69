//! The pools of source NAT as the house watches them: what `show nat` shows, and a notice where one runs dry.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::nat::Usage;

use crate::manage::NatRow;
use crate::record::Name;

/// Between two notices about a pool.
const PAUSE: Duration = Duration::from_secs(60);

/// All pools.
#[derive(Debug)]
pub(super) struct Pools {
    usage: Option<Arc<Usage>>,
    names: Vec<Name>,
    told: Vec<Told>,
}

/// What was said of a pool: when, and how many sessions had been refused then for want of ports, and by the limit.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    at: Option<Instant>,
    refused: (u64, u64),
}

/// That a pool refused sessions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shortage {
    pool: Name,
    exhausted: u64,
    limited: u64,
}

impl Pools {
    /// Of these names, where there are any.
    pub(super) fn new(names: &[Name], usage: Option<Arc<Usage>>) -> Self {
        Self { usage, names: names.to_vec(), told: vec![Told::default(); names.len()] }
    }

    /// One row a pool.
    pub(super) fn rows(&self) -> Vec<NatRow> {
        let usages = self.usage.iter().flat_map(|usage| usage.pools());
        self.names.iter().zip(usages).map(|(name, usage)| NatRow::new(name, usage)).collect()
    }

    /// The pools that refused sessions since they were last told of, each once a minute at most.
    pub(super) fn shortages(&mut self, now: Instant) -> Vec<Shortage> {
        let usages = self.usage.iter().flat_map(|usage| usage.pools());
        let counts = usages.map(|usage| (usage.exhausted(), usage.limited()));
        let mut shortages = Vec::new();
        for ((name, told), refused) in self.names.iter().zip(&mut self.told).zip(counts) {
            let is_due = told.at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
            if refused == told.refused || !is_due {
                continue;
            }
            let (exhausted, limited) = (refused.0 - told.refused.0, refused.1 - told.refused.1);
            shortages.push(Shortage { pool: Arc::clone(name), exhausted, limited });
            *told = Told { at: Some(now), refused };
        }
        shortages
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source NAT pool {}: ", self.pool)?;
        match (self.exhausted, self.limited) {
            (exhausted, 0) => write!(f, "{exhausted} sessions refused, no port was free"),
            (0, limited) => write!(f, "{limited} sessions refused, their hosts had all the ports they may have"),
            (exhausted, limited) => {
                write!(f, "{exhausted} sessions refused, no port was free; {limited} by ports-per-host")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dataplane::endpoint::Address;
    use dataplane::flow::Realm;
    use dataplane::nat::{Inside, Kind, Nat, PoolId, PoolSource};
    use dataplane::policy::{AddressRange, PortRange};

    use super::*;

    #[test]
    fn a_pool_that_runs_dry_is_told_of_once_a_minute() {
        let address = Address::v4([198, 51, 100, 1]);
        let source = PoolSource {
            addresses: vec![AddressRange { first: address, last: address }],
            ports: PortRange { first: 5000, last: 5000 },
            ports_per_host: None,
            hold: Duration::ZERO,
        };
        let mut nat = Nat::new(&[source], 10);
        let mut pools = Pools::new(&["outside".into()], Some(Arc::clone(nat.usage())));
        let mut ask = |port| {
            let (kind, pool, realm) = (Kind::Udp, PoolId(0), Realm::default());
            nat.bind(Inside { address: [10, 0, 0, 1], port, kind, pool, realm }).is_ok()
        };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let told = |pools: &mut Pools, at| pools.shortages(at).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(ask(1));
        assert_eq!(told(&mut pools, start), [""; 0]);
        assert!(!ask(2));
        assert_eq!(told(&mut pools, start), ["source NAT pool outside: 1 sessions refused, no port was free"]);
        assert!(!ask(3) && !ask(4));
        assert_eq!(told(&mut pools, after(59)), [""; 0]);
        assert_eq!(told(&mut pools, after(60)), ["source NAT pool outside: 2 sessions refused, no port was free"]);
        assert_eq!(told(&mut pools, after(120)), [""; 0]);
        let rows = pools.rows();
        assert_eq!((rows[0].pool.as_str(), rows[0].ports, rows[0].udp, rows[0].exhausted), ("outside", 1, 1, 3));
    }
}
