//! What this process may do, and how much memory it may lock.

use dataplane::dpdk::Device;

use super::{Examination, Finding, nic};
use crate::runtime::preflight::{STATUS, VFIO};

/// Capabilities by their number in `linux/capability.h`.
const IPC_LOCK: (u32, &str) = (14, "CAP_IPC_LOCK");
const SYS_RAWIO: (u32, &str) = (17, "CAP_SYS_RAWIO");
const SYS_ADMIN: (u32, &str) = (21, "CAP_SYS_ADMIN");

pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let Examination { machine, config, hands, file, .. } = examination;
    let mask = machine.field(STATUS, "CapEff").and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    let Some(mask) = mask else { return Vec::new() };
    let may = |(bit, _): (u32, &str)| mask >> bit & 1 == 1;
    let identity = match machine.field(STATUS, "Uid").as_deref().and_then(|uids| uids.split_whitespace().nth(1)) {
        Some("0") => "root".to_owned(),
        Some(uid) => format!("user {uid}"),
        None => "somebody".to_owned(),
    };
    let mut findings = vec![Finding::fine("privileges", format!("{identity}, capabilities {mask:016x}")).from(STATUS)];
    let Some(config) = config.map(|config| &config.dataplane) else { return findings };
    let drivers: Vec<String> = config
        .ports
        .iter()
        .filter_map(|port| match &port.device {
            Device::Pci(address) => machine.target(&format!("{}/driver", nic::folder(*address))),
            Device::Vdev(_) => None,
        })
        .collect();
    if drivers.iter().any(|driver| driver.contains("uio")) {
        let missing: Vec<&str> =
            [SYS_ADMIN, SYS_RAWIO].into_iter().filter(|one| !may(*one)).map(|(_, name)| name).collect();
        if !missing.is_empty() {
            let seen = format!("{identity}, without {}", missing.join(" and "));
            let expected = "root: a NIC without an IOMMU is given physical addresses";
            let command = format!("sudo {} run --config {}", hands.ostiary, file.display());
            findings.push(Finding::fault("privileges", seen, expected, command).from(STATUS));
        }
    }
    let is_xdp = |device: &Device| matches!(device, Device::Vdev(text) if text.starts_with("net_af_xdp"));
    let locks = drivers.iter().any(|driver| driver == VFIO) || config.ports.iter().any(|port| is_xdp(&port.device));
    if locks && !may(IPC_LOCK) {
        findings.extend(lock_limit(examination, config.memory));
    }
    findings
}

/// What devices write into must stay where it is: VFIO and AF_XDP count it against a limit.
fn lock_limit(examination: &Examination<'_>, memory: u32) -> Option<Finding> {
    const LIMITS: &str = "proc/self/limits";
    let text = examination.machine.read(LIMITS)?;
    let soft =
        text.lines().find_map(|line| line.strip_prefix("Max locked memory"))?.split_whitespace().next()?.to_owned();
    if soft == "unlimited" {
        return Some(Finding::fine("memory-lock", soft).from(LIMITS));
    }
    let mib = soft.parse::<u64>().ok()? >> 20;
    if mib >= u64::from(memory) {
        return Some(Finding::fine("memory-lock", format!("{mib} MiB")).from(LIMITS));
    }
    let expected = format!("{memory} MiB ([dataplane] memory), or {}", IPC_LOCK.1);
    let command = "ulimit -l unlimited; in a unit: LimitMEMLOCK=infinity";
    Some(Finding::fault("memory-lock", format!("{mib} MiB"), expected, command).from(LIMITS))
}
