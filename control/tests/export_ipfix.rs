//! Our IPFIX as others read it: nfcapd over UDP, tshark over UDP and TCP, libfixbuf's ipfixDump with type information.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use control::export::{FileSync, FileTarget, Format, HostConfig, Target, Transport};
use control::record::ipfix::OWN;
use export_lab::{
    Collector, Rig, Running, flow_v4, flow_v6, free_port, have, host, loopback, one_of_each, program, wait,
    wait_for_udp,
};

/// What a program prints.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A host that states how the export does, once at its end.
fn stating(address: SocketAddr, transport: Transport) -> HostConfig {
    let mut host = host("nms", address, transport, Format::Binary);
    host.binary.statistics = Some(Duration::from_secs(3_600));
    host
}

/// The file that they become.
fn file(dir: &Path) -> PathBuf {
    let path = dir.join("records.ipfix");
    let target = FileTarget { path: path.clone(), rotate: 1 << 30, keep: 1, sync: FileSync::Off };
    let host = HostConfig { target: Target::None, ..stating(loopback(0), Transport::File(target)) };
    let mut rig = Rig::new(vec![host]);
    one_of_each().iter().for_each(|record| rig.push(record));
    assert!(rig.exporters.drain(Instant::now() + Duration::from_secs(20)).is_empty());
    path
}

/// The datagrams that one record of each kind becomes.
fn datagrams() -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind(loopback(0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut rig = Rig::new(vec![stating(socket.local_addr().unwrap(), Transport::Udp)]);
    one_of_each().iter().for_each(|record| rig.push(record));
    rig.until_sent("nms");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_millis(500)).is_empty());
    let (mut datagrams, mut buffer) = (Vec::new(), [0; 65_536]);
    while let Ok(octets) = socket.recv(&mut buffer) {
        assert!(octets <= 1_400);
        datagrams.push(buffer[..octets].to_vec());
    }
    datagrams
}

/// The stream that they become over TCP.
fn stream() -> Vec<u8> {
    let collector = Collector::listen(loopback(0), true);
    let mut rig = Rig::new(vec![stating(collector.address, Transport::Tcp)]);
    one_of_each().iter().for_each(|record| rig.push(record));
    rig.until_sent("nms");
    assert!(rig.exporters.drain(Instant::now() + Duration::from_millis(500)).is_empty());
    collector.end().concat()
}

/// Writes a capture of raw IPv4 packets (LINKTYPE_RAW) to port 4739, in which tshark looks for IPFIX.
fn capture(path: &Path, protocol: u8, payloads: &[Vec<u8>]) {
    let mut file = Vec::new();
    file.extend_from_slice(&0xa1b2_c3d4_u32.to_be_bytes());
    for half in [2_u16, 4, 0, 0, 0, 0] {
        file.extend_from_slice(&half.to_be_bytes());
    }
    file.extend_from_slice(&65_535_u32.to_be_bytes());
    file.extend_from_slice(&101_u32.to_be_bytes());
    let mut sequence = 1_u32;
    for payload in payloads {
        let mut transport = Vec::new();
        transport.extend_from_slice(&40_000_u16.to_be_bytes());
        transport.extend_from_slice(&4_739_u16.to_be_bytes());
        if protocol == 17 {
            transport.extend_from_slice(&(payload.len() as u16 + 8).to_be_bytes());
            transport.extend_from_slice(&[0, 0]);
        } else {
            transport.extend_from_slice(&sequence.to_be_bytes());
            transport.extend_from_slice(&1_u32.to_be_bytes());
            transport.extend_from_slice(&[0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
            sequence += payload.len() as u32;
        }
        transport.extend_from_slice(payload);
        let length = transport.len() as u16 + 20;
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend_from_slice(&transport);
        for word in [0_u32, 0, u32::from(length), u32::from(length)] {
            file.extend_from_slice(&word.to_be_bytes());
        }
        file.extend_from_slice(&packet);
    }
    fs::write(path, file).unwrap();
}

/// [`tshark_reads`], of packets.
fn tshark_agrees(protocol: u8, payloads: &[Vec<u8>]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ipfix.pcap");
    capture(&path, protocol, payloads);
    tshark_reads(&path);
}

/// tshark finds nothing wrong, every record, and the fields in them.
fn tshark_reads(path: &Path) {
    let tshark = |arguments: &[&str]| output(Command::new(program("tshark")).arg("-r").arg(path).args(arguments));
    let complaints =
        tshark(&["-Y", "_ws.malformed || _ws.expert.severity >= 4194304 || cflow.unexpected_sequence_number"]);
    assert_eq!(complaints, "", "tshark complains");
    let text = tshark(&["-V"]);
    let count = |needle: &str| text.matches(needle).count();
    assert!(!text.contains("No template found") && !text.contains("Malformed"), "{text}");
    assert_eq!(count("SrcAddr: 10.1.2.3"), 8, "{text}");
    assert_eq!(count("DstAddr: 192.0.2.9"), 8);
    assert_eq!(count("SrcAddr: 2001:db8::1"), 4);
    assert_eq!(count("SrcPort: 4001"), 8);
    assert_eq!(count("ApplicationName: wechat"), 4);
    assert_eq!(count("Octets: 700\n"), 3);
    assert_eq!(count("Octets: 6000 (Reverse Type 1 BYTES)"), 3);
    for (event, times) in [("Flow created (1)", 3), ("Flow deleted (2)", 3), ("Flow denied (3)", 2)] {
        assert_eq!(count(&format!("Firewall Event: {event}")), times);
    }
    for event in ["NAT44 session create (4)", "NAT44 session delete (5)"] {
        assert_eq!(count(&format!("Nat Event: {event}")), 1, "{text}");
    }
    assert_eq!(count("Post NAT Source IPv4 Address: 198.51.100.10"), 2, "{text}");
    assert_eq!(count("Post NAPT Source Transport Port: 40123"), 2);
    assert_eq!(count("Observation Time Milliseconds: Mar  1, 2026 08:15:30.000000000 UTC"), 12);
    for statement in ["Exported Messages Total Count", "Exported Octets Total Count", "Not Sent Flow Total Count"] {
        println!("{statement}: {}", count(statement));
    }
    // ostiarySignOnAction: "login".
    assert_eq!(count("Type 4: Value (hex bytes): 6c 6f 67 69 6e\n"), 1);
}

#[test]
fn tshark_decodes_datagrams_without_complaint() {
    if have(&["tshark"]) {
        tshark_agrees(17, &datagrams());
    }
}

#[test]
fn tshark_decodes_a_stream_without_complaint() {
    if have(&["tshark"]) {
        let stream = stream();
        let segments: Vec<Vec<u8>> = stream.chunks(1_000).map(<[u8]>::to_vec).collect();
        tshark_agrees(6, &segments);
    }
}

#[test]
fn tshark_decodes_a_file_without_complaint() {
    if have(&["tshark"]) {
        let dir = tempfile::tempdir().unwrap();
        tshark_reads(&file(dir.path()));
    }
}

#[test]
fn ipfix_dump_knows_our_elements_by_name() {
    if !have(&["ipfixDump"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A file of messages is what RFC 5655 calls an IPFIX file; and what the file exporter writes is one.
    let path = dir.path().join("stream.ipfix");
    fs::write(&path, stream()).unwrap();
    for path in [path, file(dir.path())] {
        ipfix_dump_reads(&path);
    }
}

fn ipfix_dump_reads(path: &Path) {
    let text = output(Command::new("ipfixDump").arg("--rfc5610").arg("--in").arg(path));
    for element in OWN {
        assert!(text.contains(element.name), "no {}: {text}", element.name);
    }
    // Each value by its name and in its type, not as octets.
    for field in [
        "ostiaryRuleName : (len: 8) staff-im",
        "ostiaryAccount : (len: 5) 10001",
        "ostiarySignOnAction : (len: 6) logout",
        "ostiaryOnlineMilliseconds : 61005",
        "ostiaryRecordSequence : 12",
        "postNATSourceIPv4Address : 198.51.100.10",
        "postNAPTSourceTransportPort : 40123",
        "ostiaryCloseReason : (len: 3) fin",
        "applicationName : (len: 6) wechat",
        "sourceIPv4Address : 10.1.2.3",
        "sourceIPv6Address : 2001:",
        "notSentFlowTotalCount : 0",
        "exportedFlowRecordTotalCount : ",
    ] {
        assert!(text.contains(field), "no {field}: {text}");
    }
    assert!(!text.to_lowercase().contains("error"), "{text}");
}

#[test]
fn nfcapd_stores_addresses_ports_and_octets_of_both_families() {
    if !have(&["nfcapd", "nfdump"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let errors = fs::File::create(dir.path().join("log")).unwrap();
    let mut command = Command::new(program("nfcapd"));
    command.args(["-b", "127.0.0.1", "-t", "3600", "-p", &port.to_string(), "-w"]).arg(dir.path()).stderr(errors);
    let collector = Running::start(&mut command);
    wait_for_udp(port);
    let mut rig = Rig::new(vec![host("nms", loopback(port), Transport::Udp, Format::Binary)]);
    one_of_each().iter().for_each(|record| rig.push(record));
    rig.until_sent("nms");
    let queue = format!(":{port:04X} 00000000:0000 07 00000000:00000000 ");
    wait("nfcapd to read", || fs::read_to_string("/proc/net/udp").unwrap().contains(&queue));
    // It writes its file when it ends.
    collector.terminate();
    let is_flows = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("nfcapd.");
    let file = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).find(is_flows).unwrap();
    let format = "fmt:%sa|%sp|%da|%dp|%pr|%ibyt|%ipkt|%obyt|%opkt|%ts|%te|%svln|%nsa|%nsp|%nevt";
    let mut nfdump = Command::new(program("nfdump"));
    let text = output(nfdump.args(["-q", "-N", "-o", format, "-r"]).arg(file).env("TZ", "UTC"));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    assert_eq!(rows.len(), one_of_each().len(), "{text}");
    let (v4, v6) = (flow_v4().tuple, flow_v6().tuple);
    for (tuple, protocol, rows_of) in [(v4, "17", 8), (v6, "6", 4)] {
        let ends = |row: &&Vec<&str>| {
            row[..5]
                == [
                    &tuple.client.address.ip().to_string(),
                    &tuple.client.port.to_string(),
                    &tuple.server.address.ip().to_string(),
                    &tuple.server.port.to_string(),
                    protocol,
                ]
        };
        assert_eq!(rows.iter().filter(ends).count(), rows_of, "{text}");
        let closed = rows.iter().filter(ends).filter(|row| row[5] == "700" && row[12] != "198.51.100.10");
        let closed: Vec<&Vec<&str>> = closed.collect();
        assert_eq!(closed.len(), 1, "{text}");
        assert_eq!(closed[0][6..9], ["5", "6000", "6"], "{text}");
        assert_eq!(closed[0][9], "2026-03-01 08:15:20.000");
    }
    let translated: Vec<_> = rows.iter().filter(|row| row[12..14] == ["198.51.100.10", "40123"]).collect();
    assert_eq!(translated.len(), 2, "{text}");
    assert!(rows.iter().all(|row| row[10..12] == ["2026-03-01 08:15:30.000", "101"]), "{text}");
}
