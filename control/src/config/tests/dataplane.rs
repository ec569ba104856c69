//! Faults of `[dataplane]`, `[[port]]` and `[[wire]]`.

use std::time::Duration;

use ::dataplane::load::Idle;
use ::dataplane::pipeline::Midstream;

use super::*;

#[test]
fn every_key_is_taken() {
    let compiled = compiled(
        r#"[dataplane]
workers = [0]
hugepages = false
memory = "256 MiB"
file-prefix = "test-1"
mbufs = 8192
descriptors = 512
max-sessions = 2048
inspection-slots = 100
resolved-addresses = 0
fragment-slots = 200
session-events = 300
sign-on-events = 400
tcp-midstream = "drop"
verify-checksums = false
idle = "back-off"
[dataplane.timeouts]
tcp-established = "2 h"
udp = "1500 ms"
"#,
    );
    let dataplane = &compiled.dataplane;
    assert_eq!((&dataplane.workers[..], dataplane.hugepages, dataplane.memory), (&[0][..], false, 256));
    assert_eq!((dataplane.file_prefix.as_str(), dataplane.mbufs, dataplane.max_sessions), ("test-1", Some(8192), 2048));
    assert_eq!((dataplane.ports[0].rx_descriptors, dataplane.ports[0].tx_descriptors), (512, 512));
    assert_eq!((dataplane.inspection_slots, dataplane.fragment_slots), (100, 200));
    assert_eq!(dataplane.resolved_addresses, 0);
    assert_eq!((dataplane.session_events, dataplane.sign_on_events), (300, 400));
    assert_eq!((dataplane.midstream, dataplane.verify_checksums), (Midstream::Drop, false));
    assert_eq!((dataplane.dispatcher, dataplane.idle), (None, Idle::BackOff));
    assert_eq!(dataplane.timeouts.tcp_established, Duration::from_secs(7_200));
    assert_eq!(dataplane.timeouts.udp, Duration::from_millis(1_500));
    assert_eq!(dataplane.timeouts.icmp, Duration::from_secs(10));
}

#[test]
fn a_mirror_has_no_sides() {
    let sides = |more: &str| {
        load_text(&format!("{BASE}[dataplane]\n{more}"), Purpose::Run).unwrap().0.dataplane.protection.has_sides
    };
    assert!(sides("") && sides("mirror = false\n") && !sides("mirror = true\n"));
    let zoned = "[dataplane]\nmirror = true\n[protection.zone.trust]\nnetworks = [\"10.0.0.0/8\"]\n";
    refused(zoned, 2, "dataplane.mirror", "no [protection] zones with networks", "remove one");
}

#[test]
fn a_dispatcher_has_a_core_of_its_own() {
    let text = format!("{BASE}[dataplane]\nworkers = [0]\ndispatcher = 1\n");
    // As a reload is read, so that the machine need not have two cores.
    let compiled = load_text(&text, Purpose::Reload).unwrap().0;
    assert_eq!((compiled.dataplane.dispatcher, compiled.dataplane.idle), (Some(1), Idle::Poll));
    let twice = "[dataplane]\nworkers = [0]\ndispatcher = 0\n";
    refused(twice, 3, "dataplane.dispatcher", "each core once", "idle = \"back-off\"");
    // One that sleeps while nothing comes may share.
    load_text(&format!("{BASE}{twice}idle = \"back-off\"\n"), Purpose::Run).unwrap();
}

#[test]
fn numbers_have_limits() {
    for (line, key, expected) in [
        ("max-sessions = 10", "max-sessions", "from 1024 to"),
        ("max-sessions = \"2000\"", "max-sessions", "a whole number"),
        ("mbufs = 1_000_000_000", "mbufs", "a whole number from 1024"),
        ("descriptors = 1000", "descriptors", "a power of two"),
        ("inspection-slots = 1.5", "inspection-slots", "a whole number"),
        ("fragment-slots = -1", "fragment-slots", "a whole number"),
        ("session-events = 1", "session-events", "from 64"),
        ("sign-on-events = 1", "sign-on-events", "from 64"),
        ("memory = 512", "memory", "a size"),
        ("memory = \"1 MiB\"", "memory", "from \"64 MiB\" to \"1024 GiB\""),
        ("memory = \"1 MB2\"", "memory", "a size with its unit"),
        ("hugepages = \"no\"", "hugepages", "true or false"),
        ("file-prefix = \"a.b\"", "file-prefix", "without '.'"),
        ("tcp-midstream = \"allow\"", "tcp-midstream", "\"permit\", \"drop\""),
        ("dispatcher = \"one\"", "dispatcher", "a whole number from 0"),
        ("dispatcher = [1]", "dispatcher", "a whole number from 0"),
        ("idle = \"sleep\"", "idle", "\"poll\", \"back-off\""),
        ("verify-checksums = 1", "verify-checksums", "true or false"),
        ("workers = 1", "workers", "a list"),
        ("workers = []", "workers", "at least one item"),
        ("workers = [\"one\"]", "workers", "a whole number from 0"),
        ("timeouts = 5", "timeouts", "a table"),
        ("timeouts = { udp = \"10\" }", "timeouts.udp", "a duration with its unit"),
        ("timeouts = { udp = 10 }", "timeouts.udp", "a duration with its unit"),
        ("timeouts = { icmp = \"8 d\" }", "timeouts.icmp", "from \"1 s\" to \"7 d\""),
        ("timeouts = { tcp = \"1 s\" }", "timeouts.tcp", "tcp-opening"),
    ] {
        refused(&format!("[dataplane]\n{line}\n"), 2, &format!("dataplane.{key}"), expected, "");
    }
}

/// BASE with one of its lines changed has one fault, there.
#[track_caller]
fn refused_change(from: &str, to: &str, line: usize, key: &str, expected: &str, advice: &str) {
    assert_eq!(BASE.matches(from).count(), 1);
    let faults = load_text(&BASE.replace(from, to), Purpose::Run).unwrap_err();
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!((fault.place.line, fault.place.key.as_str()), (line, key), "{fault}");
    assert!(fault.expected.contains(expected) && fault.advice.contains(advice), "{fault}");
}

#[test]
fn ports_are_checked() {
    refused_change("\"net_null0\"", "\"eth0\"", 3, "port[inside].device", "a PCI address", "dpdk-devbind.py");
    refused_change("\"net_null0\"", "\"net_null\"", 3, "port[inside].device", "a number behind", "\"net_null0\"");
    refused_change("\"net_null1\"", "\"net_null0,copy=1\"", 7, "port[outside].device", "of its own", "port \"inside\"");
    refused_change("zone = \"trust\"\n", "\n", 1, "port[inside].zone", "the zone", "add zone");
    refused_change("zone = \"trust\"\n", "zone = \"any\"\n", 4, "port[inside].zone", "a zone's name", "another name");
    refused_change("zone = \"trust\"\n", "zone = \"a b\"\n", 4, "port[inside].zone", "a name: letters", "record");
    refused_change("device = \"net_null0\"\n", "\n", 1, "port[inside].device", "a PCI address", "add device");
    refused_change("zone = \"trust\"\n", "zone = \"trust\"\nmtu = 9601\n", 5, "port[inside].mtu", "68 to 9600", "");
    refused_change("zone = \"trust\"\n", "zone = \"trust\"\nspeed = 1\n", 5, "port[inside].speed", "descriptors", "");
}

#[test]
fn wires_are_checked() {
    refused_change(
        "\"inside\", \"outside\"]",
        "\"inside\", \"outsid\"]",
        10,
        "wire[1].ports",
        "name of a port",
        "\"outside\"?",
    );
    refused_change("[\"inside\", \"outside\"]", "[\"inside\"]", 10, "wire[1].ports", "two ports", "exactly two");
    refused_change("ports = [\"inside\", \"outside\"]", "", 9, "wire[1].ports", "two ports", "add ports");
}

#[test]
fn a_port_is_in_one_wire() {
    let third = "[[port]]\nname = \"third\"\ndevice = \"net_null2\"\nzone = \"trust\"\n";
    let wire = "[[wire]]\nports = [\"third\", \"outside\"]\n";
    refused(&format!("{third}{wire}"), 6, "wire[2].ports", "in no other wire", "line 10");
    refused_change(
        "\"inside\", \"outside\"]",
        "\"inside\", \"inside\"]",
        10,
        "wire[1].ports",
        "in no other wire",
        "line 10",
    );
}

#[test]
fn a_port_in_no_wire_is_a_fault() {
    let port = "[[port]]\nname = \"third\"\ndevice = \"net_null2\"\nzone = \"trust\"\n";
    refused(port, 1, "port[third]", "every port in a wire", "add a [[wire]]");
}

#[test]
fn names_of_ports_are_their_own() {
    let port = "[[port]]\nname = \"inside\"\ndevice = \"net_null2\"\nzone = \"trust\"\n";
    assert_eq!(faults(port), [(1, "port[inside]".to_owned()), (2, "port[3].name".to_owned())]);
}

#[test]
fn nothing_at_all_is_a_fault() {
    let faults = load_text("", Purpose::Run).unwrap_err();
    assert_eq!((faults.len(), faults[0].place.key.as_str()), (1, "port"));
    let one = load_text("port = \"inside\"\n", Purpose::Run).unwrap_err();
    assert_eq!((one.len(), one[1].place.line, one[1].expected.as_str()), (2, 1, "an array of tables"));
}
