//! What the start would refuse, with the command that mends it.

use dataplane::dpdk::{NoSpread, SetupError};

use super::{Examination, Finding};
use crate::runtime::StartError;
use crate::runtime::preflight::STATUS;

/// Tells a refusal. What was seen and what is expected are its own figures.
pub(super) fn finding(examination: &Examination<'_>, error: &StartError) -> Finding {
    let Examination { machine, hands, file, .. } = examination;
    let edit = |what: &str| format!("in [dataplane] of the policy file: {what}");
    match error {
        StartError::NoHugepages { need, free } => {
            let command = hands.reserve(machine, need - free, None);
            let seen = format!("{free} MiB of hugepages are free");
            Finding::fault("hugepages", seen, format!("{need} MiB ([dataplane] memory)"), command)
                .from("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
        }
        StartError::MemoryTooLarge { need, free } | StartError::TablesTooLarge { need, free, .. } => {
            let what = match error {
                StartError::TablesTooLarge { sessions, .. } => format!("the tables of {sessions} sessions"),
                _ => "[dataplane] memory".to_owned(),
            };
            let command = match error {
                StartError::TablesTooLarge { sessions, need, free } => {
                    let fits = (*sessions as u64 * u64::from(*free) / u64::from((*need).max(1))) / 1024 * 1024;
                    edit(&format!("max-sessions = {}", fits.max(1024)))
                }
                _ => edit(&format!("memory = \"{free} MiB\"")),
            };
            Finding::fault("memory", format!("{free} MiB are left"), format!("{need} MiB for {what}"), command)
                .from("proc/meminfo")
        }
        StartError::MemoryTooSmall { need, have } => Finding::fault(
            "memory",
            format!("memory = \"{have} MiB\""),
            format!("{need} MiB for the packet pool and rings"),
            edit(&format!("memory = \"{need} MiB\"")),
        ),
        StartError::PoolTooSmall { need, have } => Finding::fault(
            "memory",
            format!("mbufs = {have}"),
            format!("{need} packet buffers for ports and workers"),
            edit(&format!("mbufs = {need}")),
        ),
        StartError::CpuTwice { cpu } => {
            Finding::fault("cores", format!("CPU {cpu} is given twice"), "a CPU for each", edit("other workers"))
        }
        StartError::NoCpu { cpu, allowed } => Finding::fault(
            "cores",
            format!("CPU {cpu} cannot be used"),
            format!("CPUs that this process may run on: {allowed}"),
            edit("workers of these; lscpu --extended shows them"),
        )
        .from("sys/devices/system/cpu/online"),
        StartError::NicWithoutHugepages { port, .. } => {
            let seen = "hugepages = false, and the port is a NIC";
            Finding::fault("hugepages", seen, "hugepages = true", edit("hugepages = true")).of(port)
        }
        StartError::NoPciDevice { port, address } => {
            let seen = format!("there is no PCI device {address}");
            let expected = "the address of a NIC";
            Finding::fault("device", seen, expected, hands.list_nics()).from("sys/bus/pci/devices").of(port)
        }
        StartError::NotNic { port, address, class } => {
            let file = format!("sys/bus/pci/devices/{address}/class");
            let seen = format!("{address} is no NIC: its class is {class}");
            Finding::fault("device", seen, "class 0x02…", hands.list_nics()).from(file).of(port)
        }
        StartError::PortUnbound { port, address, driver } => {
            let file = format!("sys/bus/pci/devices/{address}/driver");
            let command = hands.bind(&address.to_string());
            let expected = "vfio-pci, or uio_pci_generic where there is no IOMMU";
            Finding::fault("driver", driver.as_str(), expected, command).from(file).of(port)
        }
        StartError::NoVfioAccess { port, path, reason } => {
            let command = format!("sudo fuser -v {path}; or run as root, or: sudo chown $USER {path}");
            let seen = format!("{path} cannot be opened: {reason}");
            Finding::fault("access", seen, "a group that nobody has opened, and that we may open", command)
                .from(path)
                .of(port)
        }
        StartError::NoInterface { port, interface } => {
            let seen = format!("there is no interface {interface} in this network namespace");
            let file = format!("sys/class/net/{interface}");
            Finding::fault("interface", seen, "an interface that is there", "ip -brief link").from(file).of(port)
        }
        StartError::NoFile { port, path, reason } => {
            let seen = format!("{path} cannot be read: {reason}");
            Finding::fault("file", seen, "a capture file", format!("ls -l {path}")).from(path).of(port)
        }
        StartError::NoPrivilege { port, capability, .. } => {
            let seen = format!("{capability} is missing");
            let command = format!("sudo {} run --config {}", hands.ostiary, file.display());
            Finding::fault("privileges", seen, format!("root, or {capability}"), command).from(STATUS).of(port)
        }
        StartError::Port { port, error: SetupError::NoSpread { device, driver, workers, reason } } => {
            let seen = format!("{reason}");
            let expected = format!("a queue for each of {workers} workers, both directions of a flow to the same");
            let command = match reason {
                NoSpread::Queues { .. } if driver == NoSpread::SPREADING_VDEV => {
                    let mut arguments: Vec<&str> =
                        device.split(',').filter(|argument| !argument.starts_with("qpairs=")).collect();
                    let pairs = format!("qpairs={workers}");
                    arguments.push(&pairs);
                    format!("in its [[port]]: device = \"{}\"", arguments.join(","))
                }
                _ => edit("dispatcher = CORE, or one worker"),
            };
            Finding::fault("queues", seen, expected, command).of(port)
        }
        StartError::DeviceTwice { .. }
        | StartError::BadWire { .. }
        | StartError::NoMac { .. }
        | StartError::NoPorts
        | StartError::TooManyPorts { .. }
        | StartError::NoWorkers
        | StartError::BadFilePrefix(_)
        | StartError::Port { .. }
        | StartError::Setup(_)
        | StartError::Spawn(_) => {
            let expected = "a policy file that can run";
            Finding::fault(
                "configuration",
                error.to_string(),
                expected,
                format!("{} check {}", hands.ostiary, file.display()),
            )
        }
    }
}
