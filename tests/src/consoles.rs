//! A real sshd whose lines the firewall hears, and the accounts that log in there. sshd, its clients and what else is run there
//! are in a mount and network namespace of their own, where `/dev/log` is the firewall's socket and port 830 is free.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::skip::{has_programs, is_root};

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

/// A test that fails here has no sshd to speak of.
const WHY: &str = "the sshd of the test is set up";

/// A running sshd and the shell from which its clients are started.
#[derive(Debug)]
pub struct Consoles {
    child: Child,
    /// Closed to end it.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Drop for Consoles {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Consoles {
    /// With these lines of `sshd_config`, and the accounts `mon`, whose password is `right`, and `locked`.
    pub fn start(folder: &Path, keys: &str) -> Self {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).expect(WHY);
        let keygen = |name: &str, kind: &[&str]| {
            let output = Command::new("ssh-keygen")
                .args(["-q", "-N", "", "-f"])
                .arg(folder.join(name))
                .args(kind)
                .output()
                .expect(WHY);
            assert!(output.status.success(), "{output:?}");
        };
        keygen("host", &["-t", "ed25519"]);
        keygen("good", &["-t", "ed25519"]);
        keygen("bad", &["-t", "ed25519"]);
        fs::copy(folder.join("good.pub"), folder.join("authorized")).expect(WHY);
        fs::set_permissions(folder.join("authorized"), PermissionsExt::from_mode(0o644)).expect(WHY);
        let mut passwd = fs::read_to_string("/etc/passwd").expect(WHY);
        if !passwd.contains("\nsshd:") {
            passwd.push_str("sshd:x:499:65534::/run/sshd:/usr/sbin/nologin\n");
        }
        passwd.push_str("mon:x:5000:5000::/tmp:/bin/sh\nlocked:x:5001:5001::/tmp:/bin/sh\n");
        fs::write(folder.join("passwd"), passwd).expect(WHY);
        let hash = Command::new("openssl").args(["passwd", "-6", "right"]).output().expect(WHY);
        let hash = String::from_utf8(hash.stdout).expect(WHY);
        let shadow = fs::read_to_string("/etc/shadow").expect(WHY);
        let shadow = format!("{shadow}mon:{}:19000:0:99999:7:::\nlocked:!:19000:0:99999:7:::\n", hash.trim());
        fs::write(folder.join("shadow"), shadow).expect(WHY);
        let place = folder.display();
        let config = format!(
            "Port 830\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\nPidFile none\n\
             UsePAM no\nLogLevel VERBOSE\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nStrictModes no\n\
             Subsystem netconf /bin/cat\n{keys}"
        );
        fs::write(folder.join("sshd_config"), config).expect(WHY);
        let script = folder.join("namespace.sh");
        fs::write(&script, NAMESPACE).expect(WHY);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--kill-child", "bash"]).arg(&script).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(fs::File::create(folder.join("namespace.log")).expect(WHY));
        let mut child = command.spawn().expect(WHY);
        let (input, output) = (child.stdin.take().expect(WHY), child.stdout.take().expect(WHY));
        let mut lab = Self { child, input: Some(input), output: BufReader::new(output), folder: folder.to_owned() };
        lab.answer("ready");
        lab
    }

    fn answer(&mut self, expected: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect(WHY);
        let log = fs::read_to_string(self.folder.join("namespace.log")).unwrap_or_default();
        assert_eq!(line.trim(), expected, "{log}");
    }

    /// Runs a command in the namespace, to its end.
    pub fn run(&mut self, command: &str) {
        writeln!(self.input.as_mut().expect(WHY), "{command}").expect(WHY);
        self.answer("done");
    }

    /// A client with options.
    pub fn ssh(&mut self, before: &str, options: &str, rest: &str) {
        self.run(&format!(
            "{before} ssh -F none -p 830 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
             -o IdentitiesOnly=yes {options} {rest}"
        ));
    }

    /// A login by password.
    pub fn password(&mut self, user: &str, password: &str) {
        let options = "-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1";
        self.ssh(&format!("sshpass -p {password}"), options, &format!("{user}@127.0.0.1 true"));
    }
}

/// What is needed that not every machine has.
pub fn can_run() -> bool {
    is_root() && has_programs(&["sshd", "sshpass", "ssh-keygen", "openssl", "unshare", "rsyslogd"])
}
