//! Workers, ports, buffers, pools of source NAT.

use dataplane::counters::Counter;
use dataplane::verdict::DropReason;

use super::super::text::{Kind, Page, help};
use super::super::{CoreLoad, Measured};
use super::{Family, counter, gauge, octets, table};
use crate::manage::{NatRow, PortRow};

/// What a counter's family is called, and its unit.
pub(super) fn family(counter: Counter) -> (String, Option<&'static str>) {
    match counter {
        Counter::OctetsReceived => ("ostiary_received_bytes".to_owned(), Some("bytes")),
        _ => (format!("ostiary_{}", counter.name()), None),
    }
}

/// Each counter of the workers is a family of its own; drops are one, with their cause as a label.
pub(super) fn workers(page: &mut Page, cores: &[CoreLoad]) {
    for &counter in Counter::ALL {
        let kind = if counter.is_gauge() { Kind::Gauge } else { Kind::Counter };
        let (name, unit) = family(counter);
        page.family(&name, kind, unit, &help(counter.help()));
        for core in cores {
            page.sample(&[("worker", &core.worker)], core.counters.value(counter));
        }
    }
    page.family(
        "ostiary_drops",
        Kind::Counter,
        None,
        "Frames dropped, by cause; ostiary_drop_cause_info tells the causes.",
    );
    for &reason in DropReason::ALL {
        for core in cores {
            page.sample(&[("cause", reason.name()), ("worker", &core.worker)], core.counters.drops(reason));
        }
    }
    page.family("ostiary_drop_cause_info", Kind::Gauge, None, "What each cause of drops means; always 1.");
    for &reason in DropReason::ALL {
        let attack = if reason.is_attack() { "yes" } else { "no" };
        page.sample(&[("cause", reason.name()), ("attack", attack), ("about", &help(reason.help()))], 1);
    }
}

pub(super) fn cores(page: &mut Page, cores: &[CoreLoad]) {
    type Seconds = fn(&CoreLoad) -> f64;
    let families: [(&str, &str, Seconds); 2] = [
        ("ostiary_core_busy_seconds", "Time in turns with packets.", |core| core.busy),
        ("ostiary_core_idle_seconds", "Time in turns without packets.", |core| core.idle),
    ];
    for (name, about, value) in families {
        page.family(name, Kind::Counter, Some("seconds"), about);
        for core in cores {
            page.sample(&[("worker", &core.worker), ("core", &core.core.to_string())], value(core));
        }
    }
    let about = "Share of the last second or so that was spent in turns with packets.";
    page.family("ostiary_core_busy_ratio", Kind::Gauge, Some("ratio"), about);
    for core in cores {
        let share = f64::from(core.percent) / 100.0;
        page.sample(&[("worker", &core.worker), ("core", &core.core.to_string())], share);
    }
}

pub(super) fn ports(page: &mut Page, ports: &[PortRow]) {
    const FAMILIES: &[Family<PortRow>] = &[
        counter("ostiary_port_received_frames", "Frames received.", |row| row.received),
        octets("ostiary_port_received_bytes", "Octets of the frames received.", |row| row.received_octets),
        counter("ostiary_port_sent_frames", "Frames sent.", |row| row.sent),
        octets("ostiary_port_sent_bytes", "Octets of the frames sent.", |row| row.sent_octets),
        counter(
            "ostiary_port_missed_frames",
            "Frames that the device dropped because the worker was too slow.",
            |row| row.missed,
        ),
        counter("ostiary_port_receive_errors", "Frames received damaged.", |row| row.receive_errors),
        counter("ostiary_port_send_errors", "Frames that could not be sent.", |row| row.send_errors),
        counter("ostiary_port_no_buffer", "Times that no buffer was left to receive into.", |row| row.no_buffer),
        gauge("ostiary_port_up", "Whether the port has a link.", |row| (row.link == "up") as u64),
    ];
    fn labels(row: &PortRow) -> [(&str, &str); 2] {
        [("port", &row.name), ("zone", &row.zone)]
    }
    table(page, ports, labels, FAMILIES);
    let about = "Octets a second that the link has, where that is known.";
    page.family("ostiary_port_speed_bytes", Kind::Gauge, Some("bytes"), about);
    for row in ports {
        if let Some(megabits) = row.megabits {
            page.sample(&labels(row), u64::from(megabits) * 125_000);
        }
    }
    page.family("ostiary_port_info", Kind::Gauge, None, "Device and driver of each port; always 1.");
    for row in ports {
        page.sample(&[("port", &row.name), ("zone", &row.zone), ("device", &row.device), ("driver", &row.driver)], 1);
    }
}

pub(super) fn pools(page: &mut Page, measured: &Measured) {
    let pool = measured.pool;
    page.single("ostiary_pool_buffers", Kind::Gauge, None, "Packet buffers in all.", pool.size);
    page.single("ostiary_pool_buffers_in_use", Kind::Gauge, None, "Packet buffers in use.", pool.in_use);
    const FAMILIES: &[Family<NatRow>] = &[
        gauge("ostiary_nat_addresses", "Addresses of the pool.", |row| row.addresses),
        gauge("ostiary_nat_ports", "Ports of each protocol, of all addresses of the pool.", |row| row.ports),
        gauge(
            "ostiary_nat_ports_held",
            "Ports of all protocols that no session uses any more and that are not free yet.",
            |row| row.held,
        ),
        gauge("ostiary_nat_hosts", "Inside hosts that have ports of the pool.", |row| row.hosts),
        counter("ostiary_nat_mappings", "Mappings made.", |row| row.mappings),
    ];
    let rows = &measured.nat;
    table(page, rows, |row| [("pool", &row.pool)], FAMILIES);
    let about = "Ports, and identifiers of ICMP queries, that are taken, those that are held included.";
    page.family("ostiary_nat_ports_in_use", Kind::Gauge, None, about);
    for row in rows {
        for (protocol, value) in [("tcp", row.tcp), ("udp", row.udp), ("icmp", row.icmp)] {
            page.sample(&[("pool", &row.pool), ("protocol", protocol)], value);
        }
    }
    page.family("ostiary_nat_refused_sessions", Kind::Counter, None, "Sessions refused for want of a port.");
    for row in rows {
        for (cause, value) in [("exhausted", row.exhausted), ("host-limit", row.host_limited)] {
            page.sample(&[("pool", &row.pool), ("cause", cause)], value);
        }
    }
}
