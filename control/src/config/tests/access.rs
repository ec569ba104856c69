//! `[access]`, `[log.access]` and `[log.call-status]`: defaults, faults and warnings.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ::dataplane::access::Source;
use ::dataplane::endpoint::Address;

use super::*;
use crate::export::Format;
use crate::record::Class;
use crate::record::ipfix::AccessVersion;

/// Logins recorded in binary, and a log host that takes them; lines 1 to 9.
const LOGGED: &str = r#"[log.access]
enable = true
version = 4
[[log-host]]
name = "h"
address = "192.0.2.9"
records = ["access"]
transport = "tls"
ssl-policy = "p"
"#;

/// LOGGED, with one line of it another, loaded as replay does: no file of the ssl-policy is read.
fn logged(from: &str, to: &str) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    let text = LOGGED.replace(from, to);
    load_text(&format!("{BASE}{text}[ssl-policy.p]\nca = \"/x\"\n"), Purpose::Replay)
}

#[track_caller]
fn logged_warns(from: &str, to: &str, line: usize, key: &str, effect: &str) {
    let (_, warnings) = logged(from, to).unwrap();
    let found: Vec<_> = warnings.iter().map(|w| (w.place.line - BASE.lines().count(), w.place.key.as_str())).collect();
    assert_eq!(found, [(line, key)], "{warnings:#?}");
    assert!(warnings[0].effect.contains(effect), "{warnings:#?}");
}

/// A file with a secret in it, its mode as an operator should set it.
fn secret(folder: &Path, name: &str, octets: &[u8]) -> String {
    let file = folder.join(name);
    std::fs::write(&file, octets).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file.display().to_string()
}

#[test]
fn nothing_is_recorded_and_users_are_followed_by_default() {
    let access = compiled("").access;
    assert!(!access.records_access && !access.records_call_status);
    assert_eq!(access.version, None);
    assert_eq!(access.settings.sources, [Source::Radius, Source::Pppoe, Source::Dhcp, Source::Dot1x]);
    assert_eq!(access.settings.ports, [1812, 1813, 1645, 1646, 3799]);
    assert!(access.settings.believes_unknown && access.settings.dhcp_servers.is_empty());
    assert!(access.settings.clients.is_empty());
    assert_eq!((access.max_users, access.silence), (100_000, Some(Duration::from_secs(86_400))));
    assert_eq!(access.echo_timeout, Duration::from_secs(180));
}

#[test]
fn every_key_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = secret(folder.path(), "bras1", b" s3 cret\"\r\n");
    let text = format!(
        r#"[log.session]
type = "syslog"
[log.access]
enable = true
type = "binary"
version = 2
[log.call-status]
enable = true
[access]
sources = ["dhcpv6", "radius"]
ports = [11812]
max-users = 4_000_000
silence = "0 s"
echo-timeout = "1 min"
[access.dhcp]
servers = ["10.40.2.3"]
[access.radius]
unknown-nas = "refuse"
[[access.nas]]
name = "bras1"
address = ["10.0.0.1", "2001:db8::/64"]
secret-file = "{file}"
unverified = "believe"
"#
    );
    let (compiled, _) = load_text(&format!("{BASE}{text}"), Purpose::Run).unwrap();
    let access = compiled.access;
    assert!(access.records_access && access.records_call_status);
    assert_eq!((access.version, access.format), (Some(AccessVersion::V2), Format::Binary));
    assert_eq!(access.call_status_format, Format::Syslog);
    assert_eq!((access.max_users, access.silence, access.echo_timeout.as_secs()), (4_000_000, None, 60));
    let settings = access.settings;
    // Of a limit of a minute, sessions are heard of three times.
    assert_eq!(settings.alive_every, Duration::from_secs(20));
    assert_eq!((&settings.sources[..], &settings.ports[..]), (&[Source::Dhcpv6, Source::Radius][..], &[11812][..]));
    assert_eq!(settings.dhcp_servers, [std::net::Ipv4Addr::new(10, 40, 2, 3)]);
    assert!(!settings.believes_unknown);
    let [client] = &settings.clients[..] else { panic!("one access server") };
    assert_eq!(
        (client.name.as_str(), &*client.secret, client.believes_unverified),
        ("bras1", &b" s3 cret\""[..], true)
    );
    let v6: std::net::Ipv6Addr = "2001:db8::".parse().unwrap();
    assert_eq!(client.networks, [(Address::v4([10, 0, 0, 1]), 128), (Address(v6.octets()), 64)]);
}

#[test]
fn a10_binary_without_version_is_refused() {
    let faults = logged("version = 4", "").unwrap_err();
    assert_eq!((faults.len(), faults[0].place.key.as_str()), (1, "log.access.version"), "{faults:#?}");
    assert!(faults[0].expected.contains("from 1 to 4: log host \"h\""), "{faults:#?}");
    assert!(logged("version = 4", "type = \"syslog\"").is_ok());
    assert!(logged("version = 4", "").is_err());
    assert!(logged("enable = true\nversion = 4", "").is_ok(), "off, it needs none");
    refused("[log.access]\nversion = 5\n", 2, "log.access.version", "from 1 to 4", "limits");
    refused("[log.access]\nversion = 0\n", 2, "log.access.version", "from 1 to 4", "limits");
}

#[test]
fn a10_a_version_that_does_nothing_or_leaves_out_is_warned_of() {
    logged_warns("version = 4", "version = 4\ntype = \"syslog\"", 3, "log.access.version", "no effect");
    logged_warns("version = 4", "version = 1", 3, "log.access.version", "two VLANs, or only IPv6");
    logged_warns("version = 4", "version = 2", 3, "log.access.version", "with only IPv6");
    logged_warns("version = 4", "version = 3", 3, "log.access.version", "with two VLANs are not sent");
    assert_eq!(logged("", "").unwrap().1, []);
    assert_eq!(logged("", "").unwrap().0.hosts[0].binary.access_version, AccessVersion::V4);
    assert_eq!(logged("version = 4", "version = 3").unwrap().0.hosts[0].binary.access_version, AccessVersion::V3);
}

#[test]
fn a13_call_status_is_enabled_apart_and_takes_no_version() {
    let one = compiled("[log.call-status]\nenable = true\ntype = \"syslog\"\n").access;
    assert!(one.records_call_status && !one.records_access);
    let other = compiled("[log.access]\nenable = true\n").access;
    assert!(other.records_access && !other.records_call_status);
    refused("[log.call-status]\nversion = 4\n", 2, "log.call-status.version", "known keys: enable, type", "");
}

#[test]
fn a14_enable_without_host_version_or_policy_is_said_at_check() {
    warned("[log.access]\nenable = true\nversion = 4\n", 1, "log.access", "no log host takes them");
    warned("[log.call-status]\nenable = true\n", 1, "log.call-status", "no log host takes them");
    logged_warns("[\"access\"]", "[\"session\"]", 1, "log.access", "access records are made, but no log host");
    let faults = logged("ssl-policy = \"p\"", "ssl-policy = \"q\"").unwrap_err();
    assert_eq!(faults[0].place.key, "log-host[h].ssl-policy");
}

#[test]
fn a05_check_warns_of_names_in_clear() {
    let host = |lines: &str| format!("[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\n{lines}\n");
    let access = format!("[log.access]\nenable = true\nversion = 4\n{}", host("records = [\"access\"]"));
    warned(&access, 4, "log-host[h]", "in clear over udp");
    let results = format!("[log.call-status]\nenable = true\n{}", host("transport = \"tcp\""));
    warned(&results, 3, "log-host[h]", "in clear over tcp");
    assert_eq!(logged("", "").unwrap().1, [], "over TLS they are not");
    let other = format!("[log.access]\nenable = true\nversion = 4\n{}", host("records = [\"call-status\"]"));
    warned(&other, 1, "log.access", "no log host takes them");
}

#[test]
fn a15_a_fresh_configuration_makes_no_access_record() {
    let (compiled, warnings) = load_text(BASE, Purpose::Run).unwrap();
    assert!(!compiled.access.records_access && !compiled.access.records_call_status && compiled.hosts.is_empty());
    assert_eq!(warnings, []);
    let host = "[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\n";
    assert_eq!(warnings_of(host), [], "a host that takes all classes asks for nothing");
    assert!(super::compiled(host).hosts[0].records.iter().any(|(class, _)| *class == Class::Access));
}

#[test]
fn the_access_section_is_checked() {
    refused("[access]\nsources = [\"radius\", \"radius\"]\n", 2, "access.sources", "each item once", "remove");
    refused("[access]\nsources = [\"dhcp6\"]\n", 2, "access.sources", "\"dhcpv6\"", "\"dhcpv6\"");
    refused("[access]\nsources = []\n", 2, "access.sources", "at least one", "leave the key out");
    refused("[access]\nports = [0]\n", 2, "access.ports", "from 1", "");
    refused("[access]\nmax-users = 10\n", 2, "access.max-users", "from 1000 to 4000000", "");
    refused("[access]\nsilence = \"24\"\n", 2, "access.silence", "a duration", "unit");
    refused("[access]\necho-timeout = \"1 s\"\n", 2, "access.echo-timeout", "from \"10 s\" to \"1 h\"", "");
    refused("[access.dhcp]\nservers = [\"::1\"]\n", 2, "access.dhcp.servers", "an IPv4 address", "10.40.2.3");
    refused("[access.radius]\nunknown-nas = \"maybe\"\n", 2, "access.radius.unknown-nas", "\"refuse\"", "");
    refused("[access]\nend-sessions = 1\n", 2, "access.end-sessions", "true or false", "");
    assert!(!compiled("").access.end_sessions && compiled("[access]\nend-sessions = true\n").access.end_sessions);
}

#[test]
fn access_servers_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let good = secret(folder.path(), "good", b"xyzzy5461\n");
    let nas = |name: &str, address: &str, file: &str| {
        format!("[[access.nas]]\nname = \"{name}\"\naddress = [{address}]\nsecret-file = \"{file}\"\n")
    };
    let a = nas("a", "\"10.0.0.1\"", &good);
    assert_eq!(warnings_of(&a), []);
    let both = |second: &str| format!("{a}{second}");
    refused(&both(&nas("a", "\"10.0.0.2\"", &good)), 6, "access.nas[2].name", "of its own", "line");
    refused(&both(&nas("b", "\"10.0.0.0/8\"", &good)), 7, "access.nas[b].address", "each address once", "narrower");
    refused(&nas("a", "\"10.0.0.1/8\"", &good), 3, "access.nas[a].address", "an address or a prefix", "10.0.0.0/8");
    refused(&nas("a", "\"office\"", &good), 3, "access.nas[a].address", "an address or a prefix", "");
    refused("[[access.nas]]\nname = \"a\"\naddress = [\"10.0.0.1\"]\n", 1, "access.nas[a].secret-file", "the file", "");
    refused(&nas("a", "\"10.0.0.1\"", "/nonexistent"), 4, "access.nas[a].secret-file", "can be read", "the path");
    for octets in [&b""[..], b"\n", b"one\ntwo\n"] {
        let file = secret(folder.path(), "bad", octets);
        refused(&nas("a", "\"10.0.0.1\"", &file), 4, "access.nas[a].secret-file", "one line", "printf");
    }
    let mut text = nas("a", "\"10.0.0.1\"", &good);
    writeln!(text, "unverified = \"perhaps\"").unwrap();
    refused(&text, 5, "access.nas[a].unverified", "\"believe\", \"refuse\"", "");
}

#[test]
fn secrets_that_others_can_read_and_that_nothing_uses_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = secret(folder.path(), "s", b"xyzzy5461");
    let nas = format!("[[access.nas]]\nname = \"a\"\naddress = [\"10.0.0.1\"]\nsecret-file = \"{file}\"\n");
    warned(&format!("[access]\nsources = [\"dhcp\"]\n{nas}"), 2, "access.sources", "RADIUS is not looked at");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    warned(&nas, 4, "access.nas[a].secret-file", "can read the secret");
}

#[test]
fn a08_access_over_tls_with_a_named_policy() {
    let (compiled, _) = logged("", "").unwrap();
    let crate::export::Transport::Tls(policy) = &compiled.hosts[0].transport else { panic!("TLS") };
    assert_eq!((&*policy.name, policy.ca.as_path()), ("p", Path::new("/x")));
    let faults = logged("ssl-policy = \"p\"", "ssl-policy = \"pp\"").unwrap_err();
    assert_eq!((faults.len(), faults[0].place.key.as_str()), (1, "log-host[h].ssl-policy"), "{faults:#?}");
}

#[test]
fn a09_ssl_policy_with_udp_or_tcp_is_refused() {
    for transport in ["udp", "tcp"] {
        let faults = logged("transport = \"tls\"", &format!("transport = \"{transport}\"")).unwrap_err();
        assert_eq!((faults.len(), faults[0].place.key.as_str()), (1, "log-host[h].ssl-policy"), "{faults:#?}");
        assert!(faults[0].expected.contains("transport = \"tls\""), "{faults:#?}");
    }
}

#[test]
fn the_receiver_listens_where_it_is_told_and_for_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let file = secret(folder.path(), "bras1", b"s3cret");
    let nas = format!("[[access.nas]]\nname = \"bras1\"\naddress = [\"192.0.2.7\"]\nsecret-file = \"{file}\"\n");
    assert_eq!(compiled(&nas).access.receiver, None);
    for listen in ["0.0.0.0:1813", "[2001:db8::1]:11813"] {
        let access = compiled(&format!("[access.receiver]\nlisten = \"{listen}\"\n{nas}")).access;
        assert_eq!(access.receiver, Some(listen.parse().unwrap()));
    }
    let with = |listen: &str| format!("[access.receiver]\nlisten = {listen}\n{nas}");
    for listen in ["\"192.0.2.1\"", "\"192.0.2.1:0\"", "\"224.0.0.1:1813\"", "\"host:1813\"", "1813"] {
        refused(&with(listen), 2, "access.receiver.listen", "", "");
    }
    refused(
        "[access.receiver]\nlisten = \"192.0.2.1:1813\"\n",
        2,
        "access.receiver.listen",
        "[[access.nas]]",
        "remove",
    );
    refused(&format!("[access.receiver]\n{nas}"), 1, "access.receiver.listen", "address and port", "");
}
