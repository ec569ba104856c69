//! The clock that workers count by, and the one that records are stamped with.

use super::{Examination, Finding, Machine};

pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = source(examination.machine).into_iter().collect();
    findings.extend(synchronised(examination));
    findings
}

/// Whether the CPU's time stamp counter can be relied upon.
fn source(machine: &Machine) -> Option<Finding> {
    const CURRENT: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    let flags = machine.field("proc/cpuinfo", "flags")?;
    let has = |flag: &str| flags.split(' ').any(|word| word == flag);
    let missing: Vec<&str> = ["constant_tsc", "nonstop_tsc"].into_iter().filter(|flag| !has(flag)).collect();
    let expected = "a time stamp counter that runs evenly: workers count time by it";
    if !missing.is_empty() {
        let seen = format!("the CPU has no {}", missing.join(", no "));
        let command = "in a virtual machine: let it have the host's CPU (QEMU: -cpu host,+invtsc)";
        return Some(Finding::warning("clock-source", seen, expected, command).from("proc/cpuinfo"));
    }
    let current = machine.read(CURRENT)?;
    // Those of hypervisors are made of it.
    if ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen"].contains(&current.as_str()) {
        return Some(Finding::fine("clock-source", format!("{current}, constant, nonstop")).from(CURRENT));
    }
    let seen = format!("{current}: the kernel does not trust the time stamp counter");
    Some(Finding::warning("clock-source", seen, expected, "sudo dmesg | grep -i tsc").from(CURRENT))
}

/// Whether something keeps the time right, and whether the policy file says the truth about it.
fn synchronised(examination: &Examination<'_>) -> Option<Finding> {
    let Examination { machine, config, .. } = examination;
    let claimed = config.is_some_and(|config| config.hosts.iter().any(|host| host.text.synchronised));
    let start = "sudo apt-get install systemd-timesyncd; or: sudo apt-get install chrony";
    let expected = "a clock that is kept right: records are compared by their time";
    match is_synchronised(machine) {
        Some((true, by)) if !claimed && config.is_some_and(|config| !config.hosts.is_empty()) => {
            let seen = format!("synchronised ({by}), and records say that it is not");
            let command = "in [system] of the policy file: clock-synchronised = true";
            Some(Finding::warning("time", seen, "records that say so", command))
        }
        Some((true, by)) => Some(Finding::fine("time", format!("synchronised ({by})"))),
        Some((false, by)) if claimed => {
            let seen = format!("not synchronised ({by}), and clock-synchronised = true");
            Some(Finding::warning("time", seen, expected, start))
        }
        Some((false, by)) => Some(Finding::warning("time", format!("not synchronised ({by})"), expected, start)),
        None if claimed => {
            let seen = "nobody says whether it is synchronised, and clock-synchronised = true";
            Some(Finding::warning("time", seen, expected, start))
        }
        None => Some(Finding::warning("time", "nobody says whether it is synchronised", expected, start)),
    }
}

/// What keeps the time, if anything says.
fn is_synchronised(machine: &Machine) -> Option<(bool, &'static str)> {
    if machine.has("run/systemd/timesync/synchronized") {
        return Some((true, "systemd-timesyncd"));
    }
    // The 14th field of chrony's comma-separated line is how the last leap second stands.
    if let Some(text) = machine.program(&["chronyc", "-c", "tracking"])
        && let Some(leap) = text.trim().rsplit(',').next()
    {
        return Some((leap != "Not synchronised", "chrony"));
    }
    let text = machine.program(&["timedatectl", "show", "--property=NTPSynchronized", "--value"])?;
    match text.trim() {
        "yes" => Some((true, "timedatectl")),
        "no" => Some((false, "timedatectl")),
        _ => None,
    }
}
