//! A subscriber signs on by RADIUS through the running firewall: a real server, a real client, and what radsniff and the
//! server's detail file say of it, field by field. Then the subscriber signs on to a messenger, and the messenger's record names
//! who it is.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, bound_udp, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{qq, skip};
use serde_json::Value;

/// What the access server and the RADIUS server share.
const SECRET: &str = "testing123";
/// Passwords; no output may have one.
const PASSWORD: &str = "wonder-4711";
const WRONG_PASSWORD: &str = "guessed-0815";

const PERMIT: &str = "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = true\n";

/// The access server says the same of the subscriber each time.
const SUBSCRIBER: &str = "User-Name=alice@isp,NAS-IP-Address=198.18.0.1,NAS-Identifier=bras1,NAS-Port=301,\
                          NAS-Port-Id=\"eth 0/1:301\",Calling-Station-Id=02-00-00-00-00-09";
const SESSION: &str = "Acct-Session-Id=s-17,Framed-IP-Address=198.18.0.1,Framed-IPv6-Address=2001:db8::5,\
                       Delegated-IPv6-Prefix=2001:db8:5::/48,Class=0x676f6c64";

/// The subscriber's side, the firewall, and the servers' side with a RADIUS server.
struct Bed {
    lab: Lab,
    folder: tempfile::TempDir,
    firewall: Firewall,
    rsyslog: Rsyslog,
    radius: Running,
    sniffer: Running,
}

impl Bed {
    /// None, and said, where this machine cannot.
    fn build() -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["freeradius", "radclient", "radsniff", "rsyslogd", "tcpdump"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let radius = radius_server(&lab, folder.path());
        let capture = folder.path().join("radius.pcap");
        // Every packet is in the file as soon as it comes.
        let mut sniffer = lab.server("tcpdump");
        sniffer.args(["-i", "s0", "--immediate-mode", "-U", "-w"]).arg(&capture).arg("udp portrange 1812-1813");
        let sniffer = Running::start(sniffer.stderr(Stdio::null()));
        wait_for("tcpdump to capture", || std::fs::metadata(&capture).is_ok_and(|file| file.len() >= 24).then_some(()));
        let certificates = Certificates::make(folder.path());
        let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
            .rule("all", PERMIT)
            .tls(&certificates)
            .host("siem", rsyslog.tls, "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n");
        policy.full = true;
        policy.rest += &format!(
            "[log.access]\nenable = true\ntype = \"syslog\"\n[log.call-status]\nenable = true\ntype = \"syslog\"\n\
             [[access.nas]]\nname = \"bras1\"\naddress = [\"{CLIENT}\"]\nsecret-file = \"{}\"\n",
            secret.display()
        );
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
        Some(Self { lab, folder, firewall, rsyslog, radius, sniffer })
    }

    /// radclient; whether it got an answer that it believes and that does not refuse.
    fn ask(&self, command: &str, attributes: &str, secret: &str) -> bool {
        let port = if command == "auth" { 1812 } else { 1813 };
        let mut client = self.lab.client("radclient");
        client.args(["-q", "-r", "1", "-t", if secret == SECRET { "20" } else { "2" }]);
        client.args([&format!("{SERVER}:{port}"), command, secret]);
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(format!("{attributes}\n").as_bytes()).unwrap();
        client.wait().unwrap().success()
    }

    fn account(&self, status: &str, more: &str) -> bool {
        self.ask("acct", &format!("{SUBSCRIBER},{SESSION},Acct-Status-Type={status}{more}"), SECRET)
    }

    /// Ends it all; what rsyslog received, what radsniff saw, and what the server wrote down.
    fn finish(self) -> Seen {
        let Self { lab, folder, firewall, mut rsyslog, mut radius, mut sniffer } = self;
        firewall.wait_until_sent();
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
        rsyslog.stop();
        sniffer.terminate();
        radius.terminate();
        let mut radsniff = lab.server("radsniff");
        radsniff.args(["-x", "-s", SECRET, "-I"]).arg(folder.path().join("radius.pcap"));
        let sniffed = String::from_utf8(radsniff.output().unwrap().stdout).unwrap();
        let detail = std::fs::read_to_string(folder.path().join("radlog/detail")).unwrap();
        for message in rsyslog.messages() {
            let message = message.to_string();
            for secret in [SECRET, PASSWORD, WRONG_PASSWORD] {
                assert!(!message.contains(secret), "{message}");
            }
        }
        Seen { records: rsyslog.records(), sniffed: paragraphs(&sniffed), detail: paragraphs(&detail) }
    }
}

fn radius_server(lab: &Lab, folder: &Path) -> Running {
    let log: PathBuf = folder.join("radlog");
    std::fs::create_dir_all(&log).unwrap();
    let users = folder.join("users");
    let reply = "Reply-Message = \"Welcome\", Session-Timeout = 3600, Class = 0x676f6c64";
    std::fs::write(&users, format!("alice@isp Cleartext-Password := \"{PASSWORD}\"\n\t{reply}\n")).unwrap();
    let configuration = format!(
        r#"prefix = /usr
logdir = {log}
run_dir = {log}
libdir = /usr/lib/freeradius
name = radiusd
pidfile = {log}/radiusd.pid
security {{
	user = root
	group = root
	allow_core_dumps = no
}}
log {{
	destination = stdout
}}
client bed {{
	ipaddr = 198.18.0.0/24
	secret = {SECRET}
}}
modules {{
	files {{
		usersfile = {users}
	}}
	pap {{
	}}
	detail {{
		filename = {log}/detail
		header = "%t"
	}}
}}
server default {{
	listen {{
		type = auth
		ipaddr = {SERVER}
		port = 1812
	}}
	listen {{
		type = acct
		ipaddr = {SERVER}
		port = 1813
	}}
	authorize {{
		files
		pap
	}}
	authenticate {{
		Auth-Type PAP {{
			pap
		}}
	}}
	preacct {{
	}}
	accounting {{
		detail
	}}
}}
"#,
        log = log.display(),
        users = users.display(),
    );
    std::fs::write(folder.join("radiusd.conf"), configuration).unwrap();
    let mut server = lab.server("freeradius");
    server.args(["-f", "-l", "stdout", "-d"]).arg(folder).stdout(File::create(log.join("out")).unwrap());
    let mut server = Running::start(&mut server);
    wait_for("freeradius", || {
        let said = std::fs::read_to_string(log.join("out")).unwrap_or_default();
        assert_eq!(server.ended(), None, "{said}");
        (bound_udp(server.pid(), 1812) && bound_udp(server.pid(), 1813)).then_some(())
    });
    server
}

struct Seen {
    records: Vec<Value>,
    sniffed: Vec<Paragraph>,
    detail: Vec<Paragraph>,
}

/// A line, and the attributes that stand indented under it.
#[derive(Debug)]
struct Paragraph {
    head: String,
    attributes: BTreeMap<String, String>,
}

fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix('\t').and_then(|line| line.split_once(" = ")), paragraphs.last_mut()) {
            (Some((name, value)), Some(paragraph)) => {
                paragraph.attributes.insert(name.to_owned(), value.trim_matches('"').to_owned());
            }
            _ => paragraphs.push(Paragraph { head: line.to_owned(), attributes: BTreeMap::new() }),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.attributes.is_empty());
    paragraphs
}

impl Paragraph {
    fn is(&self, code: &str) -> bool {
        self.head.contains(&format!(" {code} Id "))
    }

    fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("-", String::as_str)
    }

    /// What a record has to say of the same: field and value.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mac = self.get("Calling-Station-Id").replace('-', ":").to_lowercase();
        let class = match self.get("Class") {
            "0x676f6c64" => "gold",
            other => other,
        };
        [
            ("account", "User-Name"),
            ("user", "User-Name"),
            ("ipv4", "Framed-IP-Address"),
            ("ipv6", "Framed-IPv6-Address"),
            ("prefix", "Delegated-IPv6-Prefix"),
            ("nas", "NAS-IP-Address"),
            ("nas-id", "NAS-Identifier"),
            ("nas-port", "NAS-Port"),
            ("nas-port-id", "NAS-Port-Id"),
            ("session-id", "Acct-Session-Id"),
        ]
        .into_iter()
        .map(|(field, attribute)| (field, self.get(attribute).to_owned()))
        .chain([("mac", mac), ("group", class.to_owned())])
        .collect()
    }
}

impl Seen {
    fn records(&self, class: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["class"] == class).collect()
    }
}

#[track_caller]
fn assert_fields(record: &Value, expected: &[(&'static str, String)]) {
    for (field, value) in expected {
        assert_eq!(record[field].as_str().unwrap_or("-"), value, "{field}: {record}");
    }
}

/// The time of day of a record, in seconds.
fn seconds(time: &Value) -> i64 {
    let text = time.as_str().unwrap();
    let parts: Vec<i64> = text[11..19].split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600 + parts[1] * 60 + parts[2]
}

#[test]
fn a02_each_record_has_name_operation_time_interface_address_mac() {
    let Some(bed) = Bed::build() else { return };
    let password = |password: &str| format!("{SUBSCRIBER},User-Password={password}");
    assert!(bed.ask("auth", &password(PASSWORD), SECRET));
    assert!(!bed.ask("auth", &password(WRONG_PASSWORD), SECRET));
    assert!(bed.account("Start", ""));
    assert!(bed.account("Interim-Update", ",Acct-Input-Octets=1000,Acct-Output-Octets=2000"));
    // Whoever does not know the secret signs nobody off, and nobody on.
    let forged = format!("{SUBSCRIBER},{SESSION},Acct-Status-Type=Stop");
    assert!(!bed.ask("acct", &forged, "wrong-secret"));
    assert!(!bed.ask("acct", &forged.replace("alice", "mallory").replace("Stop", "Start"), "wrong-secret"));
    assert!(bed.firewall.counter("radius_forged") >= 2);
    let counts = ",Acct-Input-Octets=123456,Acct-Output-Octets=654321,Acct-Input-Packets=100,Acct-Output-Packets=200,\
                  Acct-Output-Gigawords=1,Acct-Terminate-Cause=User-Request";
    assert!(bed.account("Stop", counts));
    let seen = bed.finish();

    // Three kinds of records; a refusal is a result, and no login.
    let words = |record: &Value| {
        ["action", "result", "reason"].map(|field| record[field].as_str().unwrap_or_default().to_owned()).join(" ")
    };
    let results = seen.records("call-status");
    let results: Vec<String> = results.into_iter().map(words).collect();
    assert_eq!(results, ["result ok accepted", "result fail rejected"]);
    let users: Vec<String> = seen.records("access").into_iter().map(words).collect();
    assert_eq!(users, ["login  message", "logout  user-request"]);

    // Verdicts, as radsniff has them: the name of the request, the message of the answer.
    let requests = seen.sniffed.iter().filter(|packet| packet.is("Access-Request"));
    for (record, request) in seen.records("call-status").into_iter().zip(requests) {
        let mut expected = request.fields();
        expected.retain(|(field, _)| *field != "group");
        assert_fields(record, &expected);
        assert_eq!((record["application"].as_str(), record["trust"].as_str()), (Some("radius"), Some("verified")));
        assert!(
            request.attributes.contains_key("User-Password"),
            "radsniff reads it, the record has none: {request:?}"
        );
    }
    let accept = seen.sniffed.iter().find(|packet| packet.is("Access-Accept")).unwrap();
    assert_eq!(seen.records("call-status")[0]["message"], accept.get("Reply-Message"));
    assert_eq!(seen.records("call-status")[0]["group"], "gold");

    // Accounting, as radsniff and the server's own detail file have it.
    assert_eq!(seen.detail.len(), 3);
    for (record, status) in seen.records("access").into_iter().zip(["Start", "Stop"]) {
        let detail = seen.detail.iter().find(|entry| entry.get("Acct-Status-Type") == status).unwrap();
        let name = detail.get("User-Name");
        let is_it = |packet: &&Paragraph| {
            packet.is("Accounting-Request")
                && packet.get("Acct-Status-Type") == status
                && packet.get("User-Name") == name
                && (status == "Start" || packet.attributes.contains_key("Acct-Terminate-Cause"))
        };
        let sniffed = seen.sniffed.iter().find(is_it).unwrap();
        assert_fields(record, &detail.fields());
        assert_fields(record, &sniffed.fields());
        assert_eq!(record["interface"], "inside");
        assert_eq!(record["client-interface"], "inside");
        assert_eq!(record["trust"], "verified");
        assert_eq!(record["identifies"], "person");
        let time = &record[if status == "Start" { "login-time" } else { "logout-time" }];
        let stamp: i64 = detail.get("Timestamp").parse().unwrap();
        assert!((seconds(time) - stamp % 86_400).abs() <= 1, "{time} {stamp}");
        if status == "Stop" {
            let gigaword = 1_u64 << 32;
            let to_user: u64 = detail.get("Acct-Output-Octets").parse::<u64>().unwrap() + gigaword;
            assert_fields(
                record,
                &[
                    ("from-user-octets", detail.get("Acct-Input-Octets").to_owned()),
                    ("from-user-packets", detail.get("Acct-Input-Packets").to_owned()),
                    ("to-user-octets", to_user.to_string()),
                    ("to-user-packets", detail.get("Acct-Output-Packets").to_owned()),
                ],
            );
        }
    }
}

/// *This account was online from this address, which was this subscriber's, on this port.*
#[test]
fn a_messengers_record_names_the_subscriber_of_its_address() {
    let Some(bed) = Bed::build() else { return };
    assert!(bed.account("Start", ""));
    let account = qq::sign_on_and_off(&bed.lab);
    assert!(bed.account("Stop", ""));
    let seen = bed.finish();
    let sign_ons = seen.records.iter().filter(|record| record["application"] == "qq" && record["event"] == "signon");
    let sign_ons: Vec<&Value> = sign_ons.collect();
    assert_eq!(sign_ons.len(), 2, "{:?}", seen.records);
    let expected = |record: &Value| {
        assert_fields(
            record,
            &[
                ("user", "alice@isp".to_owned()),
                ("user-mac", "02:00:00:00:00:09".to_owned()),
                ("user-interface", "inside".to_owned()),
            ],
        );
    };
    for record in sign_ons {
        assert_eq!((record["account"].as_str(), record["client"].as_str()), (Some(&*account), Some("198.18.0.1:4009")));
        expected(record);
    }
    // The session's end comes after the subscriber's, and is told with who it was.
    let is_qq =
        |record: &&Value| record["server"] == format!("{SERVER}:{}", qq::PORTS.1) && record["event"] != "signon";
    let sessions: Vec<&Value> = seen.records.iter().filter(is_qq).collect();
    assert!(sessions.len() >= 2, "{:?}", seen.records);
    sessions.into_iter().for_each(expected);
}
