//! Logs of access users, row by row of what the vendor's function promises, through the running firewall: each test is named
//! after its row. Rows A2, A4, A6, A16, A17, A19, A20 and A21 have theirs in `access_radius`, `access_commands`,
//! `access_reload` and `access_reset`.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use ostiary_tests::access::{ALICE, BOTH, CAROL, ask, frames, play, playing, said, show, start, stop, tagged};
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::ipfix::{Collector, Over};
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::process::{Running, free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, radius, skip};
use serde_json::Value;

/// Both classes, as syslog.
const SYSLOG: &str =
    "[log.access]\nenable = true\ntype = \"syslog\"\n[log.call-status]\nenable = true\ntype = \"syslog\"\n";
/// No record may have it.
const PASSWORD: &[u8] = b"guessed-0815";

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or("-")
}

/// What a record is about, in a line.
fn line(record: &Value) -> String {
    ["id", "action", "result", "reason", "account", "ipv4"].map(|key| text(record, key)).join(" ")
}

/// The records of a host that takes them by syslog, once there are so many of them, and those that there are at the end.
fn received(firewall: Firewall, rsyslog: &mut Rsyslog, count: usize) -> Vec<Value> {
    wait_for("the records", || (rsyslog.records().len() >= count).then_some(()));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    rsyslog.records()
}

/// `ostiary check` of a policy: its exit code, and what it says.
fn check(folder: &Path, policy: &Policy) -> (i32, String) {
    let file = folder.join("checked.toml");
    std::fs::write(&file, policy.text(&folder.join("socket"), &signatures(folder))).unwrap();
    let output = program::run(["check".as_ref(), file.as_os_str()]);
    (output.status.code().unwrap(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
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
    let times = |record: &Value| ["login-time", "logout-time"].map(|key| text(record, key).to_owned());
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
    assert_eq!([text(&records[0], "message"), text(&records[1], "message")], messages);
    let all = format!("{:?}", rsyslog.messages());
    assert!(!all.contains(std::str::from_utf8(PASSWORD).unwrap()), "a password left the frame: {all}");
}

/// What tshark shows of a capture: how many frames fit a filter.
fn frames_that(capture: &Path, tls: u16, filter: &str) -> usize {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-d", &format!("tcp.port=={tls},tls"), "-Y", filter]);
    let output = command.args(["-T", "fields", "-e", "frame.number"]).output().unwrap();
    assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().count()
}

#[test]
fn a05_names_cannot_be_read_on_the_wire_over_tls() {
    if !skip::is_root() || !skip::has_programs(&["rsyslogd", "tcpdump", "tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    let capture = folder.path().join("export.pcap");
    let mut sniffer = Command::new("tcpdump");
    sniffer.args(["-i", "lo", "--immediate-mode", "-U", "-s", "0", "-w"]).arg(&capture);
    sniffer.arg(format!("tcp port {} or tcp port {}", rsyslog.tcp, rsyslog.tls)).stderr(Stdio::null());
    let mut sniffer = Running::start(&mut sniffer);
    wait_for("tcpdump to capture", || std::fs::metadata(&capture).is_ok_and(|file| file.len() >= 24).then_some(()));
    let plain = format!("transport = \"tcp\"\n{BOTH}");
    let policy = playing(folder.path(), &frames(), SYSLOG)
        .tls(&certificates)
        .host("secured", rsyslog.tls, &format!("transport = \"tls\"\nssl-policy = \"collector\"\n{BOTH}"))
        .host("plain", rsyslog.tcp, &plain);
    // The caution is said for the host that needs it, and for it only.
    let (code, warned) = check(folder.path(), &policy);
    assert_eq!(code, 0, "{warned}");
    assert!(warned.contains("log-host[plain]") && warned.contains("in clear over tcp"), "{warned}");
    assert!(warned.contains("IPsec") && !warned.contains("log-host[secured]"), "{warned}");

    let firewall = play(folder.path(), &policy, 1);
    wait_for("the records of both", || (rsyslog.records().len() >= 8).then_some(()));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let (tls, tcp) = (rsyslog.tls, rsyslog.tcp);
    wait_for("all of it to be captured", || {
        (frames_that(&capture, tls, &format!("tcp.port == {tcp} && tcp.flags.fin == 1")) > 0).then_some(())
    });
    sniffer.terminate();
    let records = frames_that(&capture, tls, &format!("tcp.port == {tls} && tls.app_data"));
    assert!(records > 0, "tshark saw the records leave");
    for name in ["alice@example.net", "carol", "bob@", "10.99.0.10", "ACCESS_LOGIN", "02:00:5e:00:53:01"] {
        let is_seen = |port: u16| {
            frames_that(&capture, tls, &format!("tcp.port == {port} && tcp.payload contains \"{name}\"")) > 0
        };
        assert!(is_seen(tcp), "{name} can be read where nothing protects it: the search finds what is there");
        assert!(!is_seen(tls), "{name} can be read over TLS");
    }
}

#[test]
fn a07_each_kind_has_a_log_host_of_its_own_at_once() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let [mut users, mut results] = ["users", "results"].map(|name| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        Rsyslog::start(&folder, &certificates)
    });
    // One by default over UDP, as the vendor's; the other over TCP.
    let policy = playing(folder.path(), &frames(), SYSLOG).host("users", users.udp, "records = [\"access\"]\n").host(
        "results",
        results.tcp,
        "transport = \"tcp\"\nrecords = [\"call-status\"]\n",
    );
    let firewall = play(folder.path(), &policy, 1);
    wait_for("the result", || (!results.records().is_empty()).then_some(()));
    let records = received(firewall, &mut users, 3);
    assert!(records.iter().all(|record| record["class"] == "access" && record["input"] == "imudp"), "{records:?}");
    assert_eq!(records.len(), 3);
    results.stop();
    let records = results.records();
    assert!(records.iter().all(|record| record["class"] == "call-status" && record["input"] == "imptcp"));
    assert_eq!(records.len(), 1);
}

#[test]
fn a08_records_go_over_tls_under_a_named_policy_and_an_unknown_one_is_refused() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    // It takes nobody but fw1.test with a certificate of the authority.
    let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
    let bound = |name: &str| {
        let keys = format!("transport = \"tls\"\nssl-policy = \"{name}\"\n{BOTH}");
        playing(folder.path(), &frames(), SYSLOG).tls(&certificates).host("siem", rsyslog.tls, &keys)
    };
    let (code, said) = check(folder.path(), &bound("collector-2"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("log-host[siem].ssl-policy") && said.contains("collector-2"), "{said}");
    assert!(said.contains("did you mean \"collector\"?"), "{said}");

    let firewall = play(folder.path(), &bound("collector"), 1);
    let hosts = show(&firewall, &["access", "config"]).remove(0)["hosts"].clone();
    assert_eq!((&hosts[0]["transport"], &hosts[0]["ssl-policy"]), (&"tls".into(), &"collector".into()));
    let records = received(firewall, &mut rsyslog, 4);
    assert_eq!(records.len(), 4, "{records:?}");
    assert!(records.iter().all(|record| record["input"] == "imtcp"), "by the input that speaks TLS: {records:?}");
    assert!(records.iter().any(|record| record["account"] == "alice@example.net"));
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

/// Dora behind one VLAN, erin behind two, both with addresses of both families.
fn behind_vlans() -> Vec<Vec<u8>> {
    let user = |identifier: u8, name: &[u8], last: u8, status: u8, vlans: &[u16]| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        address[15] = last;
        let message = radius::message(
            radius::ACCOUNTING_REQUEST,
            identifier,
            &[
                (1, name),
                (4, &radius::NAS.octets()),
                (8, &[10, 99, 0, last]),
                (31, b"02-00-5E-00-53-01"),
                (40, &[0, 0, 0, status]),
                (44, &[b's', last]),
                (168, &address),
            ],
        );
        tagged(&radius::frame(&message, 1813, false), vlans)
    };
    vec![
        user(1, b"dora@example.net", 21, radius::START, &[101]),
        user(2, b"erin@example.net", 22, radius::START, &[200, 102]),
        user(3, b"erin@example.net", 22, radius::STOP, &[200, 102]),
    ]
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
            let records = collector.records();
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

/// A UDP port, and the datagrams that come there.
fn datagrams(socket: &UdpSocket, count: usize) -> Vec<String> {
    socket.set_nonblocking(true).unwrap();
    let (mut found, mut room) = (Vec::new(), vec![0; 65_536]);
    wait_for("the datagrams", || {
        while let Ok(length) = socket.recv(&mut room) {
            found.push(String::from_utf8(room[..length].to_vec()).unwrap());
        }
        (found.len() >= count).then_some(())
    });
    found
}

#[test]
fn a11_syslog_and_huawei_send_one_event_a_datagram() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = |at: usize| sockets[at].local_addr().unwrap().port();
    let policy = playing(
        folder.path(),
        &frames(),
        "[log.access]\nenable = true\nversion = 1\n[log.call-status]\nenable = true\n",
    )
    .host("siem", port(0), &format!("format = \"syslog\"\n{BOTH}"))
    .host("nms", port(1), &format!("format = \"huawei\"\n{BOTH}"));
    let firewall = play(folder.path(), &policy, 1);
    let syslog = datagrams(&sockets[0], 4);
    let huawei = datagrams(&sockets[1], 4);
    assert_eq!(firewall.stop().0, 0);
    let kinds = [
        (" CALL_STATUS ", "USER_AUTHENRESULT(l):[USER_INFO_AUTHENTICATION]", "bob"),
        (" ACCESS_LOGIN ", "USER_ACCESSRESULT(l):[USER_INFO_ACCESS]", "alice"),
        (" ACCESS_LOGIN ", "USER_ACCESSRESULT(l):[USER_INFO_ACCESS]", "carol"),
        (" ACCESS_LOGOUT ", "USER_OFFLINERESULT(l):[USER_INFO_OFFLINE]", "carol"),
    ];
    assert_eq!((syslog.len(), huawei.len()), (4, 4), "{syslog:?} {huawei:?}");
    for (at, (msgid, event, name)) in kinds.into_iter().enumerate() {
        let is_one = |text: &str, word: &str| {
            let names = ["bob", "alice", "carol"].into_iter().filter(|name| text.contains(&format!("{name}@")));
            text.matches(word).count() == 1 && names.eq([name])
        };
        assert!(is_one(&syslog[at], msgid) && syslog[at].starts_with('<'), "{}", syslog[at]);
        assert!(is_one(&huawei[at], event) && huawei[at].matches("%%01CM/5/").count() == 1, "{}", huawei[at]);
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
        records.iter().map(|record| format!("{} {}", text(record, "action"), text(record, "account"))).collect();
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

#[test]
fn a18_received_is_sent_dropped_queued_and_uncarried_for_every_host() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut frames: Vec<Vec<u8>> =
        (0..30).map(|n| start(n, &[b'u', n], [10, 99, 1, n].into(), &format!("t{n}"))).collect();
    frames.extend(behind_vlans());
    let down =
        |format: &str| format!("transport = \"tcp\"\nqueue = 16\nformat = \"{format}\"\nrecords = [\"access\"]\n");
    let policy = playing(folder.path(), &frames, "[log.access]\nenable = true\nversion = 1\n")
        .host("up", socket.local_addr().unwrap().port(), "format = \"syslog\"\nrecords = [\"access\"]\n")
        .host("down", free_port(), &down("syslog"))
        .host("narrow", free_port(), &down("binary"));
    let firewall = play(folder.path(), &policy, 1);
    firewall_sends(&firewall, "up", 33);
    let statistics = show(&firewall, &["access", "statistics"]).remove(0);
    assert_eq!(statistics["received"], 33);
    let keys = ["records", "sent", "dropped", "queued", "uncarried"];
    let counts: BTreeMap<&str, [u64; 5]> = statistics["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| (host["name"].as_str().unwrap(), keys.map(|key| host[key].as_u64().unwrap())))
        .collect();
    assert_eq!(counts["up"], [33, 33, 0, 0, 0]);
    assert_eq!(counts["down"], [33, 0, 17, 16, 0]);
    // Two VLANs are nothing for version 1.
    assert_eq!(counts["narrow"], [33, 0, 15, 16, 2]);
    for [records, parts @ ..] in counts.values() {
        assert_eq!(*records, parts.iter().sum::<u64>());
    }
    assert_eq!(statistics["sent"], 33);
    firewall.stop();
}

/// Waits until a host has got so many.
fn firewall_sends(firewall: &Firewall, name: &str, count: u64) {
    wait_for("a host to take its records", || {
        let statistics = show(firewall, &["access", "statistics"]).remove(0);
        let host = statistics["hosts"].as_array()?.iter().find(|host| host["name"] == name)?;
        (host["sent"] == count).then_some(())
    });
}

#[test]
fn a22_login_logout_and_result_wait_for_the_collector_and_arrive() {
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rsyslog = Rsyslog::start(folder.path(), &Certificates::make(folder.path()));
    rsyslog.stop();
    let policy =
        playing(folder.path(), &frames(), SYSLOG).host("siem", rsyslog.tcp, &format!("transport = \"tcp\"\n{BOTH}"));
    let firewall = play(folder.path(), &policy, 1);
    let waiting = |class: &str| show(&firewall, &[class, "buffer"]).remove(0)["waiting"].as_u64();
    assert_eq!((waiting("access"), waiting("call-status")), (Some(3), Some(1)));
    let mut held = Vec::new();
    for class in ["access", "call-status"] {
        let rows = show(&firewall, &[class, "buffer", "--packet", "0"]);
        held.extend(
            rows.iter().map(|row| (row["fields"]["seq"].as_u64().unwrap(), text(&row["fields"], "action").to_owned())),
        );
    }
    rsyslog.resume();
    wait_for("the buffers to be empty", || {
        ((waiting("access"), waiting("call-status")) == (Some(0), Some(0))).then_some(())
    });
    assert_eq!(ask(&firewall, &["show", "access", "buffer", "--packet", "0"]).stdout, b"no record waits there\n");
    let records = received(firewall, &mut rsyslog, 4);
    let mut arrived: Vec<(u64, String)> = records
        .iter()
        .map(|record| (text(record, "seq").parse().unwrap(), text(record, "action").to_owned()))
        .collect();
    // What was not wholly written when a connection broke comes again, by its number.
    arrived.sort_unstable();
    arrived.dedup();
    held.sort_unstable();
    assert_eq!(arrived, held, "what was shown as waiting is what came");
    let mut actions: Vec<&str> = arrived.iter().map(|(_, action)| action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["login", "login", "logout", "result"]);
}
