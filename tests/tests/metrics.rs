//! Counters over HTTP and HTTPS: the built program, scraped by Debian's Prometheus, judged by its promtool.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bench::pktgen::pcap::Layout;
use bench::pktgen::stories as catalogue;
use bench::pktgen::story::Story;
use dataplane::counters::Counter;
use dataplane::verdict::DropReason;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, free_port, wait_for};
use ostiary_tests::program::{self, root};
use ostiary_tests::skip::has_programs;
use ostiary_tests::stories;
use serde_json::Value;

/// A firewall with everything that has metrics of its own, and devices that have nothing to tell: log hosts, a spool, a pool.
fn policy(listen: u16, more: &str, folder: &Path) -> Policy {
    between("net_null0".to_owned(), "net_null1".to_owned(), listen, more, folder)
}

/// Likewise, between other devices.
fn between(inside: String, outside: String, listen: u16, more: &str, folder: &Path) -> Policy {
    let mut policy = Policy::new(inside, outside).rule("all", "action = \"permit\"\nsession-logging = true\n");
    policy.system.push_str(&format!("state-directory = \"{}\"\n", folder.join("state").display()));
    policy.rest.push_str(&format!("[metrics]\nlisten = \"127.0.0.1:{listen}\"\n{more}\n[log.spool]\nenable = true\n"));
    policy.rest.push_str("[nat.public]\npool = [\"192.0.2.1\"]\n");
    let classes = "records = [\"session\", \"im\", \"attack\", \"access\", \"call-status\", \"audit\"]";
    // Nobody listens there: what is recorded stays in memory or on disk.
    policy.host("siem", free_port(), &format!("transport = \"tcp\"\nformat = \"syslog\"\n{classes}\n")).host(
        "other",
        free_port(),
        "transport = \"tcp\"\nformat = \"syslog\"\n",
    )
}

/// Devices of which one hears a day of a user of WeChat once, and the other nothing; and how many frames that is.
fn story(folder: &Path) -> (String, String, usize) {
    let mut story = catalogue::find("wechat_legacy_day").unwrap().tell(3);
    story.compress(Duration::from_millis(1));
    let capture = stories::write(&story, Layout::PLAIN, folder, "story.pcap");
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number, from: &Path| {
        let to = folder.join(format!("out{number}"));
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), to.display())
    };
    (device(0, &capture), device(1, &empty), story.frames.len())
}

/// One request over a connection of its own, whole answer.
fn ask(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut got = Vec::new();
    // What ends by a reset was whole, or is found wanting.
    let _ = stream.read_to_end(&mut got);
    String::from_utf8(got).unwrap()
}

fn scrape(port: u16, accept: &str) -> String {
    let answer =
        ask(port, &format!("GET /metrics HTTP/1.1\r\nHost: fw1\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body.to_owned()
}

/// `name{labels}` and its value, of every sample.
fn samples(text: &str) -> Vec<(&str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').map(|(of, value)| (of, value.parse().unwrap())).unwrap()).collect()
}

/// The names of all samples.
fn names(text: &str) -> BTreeSet<String> {
    samples(text).into_iter().map(|(of, _)| of.split('{').next().unwrap().to_owned()).collect()
}

fn value(text: &str, of: &str) -> f64 {
    let found: Vec<f64> = samples(text).into_iter().filter(|(name, _)| *name == of).map(|(_, value)| value).collect();
    assert_eq!(found.len(), 1, "{of}");
    found[0]
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn approves(arguments: &[&str], input: &str) {
    let output = promtool(arguments, input);
    assert!(output.status.success(), "promtool {arguments:?}: {output:?}");
}

/// A Prometheus that scrapes one job.
struct Prometheus {
    port: u16,
    _running: Running,
}

impl Prometheus {
    fn start(folder: &Path, targets: &str, rules: &Path) -> Self {
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nrule_files: ['{}']\nscrape_configs:\n{targets}",
            rules.display()
        );
        std::fs::write(&config, text).unwrap();
        approves(&["check", "config", config.to_str().unwrap()], "");
        let port = free_port();
        let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
        let running = Running::start(
            Command::new("prometheus")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--web.console.templates=/nonexistent")
                .arg("--web.console.libraries=/nonexistent")
                .stdout(Stdio::from(log.try_clone().unwrap()))
                .stderr(Stdio::from(log)),
        );
        Self { port, _running: running }
    }

    /// `GET` of its interface; none as long as it does not answer.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    fn query(&self, query: &str) -> Value {
        let escaped: String = query.bytes().map(|octet| format!("%{octet:02x}")).collect();
        let answer = wait_for("Prometheus to answer", || self.get(&format!("/api/v1/query?query={escaped}")));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].clone()
    }

    /// The values of a query, once there is one.
    fn values(&self, query: &str) -> Vec<f64> {
        wait_for(query, || {
            let found = self.query(query);
            let number = |row: &Value| row["value"][1].as_str().unwrap().parse().unwrap();
            let values: Vec<f64> = found.as_array()?.iter().map(number).collect();
            (!values.is_empty()).then_some(values)
        })
    }
}

#[test]
fn the_page_has_every_counter_and_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let firewall = Firewall::start(folder.path(), &policy(port, "", folder.path()));
    // The trail's thread says so once it has written.
    wait_for("the trail's file", || {
        let page = scrape(port, "*/*");
        let written =
            samples(&page).into_iter().find(|(of, _)| *of == "ostiary_audit_file_records_total{file=\"audit\"}");
        let lost = || value(&page, "ostiary_audit_file_lost_records_total{file=\"audit\"}");
        (written?.1 >= 1.0).then(|| assert_eq!(lost(), 0.0))
    });
    let plain = scrape(port, "*/*");
    let open = scrape(port, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
    assert!(open.ends_with("\n# EOF\n") && open.contains("# UNIT ostiary_received_bytes bytes\n"));
    assert!(!plain.contains("# EOF") && !plain.contains("# UNIT"));
    assert_eq!(names(&plain), names(&open));
    for counter in Counter::ALL {
        let suffix = if counter.is_gauge() { "" } else { "_total" };
        let name = if counter.name() == "octets_received" { "received_bytes" } else { counter.name() };
        value(&plain, &format!("ostiary_{name}{suffix}{{worker=\"0\"}}"));
    }
    for reason in DropReason::ALL {
        value(&plain, &format!("ostiary_drops_total{{cause=\"{}\",worker=\"0\"}}", reason.name()));
    }
    for class in ["session", "im", "attack", "access", "call-status", "audit"] {
        for name in ["ostiary_events_total", "ostiary_events_lost_total", "ostiary_records_total"] {
            value(&plain, &format!("{name}{{class=\"{class}\"}}"));
        }
        let host = "host=\"siem\",format=\"syslog\"";
        for cause in
            ["queue-full", "spool-full", "spool-age", "spool-corrupt", "suppressed", "uncarried", "refused", "shutdown"]
        {
            let of = format!("ostiary_log_host_dropped_records_total{{{host},class=\"{class}\",cause=\"{cause}\"}}");
            assert_eq!(value(&plain, &of), 0.0);
        }
        value(&plain, &format!("ostiary_log_host_records_total{{{host},class=\"{class}\"}}"));
        value(&plain, &format!("ostiary_log_host_records_on_disk{{{host},class=\"{class}\"}}"));
    }
    value(&plain, "ostiary_spool_bytes{host=\"siem\",format=\"syslog\"}");
    assert_eq!(value(&plain, "ostiary_log_host_up{host=\"other\",format=\"syslog\"}"), 0.0);
    assert_eq!(value(&plain, "ostiary_policy_version"), 1.0);
    assert_eq!(value(&plain, "ostiary_policy_rules"), 1.0);
    assert_eq!(value(&plain, "ostiary_audit_events_total{event=\"system-start\"}"), 1.0);
    assert_eq!(
        value(&plain, "ostiary_port_info{port=\"inside\",zone=\"trust\",device=\"net_null0\",driver=\"net_null\"}"),
        1.0
    );
    for name in [
        "ostiary_build_info",
        "ostiary_core_busy_ratio",
        "ostiary_core_busy_seconds_total",
        "ostiary_pool_buffers_in_use",
        "ostiary_port_received_bytes_total",
        "ostiary_blocked_sources",
        "ostiary_commit_unconfirmed",
        "ostiary_management_sessions",
        "ostiary_access_users",
        "ostiary_metrics_answers_total",
    ] {
        assert!(names(&plain).contains(name), "{name}");
    }
    // What happens is counted: a reload, and a session of management.
    let reload = program::run(["reload".as_ref(), "--socket".as_ref(), firewall.socket().as_os_str()]);
    assert!(reload.status.success(), "{reload:?}");
    // A page is shown again for a moment.
    let after = wait_for("the reload on the page", || {
        let page = scrape(port, "text/plain");
        (value(&page, "ostiary_policy_version") == 2.0).then_some(page)
    });
    // The start is one as well.
    let commits = |page: &str| value(page, "ostiary_audit_events_total{event=\"config-commit\"}");
    assert_eq!(commits(&after), commits(&plain) + 1.0);
    if has_programs(&["promtool"]) {
        approves(&["check", "metrics"], &after);
    }
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn what_is_wrong_is_told_so_and_the_firewall_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let firewall = Firewall::start(folder.path(), &policy(port, "", folder.path()));
    for (request, line) in [
        ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"),
        ("DELETE /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n"),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", "HTTP/1.1 405 Method Not Allowed\r\n"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"),
        (&"y".repeat(30_000), "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
    ] {
        assert!(ask(port, request).starts_with(line), "{line}");
    }
    // As many as there is room for, that have begun to ask; one more is told, and others are served once these are cut off.
    let mut slow: Vec<TcpStream> = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET /met").unwrap();
        slow.push(stream);
    }
    wait_for("the places to be taken", || ask(port, "").starts_with("HTTP/1.1 503 ").then_some(()));
    assert_eq!(firewall.show("counters").len(), 1);
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_err() || rest.is_empty());
    }
    let page = wait_for("a place to be free", || {
        let answer = ask(port, "GET /metrics HTTP/1.0\r\n\r\n");
        answer.starts_with("HTTP/1.1 200 OK\r\n").then_some(answer)
    });
    let page = page.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(value(page, "ostiary_metrics_answers_total{code=\"405\"}"), 2.0);
    assert_eq!(value(page, "ostiary_metrics_answers_total{code=\"431\"}"), 1.0);
    assert!(value(page, "ostiary_metrics_connections_broken_total") >= 8.0);
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn files_and_addresses_that_are_wrong_are_named_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let files = "certificate = \"/nonexistent.pem\"\nkey = \"/nonexistent.key\"\n";
    for (port, more, expected) in [(port, "", "Address already in use"), (free_port(), files, "/nonexistent.pem")] {
        let text = policy(port, more, folder.path())
            .text(&folder.path().join("ostiary.sock"), &ostiary_tests::policy::signatures(folder.path()));
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        let output = program::run(["run".as_ref(), "--config".as_ref(), file.as_os_str()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("metrics") && said.contains(expected), "{said}");
    }
}

/// The queries of a dashboard's panels, with what Grafana would put in.
fn queries(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            found.push(query.replace("$__rate_interval", "4s").replace("$instance", ".*"));
        }
    }
    found
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("ostiary_")).map(str::to_owned).collect()
}

#[test]
fn prometheus_scrapes_and_promtool_agrees() {
    if !has_programs(&["prometheus", "promtool"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rules = root().join("contrib/prometheus/ostiary.rules.yml");
    approves(&["check", "rules", rules.to_str().unwrap()], "");
    for file in [&rules, &root().join("tests/data/ostiary.rules.test.yml")] {
        std::fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    approves(&["test", "rules", folder.path().join("ostiary.rules.test.yml").to_str().unwrap()], "");

    let port = free_port();
    let (inside, outside, frames) = story(folder.path());
    let firewall = Firewall::start(folder.path(), &between(inside, outside, port, "", folder.path()));
    wait_for("the firewall to see every frame", || {
        (firewall.counter("packets_received") == frames as u64).then_some(())
    });
    let targets = format!("- {{job_name: ostiary, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n");
    let prometheus = Prometheus::start(folder.path(), &targets, &rules);
    wait_for("a scrape", || (prometheus.values("up{job=\"ostiary\"}") == [1.0]).then_some(()));
    // Everything that was counted, as it is shown: some of it is no nought.
    let shown = firewall.show("counters");
    let counters = shown[0]["counters"].as_object().unwrap();
    assert!(counters["packets_received"] == frames && counters["octets_received"].as_u64() > Some(1_000));
    for (counter, shown) in counters {
        let shown = shown.as_u64().unwrap() as f64;
        let query = match counter.strip_prefix("drop_") {
            Some(cause) => format!("sum(ostiary_drops_total{{cause=\"{cause}\"}})"),
            None if counter == "octets_received" => "sum(ostiary_received_bytes_total)".to_owned(),
            None => format!("sum(ostiary_{counter}_total or ostiary_{counter})"),
        };
        // Sessions end, neighbours come and go, while this asks.
        if !["sessions_", "table_", "session_", "appid_"].iter().any(|moving| counter.starts_with(moving)) {
            wait_for(&query, || (prometheus.values(&query) == [shown]).then_some(()));
        }
    }
    let page = scrape(port, "text/plain");
    let metrics = names(&page);
    let text = std::fs::read_to_string(root().join("contrib/grafana/ostiary.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let queries = queries(&dashboard);
    assert!(queries.len() > 30, "{}", queries.len());
    // Absent where nothing waits on disk.
    let absent = "ostiary_spool_oldest_timestamp_seconds";
    for name in named(&text).union(&named(&std::fs::read_to_string(&rules).unwrap())) {
        assert!(metrics.contains(name) || name == absent, "no {name} on the page");
    }
    assert!(page.contains(&format!("# TYPE {absent} gauge")));
    for query in &queries {
        prometheus.query(query);
    }
    // Each rule is evaluated without an error.
    let groups = wait_for("the rules to be evaluated", || {
        let groups = prometheus.get("/api/v1/rules")?;
        let rules = groups["data"]["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] == "ok").then_some(rules)
    });
    assert_eq!(groups.len(), 17);
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn prometheus_scrapes_over_tls() {
    if !has_programs(&["prometheus", "promtool", "curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let file = |name| certificates.file(name);
    let port = free_port();
    let tls = format!(
        "certificate = \"{}\"\nkey = \"{}\"\nclient-ca = \"{}\"\n",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    );
    let firewall = Firewall::start(folder.path(), &policy(port, &tls, folder.path()));
    let target = |job: &str, client: &str| {
        format!(
            "- job_name: {job}\n  scheme: https\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n  tls_config: \
             {{ca_file: '{}', server_name: collector.test{client}}}\n",
            file("ca.pem")
        )
    };
    let shown = format!(", cert_file: '{}', key_file: '{}'", file("client.pem"), file("client.key"));
    let rules = root().join("contrib/prometheus/ostiary.rules.yml");
    let both = format!("{}{}", target("shown", &shown), target("stranger", ""));
    let prometheus = Prometheus::start(folder.path(), &both, &rules);
    wait_for("a scrape with a certificate", || (prometheus.values("up{job=\"shown\"}") == [1.0]).then_some(()));
    wait_for("a scrape without one", || (prometheus.values("up{job=\"stranger\"}") == [0.0]).then_some(()));
    assert_eq!(prometheus.values("ostiary_policy_version"), [1.0]);
    // Nothing is told to who speaks no TLS.
    assert!(!ask(port, "GET /metrics HTTP/1.0\r\n\r\n").contains("ostiary_"));
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-s", "-S", "-m", "30", "--cacert", &file("ca.pem"), "--resolve"]);
        command.arg(format!("collector.test:{port}:127.0.0.1")).args(more);
        command.arg(format!("https://collector.test:{port}/metrics")).output().unwrap()
    };
    let (own, key) = (file("client.pem"), file("client.key"));
    let served = curl(&["--cert", &own, "--key", &key]);
    assert!(served.status.success() && names(&String::from_utf8(served.stdout).unwrap()).len() > 100);
    assert!(!curl(&[]).status.success());
    let old = curl(&["--cert", &own, "--key", &key, "--tls-max", "1.1"]);
    assert!(!old.status.success(), "{old:?}");
    assert_eq!(firewall.stop().0, 0);
}
