//! The workers' CPUs: whether anything else runs there, who shares a core, and what is left for control.

use std::collections::BTreeSet;

use dataplane::load::Idle;

use super::{Examination, Finding, Machine};
use crate::runtime::DataplaneConfig;
use crate::runtime::cpu_list;
use crate::runtime::preflight::Host;

const CPUS: &str = "sys/devices/system/cpu";

/// Everything about the CPUs; without a configuration only what there is.
pub(super) fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    let machine = examination.machine;
    let allowed = Host::at(machine.root()).allowed_cpus();
    let list = |name: &str| cpu_list::parse(&machine.read(&format!("{CPUS}/{name}")).unwrap_or_default());
    let Some(config) = examination.config.map(|config| &config.dataplane) else {
        let isolated = list("isolated");
        let isolated = if isolated.is_empty() { "none".to_owned() } else { cpu_list::text(&isolated) };
        let seen = format!("CPUs {}; isolated: {isolated}", cpu_list::text(&allowed));
        return vec![Finding::fine("cores", seen).from(format!("{CPUS}/isolated"))];
    };
    let polling: BTreeSet<u16> = config.workers.iter().chain(&config.dispatcher).copied().collect();
    let polling: Vec<u16> = polling.into_iter().collect();
    let mut findings = vec![Finding::fine("cores", format!("workers on CPU {}", cpu_list::text(&polling)))];
    findings.push(control_core(&allowed, &polling));
    findings.extend(siblings(machine, config));
    // Workers that sleep when nothing comes share their CPU on purpose.
    if config.idle == Idle::Poll {
        let (isolated, tickless) = (list("isolated"), list("nohz_full"));
        findings.push(isolation(&polling, &isolated, &tickless));
    }
    findings.extend(governors(machine, &polling));
    findings
}

/// Whether a CPU is left on which nobody polls.
fn control_core(allowed: &[u16], polling: &[u16]) -> Finding {
    let left: Vec<u16> = allowed.iter().copied().filter(|cpu| !polling.contains(cpu)).collect();
    if left.is_empty() {
        let expected = "one on which no worker polls: records and management wait for a turn otherwise";
        let command = "in [dataplane] of the policy file: one worker less, or idle = \"back-off\"";
        return Finding::warning("control-core", "none is left for control", expected, command);
    }
    Finding::fine("control-core", format!("control has CPU {}", cpu_list::text(&left)))
}

/// Two workers that are hyperthreads of one core have half of it each.
fn siblings(machine: &Machine, config: &DataplaneConfig) -> Option<Finding> {
    let file = |cpu: u16| format!("{CPUS}/cpu{cpu}/topology/thread_siblings_list");
    let of = |cpu: u16| cpu_list::parse(&machine.read(&file(cpu)).unwrap_or_default());
    let all: Vec<u16> = config.workers.iter().chain(&config.dispatcher).copied().collect();
    let pair = all.iter().find_map(|&cpu| {
        let other = of(cpu).into_iter().find(|other| *other > cpu && all.contains(other))?;
        Some((cpu, other))
    });
    let (one, other) = pair?;
    let online = cpu_list::parse(&machine.read(&format!("{CPUS}/online")).unwrap_or_default());
    // The first thread of each core.
    let cores: Vec<u16> = online.into_iter().filter(|&cpu| of(cpu).first().is_none_or(|first| *first == cpu)).collect();
    let seen = format!("CPUs {one} and {other} are threads of one core");
    let expected = format!("workers on cores of their own: CPUs {}", cpu_list::text(&cores));
    let command = "in [dataplane] of the policy file: workers of these";
    Some(Finding::warning("siblings", seen, expected, command).from(file(one)))
}

/// Whether the kernel keeps other work, and its clock's ticks, off the workers' CPUs.
fn isolation(polling: &[u16], isolated: &[u16], tickless: &[u16]) -> Finding {
    let shared: Vec<u16> = polling.iter().copied().filter(|cpu| !isolated.contains(cpu)).collect();
    let ticking: Vec<u16> = polling.iter().copied().filter(|cpu| !tickless.contains(cpu)).collect();
    if shared.is_empty() && ticking.is_empty() {
        return Finding::fine("isolation", "nothing else runs on the workers' CPUs").from(format!("{CPUS}/isolated"));
    }
    let list = cpu_list::text(polling);
    let (seen, file) = if shared.is_empty() {
        (format!("CPU {} has the kernel's ticks", cpu_list::text(&ticking)), "nohz_full")
    } else {
        (format!("CPU {} is not isolated", cpu_list::text(&shared)), "isolated")
    };
    // The first CPU is the one that the kernel cannot do without.
    if polling.contains(&0) {
        let expected = "workers on other CPUs: the kernel itself runs on the first, and cannot be kept off it";
        let command = "in [dataplane] of the policy file: workers without 0";
        return Finding::warning("isolation", "a worker is on CPU 0", expected, command);
    }
    let command = format!(
        "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX isolcpus={list} nohz_full={list} rcu_nocbs={list}\"' | \
         sudo tee /etc/default/grub.d/isolation.cfg && sudo update-grub && sudo reboot"
    );
    let expected = "CPUs that the scheduler leaves to the workers: other programs there delay packets";
    Finding::warning("isolation", seen, expected, command).from(format!("{CPUS}/{file}"))
}

/// Whether the workers' CPUs run at their full clock.
fn governors(machine: &Machine, polling: &[u16]) -> Option<Finding> {
    let file = |cpu: u16| format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor");
    let known: Vec<(u16, String)> = polling.iter().filter_map(|&cpu| Some((cpu, machine.read(&file(cpu))?))).collect();
    let (first, _) = known.first()?;
    let slow: Vec<&(u16, String)> = known.iter().filter(|(_, governor)| governor != "performance").collect();
    let Some((cpu, governor)) = slow.first() else {
        return Some(Finding::fine("governor", "performance").from(file(*first)));
    };
    let list: Vec<String> = slow.iter().map(|(cpu, _)| format!("/{}", file(*cpu))).collect();
    let command = format!("echo performance | sudo tee {}", list.join(" "));
    let seen = format!("{governor} on CPU {cpu}");
    Some(
        Finding::warning("governor", seen, "performance: a CPU that slows down loses packets", command)
            .from(file(*cpu)),
    )
}
