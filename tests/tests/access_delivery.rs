//! How records of access users are delivered, row by row of what the vendor's function promises, through the running firewall:
//! each test is named after its row.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use ostiary_tests::access::{
    BOTH, SYSLOG, ask, behind_vlans, check, field, frames, play, playing, received, show, start,
};
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::process::{Running, free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;

/// What tshark shows of a capture: how many frames fit a filter.
fn frames_that(capture: &Path, tls: u16, filter: &str) -> usize {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-d", &format!("tcp.port=={tls},tls"), "-Y", filter]);
    let output = command.args(["-T", "fields", "-e", "frame.number"]).output().unwrap();
    assert!(output.status.success(), "{filter}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().count()
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
    let cautioned = |host: &str| warned.split("warning: ").any(|one| one.contains(host) && one.contains("IPsec"));
    assert!(cautioned("log-host[plain]") && !cautioned("log-host[secured]"), "{warned}");

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
            rows.iter().map(|row| (row["fields"]["seq"].as_u64().unwrap(), field(&row["fields"], "action").to_owned())),
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
        .map(|record| (field(record, "seq").parse().unwrap(), field(record, "action").to_owned()))
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
