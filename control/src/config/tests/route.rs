//! `[[interface]]`, `[[route]]` and what hangs on them.

use ::dataplane::endpoint::Address;

use super::*;

/// Two interfaces in place of the wire of BASE, a third port in nothing yet.
const ROUTED: &str = r#"[[port]]
name = "inside"
device = "net_null0"
zone = "trust"
[[port]]
name = "outside"
device = "net_null1"
zone = "untrust"
[[interface]]
port = "inside"
addresses = ["10.1.0.1/24", "2001:db8:1::1/64"]
[[interface]]
port = "outside"
addresses = ["192.0.2.1/30", "2001:db8:2::1/64"]
mtu = 1400
"#;

/// The faults of ROUTED, changed, and `addition`: line, key, expectation, advice.
fn faults_of(change: (&str, &str), addition: &str) -> Vec<(usize, String, String, String)> {
    assert_eq!(ROUTED.matches(change.0).count(), 1, "{change:?}");
    let text = format!("{}{addition}", ROUTED.replace(change.0, change.1));
    let faults = load_text(&text, Purpose::Run).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.place.line, fault.place.key, fault.expected, fault.advice)).collect()
}

#[track_caller]
fn refused(change: (&str, &str), addition: &str, line: usize, key: &str, expected: &str, advice: &str) {
    let faults = faults_of(change, addition);
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!((fault.0, fault.1.as_str()), (line, key), "{fault:?}");
    assert!(fault.2.contains(expected) && fault.3.contains(advice), "{fault:?}");
}

const NONE: (&str, &str) = ("mtu = 1400\n", "mtu = 1400\n");

#[test]
fn interfaces_and_routes_become_what_the_dataplane_takes() {
    let text = format!(
        "{ROUTED}{}",
        r#"[[route]]
to = "0.0.0.0/0"
via = "192.0.2.2"
[[route]]
to = "::/0"
via = "fe80::1"
interface = "outside"
[[route]]
to = "10.0.0.0/8"
discard = true
[[rule]]
name = "manage"
from = ["trust"]
to = ["self"]
action = "permit"
[management]
tap = "ostiary0"
"#
    );
    let (compiled, warnings) = load_text(&text, Purpose::Run).unwrap();
    assert_eq!(warnings, []);
    let routing = &compiled.dataplane.routing;
    let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(routing.interfaces.len(), 2);
    let outside = &routing.interfaces[1];
    assert_eq!((outside.port, outside.mtu, outside.reverse_path), (PortId(1), 1400, true));
    assert_eq!(outside.addresses, [(address("192.0.2.1"), 30), (address("2001:db8:2::1"), 64)]);
    let vias: Vec<_> = routing.routes.iter().map(|route| (route.network, route.length, route.via)).collect();
    assert_eq!(
        vias,
        [
            (address("0.0.0.0"), 0, Some((PortId(1), address("192.0.2.2")))),
            (address("::"), 0, Some((PortId(1), address("fe80::1")))),
            (address("10.0.0.0"), 8, None),
        ]
    );
    // The firewall itself is the port behind the others, and has a zone.
    assert_eq!((routing.own, compiled.dataplane.ports.len()), (Some(PortId(2)), 3));
    assert_eq!(compiled.dataplane.ports[2].device.to_string(), "net_tap_management0,iface=ostiary0");
    assert_eq!((&**compiled.names.port(2), &**compiled.names.zone_of_port(2)), ("self", "self"));
    assert_eq!(
        (compiled.policy.source().zones.clone(), compiled.policy.source().rules[0].to.clone()),
        (vec![ZoneId(0), ZoneId(1), ZoneId(2)], vec![ZoneId(2)])
    );
}

#[test]
fn wires_and_interfaces_share_a_file_but_no_port() {
    let more = "[[port]]\nname = \"a\"\ndevice = \"net_null2\"\nzone = \"x\"\n[[port]]\nname = \"b\"\ndevice = \"net_null3\"\nzone = \"y\"\n";
    assert_eq!(faults_of(NONE, &format!("{more}[[wire]]\nports = [\"a\", \"b\"]\n")), []);
    let faults = faults_of(
        NONE,
        &format!(
            "{more}[[wire]]\nports = [\"a\", \"inside\"]\n[[interface]]\nport = \"b\"\naddresses = [\"10.9.0.1/24\"]\n"
        ),
    );
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!((fault.0, fault.1.as_str()), (10, "interface[inside].port"));
    assert!(fault.3.contains("line 25"), "{fault:?}");
    refused(("port = \"outside\"", "port = \"inside\""), "", 13, "interface[inside].port", "in no wire", "line 10");
    refused(
        ("port = \"outside\"", "port = \"outsid\""),
        "",
        13,
        "interface[outsid].port",
        "name of a port",
        "\"outside\"?",
    );
}

#[test]
fn addresses_are_those_that_an_interface_can_have() {
    let v4 = "\"192.0.2.1/30\"";
    for (address, expected, advice) in [
        ("192.0.2.1", "prefix", "add the prefix length"),
        ("192.0.2.1/33", "prefix", "up to 32"),
        ("192.0.2.0/30", "can have", "broadcast"),
        ("192.0.2.3/30", "can have", "broadcast"),
        ("224.0.0.1/24", "can have", "unicast"),
        ("127.0.0.2/24", "can have", "unicast"),
        ("169.254.1.1/24", "can have", "unicast"),
        ("fe80::1/64", "can have", "link-local"),
        ("ff02::5/64", "can have", "unicast"),
        ("::ffff:192.0.2.1/120", "prefix", "\"192.0.2.1\""),
        ("192.0.2.1/0", "prefix", "length of the network"),
        ("here", "prefix", "add the prefix"),
    ] {
        refused((v4, &format!("\"{address}\"")), "", 14, "interface[outside].addresses", expected, advice);
    }
    let key = "interface[outside].addresses";
    refused((v4, "\"10.1.0.1/32\""), "", 14, key, "of its own", "line 11");
    refused((v4, "\"10.1.0.9/24\""), "", 14, key, "network of its own", "line 11");
    refused((v4, "\"10.1.9.9/16\""), "", 14, key, "network of its own", "line 11");
    refused((v4, "\"10.1.0.9/28\""), "", 14, key, "network of its own", "line 11");
    // Two of one network on one interface are fine.
    assert_eq!(faults_of((v4, "\"192.0.2.1/30\", \"192.0.2.2/30\""), ""), []);
    let without = faults_of(("addresses = [\"10.1.0.1/24\", \"2001:db8:1::1/64\"]\n", ""), "");
    assert_eq!((without.len(), without[0].1.as_str()), (1, "interface[inside].addresses"));
}

#[test]
fn an_mtu_fits_its_port_and_its_addresses() {
    refused(
        ("mtu = 1400", "mtu = 1501"),
        "",
        15,
        "interface[outside].mtu",
        "at most the mtu of its port, 1500",
        "raise",
    );
    refused(("mtu = 1400", "mtu = 1279"), "", 15, "interface[outside].mtu", "at least 1280", "IPv6");
    refused(("mtu = 1400", "mtu = 575"), "", 15, "interface[outside].mtu", "from 576", "");
    refused(("mtu = 1400", "vlan = 100"), "", 15, "interface[outside].vlan", "not implemented", "remove it");
}

#[test]
fn routes_lead_somewhere_and_once() {
    for (route, line, key, expected, advice) in [
        ("to = \"10.1.2.3/8\"\ndiscard = true", 2, "route[1].to", "without bits", "10.0.0.0/8"),
        ("to = \"224.0.0.0/8\"\ndiscard = true", 2, "route[1].to", "can be routed", "remove it"),
        ("to = \"fe80::/64\"\ndiscard = true", 2, "route[1].to", "can be routed", "remove it"),
        ("to = \"9.0.0.0/8\"", 1, "route[9.0.0.0/8]", "either via", "say where"),
        ("to = \"9.0.0.0/8\"\nvia = \"192.0.2.2\"\ndiscard = true", 1, "route[9.0.0.0/8]", "either via", "say where"),
        ("to = \"9.0.0.0/8\"\nvia = \"198.51.100.1\"", 3, "route[9.0.0.0/8].via", "connected network", "router"),
        ("to = \"9.0.0.0/8\"\nvia = \"192.0.2.1\"", 3, "route[9.0.0.0/8].via", "another's address", "router"),
        ("to = \"9.0.0.0/8\"\nvia = \"2001:db8:2::9\"", 3, "route[9.0.0.0/8].via", "address family", "correct"),
        ("to = \"::/0\"\nvia = \"fe80::1\"", 3, "route[::/0].via", "with its interface", "add interface"),
        ("to = \"9.0.0.0/8\"\nvia = \"192.0.2.2\"\ninterface = \"inside\"", 3, "route[9.0.0.0/8].via", "connected", ""),
        (
            "to = \"9.0.0.0/8\"\nvia = \"192.0.2.2\"\ninterface = \"x\"",
            4,
            "route[9.0.0.0/8].interface",
            "an interface",
            "",
        ),
        ("to = \"10.1.0.0/24\"\ndiscard = true", 2, "route[10.1.0.0/24].to", "not connected", "remove it"),
        ("to = \"10.1.0.1/32\"\ndiscard = true", 2, "route[10.1.0.1/32].to", "of others", "firewall's own"),
        ("to = \"9.0.0.0/8\"\nvia = \"192.0.2.3\"", 3, "route[9.0.0.0/8].via", "another's address", "router"),
        ("to = \"9.0.0.0/8\"\nvia = \"10.1.0.0\"", 3, "route[9.0.0.0/8].via", "another's address", "router"),
        (
            "to = \"9.0.0.0/8\"\ndiscard = true\ninterface = \"inside\"",
            4,
            "route[9.0.0.0/8].interface",
            "no interface",
            "remove it",
        ),
    ] {
        refused(NONE, &format!("[[route]]\n{route}\n"), 15 + line, key, expected, advice);
    }
    let twice = "[[route]]\nto = \"9.0.0.0/8\"\ndiscard = true\n".repeat(2);
    refused(NONE, &twice, 20, "route[9.0.0.0/8].to", "one route", "line 17");
}

#[test]
fn what_needs_interfaces_is_refused_without_and_what_they_exclude_with_them() {
    let route = "[[route]]\nto = \"9.0.0.0/8\"\ndiscard = true\n";
    super::refused(route, 1, "route[9.0.0.0/8]", "one [[interface]]", "add one");
    super::refused("[management]\ntap = \"ostiary0\"\n", 2, "management.tap", "one [[interface]]", "no addresses");
    refused(NONE, "[management]\ntap = \"a-name-that-is-long\"\n", 17, "management.tap", "15 characters", "ostiary0");
    refused(("zone = \"trust\"", "zone = \"self\""), "", 4, "port[inside].zone", "firewall itself", "another name");
    let faults = faults_of(NONE, "[dataplane]\nworkers = [0, 1]\n");
    assert!(faults.iter().any(|fault| fault.1 == "dataplane.workers" && fault.2.contains("one worker")), "{faults:#?}");
}

#[test]
fn a_pool_has_neither_our_addresses_nor_a_next_hops() {
    let pool = |address: &str| {
        let rule = "[[rule]]\nname = \"out\"\naction = \"permit\"\nsource-nat = \"outside\"\n";
        format!("[[route]]\nto = \"0.0.0.0/0\"\nvia = \"192.0.2.2\"\n[nat.outside]\npool = [\"{address}\"]\n{rule}")
    };
    let unchanged = ("mtu = 1400", "mtu = 1400");
    let line = ROUTED.lines().count() + 4;
    for (address, expected) in [("192.0.2.1", true), ("192.0.2.0/30", true), ("192.0.2.2", true), ("192.0.2.3", false)]
    {
        if expected {
            let faults = faults_of(unchanged, &pool(address));
            assert!(faults.iter().all(|fault| (fault.0, &*fault.1) == (line, "nat.outside")), "{faults:?}");
            assert!(!faults.is_empty() && faults[0].2.contains("nobody else has"), "{faults:?}");
        } else {
            assert_eq!(faults_of(unchanged, &pool(address)), []);
        }
    }
}

#[test]
fn room_for_neighbours_needs_an_interface() {
    let faults = load_text(&format!("{BASE}[dataplane]\nneighbours = 64\n"), Purpose::Run).err().unwrap_or_default();
    let [fault] = &faults[..] else { panic!("{faults:#?}") };
    assert_eq!(fault.place.key, "dataplane.neighbours");
    assert!(fault.expected.contains("[[interface]]") && fault.advice.contains("a wire has no neighbours"), "{fault:?}");
    // They are of all interfaces together, not of one.
    let own = ("mtu = 1400\n", "mtu = 1400\nneighbours = 64\n");
    refused(own, "", 16, "interface[outside].neighbours", "one of the known keys", "the section that it belongs to");
    let text = format!("{ROUTED}[dataplane]\nneighbours = 64\n");
    assert_eq!(load_text(&text, Purpose::Run).unwrap().0.dataplane.routing.neighbours, 64);
}
