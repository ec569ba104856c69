//! A NIC on the PCI bus: its driver, group, firmware, slot, link, and whether the machine itself lives by it.

use dataplane::dpdk::{Device, PciAddress};

use super::{Examination, Finding, Machine, interface, iommu, plugins};
use crate::runtime::preflight::{DRIVERS, NETWORK_CLASS, VFIO};

const DEVICES: &str = "sys/bus/pci/devices";

/// Kernel drivers that go on driving a NIC while DPDK takes its frames: these must not be unbound.
pub(super) const SHARED: &[&str] = &["mlx4_core", "mlx5_core", "mana"];

/// The folder of a device in sysfs.
pub(super) fn folder(address: PciAddress) -> String {
    format!("{DEVICES}/{address}")
}

/// All NICs of the machine.
pub(super) fn addresses(machine: &Machine) -> impl Iterator<Item = PciAddress> {
    let is_nic = |name: &String| {
        machine.read(&format!("{DEVICES}/{name}/class")).is_some_and(|class| class.starts_with(NETWORK_CLASS))
    };
    let address = |name: String| match name.parse::<Device>() {
        Ok(Device::Pci(address)) => Some(address),
        _ => None,
    };
    machine.list(DEVICES).into_iter().filter(is_nic).filter_map(address)
}

/// Everything about the NIC of a port.
pub(super) fn examine(examination: &Examination<'_>, address: PciAddress) -> Vec<Finding> {
    let machine = examination.machine;
    let nic = Nic::read(machine, address);
    // What is not there, or is no NIC, was refused already.
    let Some(nic) = nic else { return Vec::new() };
    let driver = nic.driver.as_deref();
    let is_handed = driver.is_some_and(|driver| DRIVERS.contains(&driver) || driver == VFIO);
    let mut findings = vec![Finding::fine("device", nic.name()).from(format!("{}/device", nic.folder))];
    if let Some(driver) = driver.filter(|_| is_handed) {
        let shared = if SHARED.contains(&driver) { ", shared with the kernel: leave it bound so" } else { "" };
        findings.push(Finding::fine("driver", format!("{driver}{shared}")).from(format!("{}/driver", nic.folder)));
    }
    findings.extend(nic.danger(examination, is_handed));
    if !is_handed {
        findings.extend(kernel_module(machine));
    }
    if driver == Some(VFIO) || !is_handed {
        findings.extend(iommu::viability(examination, address));
    }
    findings.push(plugins::of_nic(machine, nic.vendor, nic.device, nic.kernel_driver.as_deref()));
    findings.extend(nic.firmware(machine));
    findings.extend(nic.slot(machine));
    findings.extend(nic.memory_node(examination));
    // Of a NIC that is handed over as a whole nobody knows more before it is started.
    if let Some(name) = nic.interfaces.first() {
        findings.push(interface::link(machine, name));
        findings.extend(interface::queues(machine, name));
    }
    findings
}

/// Every NIC of the machine, where no configuration says which are meant.
pub(super) fn survey(examination: &Examination<'_>) -> Vec<Finding> {
    let Examination { machine, hands, .. } = examination;
    let survey = |address: PciAddress| {
        let nic = Nic::read(machine, address)?;
        let driver = nic.driver.as_deref().unwrap_or("no driver");
        let interface = nic.interfaces.first().map(|name| format!(", {name}")).unwrap_or_default();
        let used = match nic.default_route(machine) {
            Some(_) => "; carries the default route: not for the firewall",
            None => "",
        };
        let seen = format!("{address}: {}, {driver}{interface}{used}", nic.name());
        let mut finding = Finding::fine("nic", seen).from(format!("{}/driver", nic.folder));
        let is_free = used.is_empty() && !DRIVERS.contains(&driver) && driver != VFIO;
        if is_free {
            finding.command = hands.bind(&address.to_string());
        }
        Some(finding)
    };
    addresses(machine).filter_map(survey).collect()
}

struct Nic {
    address: PciAddress,
    folder: String,
    vendor: u32,
    device: u32,
    driver: Option<String>,
    /// The kernel's own driver for it, also where it is bound to another.
    kernel_driver: Option<String>,
    interfaces: Vec<String>,
}

impl Nic {
    fn read(machine: &Machine, address: PciAddress) -> Option<Self> {
        let folder = folder(address);
        let class = machine.read(&format!("{folder}/class"))?;
        if !class.starts_with(NETWORK_CLASS) {
            return None;
        }
        let identifier = |name: &str| {
            let text = machine.read(&format!("{folder}/{name}")).unwrap_or_default();
            u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0)
        };
        let mut interfaces = machine.list(&format!("{folder}/net"));
        // virtio hides its interface one level deeper.
        for child in machine.list(&folder).iter().filter(|name| name.starts_with("virtio")) {
            interfaces.extend(machine.list(&format!("{folder}/{child}/net")));
        }
        let driver = machine.target(&format!("{folder}/driver"));
        let own = driver.as_ref().filter(|driver| *driver != VFIO && !driver.contains("uio"));
        let kernel_driver = match own {
            Some(driver) => Some(driver.replace('-', "_")),
            None => machine.read(&format!("{folder}/modalias")).and_then(|alias| module_of(machine, &alias)),
        };
        let (vendor, device) = (identifier("vendor"), identifier("device"));
        Some(Self { address, folder, vendor, device, driver, kernel_driver, interfaces })
    }

    /// Vendor and device.
    fn name(&self) -> String {
        format!("{:04x}:{:04x}", self.vendor, self.device)
    }

    /// The interface of it that carries a default route.
    fn default_route(&self, machine: &Machine) -> Option<&String> {
        self.interfaces.iter().find(|name| interface::has_default_route(machine, name))
    }

    /// Whether the machine itself lives by it.
    fn danger(&self, examination: &Examination<'_>, is_handed: bool) -> Option<Finding> {
        let name = self.default_route(examination.machine)?;
        let seen = format!("{name} carries this machine's default route");
        let expected = "a NIC that the machine itself does not need: you may be cut off";
        let command = examination.hands.list_nics();
        let finding = match is_handed {
            // Shared with the kernel, it goes on carrying it; frames to the firewall's own MAC address are still the kernel's.
            true => Finding::warning("own-nic", seen, expected, command),
            false => Finding::fault("own-nic", seen, expected, command),
        };
        Some(finding.from("proc/net/route"))
    }

    /// What the driver needs to be on disk, and what the NIC says of its own.
    fn firmware(&self, machine: &Machine) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.kernel_driver.as_deref() {
            Some("ice") => findings.push(ice_package(machine)),
            Some("mlx5_core") => {
                let folder = format!("{}/infiniband", self.folder);
                match machine.list(&folder).first() {
                    Some(device) => {
                        let file = format!("{folder}/{device}/fw_ver");
                        let version = machine.read(&file).unwrap_or_else(|| "unknown".to_owned());
                        findings.push(Finding::fine("firmware", format!("{device}, firmware {version}")).from(file));
                    }
                    None => {
                        let seen = "no RDMA device belongs to it, and the driver works through one";
                        let command = "sudo modprobe -a mlx5_ib ib_uverbs && sudo apt-get install ibverbs-providers";
                        findings.push(Finding::fault("firmware", seen, "mlx5_ib and ib_uverbs", command).from(folder));
                    }
                }
            }
            _ => {}
        }
        if let Some(name) = self.interfaces.first()
            && let Some(text) = machine.program(&["ethtool", "-i", name])
            && let Some(version) = text.lines().find_map(|line| line.strip_prefix("firmware-version:"))
            && !["", "N/A"].contains(&version.trim())
            && findings.is_empty()
        {
            findings.push(Finding::fine("firmware", version.trim()));
        }
        findings
    }

    /// Whether the slot gives the NIC all the lanes and the speed that it can use.
    fn slot(&self, machine: &Machine) -> Option<Finding> {
        let read = |name: &str| machine.read(&format!("{}/{name}", self.folder));
        let (width, most) = (read("current_link_width")?, read("max_link_width")?);
        let (speed, fastest) = (read("current_link_speed")?, read("max_link_speed")?);
        let file = format!("{}/current_link_width", self.folder);
        let lanes = |text: &str| text.parse::<u32>().unwrap_or(0);
        // Some devices say 0 or 255 while they sleep.
        if lanes(&width) == 0 || lanes(&most) > 32 {
            return None;
        }
        let seen = format!("PCIe x{width} at {speed}");
        if lanes(&width) >= lanes(&most) && speed == fastest {
            return Some(Finding::fine("slot", seen).from(file));
        }
        let command = format!("sudo lspci -vv -s {} | grep -i lnk", self.address);
        let expected = format!("x{most} at {fastest}, as the NIC can: another slot");
        Some(Finding::warning("slot", seen, expected, command).from(file))
    }

    /// Whether workers and memory are on the NIC's NUMA node.
    fn memory_node(&self, examination: &Examination<'_>) -> Option<Finding> {
        let Examination { machine, config, hands, .. } = examination;
        let file = format!("{}/numa_node", self.folder);
        let node: i32 = machine.number(&file)?;
        // -1 where the machine has one node only, or does not say.
        let node = u32::try_from(node).ok()?;
        let config = &config.as_ref()?.dataplane;
        let far: Vec<String> = config
            .workers
            .iter()
            .chain(&config.dispatcher)
            .filter(|cpu| !machine.has(&format!("sys/devices/system/cpu/cpu{cpu}/node{node}")))
            .map(u16::to_string)
            .collect();
        let cpus = machine.read(&format!("sys/devices/system/node/node{node}/cpulist")).unwrap_or_default();
        if !far.is_empty() {
            let seen = format!("NUMA node {node}; workers on CPU {} are on another", far.join(", "));
            let expected = format!("workers on the NIC's node: CPUs {cpus}");
            let command = format!("in [dataplane] of the policy file: workers from {cpus}");
            return Some(Finding::warning("numa", seen, expected, command).from(file));
        }
        let folder = format!("sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/free_hugepages");
        let free: u32 = machine.number(&folder).unwrap_or(0) * 2;
        if config.hugepages && free < config.memory && examination.running.is_none() {
            let seen = format!("NUMA node {node} has {free} MiB of hugepages free");
            let expected = format!("{} MiB on the NIC's node", config.memory);
            let command = hands.reserve(machine, config.memory - free, Some(node));
            return Some(Finding::warning("numa", seen, expected, command).from(folder));
        }
        Some(Finding::fine("numa", format!("node {node}, as its workers")).from(file))
    }
}

/// The package that the driver of Intel's 800 series loads into the NIC; without it the port does not start.
fn ice_package(machine: &Machine) -> Finding {
    let places = ["lib/firmware/updates/intel/ice/ddp", "lib/firmware/intel/ice/ddp"];
    let found = places.iter().find(|folder| machine.list(folder).iter().any(|name| name.starts_with("ice.pkg")));
    if let Some(folder) = found {
        return Finding::fine("firmware", "the ice driver's DDP package is there").from(format!("{folder}/ice.pkg"));
    }
    let release = machine.read("etc/os-release").unwrap_or_default();
    let number = release.lines().find_map(|line| line.strip_prefix("VERSION_ID="));
    let number: u32 = number.and_then(|text| text.trim_matches('"').parse().ok()).unwrap_or(12);
    let package = if number >= 13 { "firmware-intel-misc" } else { "firmware-misc-nonfree" };
    let command = format!("sudo apt-get install {package} (of Debian's component non-free-firmware)");
    Finding::fault("firmware", "no DDP package of the ice driver", "intel/ice/ddp/ice.pkg", command)
        .from(format!("{}/ice.pkg", places[1]))
}

/// Whether the kernel has the driver that the NIC is to be bound to.
fn kernel_module(machine: &Machine) -> Option<Finding> {
    let wanted = if machine.list("sys/kernel/iommu_groups").is_empty() { "uio_pci_generic" } else { VFIO };
    if machine.has_module(wanted) {
        return None;
    }
    let seen = format!("the kernel has no module {wanted}");
    let command = "sudo apt-get install linux-image-$(dpkg --print-architecture) && sudo reboot";
    let file = format!("lib/modules/{}/modules.dep", machine.kernel());
    Some(
        Finding::fault("kernel-module", seen, "Debian's own kernel has it; its cloud kernel has not", command)
            .from(file),
    )
}

/// The kernel's driver for a device, by the list of aliases of its modules.
fn module_of(machine: &Machine, alias: &str) -> Option<String> {
    let text = machine.read(&format!("lib/modules/{}/modules.alias", machine.kernel()))?;
    text.lines().find_map(|line| {
        let mut words = line.strip_prefix("alias ")?.split(' ');
        let (pattern, module) = (words.next()?, words.next()?);
        (pattern.starts_with("pci:") && fits(pattern, alias)).then(|| module.to_owned())
    })
}

/// Whether a text fits a pattern in which `*` stands for anything. Patterns of modules have no other sign.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        last = Some(part);
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || text.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_modules_fit_as_modprobe_has_it() {
        let alias = "pci:v00008086d00001572sv00008086sd00000001bc02sc00i00";
        for (pattern, is) in [
            ("pci:v00008086d00001572sv*sd*bc*sc*i*", true),
            ("pci:v00008086d00001583sv*sd*bc*sc*i*", false),
            ("pci:v*d*sv*sd*bc02sc00i00", true),
            ("pci:v*d*sv*sd*bc02sc00i01", false),
            ("pci:v00008086", false),
        ] {
            assert_eq!(fits(pattern, alias), is, "{pattern}");
        }
    }
}
