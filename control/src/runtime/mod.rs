//! The running firewall: the dataplane from configuration to its end.

mod commit;
mod core;
pub(crate) mod cpu_list;
mod dataplane;
mod eal;
mod error;
mod house;
mod keeper;
mod notify;
mod pools;
mod ports;
pub(crate) mod preflight;
mod pulse;
mod reload;
mod scratch;
mod workers;

use ::dataplane::dpdk::Device;
use ::dataplane::endpoint::Address;
use ::dataplane::guard::Protection;
use ::dataplane::load::Idle;
use ::dataplane::nat::PoolSource;
use ::dataplane::pipeline::{Midstream, Timeouts};
use ::dataplane::policy::PortId;
use ::dataplane::route::StaticRoute;

pub use self::core::{RunError, run};
pub use self::dataplane::{Dataplane, PoolView, StopReport};
pub use self::error::StartError;
pub(crate) use self::notify::VARIABLES as SERVICE_VARIABLES;
pub use self::ports::PortView;
pub use self::preflight::check as preflight;
pub use self::scratch::{made_up_mac, scratch};

use crate::record::Name;

/// What the dataplane is started with, as the configuration resolved it.
#[derive(Clone, Debug)]
pub struct DataplaneConfig {
    /// Ports, by [`PortId`]; at least one.
    pub ports: Vec<PortConfig>,
    /// Pairs of ports: what enters one leaves by the other.
    pub wires: Vec<(PortId, PortId)>,
    /// The pools of source NAT.
    pub nat: Vec<PoolSource>,
    /// Ports that are interfaces, and the routes between them.
    pub routing: RoutingConfig,
    /// The CPU of each worker; at least one, none twice.
    pub workers: Vec<u16>,
    /// The CPU of the dispatcher, which receives for the workers; none: workers receive themselves.
    pub dispatcher: Option<u16>,
    /// What workers and dispatcher do while nothing comes.
    pub idle: Idle,
    /// Memory for packet buffers and rings, in MiB.
    pub memory: u32,
    /// Whether that memory is on hugepages. Without them software ports work, NICs do not.
    pub hugepages: bool,
    /// Tells this process's EAL files from those of others (EAL's `--file-prefix`); letters, digits, `-` and `_`.
    pub file_prefix: String,
    /// Packet buffers; none: as many as ports and workers need.
    pub mbufs: Option<u32>,
    /// Sessions at most, of all workers together.
    pub max_sessions: usize,
    /// Flows under inspection at most, of each worker.
    pub inspection_slots: usize,
    /// Addresses that names resolved to, remembered for all workers, 16 octets each; 0: flows are named by none.
    pub resolved_addresses: usize,
    /// Datagrams in fragments followed at a time at most, of each worker.
    pub fragment_slots: usize,
    /// Session events that may wait for control, of each worker.
    pub session_events: usize,
    /// Sign-on events that may wait for control, of each worker.
    pub sign_on_events: usize,
    /// How long a silent session stays.
    pub timeouts: Timeouts,
    /// TCP picked up in its middle.
    pub midstream: Midstream,
    /// Whether the IPv4 header checksum is verified.
    pub verify_checksums: bool,
    /// What is dropped and told as an attack.
    pub protection: Protection,
}

/// What is routed; nothing where there are no interfaces.
#[derive(Clone, Debug, Default)]
pub struct RoutingConfig {
    /// Ports with addresses.
    pub interfaces: Vec<InterfaceConfig>,
    /// Routes besides their networks.
    pub routes: Vec<StaticRoute>,
    /// The firewall itself: the port behind those of the configuration; where there is a management interface, that one.
    pub own: Option<PortId>,
    /// The kernel's interface that serves our own addresses.
    pub management: Option<String>,
    /// Neighbours known at most.
    pub neighbours: usize,
}

/// One interface.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Its port.
    pub port: PortId,
    /// Its addresses, each with the prefix length of its network.
    pub addresses: Vec<(Address, u8)>,
    /// Octets of the largest IP packet.
    pub mtu: u16,
    /// Whether a new session must come from where its source is routed to.
    pub reverse_path: bool,
}

/// One port of the dataplane.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// Its name in the configuration.
    pub name: Name,
    /// The device behind it.
    pub device: Device,
    /// Receive descriptors of each queue; a power of two is safe with every driver.
    pub rx_descriptors: u16,
    /// Transmit descriptors of each queue.
    pub tx_descriptors: u16,
    /// Largest layer 3 packet, in octets; 68 to 9,600.
    pub mtu: u16,
}

impl PortConfig {
    /// The default of `rx_descriptors` and `tx_descriptors`.
    pub const DESCRIPTORS: u16 = 1024;
    /// The default of `mtu`.
    pub const MTU: u16 = 1500;
}
