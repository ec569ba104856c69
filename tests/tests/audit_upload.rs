//! Archives of the trail on their way to sites: OpenSSH's sftp-server under an sshd of the test takes them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bench::pktgen::pcap::Layout;
use bench::pktgen::story::Story;
use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, free_port, wait_for};
use ostiary_tests::{program, skip, stories};
use serde_json::Value;

/// A place for archives: an sshd with nothing but sftp, in a mount namespace that has what it needs of `/run`.
struct Site {
    folder: PathBuf,
    port: u16,
    running: Option<Running>,
}

impl Site {
    /// Made, and not running. All sites know one key, and have one.
    fn new(keys: &Path, name: &str) -> Self {
        let folder = keys.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(folder.join("in")).unwrap();
        let port = free_port();
        let server = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"];
        let server = server.iter().find(|path| Path::new(path).exists()).unwrap_or(&"internal-sftp");
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/client.pub\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel INFO\n\
             ForceCommand {server}\nSubsystem sftp {server}\n",
            keys = keys.display()
        );
        std::fs::write(folder.join("sshd_config"), configuration).unwrap();
        Self { folder, port, running: None }
    }

    fn start(&mut self) {
        let script = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && \
                      exec /usr/sbin/sshd -D -e -f \"$0\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(self.folder.join("sshd_config"));
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        self.running = Some(Running::start(command.stdout(Stdio::null()).stderr(Stdio::from(log))));
        wait_for("sshd to listen", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.terminate();
        }
    }

    fn url(&self) -> String {
        format!("sftp://root@127.0.0.1:{}{}", self.port, self.folder.join("in").display())
    }

    /// The names of what it has, whole or not.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.join("in")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// Keys of the client and of the sites.
fn keys(folder: &Path) {
    for name in ["host", "client"] {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(name));
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }
}

fn can_run() -> bool {
    skip::is_root() && skip::has_programs(&["sshd", "sftp", "ssh-keygen", "unshare", "sha256sum", "gunzip"])
}

/// A firewall that sends archives of the trail to these sites.
fn start(folder: &Path, sites: &[&Site]) -> Firewall {
    let nothing = Story { begins: 0, frames: Vec::new(), expected: Default::default() };
    let empty = stories::write(&nothing, Layout::PLAIN, folder, "empty.pcap");
    let device = |number| {
        let out = folder.join(format!("out{number}"));
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", empty.display(), out.display())
    };
    let mut policy = Policy::new(device(0), device(1));
    let host = std::fs::read_to_string(folder.join("host.pub")).unwrap();
    let known: String = sites.iter().map(|site| format!("[127.0.0.1]:{} {host}", site.port)).collect();
    std::fs::write(folder.join("known_hosts"), known).unwrap();
    let urls: Vec<String> = sites.iter().map(|site| site.url()).collect();
    policy.rest += &format!(
        "[audit.sftp]\nidentity = {:?}\nknown-hosts = {:?}\n[[audit.file]]\nname = \"audit\"\narchive = {{ sites = {urls:?} }}\n",
        folder.join("client"),
        folder.join("known_hosts"),
    );
    Firewall::start(folder, &policy)
}

/// What the trail says of an event.
fn said(folder: &Path, event: &str) -> Vec<Value> {
    let trail = folder.join("audit");
    let output = program::run(["audit", "export", "--event", event, "--directory", trail.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn wait_for_uploads(folder: &Path, count: usize) -> Vec<Value> {
    wait_for("archives to be sent", || {
        let sent = said(folder, "audit-uploaded");
        (sent.len() >= count).then_some(sent)
    })
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn b16_archives_reach_an_sftp_server() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    keys(folder);
    let mut site = Site::new(folder, "site");
    site.start();
    let firewall = start(folder, &[&site]);
    for count in 1..=2 {
        ostiary(&firewall.socket(), &["audit", "rotate"]).done();
        let sent = wait_for_uploads(folder, count);
        assert_eq!(sent.len(), count, "{}", site.log());
    }
    let names = ["audit.000001.jsonl.gz", "audit.000002.jsonl.gz"];
    assert_eq!(site.files(), names, "whole, and nothing beside: {}", site.log());
    for (sent, name) in said(folder, "audit-uploaded").iter().zip(names) {
        let (here, there) = (folder.join("audit").join(name), site.folder.join("in").join(name));
        let digest = sha256(&there);
        assert_eq!(sha256(&here), digest);
        assert_eq!(sent["digest"], digest.as_str(), "{sent}");
        assert_eq!(sent["site"], site.url(), "{sent}");
        assert!(Command::new("gunzip").arg("-t").arg(&there).status().unwrap().success());
    }
    assert_eq!(said(folder, "audit-upload-failed"), [Value::Null; 0]);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn b16_a_site_that_is_away_is_told_and_tried_again_and_the_second_is_used() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    keys(folder);
    let (mut first, mut second) = (Site::new(folder, "first"), Site::new(folder, "second"));
    second.start();
    let firewall = start(folder, &[&first, &second]);
    ostiary(&firewall.socket(), &["audit", "rotate"]).done();
    let sent = wait_for_uploads(folder, 1);
    assert_eq!(sent[0]["site"], second.url(), "{}", second.log());
    let failed = said(folder, "audit-upload-failed");
    assert_eq!(failed[0]["site"], first.url(), "{failed:?}");
    assert!(failed[0]["reason"].as_str().unwrap().contains("255"), "{failed:?}");
    assert_eq!((first.files().len(), second.files().len()), (0, 1));
    // Nobody is there: told, kept, and sent when somebody is.
    second.stop();
    ostiary(&firewall.socket(), &["audit", "rotate"]).done();
    wait_for("both failures to be told", || {
        let of = |site: &Site| {
            let failed = said(folder, "audit-upload-failed");
            failed.iter().any(|told| told["site"] == site.url() && told["serial"] == 2)
        };
        (of(&first) && of(&second)).then_some(())
    });
    first.start();
    let sent = wait_for_uploads(folder, 2);
    assert_eq!((&sent[1]["site"], &sent[1]["serial"]), (&first.url().into(), &2.into()), "{}", first.log());
    assert_eq!(first.files(), ["audit.000002.jsonl.gz"]);
    // A run that ends knows what is sent, and the next one too.
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let firewall = Firewall::start_again(folder);
    ostiary(&firewall.socket(), &["audit", "rotate"]).done();
    ostiary(&firewall.socket(), &["audit", "upload"]).done();
    wait_for_uploads(folder, 3);
    assert_eq!(first.files(), ["audit.000002.jsonl.gz", "audit.000003.jsonl.gz"]);
    let refused = ostiary(&firewall.socket(), &["audit", "rotate", "--file", "nothing"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("no file \"nothing\""), "{}", refused.err);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}
