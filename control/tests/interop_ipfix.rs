//! Our IPFIX as two more collectors read it: pmacct's nfacctd over UDP, and the ipfix module of Python over TCP.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use control::export::{Format, HostConfig, Transport};
use export_lab::{Rig, Running, flow_v4, flow_v6, free_port, have, host, loopback, one_of_each, program, wait};

/// A host that states how the export does, once at its end.
fn stating(address: SocketAddr, transport: Transport) -> HostConfig {
    let mut host = host("noc", address, transport, Format::Binary);
    host.binary.statistics = Some(Duration::from_secs(3_600));
    host
}

fn end(rig: &mut Rig) {
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(10)).is_empty());
}

#[test]
fn nfacctd_adds_up_packets_and_octets_of_both_families() {
    if have(&["nfacctd"]) {
        nfacctd_adds_up("127.0.0.1".parse().unwrap());
        nfacctd_adds_up("::1".parse().unwrap());
    }
}

/// Listening there.
fn nfacctd_adds_up(address: IpAddr) {
    let dir = tempfile::tempdir().unwrap();
    let (port, table) = (free_port(), dir.path().join("flows.csv"));
    let lines = [
        "daemonize: false",
        &format!("nfacctd_ip: {address}"),
        &format!("nfacctd_port: {port}"),
        "nfacctd_time_new: true",
        "plugins: print",
        "aggregate: src_host, dst_host, src_port, dst_port, proto",
        "print_output: csv",
        "print_output_file_append: true",
        "print_refresh_time: 1",
        // It says which templates it learned, and what it discards.
        "debug: true",
        &format!("print_output_file: {}", table.display()),
    ];
    let config = dir.path().join("nfacctd.conf");
    fs::write(&config, lines.join("\n") + "\n").unwrap();
    let errors = fs::File::create(dir.path().join("log")).unwrap();
    let _collector = Running::start(Command::new(program("nfacctd")).arg("-f").arg(&config).stderr(errors));
    let (tables, end_of_port) = (["/proc/net/udp", "/proc/net/udp6"], format!(":{port:04X} "));
    let is_there = |table| fs::read_to_string(table).is_ok_and(|table: String| table.contains(&end_of_port));
    wait("nfacctd to listen", || tables.into_iter().any(is_there));
    // What comes before the one that adds up is in its loop is lost; it has turned once when it told of nothing.
    let log = dir.path().join("log");
    let said = |words: &str| fs::read_to_string(&log).is_ok_and(|text| text.contains(words));
    wait("its plugin", || said("Purging cache - END"));
    let mut rig = Rig::new(vec![stating(SocketAddr::new(address, port), Transport::Udp)]);
    one_of_each().iter().for_each(|record| rig.push(record));
    rig.until_sent("noc");
    let messages = || fs::read_to_string(&log).unwrap().matches("Received NetFlow/IPFIX packet").count();
    // It reads messages one after the other: with one of ours, of a template that nothing uses, it is through with all before.
    let reads_up_to = |mark: u32| {
        let template = [0, 2, 0, 12, 3, 231, 0, 1, 0, 8, 0, 4];
        let message = [&[0, 10, 0, 28, 0, 0, 0, 1][..], &mark.to_be_bytes(), &[0; 4], &template].concat();
        let local = SocketAddr::new(address, 0);
        UdpSocket::bind(local).unwrap().send_to(&message, SocketAddr::new(address, port)).unwrap();
        wait("nfacctd to read what was sent", || said(&format!("seqno [{mark}]")));
        messages()
    };
    let before = reads_up_to(u32::MAX - 1);
    end(&mut rig);
    let after = reads_up_to(u32::MAX);
    assert_eq!(after - before, 2, "a message that states how the export did, and the mark");

    // Two closed IPv4 sessions, one of them translated, and a denied packet; a closed IPv6 session and a denied packet.
    let (v4, v6) = (flow_v4().tuple, flow_v6().tuple);
    let key = |tuple: &dataplane::endpoint::Tuple, protocol: &str| {
        let (client, server) = (tuple.client, tuple.server);
        let (from, to) = (client.address.ip(), server.address.ip());
        format!("{from},{to},{},{},{protocol}", client.port, server.port)
    };
    let expected = BTreeMap::from([(key(&v4, "udp"), (11, 1_400)), (key(&v6, "tcp"), (6, 700))]);
    // Records may be told in two turns of its clock.
    let told = || {
        let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for line in fs::read_to_string(&table).unwrap_or_default().lines() {
            let mut cells = line.rsplitn(3, ',');
            let (octets, packets) = (cells.next(), cells.next());
            let numbers = octets.zip(packets).map(|(octets, packets)| (packets.parse::<u64>(), octets.parse::<u64>()));
            if let (Some((Ok(packets), Ok(octets))), Some(key)) = (numbers, cells.next()) {
                let sum: &mut (u64, u64) = sums.entry(key.to_owned()).or_default();
                *sum = (sum.0 + packets, sum.1 + octets);
            }
        }
        sums
    };
    wait("nfacctd to tell of every record", || told() == expected);
    let log = fs::read_to_string(&log).unwrap();
    // It took the statements: their templates are known, and nothing was discarded.
    let template = |line: &str| line.split_once("template ID   : ")?.1.trim().parse().ok();
    let learned: BTreeSet<u16> = log.lines().filter_map(template).collect();
    assert!([256, 257, 258].iter().all(|id| learned.contains(id)), "{learned:?}");
    let is_complaint =
        |line: &&str| ["WARN", "ERROR", "malformed", "unable", "Discarded"].iter().any(|word| line.contains(word));
    let complaints: Vec<_> = log.lines().filter(is_complaint).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Reads one connection to its end, and writes a line for each record: its number, who, which packets and octets; and for
/// each statement of the export, and what it counted itself.
const READER: &str = r#"
import io, socket, sys
import ipfix.ie, ipfix.reader
ipfix.ie.use_iana_default()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connection, _ = listener.accept()
stream = b""
while octets := connection.recv(65536):
    stream += octets
messages, at = [], 0
while at < len(stream):
    messages.append(int.from_bytes(stream[at + 2:at + 4], "big"))
    at += messages[-1]
for row in ipfix.reader.from_stream(io.BytesIO(stream)).namedict_iterator():
    if "exportedMessageTotalCount" in row:
        names = ("exportedMessageTotalCount", "exportedOctetTotalCount")
        print("exported", row["observationDomainId"], *[row[name] for name in names], len(messages) - 1, sum(messages[:-1]))
    if "notSentFlowTotalCount" in row:
        print("not sent", row["notSentFlowTotalCount"])
    if "_ipfix_32473_2" not in row:
        continue  # of options
    number = int.from_bytes(row["_ipfix_32473_2"], "big")
    family = "4" if "sourceIPv4Address" in row else "6"
    cells = [number] + [row[name % family] for name in ("sourceIPv%sAddress", "destinationIPv%sAddress")]
    cells += [row[name] for name in ("sourceTransportPort", "destinationTransportPort", "protocolIdentifier")]
    cells += [row["_ipfix_32473_3"].decode(), row["observationTimeMilliseconds"].isoformat()]
    cells += [row.get(name, "-") for name in ("packetDeltaCount", "octetDeltaCount", "postNATSourceIPv4Address")]
    print(*cells, flush=True)
print("end", flush=True)
"#;

#[test]
fn pythons_ipfix_reads_every_record_of_a_stream() {
    let python = "/usr/bin/python3";
    let has_module = Command::new(python).args(["-c", "import ipfix"]).stderr(Stdio::null()).status();
    if !has_module.is_ok_and(|status| status.success()) {
        println!("skipped: python3-ipfix not installed");
        return;
    }
    let port = free_port();
    let reader = Command::new(python)
        .args(["-c", READER, &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut rig = Rig::new(vec![stating(loopback(port), Transport::Tcp)]);
    one_of_each().iter().for_each(|record| rig.push(record));
    rig.until_sent("noc");
    end(&mut rig);
    let output = reader.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let (v4, v6) = ("10.1.2.3 192.0.2.9 4001 8000 17", "2001:db8::1 2001:db8::2 4002 443 6");
    let tail = "staff-im 2026-03-01T08:15:30";
    let expected: Vec<String> = [
        format!("1 {v4} {tail} - - -"),
        format!("2 {v6} {tail} - - -"),
        format!("3 {v4} {tail} 5 700 -"),
        format!("4 {v6} {tail} 5 700 -"),
        format!("5 {v4} {tail} 1 - -"),
        format!("6 {v6} {tail} 1 - -"),
        format!("7 {v4} {tail} - - -"),
        format!("8 {v6} {tail} - - -"),
        format!("9 {v4} {tail} - - -"),
        format!("10 {v4} {tail} - - -"),
        format!("11 {v4} {tail} - - 198.51.100.10"),
        format!("12 {v4} {tail} 5 700 198.51.100.10"),
        "end".to_owned(),
    ]
    .into();
    let (stated, rows): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with("exported") || line.starts_with("not sent"));
    assert_eq!(rows, expected);
    // The statement counts what stands before it.
    let exported: Vec<_> = stated[0].split(' ').collect();
    assert_eq!(exported[1], "7", "{stated:?}");
    assert_eq!((exported[2], exported[3]), (exported[4], exported[5]), "{stated:?}");
    assert_eq!(stated[1..], ["not sent 0"]);
}
