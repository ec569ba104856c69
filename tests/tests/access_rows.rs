//! Logs of access users, row by row of what the vendor's function promises, through the running firewall: each test is named
//! after its row. Those of delivery have theirs in `access_delivery`, A2 in `access_radius`, A4, A6, A17, A19 and A21 in
//! `access_commands`, A16 in `access_reload`, A20 in `access_reset`.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::UdpSocket;

use ostiary_tests::access::{
    ALICE, BOTH, CAROL, SYSLOG, behind_vlans, check, field, frames, play, playing, received, said, show, start, stop,
};
use ostiary_tests::certificates::Certificates;
use ostiary_tests::ipfix::{Collector, Over};
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, radius, skip};
use serde_json::Value;

/// No record may have it.
const PASSWORD: &[u8] = b"guessed-0815";

/// What a record is about, in a line.
fn line(record: &Value) -> String {
    ["id", "action", "result", "reason", "account", "ipv4"].map(|key| field(record, key)).join(" ")
}

/// A PPPoE session in which a peer is refused (RFC 2516, 4; RFC 1334, 2.2): PADS, PAP's request and its Nak.
fn refused_by_pap(peer: &[u8]) -> Vec<Vec<u8>> {
    const USER: [u8; 6] = [2, 0, 0x5e, 0, 0x53, 7];
    const CONCENTRATOR: [u8; 6] = [2, 0, 0x5e, 0, 0x53, 0xfe];
    let frame = |(to, from): ([u8; 6], [u8; 6]), ether_type: u16, code: u8, payload: &[u8]| {
        let head = [&to[..], &from, &ether_type.to_be_bytes(), &[0x11, code, 0, 0x2a]].concat();
        [&head, &(payload.len() as u16).to_be_bytes()[..], payload].concat()
    };
    let pap = |code: u8, texts: &[&[u8]]| {
        let data: Vec<u8> = texts.iter().flat_map(|text| [&[text.len() as u8], *text].concat()).collect();
        [&[0xc0, 0x23, code, 1][..], &(data.len() as u16 + 4).to_be_bytes(), &data].concat()
    };
    let (to_user, from_user) = ((USER, CONCENTRATOR), (CONCENTRATOR, USER));
    vec![
        frame(to_user, 0x8863, 0x65, &[1, 1, 0, 0]),
        frame(from_user, 0x8864, 0, &pap(1, &[peer, PASSWORD])),
        frame(to_user, 0x8864, 0, &pap(3, &[b"Login incorrect"])),
    ]
}

#[test]
fn a01_login_logout_and_result_are_three_records() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    let policy =
        playing(folder.path(), &frames(), SYSLOG).host("siem", rsyslog.tcp, &format!("transport = \"tcp\"\n{BOTH}"));
    let records = received(play(folder.path(), &policy, 1), &mut rsyslog, 4);
    let lines: Vec<String> = records.iter().map(line).collect();
    let expected = [
        "CALL_STATUS result fail rejected bob@example.net -",
        "ACCESS_LOGIN login - message alice@example.net 10.99.0.10",
        "ACCESS_LOGIN login - message carol@example.net 10.99.0.11",
        "ACCESS_LOGOUT logout - message carol@example.net 10.99.0.11",
    ];
    assert_eq!(lines, expected);
    // What they are for: who had the address, from when to when.
    let times = |record: &Value| ["login-time", "logout-time"].map(|key| field(record, key).to_owned());
    assert!(times(&records[1])[0].starts_with("20") && times(&records[1])[1] == "-", "{:?}", records[1]);
    assert_eq!(times(&records[2])[0], times(&records[3])[0], "the logout says when the login was");
    assert!(times(&records[3])[1] >= times(&records[3])[0], "{:?}", records[3]);
}

#[test]
fn a03_reject_and_pap_nak_are_results_and_no_login() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    let bob: &[(u8, &[u8])] = &[(1, b"bob@example.net"), (2, PASSWORD), (4, &radius::NAS.octets())];
    let asked = radius::frame(&radius::message(radius::ACCESS_REQUEST, 1, bob), 1812, false);
    let refused = radius::frame(&radius::message(radius::ACCESS_REJECT, 1, &[(18, b"no such user")]), 1812, true);
    let mut frames = [vec![asked, refused], refused_by_pap(b"dave@example.net")].concat();
    frames.extend([start(2, b"carol@example.net", CAROL, "s2"), stop(3, b"carol@example.net", CAROL, "s2")]);
    let policy =
        playing(folder.path(), &frames, SYSLOG).host("siem", rsyslog.tcp, &format!("transport = \"tcp\"\n{BOTH}"));
    let firewall = play(folder.path(), &policy, 1);
    let results = show(&firewall, &["call-status", "statistics"]).remove(0);
    for (place, source) in ["radius", "pppoe"].into_iter().enumerate() {
        let row = &results["sources"][place];
        assert_eq!((&row["source"], &row["refused"], &row["accepted"]), (&source.into(), &1.into(), &0.into()));
    }
    assert_eq!(show(&firewall, &["users"]), [] as [Value; 0], "nobody who was refused is signed on");
    let records = received(firewall, &mut rsyslog, 4);
    let lines: Vec<String> = records.iter().map(line).collect();
    let expected = [
        "CALL_STATUS result fail rejected bob@example.net -",
        "CALL_STATUS result fail rejected dave@example.net -",
        "ACCESS_LOGIN login - message carol@example.net 10.99.0.11",
        "ACCESS_LOGOUT logout - message carol@example.net 10.99.0.11",
    ];
    assert_eq!(lines, expected);
    let messages = ["no such user", "Login incorrect"];
    assert_eq!([field(&records[0], "message"), field(&records[1], "message")], messages);
    let all = format!("{:?}", rsyslog.messages());
    assert!(!all.contains(std::str::from_utf8(PASSWORD).unwrap()), "a password left the frame: {all}");
}

#[test]
fn a09_an_ssl_policy_needs_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    for transport in ["udp", "tcp"] {
        let keys = format!("transport = \"{transport}\"\nssl-policy = \"collector\"\n{BOTH}");
        let policy = playing(folder.path(), &[], SYSLOG).tls(&certificates).host("siem", 6514, &keys);
        let (code, said) = check(folder.path(), &policy);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("log-host[siem].ssl-policy") && said.contains("transport = \"tls\""), "{said}");
    }
}

#[test]
fn a10_the_version_is_set_before_and_says_what_binary_records_have() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let recording = |version: &str| format!("[log.access]\nenable = true\ntype = \"binary\"\n{version}");
    let keys = "transport = \"tcp\"\nrecords = [\"access\"]\n";
    for version in ["", "version = 0\n", "version = 5\n"] {
        let policy = playing(folder.path(), &[], &recording(version)).host("nms", 4739, keys);
        let (code, said) = check(folder.path(), &policy);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("log.access.version") && said.contains("from 1 to 4"), "{said}");
    }
    if !skip::has_programs(&["socat", "ipfixDump"]) {
        return;
    }
    for version in 1..=4 {
        let folder = tempfile::tempdir().unwrap();
        let collector = Collector::start(folder.path(), Over::Tcp, &certificates);
        let policy = playing(folder.path(), &behind_vlans(), &recording(&format!("version = {version}\n")));
        let firewall = play(folder.path(), &policy.host("nms", collector.port, keys), 1);
        let (is_stacked, has_ipv6) = (version % 2 == 0, version > 2);
        firewall.wait_until_sent();
        let statistics = show(&firewall, &["access", "statistics"]).remove(0);
        // Whoever has two VLANs needs a version for two.
        let counts = ["records", "sent", "uncarried"].map(|key| statistics["hosts"][0][key].as_u64().unwrap());
        assert_eq!(counts, if is_stacked { [3, 3, 0] } else { [3, 1, 2] }, "version {version}");
        assert_eq!(firewall.stop().0, 0);
        let records = wait_for("the collector to write", || {
            let mut records = collector.records();
            // Of those that the version cannot tell, a record says how many.
            records.retain(|record| record.contains_key("userName"));
            (records.len() as u64 == counts[1]).then_some(records)
        });
        let dora = records.iter().find(|record| record["userName"] == "dora@example.net").unwrap();
        assert_eq!(dora["sourceIPv4Address"], "10.99.0.21");
        let get = |name: &str| dora.get(name).map(String::as_str);
        let vlans = ["vlanId", "dot1qVlanId", "dot1qCustomerVlanId"].map(get);
        assert_eq!(vlans, if is_stacked { [None, Some("101"), Some("0")] } else { [Some("101"), None, None] });
        assert_eq!(get("ostiaryUserIPv6Address").is_some(), has_ipv6, "version {version}: {dora:?}");
        assert_eq!(get("ostiaryUserIPv6PrefixLength").is_some(), has_ipv6, "version {version}: {dora:?}");
        if is_stacked {
            let erin = records.iter().find(|record| record["userName"] == "erin@example.net").unwrap();
            assert_eq!((&*erin["dot1qVlanId"], &*erin["dot1qCustomerVlanId"]), ("200", "102"));
        }
    }
}

#[test]
fn a12_off_by_default_then_each_login_once() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    // Each message comes again as it was, and alice's start comes again with another number; so do the ends.
    let alice = |identifier| start(identifier, b"alice@example.net", ALICE, "s1");
    let carol = [start(3, b"carol@example.net", CAROL, "s2"), stop(4, b"carol@example.net", CAROL, "s2")];
    let last = [
        start(9, b"dora@example.net", [10, 99, 0, 12].into(), "s3"),
        stop(10, b"dora@example.net", [10, 99, 0, 12].into(), "s3"),
    ];
    let mut frames = vec![alice(2), alice(2), carol[0].clone(), alice(5), carol[0].clone(), carol[1].clone()];
    frames.extend([carol[1].clone(), stop(6, b"carol@example.net", CAROL, "s2"), alice(7)]);
    frames.extend(last);
    let keys = format!("transport = \"tcp\"\nformat = \"syslog\"\n{BOTH}");
    // Off, as a file is that does not say otherwise: users are followed, and nothing is made or sent.
    let off = playing(folder.path(), &frames, "").host("siem", rsyslog.tcp, &keys);
    let firewall = play(folder.path(), &off, 2);
    let statistics = show(&firewall, &["access", "statistics"]).remove(0);
    assert_eq!(statistics["hosts"][0]["records"], 0, "{statistics}");
    assert_eq!((&statistics["received"], &statistics["sent"]), (&0.into(), &0.into()), "{statistics}");
    assert_eq!(firewall.stop().0, 0);
    assert_eq!(rsyslog.records(), [] as [Value; 0]);
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();

    let on = playing(folder.path(), &frames, "[log.access]\nenable = true\n").host("siem", rsyslog.tcp, &keys);
    let firewall = play(folder.path(), &on, 2);
    let statistics = show(&firewall, &["access", "statistics"]).remove(0);
    assert_eq!(statistics["received"], 5, "{statistics}");
    let records = received(firewall, &mut rsyslog, 5);
    let lines: Vec<String> =
        records.iter().map(|record| format!("{} {}", field(record, "action"), field(record, "account"))).collect();
    let expected = [
        "login alice@example.net",
        "login carol@example.net",
        "logout carol@example.net",
        "login dora@example.net",
        "logout dora@example.net",
    ];
    assert_eq!(lines, expected, "each once, in order");
}

#[test]
fn a13_results_are_enabled_apart_and_have_no_version() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    let keys = format!("transport = \"tcp\"\nformat = \"syslog\"\n{BOTH}");
    let with = |lines: &str| {
        playing(folder.path(), &frames(), &format!("[log.call-status]\nenable = true\n{lines}")).host(
            "siem",
            rsyslog.tcp,
            &keys,
        )
    };
    let (code, said) = check(folder.path(), &with("version = 4\n"));
    assert!(code == 2 && said.contains("log.call-status.version"), "{code}: {said}");
    let firewall = play(folder.path(), &with(""), 1);
    let received_by = |class: &str| show(&firewall, &[class, "statistics"]).remove(0)["received"].as_u64();
    assert_eq!((received_by("access"), received_by("call-status")), (Some(0), Some(1)));
    let records = received(firewall, &mut rsyslog, 1);
    let lines: Vec<String> = records.iter().map(line).collect();
    assert_eq!(lines, ["CALL_STATUS result fail rejected bob@example.net -"]);
}

#[test]
fn a14_what_is_missing_is_said_at_check_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let enabled = "[log.access]\nenable = true\n[log.call-status]\nenable = true\n";
    // Without a host it may run: sending is apart from following.
    let (code, said) = check(folder.path(), &playing(folder.path(), &[], enabled));
    assert_eq!(code, 0, "{said}");
    for class in ["access", "call-status"] {
        assert!(said.contains(&format!("log.{class}")), "{said}");
    }
    assert!(said.contains("no log host takes them") && said.contains("2 warnings"), "{said}");
    // What cannot be sent as it is said may not.
    let tls = format!("transport = \"tls\"\nformat = \"syslog\"\n{BOTH}");
    let cases = [
        (format!("transport = \"tcp\"\n{BOTH}"), "log.access.version"),
        (tls.clone(), "log-host[siem].ssl-policy"),
        (format!("{tls}ssl-policy = \"nowhere\"\n"), "log-host[siem].ssl-policy"),
        (format!("transport = \"tcp\"\nformat = \"text\"\n{BOTH}"), "log-host[siem].format"),
    ];
    for (keys, key) in cases {
        let policy = playing(folder.path(), &[], enabled).host("siem", 6514, &keys);
        let (code, said) = check(folder.path(), &policy);
        assert!(code == 2 && said.contains(key), "{keys}: {said}");
        let file = folder.path().join("checked.toml");
        let run = program::run(["run".as_ref(), "--config".as_ref(), file.as_os_str()]);
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(2) && said.contains(key), "{keys}: {said}");
    }
}

#[test]
fn a15_without_a_word_in_the_file_nothing_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // The host takes whatever there is.
    let policy = playing(folder.path(), &frames(), "").host(
        "siem",
        socket.local_addr().unwrap().port(),
        "format = \"syslog\"\n",
    );
    let firewall = play(folder.path(), &policy, 1);
    for class in ["access", "call-status"] {
        assert_eq!(show(&firewall, &[class, "config"])[0]["enable"], false);
        assert_eq!(said(&firewall, &[class, "config"]).lines().nth(1), Some("enabled    no"));
        let statistics = show(&firewall, &[class, "statistics"]).remove(0);
        assert_eq!((&statistics["received"], &statistics["hosts"][0]["records"]), (&0.into(), &0.into()));
    }
    assert_eq!(firewall.stop().0, 0);
    socket.set_nonblocking(true).unwrap();
    let mut room = [0; 8_192];
    while let Ok(length) = socket.recv(&mut room) {
        let message = String::from_utf8_lossy(&room[..length]).into_owned();
        assert!(!message.contains(" ACCESS_") && !message.contains(" CALL_STATUS"), "{message}");
    }
}
