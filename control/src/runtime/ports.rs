//! Ports: found, given a pool that is large enough, and started.

use std::sync::Arc;

use dataplane::dpdk::{
    Dispatched, Eal, Found, Link, Pool, PoolConfig, Port, PortStatistics, QueuePair, Queues, SetupError, mbufs_needed,
    mbufs_needed_dispatched,
};
use dataplane::policy::PortId;
use dataplane::route::{self, Interface, Mac};

use super::{DataplaneConfig, InterfaceConfig, PortConfig, RoutingConfig, StartError, eal};
use crate::record::Name;

/// All ports, running, and their queue pairs: `queues[worker][port]`.
pub(super) struct Running {
    pub(super) ports: Vec<Arc<Port>>,
    pub(super) queues: Vec<Vec<QueuePair>>,
    /// The dispatcher's share of each port, where there is a dispatcher.
    pub(super) dispatched: Vec<Dispatched>,
    pub(super) pool: Arc<Pool>,
}

/// Brings the ports up. Where one fails, those before it are closed.
pub(super) fn start(eal: &Arc<Eal>, config: &DataplaneConfig) -> Result<Running, StartError> {
    let workers = config.workers.len() as u16;
    let found = config
        .ports
        .iter()
        .map(|port| Found::probe(eal, &port.device).map_err(|error| of_port(port, error)))
        .collect::<Result<Vec<_>, _>>()?;

    let asked: Vec<Queues> = config.ports.iter().map(|port| queues(port, workers)).collect();
    let pool = pool(eal, config, &found, &asked, workers)?;

    let queues = (0..workers).map(|_| Vec::new()).collect();
    let mut running = Running { ports: Vec::new(), queues, dispatched: Vec::new(), pool };
    for ((port, found), asked) in config.ports.iter().zip(found).zip(asked) {
        let (started, pairs) = if config.dispatcher.is_some() {
            let started = found.start_dispatched(asked, &running.pool);
            let (started, dispatched, pairs) = started.map_err(|error| of_port(port, error))?;
            running.dispatched.push(dispatched);
            (started, pairs)
        } else {
            let (started, pairs) = found.start(asked, &running.pool).map_err(|error| of_port(port, error))?;
            if let Some(first) = running.ports.first() {
                started.agrees(first, workers).map_err(|error| of_port(port, error))?;
            }
            (started, pairs)
        };
        running.ports.push(started);
        for (worker, pair) in running.queues.iter_mut().zip(pairs) {
            worker.push(pair);
        }
    }
    Ok(running)
}

/// The MAC address of a port, which the device says.
pub(super) fn mac(config: &DataplaneConfig, ports: &[Arc<Port>], at: PortId) -> Result<Mac, StartError> {
    let at = usize::from(at.0);
    let name = config.ports.get(at).map_or_else(|| Name::from(""), |port| port.name.clone());
    ports.get(at).and_then(|port| port.mac()).ok_or(StartError::NoMac { port: name })
}

/// What is routed, with the MAC addresses of the ports.
pub(super) fn routing(
    routing: &RoutingConfig,
    mac: impl Fn(PortId) -> Result<Mac, StartError>,
) -> Result<route::Config, StartError> {
    let interface = |interface: &InterfaceConfig| {
        Ok(Interface {
            port: interface.port,
            mac: mac(interface.port)?,
            mtu: interface.mtu,
            addresses: interface.addresses.clone(),
            reverse_path: interface.reverse_path,
        })
    };
    Ok(route::Config {
        interfaces: routing.interfaces.iter().map(interface).collect::<Result<_, StartError>>()?,
        routes: routing.routes.clone(),
        own: routing.own,
        management: routing.management.as_ref().and(routing.own).map(&mac).transpose()?,
        neighbours: routing.neighbours,
    })
}

/// What a port is asked for.
fn queues(port: &PortConfig, workers: u16) -> Queues {
    Queues { pairs: workers, receive: port.rx_descriptors, transmit: port.tx_descriptors, mtu: port.mtu }
}

fn pool(
    eal: &Arc<Eal>,
    config: &DataplaneConfig,
    found: &[Found],
    asked: &[Queues],
    workers: u16,
) -> Result<Arc<Pool>, StartError> {
    // The drivers' limits may have changed the numbers of descriptors that preflight counted with.
    let descriptors = found.iter().zip(asked).map(|(found, asked)| found.descriptors(*asked));
    let kept: u32 = found.iter().map(Found::kept_buffers).sum();
    let need = match config.dispatcher {
        None => mbufs_needed(descriptors, workers),
        Some(_) => {
            // Counted with one receive queue a port above.
            let further = |(found, asked): (&Found, &Queues)| {
                let (queues, _) = found.dispatched_queues(workers);
                u32::from(queues - 1) * u32::from(found.descriptors(*asked).0)
            };
            let further: u32 = found.iter().zip(asked).map(further).sum();
            mbufs_needed_dispatched(descriptors, workers).saturating_add(further)
        }
    };
    let need = need.saturating_add(kept.saturating_mul(u32::from(workers)));
    let have = config.mbufs.unwrap_or(need);
    if have < need {
        return Err(SetupError::PoolTooSmall { need, have }.into());
    }
    let room = found.iter().zip(asked).map(|(found, asked)| found.data_room(asked.mtu)).max();
    let node = found.iter().find_map(Found::node);
    eal::pool(eal, have, room.unwrap_or(PoolConfig::DATA_ROOM), node)
}

fn of_port(port: &PortConfig, error: SetupError) -> StartError {
    StartError::Port { port: port.name.clone(), error }
}

/// A port as `show ports` has it.
#[derive(Clone, Debug)]
pub struct PortView {
    /// Its name in the configuration.
    pub name: Name,
    /// The device as configured.
    pub device: String,
    /// DPDK's driver.
    pub driver: String,
    /// Its MAC address, where it has one.
    pub mac: Option<Mac>,
    /// Its link.
    pub link: Link,
    /// What it counted.
    pub statistics: PortStatistics,
}

/// The ports as they are now.
pub(super) fn view(names: &[Name], ports: &[Arc<Port>]) -> Vec<PortView> {
    let view = |(name, port): (&Name, &Arc<Port>)| PortView {
        name: name.clone(),
        device: port.device().to_owned(),
        driver: port.driver().to_owned(),
        mac: port.mac(),
        link: port.link(),
        statistics: port.statistics(),
    };
    names.iter().zip(ports).map(view).collect()
}
