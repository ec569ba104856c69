//! The firewall as a router between two networks, with the hosts of the kernel on both sides: two namespaces, two cables,
//! the firewall between them over net_af_xdp (net_af_packet would put fragments together before we see them).

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::skip;
use serde_json::Value;

const CLIENT: &str = "10.77.1.2";
const SERVER: &str = "10.77.2.2";
const OURS: &str = "10.77.1.1";
const CLIENT6: &str = "fd77:1::2";
const SERVER6: &str = "fd77:2::2";
const OURS6: &str = "fd77:1::1";

const INTERFACES: &str = r#"[[interface]]
port = "inside"
addresses = ["10.77.1.1/24", "fd77:1::1/64"]

[[interface]]
port = "outside"
addresses = ["10.77.2.1/24", "fd77:2::1/64"]
mtu = 1400

[[route]]
to = "10.77.8.0/24"
discard = true
"#;

const OUT: &str = "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = true\n";
const TO_US: &str = "to = [\"self\"]\nservice = [\"ping\", \"tcp/2222\"]\naction = \"permit\"\n";

/// Two networks, each host with the firewall as its router.
fn lab() -> Option<Lab> {
    let lab = Lab::build()?;
    if !skip::has_programs(&["ping", "curl"]) {
        return None;
    }
    for (namespace, device, v4, v6) in [(&lab.client, "c0", CLIENT, CLIENT6), (&lab.server, "s0", SERVER, SERVER6)] {
        let (network, network6) = (v4.strip_suffix(".2").unwrap(), v6.strip_suffix("::2").unwrap());
        run(&format!("ip -n {namespace} addr add {v4}/24 dev {device}"));
        run(&format!("ip -n {namespace} addr add {v6}/64 dev {device} nodad"));
        run(&format!("ip -n {namespace} route add default via {network}.1"));
        run(&format!("ip -n {namespace} -6 route add default via {network6}::1"));
    }
    Some(lab)
}

fn policy() -> Policy {
    let mut policy = Policy::new("net_af_xdp0,iface=fw0", "net_af_xdp1,iface=fw1").rule("out", OUT).rule("us", TO_US);
    policy.topology = INTERFACES.to_owned();
    policy
}

fn start(lab: &Lab, folder: &Path, policy: &Policy) -> Firewall {
    Firewall::start_in(&lab.firewall, folder, policy)
}

#[track_caller]
fn run(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a program in the clients' namespace says, whether it succeeds or not.
fn client(lab: &Lab, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = lab.client(words[0]).args(&words[1..]).output().unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    write!(text, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
    text
}

#[track_caller]
fn pings(lab: &Lab, arguments: &str) {
    let said = client(lab, &format!("ping -c 3 -i 0.2 -W 5 {arguments}"));
    assert!(said.contains(" 0% packet loss"), "{said}");
}

#[test]
fn hosts_reach_each_other_and_us() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let firewall = start(&lab, folder.path(), &policy());
    for to in [SERVER, SERVER6, OURS, OURS6, "10.77.2.1"] {
        pings(&lab, to);
    }
    // One hop less on the way.
    let said = client(&lab, &format!("ping -c 1 -W 5 {SERVER}"));
    assert!(said.contains("ttl=63"), "{said}");
    // The kernel resolved us, as we did it.
    let known = client(&lab, "ip neigh show dev c0");
    let interfaces = firewall.show("interfaces");
    let mac = interfaces[0]["mac"].as_str().unwrap();
    assert!(known.contains(&format!("{OURS} lladdr {mac}")), "{known}");
    assert!(known.contains(&format!("{OURS6} lladdr {mac}")), "{known}");
    let neighbours = firewall.show("neighbours");
    let is_known = |address: &str, interface: &str| {
        neighbours
            .iter()
            .any(|row| row["address"] == address && row["interface"] == interface && row["mac"].is_string())
    };
    assert!(is_known(CLIENT, "inside") && is_known(SERVER, "outside"), "{neighbours:?}");
    assert!(is_known(CLIENT6, "inside") && is_known(SERVER6, "outside"), "{neighbours:?}");
    let routes = firewall.show("routes");
    let kinds: Vec<&Value> = routes.iter().map(|row| &row["kind"]).collect();
    assert_eq!(kinds, ["connected", "connected", "connected", "connected", "discard"]);
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn a_page_comes_through_and_its_session_is_known_by_its_interfaces() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let firewall = start(&lab, folder.path(), &policy());
    static PAGE: [u8; 300_000] = [b'o'; 300_000];
    let listener = inside(&lab.server, || TcpListener::bind("0.0.0.0:80").unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 2048];
            if matches!(stream.read(&mut request), Ok(octets) if octets > 0) {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PAGE.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&PAGE));
            }
        }
    });
    let mut curl = lab.client("curl");
    let output = curl.args(["--silent", "--show-error", "--max-time", "30", &format!("http://{SERVER}/")]);
    let output = output.output().unwrap();
    assert!(output.stdout == PAGE, "{}", String::from_utf8_lossy(&output.stderr));
    pings(&lab, SERVER);
    let sessions = firewall.show("sessions");
    let ping = sessions.iter().find(|session| session["protocol"] == "icmp").unwrap();
    assert_eq!((&ping["client-interface"], &ping["server-interface"]), (&"inside".into(), &"outside".into()));
    assert_eq!((&ping["client-zone"], &ping["server-zone"]), (&"trust".into(), &"untrust".into()));
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn what_goes_no_further_is_reported() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let firewall = start(&lab, folder.path(), &policy());
    let said = client(&lab, &format!("ping -c 1 -W 5 -t 1 {SERVER}"));
    assert!(said.contains(&format!("From {OURS} icmp_seq=1 Time to live exceeded")), "{said}");
    let said = client(&lab, &format!("ping -c 1 -W 5 -t 1 {SERVER6}"));
    assert!(said.contains(&format!("From {OURS6} icmp_seq=1 Time exceeded: Hop limit")), "{said}");
    if skip::has_programs(&["traceroute"]) {
        for (ours, to) in [(OURS, SERVER), (OURS6, SERVER6)] {
            let said = client(&lab, &format!("traceroute -n -q 1 -w 5 {to}"));
            let hops: Vec<&str> = said.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
            assert_eq!(hops, [ours, to], "{said}");
        }
    }
    let (expired, errors) = (firewall.counter("drop_ttl_expired"), firewall.counter("icmp_errors_sent"));
    assert_eq!(expired, errors);
    let said = client(&lab, "ping -c 1 -W 5 192.0.2.77");
    assert!(said.contains(&format!("From {OURS} icmp_seq=1 Destination Net Unreachable")), "{said}");
    let said = client(&lab, "ping -c 1 -W 8 10.77.2.99");
    assert!(said.contains(&format!("From {OURS} icmp_seq=1 Destination Host Unreachable")), "{said}");
    let said = client(&lab, "ping -c 1 -W 8 fd77:2::99");
    assert!(said.contains(&format!("From {OURS6} icmp_seq=1 Destination unreachable: Address unreachable")), "{said}");
    let said = client(&lab, "ping -c 1 -W 1 10.77.8.1");
    assert!(said.contains("100% packet loss") && !said.contains("From"), "{said}");
    for (name, count) in [
        ("drop_ttl_expired", expired),
        ("drop_no_route", 1),
        ("drop_discard_route", 1),
        ("neighbour_lost", 2),
        ("icmp_errors_sent", errors + 3),
    ] {
        assert_eq!(firewall.counter(name), count, "{name}: {:?}", firewall.show("counters"));
    }
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn large_packets_are_cut_or_their_sender_told() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let firewall = start(&lab, folder.path(), &policy());
    // Whole on the first cable, in two on the second; the answer comes whole. Then in fragments that are cut again.
    pings(&lab, &format!("-M dont -s 1450 {SERVER}"));
    pings(&lab, &format!("-M dont -s 8000 {SERVER}"));
    assert!(firewall.counter("packets_fragmented") >= 3, "{:?}", firewall.show("counters"));
    // Path MTU discovery of both families.
    let said = client(&lab, &format!("ping -c 2 -W 5 -M do -s 1450 {SERVER}"));
    assert!(said.contains("mtu = 1400") || said.contains("mtu=1400"), "{said}");
    let route = client(&lab, &format!("ip route get {SERVER}"));
    assert!(route.contains("mtu 1400"), "{route}");
    client(&lab, &format!("ping -c 2 -W 5 -s 1420 {SERVER6}"));
    let route = client(&lab, &format!("ip -6 route get {SERVER6}"));
    assert!(route.contains("mtu 1400"), "{route}");
    // Now that it knows, it cuts them itself.
    pings(&lab, &format!("-s 1420 {SERVER6}"));
    assert_eq!(firewall.stop().0, 0);
}

/// SSH in the real world; here a socket of the firewall's namespace, behind the management interface.
#[test]
fn the_kernel_serves_our_addresses_by_the_management_interface() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy().rule("from-us", "from = [\"self\"]\naction = \"permit\"\n");
    policy.management = "tap = \"ostiary0\"\n".to_owned();
    let firewall = start(&lab, folder.path(), &policy);
    let f = &lab.firewall;
    for line in [
        "addr add 10.77.1.1/32 dev ostiary0",
        "addr add fd77:1::1/128 dev ostiary0 nodad",
        "link set ostiary0 up",
        "route add default dev ostiary0",
        "-6 route add default dev ostiary0",
    ] {
        run(&format!("ip -n {f} {line}"));
    }
    for (own, url) in [(OURS, format!("http://{OURS}:2222/")), (OURS6, format!("http://[{OURS6}]:2222/"))] {
        let listener = inside(f, || TcpListener::bind((own, 2222)).unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, peer) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 2048]);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nus").unwrap();
            peer.ip().to_string()
        });
        assert_eq!(client(&lab, &format!("curl --silent --show-error --max-time 30 {url}")), "us");
        assert!([CLIENT, CLIENT6].contains(&&*server.join().unwrap()));
    }
    // Echo is the kernel's now, fragments of it too.
    pings(&lab, &format!("-s 3000 {OURS}"));
    assert_eq!(firewall.counter("echo_replies"), 0);
    // The other way round: the firewall's own programs reach the network.
    let ping = lab.firewall("ping").args(["-c", "2", "-W", "5", "-I", OURS, SERVER]).output().unwrap();
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    wait_for("sessions to and from us", || {
        let sessions = firewall.show("sessions");
        sessions.iter().any(|session| session["client-zone"] == "self").then_some(())
    });
    assert_eq!(firewall.stop().0, 0);
}
