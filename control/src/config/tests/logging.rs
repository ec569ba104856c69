//! Faults of `[log.*]`, `[[log-host]]` and `[ssl-policy.NAME]`.

use std::time::Duration;

use super::*;
use crate::export::spool::Spooler;
use crate::export::{
    BinaryOptions, Connect, FileSync, Form, Format, Framing, GroupMode, Payload, Rank, SpoolLimits, Target,
    TextOptions, TlsVersion, Transport,
};
use crate::record::{BootId, Class};

const HOST: &str = "[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\n";

/// A log host with this line as its fourth.
fn host(lines: &str) -> String {
    format!("{HOST}{lines}\n")
}

#[track_caller]
fn refused_host(lines: &str, line: usize, key: &str, expected: &str, advice: &str) {
    refused(&host(lines), line, &format!("log-host[h].{key}"), expected, advice);
}

#[test]
fn a_host_has_defaults() {
    let compiled = compiled(HOST);
    let [host] = &compiled.hosts[..] else { panic!("one host") };
    assert_eq!((&*host.name, host.target.to_string()), ("h", "192.0.2.9:4739".to_owned()));
    assert!(matches!(host.transport, Transport::Udp));
    assert_eq!(host.records, Class::ALL.iter().map(|class| (*class, Format::Binary)).collect::<Vec<_>>());
    assert_eq!((host.queue, host.binary.observation_domain, host.framing), (65_536, 1, Framing::OctetCounting));
    assert_eq!(host.backoff, (Duration::from_secs(1), Duration::from_secs(60)));
    assert!(host.time_zone.is_none());
}

#[test]
fn a_host_may_be_connected_to_for_a_record_only() {
    let compiled = compiled(&host("transport = \"tcp\"\nconnect = \"on-event\""));
    assert_eq!(compiled.hosts[0].connect, Connect::OnEvent);
    refused_host("connect = \"never\"", 4, "connect", "on-event", "");
    let file = "[[log-host]]\nname = \"h\"\ntransport = \"file\"\npath = \"/x\"\nconnect = \"on-event\"\n";
    refused(file, 5, "log-host[h].connect", "over the network", "remove it");
}

#[test]
fn default_ports_are_those_of_format_and_transport() {
    let policy = "[ssl-policy.p]\nca = \"/x\"\n";
    for (lines, port) in [
        ("format = \"binary\"\ntransport = \"udp\"", 4739),
        ("format = \"binary\"\ntransport = \"tcp\"", 4739),
        ("format = \"binary\"\ntransport = \"tls\"\nssl-policy = \"p\"", 4740),
        ("format = \"syslog\"\ntransport = \"udp\"", 514),
        ("format = \"syslog\"\ntransport = \"tcp\"", 514),
        ("format = \"huawei\"", 514),
        ("format = \"json\"", 514),
        ("format = \"syslog\"\ntransport = \"relp\"", 20_514),
        ("format = \"syslog\"\ntransport = \"relp-tls\"\nssl-policy = \"p\"", 20_514),
        ("format = \"syslog\"\ntransport = \"tls\"\nssl-policy = \"p\"", 6514),
        ("port = 99", 99),
    ] {
        let policy = if lines.contains("tls") { policy } else { "" };
        let text = format!("{BASE}{}{policy}", host(lines));
        let (compiled, _) = load_text(&text, Purpose::Replay).unwrap();
        assert_eq!(compiled.hosts[0].target.port(), Some(port), "{lines}");
    }
}

#[test]
fn im_records_follow_the_session_type_unless_told_otherwise() {
    let formats = |log: &str, lines: &str| compiled(&format!("{log}{}", host(lines))).hosts[0].records.clone();
    let im = "records = [\"im\"]";
    assert_eq!(formats("", im), [(Class::Im, Format::Binary)]);
    assert_eq!(formats("[log.session]\ntype = \"syslog\"\n", im), [(Class::Im, Format::Syslog)]);
    let own = "[log.session]\ntype = \"syslog\"\n[log.im]\ntype = \"binary\"\n";
    assert_eq!(formats(own, im), [(Class::Im, Format::Binary)]);
    assert_eq!(formats(own, "format = \"syslog\"\nrecords = [\"im\"]"), [(Class::Im, Format::Syslog)]);
}

#[test]
fn hosts_are_checked() {
    refused("[[log-host]]\naddress = \"192.0.2.9\"\n", 1, "log-host[1].name", "the log host's name", "add name");
    refused("[[log-host]]\nname = \"h\"\n", 1, "log-host[h].address", "an IP address", "add address");
    refused("[[log-host]]\nname = \"h\"\naddress = \"192.0.2\"\n", 3, "log-host[h].address", "or a name", "looked up");
    refused("[[log-host]]\nname = \"h\"\naddress = \"0.0.0.0\"\n", 3, "log-host[h].address", "an IP address", "");
    refused(&format!("{HOST}{HOST}"), 5, "log-host[2].name", "of its own", "line 12");
    refused_host("port = 0", 4, "port", "from 1 to 65535", "");
    refused_host("transport = \"quic\"", 4, "transport", "\"udp\", \"tcp\", \"tls\"", "");
    refused_host("transport = \"sctp\"", 4, "transport", "\"tls\", \"relp\"", "SCTP is a module");
    let trail = compiled(&host("records = [\"audit\"]")).hosts.remove(0);
    assert_eq!(trail.records, [(Class::Audit, Format::Binary)], "only where it is asked for");
    refused_host("rate-limit = { audit = 5 }", 4, "rate-limit.audit", "a class that may be limited", "remove it");
    refused_host("format = \"huawei\"\nrecords = [\"audit\"]", 5, "records", "access or call-status", "");
    refused_host("records = [\"accessed\"]", 4, "records", "\"access\", \"call-status\"", "\"access\"");
    refused_host("records = [\"imm\"]", 4, "records", "\"session\", \"im\"", "\"im\"");
    refused_host("records = [\"im\", \"im\"]", 4, "records", "each class once", "remove");
    refused_host("format = \"xml\"", 4, "format", "\"rfc3164\", \"json\", \"cef\", \"huawei\"", "");
    refused_host("format = \"huawei\"\nrecords = [\"im\"]", 5, "records", "access or call-status", "another log host");
    refused("[log.session]\ntype = \"huawei\"\n", 2, "log.session.type", "\"binary\", \"syslog\"", "");
    let huawei = compiled(&host("format = \"huawei\"")).hosts[0].records.clone();
    assert_eq!(huawei, [(Class::Access, Format::Huawei), (Class::CallStatus, Format::Huawei)]);
    refused_host("queue = 1", 4, "queue", "from 16", "");
    refused_host("transport = \"tcp\"\nretry-first = \"1 ms\"", 5, "retry-first", "from \"10 ms\" to \"1 h\"", "");
    refused_host(
        "transport = \"tcp\"\nretry-first = \"9 s\"\nretry-longest = \"3 s\"",
        6,
        "retry-longest",
        "not below",
        "raise",
    );
    refused_host("tls = true", 4, "tls", "transport", "");
}

#[test]
fn keys_without_effect_are_refused() {
    refused_host("framing = \"lf\"", 4, "framing", "only for syslog", "IPFIX");
    refused_host(
        "format = \"syslog\"\nframing = \"lf\"",
        5,
        "framing",
        "only for syslog over tcp or tls",
        "tells messages apart",
    );
    refused_host("format = \"syslog\"\nobservation-domain = 3", 5, "observation-domain", "only for binary", "");
}

#[test]
fn one_host_takes_one_format() {
    let text = format!("[log.im]\ntype = \"syslog\"\n{HOST}");
    refused(&text, 3, "log-host[h].format", "one format", "two log hosts");
}

#[test]
fn tls_and_ssl_policies_go_together() {
    refused_host("ssl-policy = \"p\"", 4, "ssl-policy", "transport = \"tls\"", "remove the ssl-policy");
    refused_host("transport = \"udp\"\nssl-policy = \"p\"", 5, "ssl-policy", "transport = \"tls\"", "set transport");
    refused_host("transport = \"tcp\"\nssl-policy = \"p\"", 5, "ssl-policy", "transport = \"tls\"", "set transport");
    refused_host("transport = \"tls\"", 1, "ssl-policy", "transport = \"tls\" needs one", "[ssl-policy.NAME]");
    refused_host(
        "transport = \"tls\"\nssl-policy = \"p\"",
        5,
        "ssl-policy",
        "the name of an ssl-policy",
        "[ssl-policy.NAME]",
    );
    let near = host("transport = \"tls\"\nssl-policy = \"siem\"\n[ssl-policy.seim]\nca = \"/x\"");
    let faults = load_text(&format!("{BASE}{near}"), Purpose::Replay).unwrap_err();
    assert_eq!((faults.len(), faults[0].advice.as_str()), (1, "did you mean \"seim\"?"));
}

#[test]
fn an_ssl_policy_is_resolved() {
    let policy = "[ssl-policy.p]\nca = \"/ca\"\ncertificate = \"/crt\"\nkey = \"/key\"\nserver-name = \"siem.example\"\n\
                  crl = [\"/crl\"]\nmin-version = \"1.3\"\n";
    let text = format!("{BASE}{}{policy}", host("transport = \"tls\"\nssl-policy = \"p\""));
    let (compiled, warnings) = load_text(&text, Purpose::Replay).unwrap();
    assert_eq!(warnings, []);
    let Transport::Tls(policy) = &compiled.hosts[0].transport else { panic!("tls") };
    assert_eq!(
        (&*policy.name, policy.ca.to_str(), policy.server_name.as_deref()),
        ("p", Some("/ca"), Some("siem.example"))
    );
    assert_eq!(policy.client, Some(("/crt".into(), "/key".into())));
    assert_eq!((policy.crl.len(), policy.versions), (1, (TlsVersion::V1_3, TlsVersion::V1_3)));
}

#[test]
fn ssl_policies_are_checked() {
    for (lines, line, key, expected) in [
        ("", 1, "ca", "authorities"),
        ("ca = 1\n", 2, "ca", "a text"),
        ("ca = \"/x\"\ncertificate = \"/x\"\n", 3, "key", "the key of this certificate"),
        ("ca = \"/x\"\nkey = \"/x\"\n", 3, "certificate", "the certificate of this key"),
        ("ca = \"/x\"\nserver-name = \"a b\"\n", 3, "server-name", "a DNS name"),
        ("ca = \"/x\"\nmin-version = \"1.1\"\n", 3, "min-version", "\"1.2\", \"1.3\""),
        ("ca = \"/x\"\nmin-version = \"1.3\"\nmax-version = \"1.2\"\n", 4, "max-version", "not below the lowest"),
        ("ca = \"/x\"\ncrl = \"/x\"\n", 3, "crl", "a list"),
        ("ca = \"/x\"\nciphers = \"x\"\n", 3, "ciphers", "certificate"),
    ] {
        let faults = load_text(&format!("{BASE}[ssl-policy.p]\n{lines}"), Purpose::Replay).unwrap_err();
        let [fault] = &faults[..] else { panic!("{faults:#?}") };
        assert_eq!(
            (fault.place.line - 10, fault.place.key.as_str()),
            (line, &*format!("ssl-policy.p.{key}")),
            "{fault}"
        );
        assert!(fault.expected.contains(expected), "{fault}");
    }
    refused("[ssl-policy]\np = 1\n", 2, "ssl-policy.p", "a table", "[ssl-policy.p]");
}

#[test]
fn log_sections_are_checked() {
    refused("[log.session]\ntype = \"text\"\n", 2, "log.session.type", "\"binary\", \"syslog\"", "");
    refused("[log.session]\nenable = true\n", 2, "log.session.enable", "type", "");
    refused("[log.im]\nenable = 1\n", 2, "log.im.enable", "true or false", "");
    refused("[log.im]\naccount = \"hash\"\n", 2, "log.im.account", "\"clear\", \"pseudonym\", \"omit\"", "");
    refused(
        "[log.im]\naccount = \"pseudonym\"\n",
        1,
        "log.im.pseudonym-key-file",
        "the file of the key",
        "/dev/urandom",
    );
    refused("[log.im]\npseudonym-key-file = \"/x\"\n", 2, "log.im.pseudonym-key-file", "only account", "pseudonym");
    refused(
        "[log.im]\napplications = [\"icq\"]\n",
        2,
        "log.im.applications",
        "signature database",
        "ostiary sigdb show",
    );
    refused("[log.flow]\n", 1, "log.flow", "im, session", "");
    assert!(!compiled("[log.im]\ntype = \"syslog\"\n").im.enable);
}

#[test]
fn a_pseudonym_key_is_read_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let text = format!("[log.im]\naccount = \"pseudonym\"\npseudonym-key-file = \"{}\"\n", file.display());
    refused(&text, 3, "log.im.pseudonym-key-file", "a file that can be read", "make the key");
    std::fs::write(&file, "short\n").unwrap();
    refused(&text, 3, "log.im.pseudonym-key-file", "at least 16 octets", "/dev/urandom");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let pseudonym = compiled(&text).im.accounts.write("qq", "10001", None).account.unwrap();
    // printf 10001 | openssl dgst -sha256 -hmac 0123456789abcdef
    assert_eq!(&*pseudonym, PSEUDONYM_OF_10001);
}

#[test]
fn applications_may_have_their_accounts_written_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "fedcba9876543210\n0123456789abcdef\n").unwrap();
    let named = "[log.im.accounts]\nqq = \"pseudonym\"\nwechat = \"omit\"\n";
    let key = format!("[log.im]\npseudonym-key-file = \"{}\"\n", file.display());
    let im = compiled(&(key + named)).im;
    let written = |application: &str| im.accounts.write(application, "10001", None);
    assert_eq!(written("irc").account.as_deref(), Some("10001"));
    assert_eq!(written("wechat").account, None);
    let pseudonym = written("qq");
    assert_ne!(pseudonym.account.as_deref(), Some(PSEUDONYM_OF_10001), "the first line makes them");
    assert!(pseudonym.key.is_some());
    refused(named, 1, "log.im.pseudonym-key-file", "the file of the key", "/dev/urandom");
    refused("[log.im.accounts]\nqq = \"hash\"\n", 2, "log.im.accounts.qq", "\"omit\"", "");
    refused("[log.im.accounts]\nqqq = \"omit\"\n", 2, "log.im.accounts.qqq", "signature database", "\"qq\"");
    refused("[log.im]\nusers-per-address = 0\n", 2, "log.im.users-per-address", "from 1", "");
}

const PSEUDONYM_OF_10001: &str = "ac3776cb6974d52d67825d54b29cbfee";

#[test]
fn rate_limits_are_of_classes() {
    let limited = host("rate-limit = { session = 20_000, im = 5 }");
    assert_eq!(compiled(&limited).hosts[0].limits, [(Class::Session, 20_000), (Class::Im, 5)]);
    refused_host("rate-limit = { sessions = 5 }", 4, "rate-limit.sessions", "session, im, attack, access", "");
    refused_host("rate-limit = { im = 0 }", 4, "rate-limit.im", "from 1 to", "");
    refused_host("rate-limit = 5", 4, "rate-limit", "a table", "");
}

#[test]
fn a_host_may_be_named_and_bound_to_a_way() {
    let way = "source-address = \"192.0.2.1\"\ninterface = \"lo\"\nnamespace = \"/proc/self/ns/net\"\ndscp = \"af21\"";
    let named = format!("[[log-host]]\nname = \"h\"\naddress = \"siem.example.net\"\n{way}\n");
    assert_eq!(warnings_of(&named), []);
    let host = &compiled(&named).hosts[0];
    assert_eq!(host.target, Target::Name { name: "siem.example.net".into(), port: 4739 });
    assert_eq!((host.via.source, host.via.interface.as_deref()), (Some("192.0.2.1".parse().unwrap()), Some("lo")));
    assert_eq!((host.via.namespace.as_deref(), host.via.dscp), (Some(Path::new("/proc/self/ns/net")), Some(18)));
    refused_host("dscp = 64", 4, "dscp", "0 to 63", "");
    refused_host("source-address = \"::\"", 4, "source-address", "an IP address", "");
    refused_host("interface = \"a-name-too-long-for-one\"", 4, "interface", "at most 15", "");
    refused_host("namespace = \"../x\"", 4, "namespace", "network namespace", "ip netns");
    warned(&self::host("interface = \"nowhere0\""), 4, "log-host[h].interface", "no interface nowhere0");
    warned(&self::host("namespace = \"nowhere0\""), 4, "log-host[h].namespace", "/run/netns/nowhere0 is not there");
}

#[test]
fn windows_are_of_transports_that_have_them() {
    let text = "format = \"syslog\"\n";
    let relp = compiled(&host(&format!("{text}transport = \"relp\"\nwindow = 64\nstall = \"2 s\""))).hosts[0].clone();
    assert!(matches!(relp.transport, Transport::Relp));
    assert_eq!((relp.window.frames, relp.patience.stall), (64, Duration::from_secs(2)));
    let tcp = "transport = \"tcp\"\nresend-window = \"8 MiB\"\nresend-age = \"1 min\"";
    let tcp = compiled(&host(tcp)).hosts[0].clone();
    assert_eq!((tcp.window.reserve, tcp.window.age), (8 << 20, Duration::from_secs(60)));
    refused_host("transport = \"tcp\"\nwindow = 64", 5, "window", "only with relp", "remove");
    refused_host(&format!("{text}transport = \"relp\"\nresend-age = \"1 min\""), 6, "resend-age", "tcp or tls", "");
    refused_host(&format!("{text}transport = \"relp\"\nframing = \"lf\""), 6, "framing", "tcp or tls", "");
    refused_host("resend-window = \"8 MiB\"", 4, "resend-window", "tcp or tls", "");
    refused_host("stall = \"31 s\"", 4, "stall", "to \"30 s\"", "");
    refused_host("transport = \"relp\"", 1, "format", "a text format", "");
    refused_host("transport = \"relp\"\nformat = \"binary\"", 5, "format", "a text format", "");
    let small = host("transport = \"tcp\"\nresend-window = \"1 MiB\"");
    warned(&small, 5, "log-host[h].resend-window", "a host's kernel may hold more");
}

#[test]
fn templates_are_refreshed_over_udp_only() {
    let refresh = "template-refresh = \"10 s\"\ntemplate-messages = 20";
    assert_eq!(compiled(&host(refresh)).hosts[0].binary.refresh, (Duration::from_secs(10), 20));
    refused_host("transport = \"tcp\"\ntemplate-messages = 20", 5, "template-messages", "only over udp", "");
    refused_host("format = \"syslog\"\ntemplate-refresh = \"10 s\"", 5, "template-refresh", "only for binary", "");
}

#[test]
fn what_a_later_version_has_of_log_hosts_is_refused_by_name() {
    let fault =
        faults_of(&host("sasl = \"plain\"")).into_iter().find(|fault| fault.to_string().contains("not implemented"));
    assert_eq!(fault.expect("a fault").place.key, "log-host[h].sasl");
}

#[test]
fn a_spool_needs_a_state_directory_and_a_host_has_its_own_of_each_key() {
    let spool = "[log.spool]\nenable = true\nsize = \"1 GiB\"\nreplay-share = 80\nwhen-full = \"drop-new\"\n";
    let fault = faults_of(&format!("{spool}{HOST}")).remove(0).to_string();
    assert!(fault.contains("state-directory"), "{fault}");
    let hosts = |lines: &str| {
        let text = format!("[system]\nstate-directory = \"/var/lib/ostiary\"\n{BASE}{spool}{}", host(lines));
        load_text(&text, Purpose::Run).expect("it is whole").0
    };
    let limits = hosts("").hosts[0].spool.clone().expect("a spool");
    assert_eq!((limits.octets, limits.share, limits.drop_new), (1 << 30, 80, true));
    assert_eq!(limits.age, Duration::from_secs(7 * 86_400));
    let own = hosts("spool = { size = \"32 MiB\" }").hosts[0].spool.clone().expect("a spool");
    assert_eq!((own.octets, own.share), (32 << 20, 80));
    let none = hosts("spool = false");
    assert_eq!((none.hosts[0].spool.clone(), none.delivery().spool), (None, None));
    assert_eq!(hosts("").delivery().spool, Some("/var/lib/ostiary/spool".into()));
}

#[test]
fn a_host_that_can_be_away_and_keeps_nothing_is_warned_of() {
    let warnings = |log: &str, lines: &str| {
        let text = format!("[system]\nstate-directory = \"/var/lib/none\"\n{BASE}{log}{}", host(lines));
        let (_, warnings) = load_text(&text, Purpose::Run).expect("it is whole");
        warnings.into_iter().filter(|warning| warning.advice.contains("[log.spool]")).count()
    };
    assert_eq!((warnings("", "transport = \"tcp\""), warnings("", "transport = \"udp\"")), (1, 0));
    assert_eq!(warnings("", "transport = \"tcp\"\nspool = false"), 0);
    assert_eq!(warnings("[log.spool]\nenable = true\n", "transport = \"tcp\""), 0);
}

#[test]
fn what_is_on_disk_of_a_host_that_is_no_more_is_warned_of() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("spool");
    let spooler = Spooler::start(&folder, BootId(1)).unwrap();
    let limits =
        SpoolLimits { octets: 16 << 20, age: Duration::from_secs(3_600), share: 50, sync: Vec::new(), drop_new: false };
    let mut spool = spooler.open(&"old".into(), Form::of(Format::Syslog, &Transport::Udp), &limits).unwrap();
    let payload = Payload {
        boot: BootId(1),
        sequence: 1,
        time: ::dataplane::time::Nanos(1),
        class: Class::Im,
        rank: Rank::Im,
        template: 0,
        own: false,
        again: false,
        octets: (*b"message").into(),
    };
    spool.write(vec![payload]).unwrap();
    assert!(spool.sync(std::time::Instant::now() + Duration::from_secs(60)));
    let warnings = |name: &str| {
        let host = host("spool = true").replace("name = \"h\"", &format!("name = \"{name}\""));
        let text =
            format!("[system]\nstate-directory = \"{}\"\n{BASE}{host}format = \"syslog\"\n", state.path().display());
        load_text(&text, Purpose::Run).expect("it is whole").1
    };
    let found = warnings("new");
    let found = found.iter().find(|warning| warning.effect.contains("spool of old")).expect("a warning");
    assert!(
        found.effect.contains("about 1 records (text)") && found.place.key == "system.state-directory",
        "{found:?}"
    );
    assert!(found.advice.contains("spool/old/text"), "{found:?}");
    assert!(!warnings("old").iter().any(|warning| warning.effect.contains("spool of")));
}

/// Three hosts of records in that format, and a group.
fn grouped(format: &str, group: &str) -> String {
    let host = |name| format!("[[log-host]]\nname = \"{name}\"\naddress = \"192.0.2.1\"\nformat = \"{format}\"\n");
    format!("{}{}{}[[log-group]]\nname = \"g\"\n{group}\n", host("a"), host("b"), host("c"))
}

#[test]
fn hosts_of_a_group_stand_for_each_other() {
    let groups = |group| compiled(&grouped("binary", group)).groups;
    let [group] = &groups("mode = \"failover\"\nhosts = [\"b\", \"a\"]")[..] else { panic!("one group") };
    assert_eq!((group.mode, group.return_after), (GroupMode::Failover, Duration::from_secs(60)));
    assert_eq!(group.members, ["b".into(), "a".into()]);
    let early = groups("mode = \"failover\"\nhosts = [\"b\", \"a\"]\nreturn-after = \"5 s\"");
    assert_eq!(early[0].return_after, Duration::from_secs(5));
    assert_eq!(groups("mode = \"round-robin\"\nhosts = [\"b\", \"a\"]")[0].mode, GroupMode::RoundRobin);
    assert_eq!(groups("mode = \"copies\"\nhosts = [\"c\"]")[0].mode, GroupMode::Copies);
}

#[test]
fn groups_that_cannot_work_are_refused() {
    let at = 16;
    let fault = |format: &str, group: &str, key: &str, expected: &str, advice: &str| {
        refused(&grouped(format, group), at, &format!("log-group[g].{key}"), expected, advice);
    };
    fault("binary", "mode = \"failover\"\nhosts = [\"a\", \"x\"]", "hosts", "name of a log host", "define it");
    fault("binary", "mode = \"failover\"\nhosts = [\"a\"]", "hosts", "two hosts at least", "add another");
    fault("binary", "mode = \"failover\"\nhosts = [\"a\", \"a\"]", "hosts", "each host in one group", "remove it");
    refused(
        &grouped("binary", "mode = \"copies\"\nhosts = [\"a\"]\nreturn-after = \"5 s\""),
        at + 1,
        "log-group[g].return-after",
        "only with mode",
        "remove it",
    );
    let text = faults(&grouped("syslog", "mode = \"round-robin\"\nhosts = [\"a\", \"b\"]"));
    assert_eq!(text.len(), 2, "each of both: {text:?}");
    let other = grouped("binary", "mode = \"failover\"\nhosts = [\"a\", \"b\"]");
    let other = other.replacen("format = \"binary\"", "format = \"syslog\"", 1);
    refused(&other, at, "log-group[g].hosts", "the same records", "set records and format");
    let more = |name: &str| format!("[[log-group]]\nname = \"{name}\"\nmode = \"copies\"\nhosts = [\"{name}\"]\n");
    let three = format!("{}{}{}", grouped("binary", "mode = \"copies\"\nhosts = [\"c\"]"), more("a"), more("b"));
    refused(&three, 21, "log-group[b]", "at most 2 groups", "join");
}

fn faults_of(addition: &str) -> Vec<Fault> {
    load_text(&format!("{BASE}{addition}"), Purpose::Run).expect_err("a fault")
}

#[test]
fn text_is_written_as_the_host_wants_it() {
    let keys = "facility = \"local4\"\nbyte-order-mark = true\ntime-digits = 3\ntime-quality = true\norigin = true\n\
                sentence = false\nsequence-id = false";
    let system = "[system]\nclock-synchronised = true\n";
    let text = compiled(&format!("{system}{}", host(&format!("format = \"syslog\"\n{keys}")))).hosts[0].text;
    let expected = TextOptions {
        facility: 20,
        bom: true,
        digits: 3,
        quality: true,
        synchronised: true,
        origin: true,
        sentence: false,
        sequence_id: false,
    };
    assert_eq!(text, expected);
    assert_eq!(compiled(HOST).hosts[0].text, TextOptions::default());
    refused_host("format = \"syslog\"\ntime-digits = 4", 5, "time-digits", "3 or 6", "");
    refused_host("format = \"json\"\norigin = true", 5, "origin", "only with format = \"syslog\"", "");
    refused_host("format = \"cef\"\ntime-digits = 3", 5, "time-digits", "\"rfc3164\" or \"json\"", "");
    refused_host("format = \"json\"\nfacility = \"user\"", 5, "facility", "syslog format", "");
    refused_host("facility = \"user\"", 4, "facility", "syslog format", "");
}

#[test]
fn binary_is_written_as_the_host_wants_it() {
    let keys = "message-size = 9_000\nstatistics-interval = \"1 min\"";
    let binary = compiled(&host(keys)).hosts[0].binary;
    assert_eq!((binary.message, binary.statistics), (Some(9_000), Some(Duration::from_secs(60))));
    let off = compiled(&host("statistics-interval = \"off\"")).hosts[0].binary;
    assert_eq!(off, BinaryOptions::default());
    refused_host("message-size = 500", 4, "message-size", "from 1360 to 65535", "");
    refused_host("format = \"json\"\nmessage-size = 1400", 5, "message-size", "only for binary", "");
}

#[test]
fn records_may_go_to_a_file() {
    let file = |lines: &str| format!("[[log-host]]\nname = \"h\"\ntransport = \"file\"\n{lines}\n");
    let written = compiled(&file("path = \"/var/log/o.json\"\nformat = \"json\"")).hosts[0].clone();
    let Transport::File(target) = &written.transport else { panic!("{written:?}") };
    assert_eq!((target.path.as_path(), target.rotate, target.keep), (Path::new("/var/log/o.json"), 1 << 30, 10));
    assert_eq!(written.target, Target::None);
    let rotated = file("path = \"/var/log/o\"\nrotate = { size = \"1 MiB\", files = 3 }");
    let Transport::File(target) = compiled(&rotated).hosts[0].transport.clone() else { panic!("a file") };
    assert_eq!((target.rotate, target.keep, target.sync), (1 << 20, 3, FileSync::Off));
    for (word, sync) in
        [("off", FileSync::Off), ("always", FileSync::Always), ("500 ms", FileSync::Within(Duration::from_millis(500)))]
    {
        let synced = compiled(&file(&format!("path = \"/o\"\nsync = \"{word}\"")));
        let Transport::File(target) = synced.hosts[0].transport.clone() else { panic!("a file") };
        assert_eq!(target.sync, sync);
    }
    refused(&file("path = \"/o\"\nsync = \"never\""), 5, "log-host[h].sync", "\"off\", \"always\", or a time", "1 s");
    refused(&file("path = \"/o\"\nsync = \"31 s\""), 5, "log-host[h].sync", "to \"30 s\"", "");
    refused(&file("path = \"/o\"\nsync = \"5 s\""), 5, "log-host[h].sync", "below stall", "raise stall");
    refused_host("sync = \"off\"", 4, "sync", "transport = \"file\"", "");
    refused(&file("format = \"json\""), 1, "log-host[h].path", "the file", "add path");
    refused(&file("path = \"o\""), 4, "log-host[h].path", "an absolute path", "");
    refused(&file("path = \"/o\"\naddress = \"192.0.2.9\""), 5, "log-host[h].address", "no address", "");
    refused(&file("path = \"/o\"\ndscp = 3"), 5, "log-host[h].dscp", "over the network", "");
    refused(&file("path = \"/o\"\nformat = \"json\"\nframing = \"lf\""), 6, "log-host[h].framing", "tcp or tls", "");
    refused_host("path = \"/o\"", 4, "path", "transport = \"file\"", "");
    let twice = format!("{}{}", file("path = \"/o\""), file("path = \"/o\"").replace("\"h\"", "\"i\""));
    refused(&twice, 8, "log-host[i].path", "a file of its own", "line 14");
}
