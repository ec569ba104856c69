//! An sshd for NETCONF as `scripts/sshd` sets it up, on a port of loopback, in a mount namespace of its own.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::{Running, free_port, wait_for};
use crate::{program, skip};

/// A running one; killed when dropped.
#[derive(Debug)]
pub struct Sshd {
    folder: PathBuf,
    port: u16,
    _running: Running,
}

/// A user who is no user of this machine: name, number, password.
pub const USER: (&str, u32, &str) = ("noc", 5_000, "right horse");

impl Sshd {
    /// Starts one that serves the firewall at `socket`, with its files in `folder`. Root logs in with [`Self::key`]s; so does
    /// [`USER`], who may use a password too where `password`. None, and said, where this machine has no sshd.
    pub fn start(folder: &Path, socket: &Path, password: bool) -> Option<Self> {
        Self::start_with(folder, socket, password, None)
    }

    /// The same, and what it logs goes to the socket `log`.
    pub fn start_heard(folder: &Path, socket: &Path, log: &Path) -> Option<Self> {
        Self::start_with(folder, socket, false, Some(log))
    }

    fn start_with(folder: &Path, socket: &Path, password: bool, heard: Option<&Path>) -> Option<Self> {
        if !skip::is_root() || !skip::has_programs(&["sshd", "ssh", "ssh-keygen", "openssl", "unshare"]) {
            return None;
        }
        // The user is no root, and reads its keys.
        for path in [folder, program::path().parent().expect("a program is in a folder")] {
            let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o011)).expect("it is ours");
        }
        let (ssh, port) = (folder.join("ssh"), free_port());
        let mut make = Command::new(program::root().join("scripts/sshd"));
        make.args(["make", "--listen", "127.0.0.1", "--any-group", "--no-strict-modes", "--port", &port.to_string()]);
        make.arg("--folder").arg(&ssh).arg("--program").arg(program::path()).arg("--socket").arg(socket);
        if password {
            make.arg("--password");
        }
        succeed(&mut make);
        for (kind, bits) in [("ed25519", "256"), ("rsa", "2048")] {
            let key = folder.join(kind);
            succeed(Command::new("ssh-keygen").args(["-q", "-t", kind, "-b", bits, "-N", "", "-f"]).arg(&key));
        }
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("ssh-keygen made it");
        let keys = format!("{}{}", read("ed25519.pub"), read("rsa.pub"));
        for user in ["root", USER.0] {
            std::fs::write(ssh.join("authorized_keys").join(user), &keys).expect("the folder is ours");
        }
        let accounts = accounts(folder);
        let mut run = Command::new(program::root().join("scripts/sshd"));
        run.arg("run").arg("--folder").arg(&ssh).arg("--accounts").arg(&accounts);
        if let Some(socket) = heard {
            run.arg("--log").arg(socket);
        }
        let log = std::fs::File::create(folder.join("sshd.log")).expect("the folder is ours");
        let running = Running::start(run.stdout(Stdio::null()).stderr(Stdio::from(log)));
        wait_for("sshd to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(Self { folder: folder.to_owned(), port, _running: running })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file of a private key that it lets in: `ed25519` or `rsa`.
    pub fn key(&self, kind: &str) -> PathBuf {
        self.folder.join(kind)
    }

    /// A client's configuration file, with the key in it.
    pub fn client(&self, kind: &str) -> PathBuf {
        let file = self.folder.join(format!("client_{kind}"));
        let text = format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  \
             LogLevel ERROR\n  BatchMode yes\n",
            self.key(kind).display()
        );
        std::fs::write(&file, text).expect("the folder is ours");
        file
    }

    /// `ssh -s USER@… netconf`.
    pub fn ssh(&self, user: &str, kind: &str) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.client(kind)).args(["-T", "-p", &self.port.to_string(), "-s"]);
        command.arg(format!("{user}@127.0.0.1")).arg("netconf");
        command
    }
}

/// The machine's accounts, and [`USER`].
fn accounts(folder: &Path) -> PathBuf {
    let accounts = folder.join("accounts");
    std::fs::create_dir(&accounts).expect("the folder is ours");
    let hash = succeed(Command::new("openssl").args(["passwd", "-6", USER.2]));
    let hash = String::from_utf8_lossy(&hash.stdout).trim().to_owned();
    let (name, number, _) = USER;
    for (file, line) in [
        ("passwd", format!("{name}:x:{number}:{number}::/nonexistent:/bin/sh\n")),
        ("shadow", format!("{name}:{hash}:19000:0:99999:7:::\n")),
        ("group", format!("{name}:x:{number}:\n")),
    ] {
        let mut text = std::fs::read_to_string(Path::new("/etc").join(file)).expect("root reads its accounts");
        text.push_str(&line);
        let path = accounts.join(file);
        std::fs::write(&path, text).expect("the folder is ours");
        let mode = if file == "shadow" { 0o600 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    accounts
}

fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
