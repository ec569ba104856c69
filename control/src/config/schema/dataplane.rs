//! `[dataplane]`, `[[port]]` and `[[wire]]`: cores, memory, devices, and how they are joined.

use std::time::Duration;

use dataplane::dpdk::{BadDevice, Device};
use dataplane::load::Idle;
use dataplane::pipeline::{Midstream, Timeouts};
use toml::de::DeValue;

use super::super::document::{Located, Notes, Section};
use super::super::environment;
use super::super::fault::Place;
use super::super::value::{self, Refusal};
use crate::runtime::PortConfig;

const DEVICE: &str = "a PCI address like \"0000:3b:00.0\" or a DPDK device like \"net_af_packet0,iface=eth1\"";

/// `[dataplane]`.
#[derive(Debug)]
pub(crate) struct Dataplane {
    /// `workers`: cores, one worker each; default `[1]`, or `[0]` on a machine with one core.
    pub(crate) workers: Vec<Located<u16>>,
    /// `dispatcher`: a core that receives for the workers; default none.
    pub(crate) dispatcher: Option<Located<u16>>,
    /// `idle`: what workers and dispatcher do while nothing comes; default poll.
    pub(crate) idle: Idle,
    /// `hugepages`; default true.
    pub(crate) hugepages: bool,
    /// `memory`: what DPDK takes at start, in octets; default 512 MiB.
    pub(crate) memory: u64,
    /// `file-prefix`; default `ostiary`.
    pub(crate) file_prefix: String,
    /// `mbufs`; default: as many as ports, queues and workers need.
    pub(crate) mbufs: Option<u32>,
    /// `descriptors` of each queue; default 1024.
    pub(crate) descriptors: u16,
    /// `max-sessions` of all workers together; default 1,000,000.
    pub(crate) max_sessions: usize,
    /// `inspection-slots` of each worker; default 65,536.
    pub(crate) inspection_slots: usize,
    pub(crate) resolved_addresses: usize,
    /// `fragment-slots` of each worker; default 4,096.
    pub(crate) fragment_slots: usize,
    /// `neighbours` of all interfaces together; default 4,096.
    pub(crate) neighbours: Option<Located<usize>>,
    /// `session-events`: queue of each worker; default 65,536.
    pub(crate) session_events: usize,
    /// `sign-on-events`: queue of each worker; default 16,384.
    pub(crate) sign_on_events: usize,
    /// `tcp-midstream`; default permit.
    pub(crate) midstream: Midstream,
    /// `verify-checksums`; default true.
    pub(crate) verify_checksums: bool,
    /// `mirror`: ports get copies of both directions; default false.
    pub(crate) mirror: Option<Located<bool>>,
    /// `[dataplane.timeouts]`.
    pub(crate) timeouts: Timeouts,
}

impl Default for Dataplane {
    fn default() -> Self {
        Self {
            workers: Vec::new(),
            dispatcher: None,
            idle: Idle::Poll,
            hugepages: true,
            memory: 512 << 20,
            file_prefix: "ostiary".to_owned(),
            mbufs: None,
            descriptors: PortConfig::DESCRIPTORS,
            max_sessions: 1_000_000,
            inspection_slots: 65_536,
            resolved_addresses: 65_536,
            fragment_slots: 4_096,
            neighbours: None,
            session_events: 65_536,
            sign_on_events: 16_384,
            midstream: Midstream::Permit,
            verify_checksums: true,
            mirror: None,
            timeouts: Timeouts::default(),
        }
    }
}

impl Dataplane {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let mut read = Self::default();
        let Some(mut section) = section else { return read };
        let core = value::number(0_u16, 1023);
        read.workers = section.list("workers", notes, &core).map(|list| list.value).unwrap_or_default();
        read.dispatcher = section.optional("dispatcher", notes, &core);
        let idle = value::choice(&[("poll", Idle::Poll), ("back-off", Idle::BackOff)], &[]);
        set(&mut read.idle, section.optional("idle", notes, idle));
        set(&mut read.hugepages, section.optional("hugepages", notes, value::boolean));
        set(&mut read.memory, section.optional("memory", notes, value::size(64 << 20, 1 << 40)));
        set(&mut read.file_prefix, section.optional("file-prefix", notes, file_prefix));
        read.mbufs = section.optional("mbufs", notes, value::number(1024_u32, 1 << 26)).map(|mbufs| mbufs.value);
        set(&mut read.descriptors, section.optional("descriptors", notes, descriptors));
        set(&mut read.max_sessions, section.optional("max-sessions", notes, value::number(1024_usize, 1 << 28)));
        set(&mut read.inspection_slots, section.optional("inspection-slots", notes, value::number(16_usize, 1 << 24)));
        set(&mut read.resolved_addresses, section.optional("resolved-addresses", notes, value::number(0, 1 << 24)));
        set(&mut read.fragment_slots, section.optional("fragment-slots", notes, value::number(16_usize, 1 << 20)));
        read.neighbours = section.optional("neighbours", notes, value::number(16_usize, 1 << 20));
        set(&mut read.session_events, section.optional("session-events", notes, value::number(64_usize, 1 << 24)));
        set(&mut read.sign_on_events, section.optional("sign-on-events", notes, value::number(64_usize, 1 << 24)));
        let midstream = value::choice(&[("permit", Midstream::Permit), ("drop", Midstream::Drop)], &[]);
        set(&mut read.midstream, section.optional("tcp-midstream", notes, midstream));
        set(&mut read.verify_checksums, section.optional("verify-checksums", notes, value::boolean));
        read.mirror = section.optional("mirror", notes, value::boolean);
        if let Some(timeouts) = section.table("timeouts", notes) {
            read_timeouts(&mut read.timeouts, timeouts, notes);
        }
        section.finish(notes);
        read
    }
}

impl Dataplane {
    /// The cores of the workers; where none is written, core 1, or core 0 of a machine that has no other.
    pub(crate) fn worker_cores(&self) -> Vec<u16> {
        if !self.workers.is_empty() {
            return self.workers.iter().map(|worker| worker.value).collect();
        }
        vec![u16::from(environment::allowed_cores().contains(&1))]
    }
}

fn read_timeouts(timeouts: &mut Timeouts, mut section: Section<'_, '_>, notes: &mut Notes) {
    let limits = value::duration(Duration::from_secs(1), Duration::from_secs(7 * 86_400));
    for (key, timeout) in [
        ("tcp-opening", &mut timeouts.tcp_opening),
        ("tcp-established", &mut timeouts.tcp_established),
        ("tcp-closing", &mut timeouts.tcp_closing),
        ("udp", &mut timeouts.udp),
        ("udp-stream", &mut timeouts.udp_stream),
        ("icmp", &mut timeouts.icmp),
        ("other", &mut timeouts.other),
    ] {
        set(timeout, section.optional(key, notes, &limits));
    }
    section.finish(notes);
}

/// One `[[port]]`.
#[derive(Debug)]
pub(crate) struct Port {
    /// Where it is written.
    pub(crate) place: Place,
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `device`: a PCI address or a DPDK virtual device.
    pub(crate) device: Option<Located<Device>>,
    /// `zone`.
    pub(crate) zone: Option<Located<String>>,
    /// `mtu`; default 1500.
    pub(crate) mtu: u16,
    /// `descriptors`; default: as `[dataplane]` has it.
    pub(crate) descriptors: Option<u16>,
}

impl Port {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the port's name", value::name);
        if let Some(name) = &name {
            section.rename(format!("port[{}]", name.value));
        }
        let device = section.required("device", notes, DEVICE, device);
        let zone = section.required("zone", notes, "the zone that the port belongs to", value::name);
        let mtu = section.optional("mtu", notes, value::number(68_u16, 9_600)).map_or(PortConfig::MTU, |mtu| mtu.value);
        let descriptors = section.optional("descriptors", notes, descriptors).map(|number| number.value);
        let place = section.place().clone();
        section.finish(notes);
        Self { place, name, device, zone, mtu, descriptors }
    }
}

/// One `[[wire]]`: two ports by name.
#[derive(Debug)]
pub(crate) struct Wire {
    /// `ports`: exactly two.
    pub(crate) ports: [Located<String>; 2],
}

impl Wire {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Option<Self> {
        let pair = "the names of two ports, like [\"inside\", \"outside\"]";
        let list = section.required_list("ports", notes, pair, value::name);
        let ports = match list {
            Some(list) => match <[Located<String>; 2]>::try_from(list.value) {
                Ok(ports) => Some(ports),
                Err(list_value) => {
                    let found = format!("{} names", list_value.len());
                    notes.fault(&list.place, Some(found), pair, "name exactly two ports");
                    None
                }
            },
            None => None,
        };
        section.finish(notes);
        ports.map(|ports| Self { ports })
    }
}

fn device(value: &DeValue<'_>) -> Result<Device, Refusal> {
    let text = value::text(value)?;
    text.parse().map_err(|fault| match fault {
        BadDevice::Form(_) => Refusal::new(DEVICE, "list the NICs with: dpdk-devbind.py --status-dev net"),
        BadDevice::NoInstance(name) => {
            Refusal::new(format!("a number behind \"{name}\""), format!("write \"{name}0\", each number once"))
        }
    })
}

fn descriptors(value: &DeValue<'_>) -> Result<u16, Refusal> {
    let number = value::number(64_u16, 32_768)(value)?;
    if number.is_power_of_two() {
        return Ok(number);
    }
    Err(Refusal::new("a power of two from 64 to 32768", "choose 512, 1024, 2048 or 4096"))
}

fn file_prefix(value: &DeValue<'_>) -> Result<String, Refusal> {
    let prefix = value::name(value)?;
    if prefix.contains('.') {
        return Err(Refusal::new("a name without '.'", "choose letters, digits, '_' and '-'"));
    }
    Ok(prefix)
}

fn set<T>(target: &mut T, value: Option<Located<T>>) {
    if let Some(value) = value {
        *target = value.value;
    }
}
