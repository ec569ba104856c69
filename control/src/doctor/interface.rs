//! Interfaces of the kernel: those that software ports are made of, and those of NICs that it still drives.

use super::{Examination, Finding, Machine, plugins};
use crate::runtime::PortConfig;

/// Everything about a software port.
pub(super) fn examine(examination: &Examination<'_>, port: &PortConfig, device: &str) -> Vec<Finding> {
    let machine = examination.machine;
    let mut findings = vec![plugins::of_software(machine, device)];
    let driver = device.split(',').next().unwrap_or(device);
    // Taps are made by DPDK: what is named there is not there yet.
    if driver.starts_with("net_tap") || driver.starts_with("virtio_user") {
        findings.extend(tap(machine));
        return findings;
    }
    let Some(name) = interface_of(device) else { return findings };
    // One that is missing was refused already.
    if !machine.has(&format!("sys/class/net/{name}")) {
        return findings;
    }
    findings.push(link(machine, name));
    findings.extend(mtu(machine, name, port));
    findings.extend(merging(machine, name));
    findings.extend(twice(examination, port, name));
    if has_default_route(machine, name) {
        let seen = format!("{name} carries this machine's default route");
        let expected = "an interface that the machine itself does not need: both would answer";
        findings.push(Finding::warning("own-nic", seen, expected, "ip route show default").from("proc/net/route"));
    }
    findings
}

/// The interface that a software port is made of.
fn interface_of(device: &str) -> Option<&str> {
    device.split(',').find_map(|argument| argument.strip_prefix("iface="))
}

/// The link of an interface.
pub(super) fn link(machine: &Machine, name: &str) -> Finding {
    let folder = format!("sys/class/net/{name}");
    let flags = machine.read(&format!("{folder}/flags")).unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
    // IFF_UP
    if flags & 1 == 0 {
        let command = format!("sudo ip link set {name} up");
        return Finding::warning("link", format!("{name} is down"), "up", command).from(format!("{folder}/flags"));
    }
    let file = format!("{folder}/carrier");
    if machine.read(&file).as_deref() == Some("0") {
        let command = format!("ethtool {name}; see the cable, and the other end's port");
        return Finding::warning("link", format!("{name} has no carrier"), "a link", command).from(file);
    }
    let speed: i64 = machine.number(&format!("{folder}/speed")).unwrap_or(-1);
    let speed = if speed > 0 { format!(", {speed} Mbit/s") } else { String::new() };
    Finding::fine("link", format!("{name} is up{speed}")).from(file)
}

/// How many queues the kernel's driver found.
pub(super) fn queues(machine: &Machine, name: &str) -> Option<Finding> {
    let folder = format!("sys/class/net/{name}/queues");
    let count = machine.list(&folder).iter().filter(|queue| queue.starts_with("rx-")).count();
    (count > 0).then(|| Finding::fine("queues", format!("{count} to receive, as the kernel has it")).from(folder))
}

/// Whether a default route, of IPv4 or IPv6, leaves by an interface.
pub(super) fn has_default_route(machine: &Machine, name: &str) -> bool {
    let v4 = machine.read("proc/net/route").unwrap_or_default();
    let v6 = machine.read("proc/net/ipv6_route").unwrap_or_default();
    let is_v4 = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [interface, "00000000", .., mask, _, _, _] if interface == name && mask == "00000000")
    };
    let is_v6 = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let nowhere = words.first().is_some_and(|network| network.bytes().all(|digit| digit == b'0'));
        nowhere && words.get(1) == Some(&"00") && words.last() == Some(&name) && name != "lo"
    };
    v4.lines().any(is_v4) || v6.lines().any(is_v6)
}

/// Whether packets as long as the port's fit.
fn mtu(machine: &Machine, name: &str, port: &PortConfig) -> Option<Finding> {
    let file = format!("sys/class/net/{name}/mtu");
    let have: u32 = machine.number(&file)?;
    if have >= u32::from(port.mtu) {
        return Some(Finding::fine("mtu", have.to_string()).from(file));
    }
    let command = format!("sudo ip link set {name} mtu {}", port.mtu);
    Some(Finding::warning("mtu", have.to_string(), format!("the port's mtu, {}", port.mtu), command).from(file))
}

/// Whether the kernel glues received packets together, to such as do not fit into a frame.
fn merging(machine: &Machine, name: &str) -> Option<Finding> {
    let features = machine.program(&["ethtool", "-k", name])?;
    let is_on = |feature: &str| {
        let value = features.lines().find_map(|line| line.trim().strip_prefix(feature)?.strip_prefix(':'));
        value.is_some_and(|value| value.trim().starts_with("on"))
    };
    let short = [("generic-receive-offload", "gro"), ("large-receive-offload", "lro"), ("rx-gro-hw", "rx-gro-hw")];
    let on: Vec<&str> = short.iter().filter(|(feature, _)| is_on(feature)).map(|(_, short)| *short).collect();
    if on.is_empty() {
        return Some(Finding::fine("offloads", "received packets are left as they are"));
    }
    let command =
        format!("sudo ethtool -K {name} {}", on.iter().map(|name| format!("{name} off")).collect::<Vec<_>>().join(" "));
    let seen = format!("{} on", on.join(", "));
    Some(Finding::warning("offloads", seen, "off: packets that were glued together are dropped as too long", command))
}

/// Whether another port is made of the same interface.
fn twice(examination: &Examination<'_>, port: &PortConfig, name: &str) -> Option<Finding> {
    let ports = &examination.config?.dataplane.ports;
    let is_same = |other: &&PortConfig| {
        other.name != port.name
            && interface_of(&other.device.to_string()) == Some(name)
            && !starts_elsewhere(other, port)
    };
    let other = ports.iter().find(is_same)?;
    let seen = format!("port {} is made of {name} too", other.name);
    let command = "in one [[port]] of the policy file: another iface";
    Some(Finding::warning("interface", seen, "an interface of its own for each port", command))
}

/// Whether two ports take different queues of one interface, as net_af_xdp can.
fn starts_elsewhere(one: &PortConfig, other: &PortConfig) -> bool {
    let queue = |port: &PortConfig| {
        let text = port.device.to_string();
        text.split(',').find_map(|argument| argument.strip_prefix("start_queue=").map(str::to_owned))
    };
    queue(one) != queue(other)
}

/// Whether taps can be made.
fn tap(machine: &Machine) -> Option<Finding> {
    if machine.has("dev/net/tun") {
        return Some(Finding::fine("tap", "can be made").from("dev/net/tun"));
    }
    let seen = "there is no /dev/net/tun";
    Some(Finding::fault("tap", seen, "the kernel's module tun", "sudo modprobe tun").from("dev/net/tun"))
}
