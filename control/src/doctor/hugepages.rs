//! Hugepages: for packets, and where there are enough for the tables too.

use super::{Examination, Finding};
use crate::runtime::preflight;

/// By page size and NUMA node, against what the configuration takes.
pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let Examination { machine, config, hands, running, .. } = examination;
    const SIZES: &str = "sys/kernel/mm/hugepages";
    let sizes = machine.list(SIZES);
    if sizes.is_empty() {
        let seen = "this kernel has none (CONFIG_HUGETLBFS)";
        let needs = config.is_none_or(|config| config.dataplane.hugepages);
        let expected = "a kernel with hugepages, or software ports with hugepages = false";
        let finding = Finding::fault(
            "hugepages",
            seen,
            expected,
            "sudo apt-get install linux-image-$(dpkg --print-architecture)",
        );
        return if needs { vec![finding.from(SIZES)] } else { Vec::new() };
    }
    let (free, listed) = free(examination);
    let seen = format!("{free} MiB free ({listed})");
    let Some(config) = config.map(|config| &config.dataplane) else {
        let finding = match free {
            0 => Finding::warning("hugepages", seen, "512 MiB and more", hands.reserve(machine, 1024, None)),
            _ => Finding::fine("hugepages", seen),
        };
        return vec![finding.from(SIZES)];
    };
    if !config.hugepages {
        return vec![Finding::fine("hugepages", format!("hugepages = false; {seen}")).from(SIZES)];
    }
    // What runs has taken them.
    if running.is_some() {
        return vec![Finding::fine("hugepages", format!("the firewall has its own; {seen}")).from(SIZES)];
    }
    // What cannot be counted was refused already, and so was too little.
    let Ok(need) = preflight::need(config) else { return Vec::new() };
    let both = config.memory.saturating_add(need.tables);
    if free >= config.memory && free < both {
        let seen = format!("{free} MiB free: enough for packets ({} MiB)", config.memory);
        let expected = format!("{both} MiB: the tables, {} MiB, are then on hugepages too, and faster", need.tables);
        let command = hands.reserve(machine, both - free, None);
        return vec![Finding::warning("hugepages", seen, expected, command).from(SIZES)];
    }
    let taken = format!("; {} MiB for packets, {} MiB for tables", config.memory, need.tables);
    vec![Finding::fine("hugepages", format!("{seen}{taken}")).from(SIZES)]
}

/// MiB that nobody has taken, and where they are: `node 0: 512 x 2M, node 1: 2 x 1G`.
fn free(examination: &Examination<'_>) -> (u32, String) {
    let machine = examination.machine;
    let nodes: Vec<String> =
        machine.list("sys/devices/system/node").into_iter().filter(|name| is_numbered(name, "node")).collect();
    let folders: Vec<(String, String)> = if nodes.is_empty() {
        vec![("all".to_owned(), "sys/kernel/mm/hugepages".to_owned())]
    } else {
        let folder = |node: &String| format!("sys/devices/system/node/{node}/hugepages");
        nodes.iter().map(|node| (node.replacen("node", "node ", 1), folder(node))).collect()
    };
    let (mut sum, mut parts) = (0_u64, Vec::new());
    for (node, folder) in &folders {
        let mut sizes = Vec::new();
        for size in machine.list(folder) {
            let kib: Option<u64> =
                size.strip_prefix("hugepages-").and_then(|size| size.strip_suffix("kB")?.parse().ok());
            let count: Option<u64> = machine.number(&format!("{folder}/{size}/free_hugepages"));
            if let (Some(kib), Some(count)) = (kib, count)
                && count > 0
            {
                sum += kib * count / 1024;
                let size = if kib >= 1 << 20 { format!("{}G", kib >> 20) } else { format!("{}M", kib >> 10) };
                sizes.push(format!("{count} x {size}"));
            }
        }
        let sizes = if sizes.is_empty() { "none".to_owned() } else { sizes.join(" + ") };
        parts.push(format!("{node}: {sizes}"));
    }
    (u32::try_from(sum).unwrap_or(u32::MAX), parts.join(", "))
}

/// Whether a name is a word and a number: `node0`, and not `node`.
fn is_numbered(name: &str, word: &str) -> bool {
    let number = name.strip_prefix(word).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}
