//! Capabilities: which of them the configuration needs where, and how a thread gives the others away.

use std::io;
use std::path::Path;

use ::dataplane::dpdk::Device;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use crate::config::Compiled;

/// None of them.
pub(super) fn none() -> CapabilitySet {
    CapabilitySet::empty()
}

/// What opening the ports takes, and closing them.
pub(super) fn of_ports(compiled: &Compiled) -> CapabilitySet {
    let ports = compiled.dataplane.ports.iter();
    ports.fold(of_processes(compiled), |rights, port| rights | of_device(&port.device))
        // The kernel's interface behind which our own addresses are served is one more software port.
        | compiled.dataplane.routing.management.as_ref().map_or(none(), |_| CapabilitySet::NET_ADMIN)
}

/// What is kept of that by the thread that closes them, and starts programs.
pub(super) fn of_outside(compiled: &Compiled) -> CapabilitySet {
    let ports = of_ports(compiled);
    // An XDP program is taken off, an interface set down.
    let closing = ports & (CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN | CapabilitySet::BPF);
    let by_hand = compiled.dataplane.ports.iter().any(|port| !closes_by_itself(&port.device));
    let management = compiled.dataplane.routing.management.is_some();
    of_processes(compiled) | if by_hand || management { closing } else { none() }
}

/// What it takes to see which program a process of another user runs.
fn of_processes(compiled: &Compiled) -> CapabilitySet {
    compiled.syslog_socket.as_ref().map_or(none(), |_| CapabilitySet::SYS_PTRACE)
}

/// What it takes to make a socket in another network namespace.
pub(super) fn of_lookups(compiled: &Compiled) -> CapabilitySet {
    let enters = compiled.hosts.iter().any(|host| host.via.namespace.is_some());
    if enters { CapabilitySet::SYS_ADMIN } else { none() }
}

/// What it takes to give files to a group that is not ours.
pub(super) fn of_trail(compiled: &Compiled) -> CapabilitySet {
    let is_ours = |group: u32| {
        let groups = rustix::process::getgroups().unwrap_or_default();
        rustix::process::getegid().as_raw() == group || groups.iter().any(|own| own.as_raw() == group)
    };
    match compiled.audit.group {
        Some(group) if !is_ours(group) => CapabilitySet::CHOWN,
        _ => none(),
    }
}

/// What a device needs, by the driver of DPDK or the kernel that it is of.
fn of_device(device: &Device) -> CapabilitySet {
    let lock = CapabilitySet::IPC_LOCK;
    match device {
        Device::Pci(address) => match driver_of(&address.to_string()).as_deref() {
            // Memory that it writes to is locked; all else is the right to open its file.
            Some("vfio-pci") => lock,
            // By addresses of the machine's memory, and by what the kernel shares with it.
            _ => {
                lock | CapabilitySet::SYS_RAWIO
                    | CapabilitySet::SYS_ADMIN
                    | CapabilitySet::NET_ADMIN
                    | CapabilitySet::NET_RAW
            }
        },
        Device::Vdev(text) => of_vdev(text),
    }
}

/// A packet socket is closed with its descriptor.
fn closes_by_itself(device: &Device) -> bool {
    let is_socket = |text: &str| text.starts_with("net_af_packet") || text.starts_with("net_pcap");
    matches!(device, Device::Vdev(text) if is_socket(text))
        || of_device(device).difference(CapabilitySet::IPC_LOCK).is_empty()
}

fn of_vdev(text: &str) -> CapabilitySet {
    let driver = text.split(',').next().unwrap_or(text).trim_end_matches(|letter: char| letter.is_ascii_digit());
    let network = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
    match driver {
        "net_null" | "net_ring" => none(),
        "net_pcap" if !text.contains("iface=") => none(),
        "net_tap" => CapabilitySet::NET_ADMIN,
        "net_af_xdp" => {
            network
                | CapabilitySet::BPF
                | CapabilitySet::SYS_ADMIN
                | CapabilitySet::SYS_RESOURCE
                | CapabilitySet::IPC_LOCK
        }
        _ => network,
    }
}

/// The kernel's driver of a NIC.
fn driver_of(address: &str) -> Option<String> {
    let link = std::fs::read_link(Path::new("/sys/bus/pci/devices").join(address).join("driver")).ok()?;
    Some(link.file_name()?.to_str()?.to_owned())
}

/// The calling thread keeps at most these of its capabilities, and no program gives it, or threads that it starts, another.
pub(super) fn give_away(keep: CapabilitySet) -> io::Result<()> {
    set_no_new_privs(true)?;
    // Who may not do that has what the service manager left, which nothing brings back any more.
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        for right in 0..64 {
            let right = CapabilitySet::from_bits_retain(1 << right);
            if !keep.contains(right) && remove_capability_from_bounding_set(right).is_err() {
                // The kernel knows no further ones.
                break;
            }
        }
    }
    give_away_for_itself(keep)
}

/// The same, but programs that the thread starts are what they would have been.
pub(super) fn give_away_for_itself(keep: CapabilitySet) -> io::Result<()> {
    // A kernel without this set has nothing in it.
    let _ = clear_ambient_capability_set();
    let held = capabilities(None)?.permitted & keep;
    set_capabilities(None, CapabilitySets { effective: held, permitted: held, inheritable: none() })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_port_needs_is_by_its_driver() {
        let network = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
        assert_eq!(of_vdev("net_af_packet0,iface=eth1"), network);
        assert_eq!(of_vdev("net_pcap0,iface=eth1"), network);
        assert_eq!(of_vdev("net_pcap12,rx_pcap=/a,tx_pcap=/b"), none());
        assert_eq!([of_vdev("net_null0"), of_vdev("net_ring1")], [none(); 2]);
        assert_eq!(of_vdev("net_tap0,iface=t0"), CapabilitySet::NET_ADMIN);
        assert!(of_vdev("net_af_xdp0,iface=e").contains(network | CapabilitySet::BPF));
    }

    #[test]
    fn a_thread_that_gave_all_away_holds_nothing_and_gains_nothing() {
        std::thread::spawn(|| {
            give_away(none()).unwrap();
            let held = capabilities(None).unwrap();
            assert_eq!((held.effective, held.permitted, held.inheritable), (none(), none(), none()));
            assert!(rustix::thread::no_new_privs().unwrap());
        })
        .join()
        .unwrap();
    }
}
