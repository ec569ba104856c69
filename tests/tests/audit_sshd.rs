//! A real sshd whose lines the firewall hears: what becomes of logins, failures and connections that come to nothing.
//!
//! Rows B4 and B19 of the audit functions. sshd and its clients run in a mount and network namespace of their own, where
//! `/dev/log` is the firewall's socket, the accounts are a test's, and port 830 is free.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip::{has_programs, is_root};
use serde_json::Value;

/// What the namespace runs. `$1` is the folder; then lines are read and carried out, each answered by `done`.
const NAMESPACE: &str = r#"
set -eu
cd "$1"
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/sshd
mkdir dev
mount -t tmpfs none dev
cp -a /dev/null /dev/zero /dev/random /dev/urandom /dev/tty /dev/full dev/
mkdir dev/pts dev/shm
mount --bind /dev/pts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s "$1/log" dev/log
ip link set lo up
mount --bind passwd /etc/passwd
mount --bind shadow /etc/shadow
mount --move dev /dev
sshd=$(command -v sshd || echo /usr/sbin/sshd)
"$sshd" -D -f "$1/sshd_config" 2> sshd.err &
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    ss -ltn | grep -q ':830 ' && break
    sleep 0.2
done
echo ready
while read -r line; do
    eval "$line" >> clients.log 2>&1 < /dev/null || true
    echo 'done'
done
kill %1
wait
"#;

/// A running sshd and the shell from which its clients are started.
struct Lab {
    child: Child,
    /// Closed to end it.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Lab {
    /// With the accounts `mon`, whose password is `right`, and `locked`.
    fn start(folder: &Path, keys: &str) -> Self {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        let keygen = |name: &str, kind: &[&str]| {
            let output = Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-f"])
                .arg(folder.join(name))
                .args(kind)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        keygen("host", &["-t", "ed25519"]);
        keygen("good", &["-t", "ed25519"]);
        keygen("bad", &["-t", "ed25519"]);
        fs::copy(folder.join("good.pub"), folder.join("authorized")).unwrap();
        fs::set_permissions(folder.join("authorized"), PermissionsExt::from_mode(0o644)).unwrap();
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        if !passwd.contains("\nsshd:") {
            passwd.push_str("sshd:x:499:65534::/run/sshd:/usr/sbin/nologin\n");
        }
        passwd.push_str("mon:x:5000:5000::/tmp:/bin/sh\nlocked:x:5001:5001::/tmp:/bin/sh\n");
        fs::write(folder.join("passwd"), passwd).unwrap();
        let hash = Command::new("openssl").args(["passwd", "-6", "right"]).output().unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        let shadow = fs::read_to_string("/etc/shadow").unwrap();
        let shadow = format!("{shadow}mon:{}:19000:0:99999:7:::\nlocked:!:19000:0:99999:7:::\n", hash.trim());
        fs::write(folder.join("shadow"), shadow).unwrap();
        let place = folder.display();
        let config = format!(
            "Port 830\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\nPidFile none\n\
             UsePAM no\nLogLevel VERBOSE\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nStrictModes no\n\
             Subsystem netconf /bin/cat\n{keys}"
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let script = folder.join("namespace.sh");
        fs::write(&script, NAMESPACE).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--kill-child", "bash"]).arg(&script).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(fs::File::create(folder.join("namespace.log")).unwrap());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lab = Self { child, input: Some(input), output: BufReader::new(output), folder: folder.to_owned() };
        lab.answer("ready");
        lab
    }

    fn answer(&mut self, expected: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let log = fs::read_to_string(self.folder.join("namespace.log")).unwrap_or_default();
        assert_eq!(line.trim(), expected, "{log}");
    }

    /// Runs a command in the namespace, to its end.
    fn run(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.answer("done");
    }

    /// A client with options.
    fn ssh(&mut self, before: &str, options: &str, rest: &str) {
        self.run(&format!(
            "{before} ssh -F none -p 830 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
             -o IdentitiesOnly=yes {options} {rest}"
        ));
    }

    /// A login by password.
    fn password(&mut self, user: &str, password: &str) {
        let options = "-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1";
        self.ssh(&format!("sshpass -p {password}"), options, &format!("{user}@127.0.0.1 true"));
    }
}

/// What is needed that not every machine has.
fn can_run() -> bool {
    is_root() && has_programs(&["sshd", "sshpass", "ssh-keygen", "openssl", "unshare", "rsyslogd"])
}

/// A firewall that hears the folder's socket, and sends the trail to a file of JSON and to rsyslog.
fn firewall(folder: &Path, rsyslog: &Rsyslog, mode: &str) -> Firewall {
    let device = |number| format!("net_null{number}");
    let mut policy = Policy::new(device(0), device(1)).rule("rest", "action = \"permit\"\n");
    policy.im = false;
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest = format!(
        "[audit]\nmode = \"{mode}\"\nsyslog-socket = \"{}\"\n[[log-host]]\nname = \"file\"\ntransport = \"file\"\n\
         path = \"{}\"\nformat = \"json\"\nrecords = [\"audit\"]\n",
        folder.join("log").display(),
        folder.join("trail.jsonl").display(),
    );
    let policy = policy.host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"audit\"]\n");
    Firewall::start(folder, &policy)
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `action user reason` of the records that are about SSH, in order.
fn told(records: &[Value]) -> Vec<String> {
    let of_ssh = |record: &&Value| record["service"] == "sshd";
    let said = |record: &Value| {
        let words = ["action", "user", "method", "what", "reason"].map(|name| record[name].as_str());
        words.into_iter().flatten().collect::<Vec<_>>().join(" | ")
    };
    records.iter().filter(of_ssh).map(said).collect()
}

fn logins(told: &[String]) -> Vec<&str> {
    told.iter().map(String::as_str).filter(|line| line.starts_with("log")).collect()
}

#[test]
fn b19_two_failures_a_login_and_a_logout_are_four_records_here_and_at_rsyslog() {
    if !can_run() {
        return;
    }
    for mode in ["event", "stream"] {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(folder.path());
        let mut rsyslog = Rsyslog::start(folder.path(), &certificates);
        let firewall = firewall(folder.path(), &rsyslog, mode);
        let mut lab = Lab::start(folder.path(), "");
        lab.password("mon", "wrong");
        lab.password("mon", "wrong");
        lab.password("mon", "right");
        let trail = folder.path().join("trail.jsonl");
        wait_for("the logout", || lines(&trail).iter().any(|record| record["action"] == "logout").then_some(()));
        drop(lab);
        firewall.stop();
        rsyslog.stop();
        let expected = [
            "login-failed | mon | password | wrong password",
            "login-failed | mon | password | wrong password",
            "login | mon | password",
            "logout | mon | disconnected by user",
        ];
        let local = lines(&trail);
        assert_eq!(logins(&told(&local)), expected, "{mode}");
        let remote = told(&rsyslog.records());
        assert_eq!(logins(&remote), expected, "{mode}");
        let login = local.iter().find(|record| record["action"] == "login").unwrap();
        assert!(login["origin"].as_str().unwrap().starts_with("127.0.0.1:"), "{login}");
        assert_eq!((&login["via"], &login["outcome"]), (&"ssh".into(), &"success".into()), "{login}");
    }
}

#[test]
fn b04_failures_of_each_kind_are_told_once_with_their_reason() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start(folder.path(), &certificates);
    let firewall = firewall(folder.path(), &rsyslog, "event");
    let mut lab = Lab::start(folder.path(), "LoginGraceTime 10\nMaxAuthTries 2\nAllowUsers mon locked stranger root\n");
    let place = folder.path().display().to_string();
    lab.password("stranger", "x");
    lab.password("locked", "x");
    lab.ssh("", &format!("-o BatchMode=yes -i {place}/bad"), "mon@127.0.0.1 true");
    lab.ssh("", "-o BatchMode=yes -c aes128-cbc", "mon@127.0.0.1 true");
    lab.ssh("", &format!("-o BatchMode=yes -i {place}/good"), "-s mon@127.0.0.1 netconf");
    lab.ssh("", &format!("-o BatchMode=yes -i {place}/good"), "-s mon@127.0.0.1 nosuch");
    // A client that says its name and nothing more.
    lab.run("exec 9<>/dev/tcp/127.0.0.1/830; printf 'SSH-2.0-x\\r\\n' >&9; sleep 13; exec 9<&-");
    let trail = folder.path().join("trail.jsonl");
    let is_grace = |record: &Value| record["reason"] == "login-grace";
    wait_for("the connection that vanished", || lines(&trail).iter().any(is_grace).then_some(()));
    drop(lab);
    firewall.stop();
    let told = told(&lines(&trail));
    let without_connects: Vec<&str> = told
        .iter()
        .map(String::as_str)
        .filter(|line| !line.starts_with("ssh-connect") && !line.starts_with("ssh-server"))
        .collect();
    assert_eq!(
        without_connects,
        [
            "login-failed | stranger | password | unknown user",
            "login-failed | locked | password | account is locked",
            "login-failed | mon | publickey | key not accepted",
            "ssh-negotiation-failed | no matching cipher found",
            "login | mon | publickey",
            "subsystem-start | mon | netconf",
            "session-end | mon | subsystem 'netconf'",
            "logout | mon | disconnected by user",
            "login | mon | publickey",
            "subsystem-start | mon | nosuch | subsystem not found",
            "logout | mon | connection closed",
            "ssh-disconnected | login-grace",
        ],
        "{told:#?}"
    );
    let connects = told.iter().filter(|line| line.starts_with("ssh-connect")).count();
    assert_eq!(connects, 7);
}
