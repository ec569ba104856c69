//! Ports, from a device's name to queues that a worker can use, and back.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::sync::Arc;

use dpdk_sys::{rte_eth_conf, rte_eth_dev_info, rte_eth_rss_conf};

use super::device::Device;
use super::eal::Eal;
use super::errno::Errno;
use super::error::SetupError;
use super::handoff::frame_ring;
use super::pool::{Pool, PoolConfig};
use super::queue::{Dispatched, QueuePair, Sink, Source};
use super::rings::Ring;
use super::rss::{self, NoSpread, Spread};
use crate::route::Mac;

/// DPDK's number of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(pub u16);

/// A queue of a port, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u16);

/// What is asked of a port.
#[derive(Clone, Copy, Debug)]
pub struct Queues {
    /// Queue pairs, one a worker.
    pub pairs: u16,
    /// Descriptors of a receive queue.
    pub receive: u16,
    /// Descriptors of a transmit queue.
    pub transmit: u16,
    /// Largest layer 3 packet.
    pub mtu: u16,
}

/// A device that DPDK has a port of, not configured yet.
pub struct Found {
    number: PortNumber,
    device: String,
    driver: String,
    is_nic: bool,
    info: Box<rte_eth_dev_info>,
    /// Held for a port that is made of them.
    _rings: Vec<Arc<Ring>>,
    eal: Arc<Eal>,
}

// SAFETY: the pointers in `info` are to constants of the driver.
unsafe impl Send for Found {}

impl Found {
    /// Has DPDK make a port of a device. NICs were named to [`Eal::start`] already.
    pub fn probe(eal: &Arc<Eal>, device: &Device) -> Result<Self, SetupError> {
        let text = device.to_string();
        if let Device::Vdev(arguments) = device {
            let arguments = CString::new(arguments.as_str()).map_err(|_| SetupError::ZeroByte(text.clone()))?;
            // SAFETY: EAL runs, the string lives past the call.
            let result = unsafe { dpdk_sys::rte_dev_probe(arguments.as_ptr()) };
            Errno::check(result).map_err(|errno| SetupError::Probe { device: text.clone(), errno })?;
        }
        let name = device.name();
        let mut next = 0;
        while let Some(number) = port_from(next) {
            next = number.0 + 1;
            let found = Self::new(eal, number, text.clone(), matches!(device, Device::Pci(_)), Vec::new())?;
            if found.info.device.is_null() {
                continue;
            }
            // SAFETY: the port exists, and so does its device and the device's name.
            let of_port = unsafe { CStr::from_ptr(dpdk_sys::rte_dev_name(found.info.device)) };
            if of_port.to_bytes() == name.as_bytes() {
                return Ok(found);
            }
        }
        Err(SetupError::NoPort { device: text })
    }

    pub(super) fn new(
        eal: &Arc<Eal>,
        number: PortNumber,
        device: String,
        is_nic: bool,
        rings: Vec<Arc<Ring>>,
    ) -> Result<Self, SetupError> {
        let mut info = MaybeUninit::<rte_eth_dev_info>::zeroed();
        // SAFETY: EAL runs; a whole structure is there to be written.
        let result = unsafe { dpdk_sys::rte_eth_dev_info_get(number.0, info.as_mut_ptr()) };
        let failed =
            |errno| SetupError::Port { device: device.clone(), driver: "?".to_owned(), step: "asking for it", errno };
        Errno::check(result).map_err(failed)?;
        // SAFETY: zeroes are a valid value of it, and the call succeeded.
        let info = Box::new(unsafe { info.assume_init() });
        let driver = if info.driver_name.is_null() {
            String::new()
        } else {
            // SAFETY: a driver's name is a constant string.
            unsafe { CStr::from_ptr(info.driver_name) }.to_string_lossy().into_owned()
        };
        Ok(Self { number, device, driver, is_nic, info, _rings: rings, eal: Arc::clone(eal) })
    }

    /// The driver's name in DPDK.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// NUMA node of the device, where it has one.
    pub fn node(&self) -> Option<u16> {
        // SAFETY: the port exists.
        u16::try_from(unsafe { dpdk_sys::rte_eth_dev_socket_id(self.number.0) }).ok()
    }

    /// How many (receive, transmit) descriptors a queue will have: what is asked for, within the driver's limits.
    pub fn descriptors(&self, asked: Queues) -> (u16, u16) {
        let (mut receive, mut transmit) = (asked.receive, asked.transmit);
        // SAFETY: the port exists, the two numbers are there to be written. Where it fails they stay as they are.
        unsafe {
            dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.number.0, &raw mut receive, &raw mut transmit);
        }
        (receive, transmit)
    }

    /// Buffers that the driver keeps beside its descriptors.
    pub fn kept_buffers(&self) -> u32 {
        match self.driver.as_str() {
            // One for each entry of the receive ring that it keeps in addition, in both directions.
            "net_tap" => 2 * 1023,
            // Its rings have their own size whatever is asked: the fill ring and what waits for completion.
            AF_XDP => 2 * AF_XDP_RING,
            _ => 0,
        }
    }

    /// Buffers of a queue pair that the driver may not give back when its port is closed: they are in rings that it shares
    /// with the kernel, and it frees the memory of the rings only.
    pub fn unreturned_buffers(&self) -> u32 {
        if self.driver == AF_XDP { 2 * AF_XDP_RING } else { 0 }
    }

    /// Octets that a buffer must hold for frames of this MTU: the usual, where the driver can use several buffers for
    /// a frame.
    pub fn data_room(&self, mtu: u16) -> u16 {
        let frame = mtu.saturating_add(OVERHEAD).min(PoolConfig::MAX_DATA_ROOM);
        let scatters = self.info.rx_offload_capa & dpdk_sys::OSTIARY_RX_OFFLOAD_SCATTER != 0;
        if scatters { PoolConfig::DATA_ROOM } else { frame.max(PoolConfig::DATA_ROOM) }
    }

    /// Whether frames of several buffers can be sent.
    fn sends_segments(&self) -> bool {
        // These do, though they do not say so.
        let unsaid = ["net_ring", "net_null", "net_pcap"].contains(&self.driver.as_str());
        unsaid || self.info.tx_offload_capa & dpdk_sys::OSTIARY_TX_OFFLOAD_MULTI_SEGS != 0
    }

    /// Configures and starts it: queues, MTU, promiscuous mode, and with several queue pairs a symmetric hash, read back.
    pub fn start(self, asked: Queues, pool: &Arc<Pool>) -> Result<(Arc<Port>, Vec<QueuePair>), SetupError> {
        let spread = self.spread(asked.pairs)?;
        let mut port = self.run((asked.pairs, asked.pairs), asked, pool, spread)?;
        if let Some(Spread::Hash(types)) = spread {
            port.spread = Some(Spread::Hash(port.verify_hash(asked.pairs, types)?));
        }
        let multi_segment = port.found.sends_segments();
        let port = Arc::new(port);
        let pairs = (0..asked.pairs).map(|queue| QueuePair {
            receive: Source::Queue(QueueId(queue)),
            send: Sink::Queue(QueueId(queue)),
            multi_segment,
            port: Arc::clone(&port),
        });
        let pairs = pairs.collect();
        Ok((port, pairs))
    }

    /// Configures and starts it for a dispatcher, which receives for `asked.pairs` workers: each worker's pair receives
    /// from a ring of the dispatcher's, and sends by a queue of its own where the port has enough of them, else by a ring
    /// that the dispatcher empties.
    pub fn start_dispatched(
        self,
        asked: Queues,
        pool: &Arc<Pool>,
    ) -> Result<(Arc<Port>, Dispatched, Vec<QueuePair>), SetupError> {
        let (receive, transmit) = self.dispatched_queues(asked.pairs);
        let (eal, number) = (Arc::clone(&self.eal), self.number.0);
        let port = self.run((receive, transmit), asked, pool, None)?;
        let multi_segment = port.found.sends_segments();
        let port = Arc::new(port);
        let own_queues = transmit >= asked.pairs;
        let mut dispatched = Dispatched { queues: receive, to: Vec::new(), back: Vec::new(), port: Arc::clone(&port) };
        let mut pairs = Vec::new();
        let size = Dispatched::ring_size(asked.receive);
        for worker in 0..asked.pairs {
            let (sender, receiver) = frame_ring(&eal, &format!("to-p{number}-w{worker}"), size)?;
            dispatched.to.push(sender);
            let send = if own_queues {
                Sink::Queue(QueueId(worker))
            } else {
                let (sender, receiver) = frame_ring(&eal, &format!("back-p{number}-w{worker}"), size)?;
                dispatched.back.push(receiver);
                Sink::Ring(sender)
            };
            let receive = Source::Ring(receiver);
            pairs.push(QueuePair { receive, send, multi_segment, port: Arc::clone(&port) });
        }
        Ok((port, dispatched, pairs))
    }

    /// Receive and transmit queues of a port whose frames a dispatcher hands to `workers`.
    pub fn dispatched_queues(&self, workers: u16) -> (u16, u16) {
        // These have as many receive queues as their arguments say, and frames arrive in each, asked for or not.
        let fixed = ["net_af_packet", "net_af_xdp", "net_pcap", "net_ring"].contains(&self.driver.as_str());
        let receive = if fixed { self.info.max_rx_queues.max(1) } else { 1 };
        (receive, if self.info.max_tx_queues >= workers { workers } else { 1 })
    }

    /// Configures and starts it with so many receive and transmit queues.
    fn run(
        self,
        queues: (u16, u16),
        asked: Queues,
        pool: &Arc<Pool>,
        spread: Option<Spread>,
    ) -> Result<Port, SetupError> {
        let port = self.configure(queues, asked, pool, spread)?;
        for queue in 0..queues.0 {
            port.set_up_receive_queue(QueueId(queue), asked)?;
        }
        for queue in 0..queues.1 {
            port.set_up_transmit_queue(QueueId(queue), asked)?;
        }
        // SAFETY: the port exists and is configured.
        port.step("starting", unsafe { dpdk_sys::rte_eth_dev_start(port.number.0) })?;
        port.promiscuous()?;
        Ok(port)
    }

    /// How flows will reach several workers; none with one.
    fn spread(&self, workers: u16) -> Result<Option<Spread>, SetupError> {
        if workers <= 1 {
            return Ok(None);
        }
        let spread = Spread::of(&self.driver, self.is_nic, self.info.flow_type_rss_offloads);
        let spread = spread.and_then(|spread| match self.info.max_rx_queues.min(self.info.max_tx_queues) {
            have if have < workers => Err(NoSpread::Queues { have }),
            _ => Ok(spread),
        });
        spread.map(Some).map_err(|reason| self.no_spread(workers, reason))
    }

    fn no_spread(&self, workers: u16, reason: NoSpread) -> SetupError {
        SetupError::NoSpread { device: self.device.clone(), driver: self.driver.clone(), workers, reason }
    }

    fn configure(
        self,
        queues: (u16, u16),
        asked: Queues,
        pool: &Arc<Pool>,
        spread: Option<Spread>,
    ) -> Result<Port, SetupError> {
        let largest = self.largest_mtu();
        if asked.mtu < self.info.min_mtu || asked.mtu > largest {
            return Err(SetupError::Mtu {
                device: self.device,
                driver: self.driver,
                mtu: asked.mtu,
                min: self.info.min_mtu,
                max: largest,
            });
        }
        // SAFETY: all zeroes is DPDK's "default" for every field of it.
        let mut config = unsafe { MaybeUninit::<rte_eth_conf>::zeroed().assume_init() };
        config.rxmode.mtu = u32::from(asked.mtu);
        if asked.mtu.saturating_add(OVERHEAD) > pool.data_room() {
            config.rxmode.offloads = self.info.rx_offload_capa & dpdk_sys::OSTIARY_RX_OFFLOAD_SCATTER;
        }
        config.txmode.offloads = self.info.tx_offload_capa & dpdk_sys::OSTIARY_TX_OFFLOAD_MULTI_SEGS;
        let mut key = rss::symmetric_key();
        if let Some(Spread::Hash(types)) = spread {
            config.rxmode.mq_mode = dpdk_sys::rte_eth_rx_mq_mode_RTE_ETH_MQ_RX_RSS;
            let mut hash = no_hash();
            hash.rss_key = key.as_mut_ptr();
            hash.rss_key_len = self.key_length();
            hash.rss_hf = types;
            config.rx_adv_conf.rss_conf = hash;
        }
        // From here on the port is closed when it is dropped.
        let number = self.number;
        let port = Port { number, pool: Arc::clone(pool), spread, found: self };
        // SAFETY: the port exists; `config` and the key live past the call, which copies them.
        let result = unsafe { dpdk_sys::rte_eth_dev_configure(number.0, queues.0, queues.1, &raw const config) };
        port.step("configuring", result)?;
        Ok(port)
    }

    fn largest_mtu(&self) -> u16 {
        // As rte_ethdev computes it: without a stated limit, the longest frame less header and FCS.
        let frame = u16::try_from(self.info.max_rx_pktlen).unwrap_or(u16::MAX);
        let overhead = match self.info.max_mtu {
            mtu if mtu != u16::MAX && frame > mtu => frame - mtu,
            _ => 18,
        };
        self.info.max_mtu.min(frame.saturating_sub(overhead))
    }

    fn key_length(&self) -> u8 {
        // A driver that states no length takes the usual 40 octets.
        if self.info.hash_key_size == 0 { 40 } else { self.info.hash_key_size }
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({:?}: {} by {})", self.number, self.device, self.driver)
    }
}

/// A port; running, once [`Found::start`] returned it. It stops and closes when the last of it and of its queues is dropped.
#[derive(Debug)]
pub struct Port {
    pub(super) number: PortNumber,
    pool: Arc<Pool>,
    /// How it spreads flows over several queues.
    spread: Option<Spread>,
    found: Found,
}

// SAFETY: what is called on a shared port (statistics, link) may be called by any thread; see `Found` for its pointers.
unsafe impl Sync for Port {}

impl Port {
    /// The device as configured.
    pub fn device(&self) -> &str {
        &self.found.device
    }

    /// The driver's name in DPDK.
    pub fn driver(&self) -> &str {
        &self.found.driver
    }

    /// As [`Found::unreturned_buffers`].
    pub fn unreturned_buffers(&self) -> u32 {
        self.found.unreturned_buffers()
    }

    /// Whether it sends a flow to the same one of `workers` as another port does.
    ///
    /// # Errors
    /// If not: the two directions of a flow between them would meet at two workers.
    pub fn agrees(&self, other: &Self, workers: u16) -> Result<(), SetupError> {
        // A NIC's table of queues repeats them in turn: with a power of two of them its length does not matter.
        let table = |port: &Self| if workers.is_power_of_two() { 0 } else { port.found.info.reta_size };
        let kernel = self.spread == Some(Spread::Kernel);
        if workers > 1 && (self.spread != other.spread || !kernel && table(self) != table(other)) {
            let reason = NoSpread::Differs { from: other.found.device.clone() };
            return Err(self.found.no_spread(workers, reason));
        }
        Ok(())
    }

    /// Its MAC address; none where the driver has none that a host may have.
    pub fn mac(&self) -> Option<Mac> {
        let mut address = dpdk_sys::rte_ether_addr { addr_bytes: [0; 6] };
        // SAFETY: the port exists, the address is there to be written.
        let result = unsafe { dpdk_sys::rte_eth_macaddr_get(self.number.0, &raw mut address) };
        let mac = Mac(address.addr_bytes);
        (result == 0 && mac.is_unicast()).then_some(mac)
    }

    fn set_up_receive_queue(&self, queue: QueueId, asked: Queues) -> Result<(), SetupError> {
        let (receive, _) = self.found.descriptors(asked);
        let node = self.found.node().map_or(ANY_NODE, u32::from);
        let (port, queue) = (self.number.0, queue.0);
        // SAFETY: the port is configured with that queue, and holds the pool; null asks for the driver's defaults.
        let result = unsafe {
            dpdk_sys::rte_eth_rx_queue_setup(port, queue, receive, node, std::ptr::null(), self.pool.as_ptr())
        };
        self.step("setting up a receive queue", result)
    }

    fn set_up_transmit_queue(&self, queue: QueueId, asked: Queues) -> Result<(), SetupError> {
        let (_, transmit) = self.found.descriptors(asked);
        let node = self.found.node().map_or(ANY_NODE, u32::from);
        let (port, queue) = (self.number.0, queue.0);
        // SAFETY: the port is configured with that queue; null asks for the driver's defaults.
        let result = unsafe { dpdk_sys::rte_eth_tx_queue_setup(port, queue, transmit, node, std::ptr::null()) };
        self.step("setting up a transmit queue", result)
    }

    /// Frames to any MAC address are ours to judge.
    fn promiscuous(&self) -> Result<(), SetupError> {
        // SAFETY: the port exists.
        let result = unsafe { dpdk_sys::rte_eth_promiscuous_enable(self.number.0) };
        match Errno::check(result) {
            // A software port that knows no addresses.
            Err(Errno::ENOTSUP) if !self.found.is_nic => Ok(()),
            result => result.map_err(|errno| self.failed("promiscuous mode", errno)),
        }
    }

    /// Reads the hash key back: a driver may take one and use another. Returns over which of `types` it does hash.
    fn verify_hash(&self, workers: u16, types: u64) -> Result<u64, SetupError> {
        let wanted = rss::symmetric_key();
        let mut key = [0; rss::MAX_KEY];
        let length = usize::from(self.found.key_length());
        let mut hash = no_hash();
        hash.rss_key = key.as_mut_ptr();
        hash.rss_key_len = self.found.key_length();
        // SAFETY: the port runs; the key's buffer is as long as it says.
        let result = unsafe { dpdk_sys::rte_eth_dev_rss_hash_conf_get(self.number.0, &raw mut hash) };
        let refused = |reason| self.found.no_spread(workers, reason);
        Errno::check(result).map_err(|errno| refused(NoSpread::KeyUnknown(errno)))?;
        if hash.rss_hf & types == 0 {
            return Err(refused(NoSpread::NoHash));
        }
        if key[..length] != wanted[..length] {
            return Err(refused(NoSpread::KeyRefused));
        }
        Ok(hash.rss_hf & types)
    }

    fn step(&self, step: &'static str, result: i32) -> Result<(), SetupError> {
        Errno::check(result).map_err(|errno| self.failed(step, errno))
    }

    fn failed(&self, step: &'static str, errno: Errno) -> SetupError {
        SetupError::Port { device: self.found.device.clone(), driver: self.found.driver.clone(), step, errno }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // SAFETY: the queues are gone, for they hold the port. Stopping what was not started does nothing. The pool and
        // the rings are released after this.
        unsafe {
            dpdk_sys::rte_eth_dev_stop(self.number.0);
            dpdk_sys::rte_eth_dev_close(self.number.0);
        }
    }
}

/// The first port that exists from number `from` on.
fn port_from(from: u16) -> Option<PortNumber> {
    // SAFETY: EAL runs; owner 0 is that of ports that no one claimed.
    let found = unsafe { dpdk_sys::rte_eth_find_next_owned_by(from, 0) };
    u16::try_from(found).ok().filter(|&number| u32::from(number) < dpdk_sys::RTE_MAX_ETHPORTS).map(PortNumber)
}

fn no_hash() -> rte_eth_rss_conf {
    // SAFETY: a null key, of no length, over no fields.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Ports at most, as DPDK was built.
pub const MAX_PORTS: usize = dpdk_sys::RTE_MAX_ETHPORTS as usize;
/// The driver of AF_XDP sockets.
const AF_XDP: &str = "net_af_xdp";
/// ETH_AF_XDP_DFLT_NUM_DESCS.
const AF_XDP_RING: u32 = 2048;
/// Ethernet header, two VLAN tags and FCS.
const OVERHEAD: u16 = 14 + 8 + 4;
/// SOCKET_ID_ANY, as the queue functions take it.
const ANY_NODE: u32 = u32::MAX;
