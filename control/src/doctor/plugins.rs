//! DPDK and its drivers: plugins that EAL loads from one folder, each of a Debian package of its own.

use dataplane::dpdk::Eal;

use super::{Examination, Finding, Machine};

/// What a driver's plugin says of itself (`PMD_INFO_STRING`, which DPDK's build puts into each): an object of JSON that ends with
/// a zero, in which parameters stand as their authors liked. Only this member of it is read.
const MARK: &[u8] = b"\"pci_ids\": ";
/// PCI_ANY_ID, as plugins write it.
const ANY: u32 = 0xffff;

/// DPDK as a whole: its version, and the plugins without which nothing starts.
pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let machine = examination.machine;
    let folder = Eal::driver_folder();
    let drivers = installed(machine);
    if drivers.is_empty() {
        let command = format!("sudo apt-get install {} {}", package("mempool_ring"), package("net_e1000"));
        let expected = format!("the drivers of {}", Eal::version());
        return vec![Finding::fault("dpdk", "no driver is installed", expected, command).from(folder)];
    }
    let count = drivers.iter().filter(|name| name.starts_with("net_")).count();
    let seen = format!("{}, {count} drivers of NICs and software ports", Eal::version());
    let mut findings = vec![Finding::fine("dpdk", seen).from(folder)];
    // Packet pools are rings; buses are plugins too.
    let missing =
        ["mempool_ring", "bus_pci", "bus_vdev"].iter().filter(|name| !drivers.iter().any(|have| have == *name));
    for name in missing {
        let command = format!("sudo apt-get install {}", package(name));
        let file = format!("{folder}/librte_{name}.so");
        findings.push(Finding::fault("dpdk", format!("{name} is not installed"), "that plugin", command).from(file));
    }
    findings
}

/// Whether the driver of a software port is there.
pub(super) fn of_software(machine: &Machine, device: &str) -> Finding {
    let name = device.split(',').next().unwrap_or(device).replacen("eth_", "net_", 1);
    let name = if name.starts_with("virtio_user") { "net_virtio".to_owned() } else { name };
    let drivers = installed(machine);
    // An instance may be called more than the driver and a number: net_tap_management0.
    let driver = drivers.iter().filter(|driver| name.starts_with(driver.as_str())).max_by_key(|driver| driver.len());
    match driver {
        Some(driver) => Finding::fine("dpdk-driver", driver.as_str()).from(file_of(driver)),
        None => missing(name.trim_end_matches(|letter: char| letter.is_ascii_digit())),
    }
}

/// Whether the driver of a NIC is there. `kernel` is the kernel's own driver for it, by which DPDK's is known where it is not
/// installed.
pub(super) fn of_nic(machine: &Machine, vendor: u32, device: u32, kernel: Option<&str>) -> Finding {
    let takes = |name: &String| identifiers(machine, name).iter().any(|id| matches(id, vendor, device));
    let drivers = installed(machine);
    if let Some(driver) = drivers.iter().filter(|name| name.starts_with("net_")).find(|name| takes(name)) {
        return Finding::fine("dpdk-driver", driver.as_str()).from(file_of(driver));
    }
    let known = kernel.and_then(|kernel| KERNEL_DRIVERS.iter().find(|(name, _)| *name == kernel));
    match known {
        Some((_, driver)) if !drivers.iter().any(|have| have == driver) => missing(driver),
        _ => {
            let seen = format!("none of the drivers knows {vendor:04x}:{device:04x}");
            let expected = "a NIC that DPDK has a driver for: https://core.dpdk.org/supported/nics/";
            let command = "apt-cache search '^librte-net-'";
            Finding::fault("dpdk-driver", seen, expected, command).from(Eal::driver_folder())
        }
    }
}

fn missing(driver: &str) -> Finding {
    let command = format!("sudo apt-get install {}", package(driver));
    Finding::fault("dpdk-driver", format!("{driver} is not installed"), "that driver", command).from(file_of(driver))
}

fn matches(id: &[u32; 4], vendor: u32, device: u32) -> bool {
    let [of_vendor, of_device, ..] = *id;
    of_vendor == vendor && (of_device == device || of_device == ANY)
}

/// Names of plugins: `net_ixgbe`, `mempool_ring`, …
fn installed(machine: &Machine) -> Vec<String> {
    let name = |file: String| Some(file.strip_prefix("librte_")?.split_once(".so")?.0.to_owned());
    let mut names: Vec<String> = machine.list(Eal::driver_folder()).into_iter().filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

/// The PCI devices that a plugin takes: vendor, device, and those of the subsystem.
fn identifiers(machine: &Machine, driver: &str) -> Vec<[u32; 4]> {
    let octets = machine.octets(&file_of(driver)).unwrap_or_default();
    let mut identifiers = Vec::new();
    let mut rest = octets.as_slice();
    while let Some(start) = rest.windows(MARK.len()).position(|window| window == MARK) {
        rest = &rest[start + MARK.len()..];
        let mut lists = serde_json::Deserializer::from_slice(rest).into_iter::<Vec<[u32; 4]>>();
        identifiers.extend(lists.next().and_then(Result::ok).into_iter().flatten());
    }
    identifiers
}

fn file_of(driver: &str) -> String {
    format!("{}/librte_{driver}.so.{}", Eal::driver_folder(), abi())
}

/// The number that DPDK's libraries of this version carry: 23 of 22.11, 25 of 24.11.
fn abi() -> &'static str {
    let folder = Eal::driver_folder();
    folder.rsplit_once("pmds-").and_then(|(_, version)| version.split('.').next()).unwrap_or_default()
}

/// What Debian calls the package of a plugin: `librte-net-ixgbe23`, `librte-net-e1000-23`.
fn package(driver: &str) -> String {
    let dash = if driver.ends_with(|last: char| last.is_ascii_digit()) { "-" } else { "" };
    format!("librte-{}{dash}{}", driver.replace('_', "-"), abi())
}

/// The kernel's drivers of NICs, and DPDK's for the same.
const KERNEL_DRIVERS: &[(&str, &str)] = &[
    ("amd_xgbe", "net_axgbe"),
    ("atlantic", "net_atlantic"),
    ("bnx2x", "net_bnx2x"),
    ("bnxt_en", "net_bnxt"),
    ("cxgb4", "net_cxgbe"),
    ("e1000", "net_e1000"),
    ("e1000e", "net_e1000"),
    ("ena", "net_ena"),
    ("enic", "net_enic"),
    ("fm10k", "net_fm10k"),
    ("gve", "net_gve"),
    ("hinic", "net_hinic"),
    ("hns3", "net_hns3"),
    ("i40e", "net_i40e"),
    ("iavf", "net_iavf"),
    ("ice", "net_ice"),
    ("idpf", "net_idpf"),
    ("igb", "net_e1000"),
    ("igbvf", "net_e1000"),
    ("igc", "net_igc"),
    ("ionic", "net_ionic"),
    ("ixgbe", "net_ixgbe"),
    ("ixgbevf", "net_ixgbe"),
    ("liquidio", "net_liquidio"),
    ("mana", "net_mana"),
    ("mlx4_core", "net_mlx4"),
    ("mlx5_core", "net_mlx5"),
    ("nfp", "net_nfp"),
    ("ngbe", "net_ngbe"),
    ("qede", "net_qede"),
    ("sfc", "net_sfc"),
    ("txgbe", "net_txgbe"),
    ("virtio_pci", "net_virtio"),
    ("vmxnet3", "net_vmxnet3"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_as_debian_does() {
        let abi = abi();
        assert_eq!(package("net_ixgbe"), format!("librte-net-ixgbe{abi}"));
        assert_eq!(package("net_e1000"), format!("librte-net-e1000-{abi}"));
        assert_eq!(package("net_af_packet"), format!("librte-net-af-packet{abi}"));
        assert_eq!(package("mempool_ring"), format!("librte-mempool-ring{abi}"));
    }

    #[test]
    fn drivers_of_the_kernel_are_in_order_and_each_once() {
        assert!(KERNEL_DRIVERS.is_sorted_by(|(one, _), (next, _)| one < next));
    }
}
