//! The IOMMU: what keeps a NIC from the memory of others, and the groups in which it hands NICs out.

use dataplane::dpdk::{Device, PciAddress};

use super::{Examination, Finding, nic};
use crate::runtime::preflight::{DRIVERS, VFIO};

const GROUPS: &str = "sys/kernel/iommu_groups";

/// Whether the machine has one that works; nothing where no NIC asks for it.
pub(super) fn examine(examination: &Examination<'_>) -> Option<Finding> {
    let Examination { machine, config, .. } = examination;
    let asks = match config {
        Some(config) => config.dataplane.ports.iter().any(|port| match &port.device {
            Device::Pci(address) => !is_shared(examination, *address),
            Device::Vdev(_) => false,
        }),
        None => nic::addresses(machine).next().is_some(),
    };
    if !asks {
        return None;
    }
    let groups = machine.list(GROUPS).len();
    if groups > 0 {
        let plural = if groups == 1 { "" } else { "s" };
        return Some(Finding::fine("iommu", format!("active, {groups} group{plural}")).from(GROUPS));
    }
    let (line, name) = match machine.field("proc/cpuinfo", "vendor_id").as_deref() {
        Some("GenuineIntel") => ("intel_iommu=on iommu=pt", "VT-d"),
        Some("AuthenticAMD" | "HygonGenuine") => ("amd_iommu=on iommu=pt", "AMD-Vi"),
        _ => ("iommu=pt", "the IOMMU"),
    };
    let asked = machine.read("proc/cmdline").is_some_and(|text| line.split(' ').all(|word| text.contains(word)));
    let command = if asked {
        format!("turn on {name} in the machine's firmware (the kernel's command line asks for it already)")
    } else {
        format!(
            "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {line}\"' | sudo tee /etc/default/grub.d/iommu.cfg && \
             sudo update-grub && sudo reboot; and turn on {name} in the machine's firmware"
        )
    };
    let expected = "an active one: without it a NIC can write anywhere in memory, and is bound to uio_pci_generic";
    Some(Finding::warning("iommu", "none is active", expected, command).from(GROUPS))
}

/// Whether the group of a NIC can be handed out: nothing in it is still the kernel's.
pub(super) fn viability(examination: &Examination<'_>, address: PciAddress) -> Option<Finding> {
    let Examination { machine, hands, .. } = examination;
    let folder = nic::folder(address);
    let group = machine.target(&format!("{folder}/iommu_group"))?;
    let devices = format!("{GROUPS}/{group}/devices");
    let members = machine.list(&devices);
    let held: Vec<(&String, String)> = members
        .iter()
        .filter(|member| **member != address.to_string())
        .filter_map(|member| {
            let device = format!("sys/bus/pci/devices/{member}");
            let driver = machine.target(&format!("{device}/driver"))?;
            let class = machine.read(&format!("{device}/class")).unwrap_or_default();
            // Bridges stay the kernel's.
            let is_bridge = class.starts_with("0x0604") || class.starts_with("0x0600");
            (!is_bridge && driver != VFIO).then_some((member, driver))
        })
        .collect();
    let Some((first, _)) = held.first() else {
        let beside = members.len().saturating_sub(1);
        let seen = format!("group {group}, {beside} other devices, none of them in the way");
        return Some(Finding::fine("iommu-group", seen).from(devices));
    };
    let list: Vec<String> = held.iter().map(|(member, driver)| format!("{member} ({driver})")).collect();
    let is_nic = |member: &str| {
        let class = machine.read(&format!("sys/bus/pci/devices/{member}/class"));
        class.is_some_and(|class| class.starts_with(crate::runtime::preflight::NETWORK_CLASS))
    };
    let nics: Vec<&str> = held.iter().map(|(member, _)| member.as_str()).filter(|member| is_nic(member)).collect();
    let command = if nics.len() == held.len() {
        hands.bind(&nics.join(" "))
    } else {
        format!("echo {first} | sudo tee /sys/bus/pci/devices/{first}/driver/unbind; or put the NIC into another slot")
    };
    let seen = format!("group {group} also holds {}", list.join(", "));
    Some(
        Finding::fault("iommu-group", seen, "the rest of the group on vfio-pci, or on no driver", command)
            .from(devices),
    )
}

/// Whether a NIC is shared with the kernel's driver, which needs no IOMMU group to be handed out.
fn is_shared(examination: &Examination<'_>, address: PciAddress) -> bool {
    let driver = examination.machine.target(&format!("{}/driver", nic::folder(address)));
    driver.is_some_and(|driver| nic::SHARED.contains(&driver.as_str()) && DRIVERS.contains(&driver.as_str()))
}
