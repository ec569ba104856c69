//! Real collectors in a network namespace of their own, for outages of every kind.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use control::export::{Format, HostConfig, Patience, Transport, Via};

use super::{Namespace, Pki, Running, host, loopback, parameter, program, wait};

/// Who collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Rsyslog,
    SyslogNg,
}

/// How records reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Tcp,
    Tls,
    Relp,
    RelpTls,
}

/// See the module.
pub struct Bed {
    running: Option<Running>,
    program: Program,
    way: Way,
    pub pki: Pki,
    pub namespace: Namespace,
    /// It writes to a file system that is soon full.
    small: Option<Mount>,
    dir: tempfile::TempDir,
    /// What of its file was read, and what stands there.
    read: u64,
    tally: Tally,
}

/// What arrived, by boot and sequence number: how often, and in which words.
pub type Tally = BTreeMap<(String, u64), (usize, String)>;

impl Bed {
    /// In the namespace nobody else listens.
    pub const PORT: u16 = 20_514;

    /// None where the machine lacks something; says what.
    pub fn new(program: Program, way: Way) -> Option<Self> {
        let mut this = Self {
            running: None,
            program,
            way,
            pki: Pki::new(),
            namespace: Namespace::new()?,
            small: None,
            dir: tempfile::tempdir().unwrap(),
            read: 0,
            tally: Tally::new(),
        };
        fs::create_dir(this.dir.path().join("out")).unwrap();
        this.certificate("server");
        this.start();
        Some(this)
    }

    /// [`Self::new`], with so much room for what it writes, as `mount` takes it.
    pub fn with_disk(program: Program, way: Way, size: &str) -> Option<Self> {
        let mut this = Self::new(program, way)?;
        this.kill();
        this.small = Some(Mount::new(this.dir.path().join("out"), size));
        this.start();
        Some(this)
    }

    /// More room, or less.
    pub fn resize(&self, size: &str) {
        self.small.as_ref().unwrap().resize(size);
    }

    /// A host that is this collector, with little patience, and a queue for any outage.
    pub fn host(&self, name: &str) -> HostConfig {
        let transport = match self.way {
            Way::Tcp => Transport::Tcp,
            Way::Tls => Transport::Tls(self.pki.policy()),
            Way::Relp => Transport::Relp,
            Way::RelpTls => Transport::RelpTls(self.pki.policy()),
        };
        let second = Duration::from_secs(1);
        let (stall, soon) = (second / 3, second * 2);
        let patience = Patience { stall, user_timeout: soon, answer: soon, setup: soon, close: second };
        let via = Via { namespace: Some(self.namespace.path()), ..Via::default() };
        HostConfig { patience, via, queue: 1_000_000, ..host(name, loopback(Self::PORT), transport, Format::Syslog) }
    }

    /// The certificate that it has from its next start on.
    pub fn certificate(&self, name: &str) {
        for ending in ["pem", "key"] {
            fs::copy(self.pki.path(&format!("{name}.{ending}")), self.pki.path(&format!("now.{ending}"))).unwrap();
        }
    }

    /// On the same port and file.
    pub fn start(&mut self) {
        let mut command = match self.program {
            Program::Rsyslog => self.rsyslog(),
            Program::SyslogNg => self.syslog_ng(),
        };
        command.stderr(fs::File::create(self.dir.path().join("stderr")).unwrap());
        let running = Running::start(&mut command);
        let table = format!("/proc/{}/net/tcp", running.id());
        let listening = format!(":{:04X} 00000000:0000 0A", Self::PORT);
        wait("the collector to listen", || fs::read_to_string(&table).is_ok_and(|table| table.contains(&listening)));
        self.running = Some(running);
    }

    /// SIGKILL, stopped or not.
    pub fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// SIGSTOP.
    pub fn stop(&self) {
        self.running.as_ref().unwrap().signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.running.as_ref().unwrap().signal(Signal::CONT);
    }

    /// What it wrote down so far. A line that a kill cut short has the next behind it: only the last of a line is whole.
    pub fn tally(&mut self) -> &Tally {
        let mut text = Vec::new();
        if let Ok(mut file) = fs::File::open(self.out()) {
            file.seek(SeekFrom::Start(self.read)).unwrap();
            file.read_to_end(&mut text).unwrap();
        }
        let whole = text.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        for line in String::from_utf8_lossy(&text[..whole]).lines() {
            let Some(start) = line.rfind("[ostiary@32473 ") else { continue };
            let message = &line[start..];
            let (Some(boot), Some(sequence)) = (parameter(message, "boot"), parameter(message, "seq")) else {
                continue;
            };
            let name = (boot, sequence.parse().unwrap());
            let (count, words) = self.tally.entry(name).or_insert_with(|| (0, message.to_owned()));
            assert_eq!(words, message, "two records of one name");
            *count += 1;
        }
        &self.tally
    }

    /// Octets that it wrote.
    pub fn written(&self) -> u64 {
        fs::metadata(self.out()).map_or(0, |metadata| metadata.len())
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out/log")
    }

    fn rsyslog(&self) -> Command {
        let (dir, out) = (self.dir.path().display(), self.out());
        let path = |file: &str| self.pki.path(file).display().to_string();
        let port = Self::PORT;
        let (ca, certificate, key) = (path("ca.pem"), path("now.pem"), path("now.key"));
        let input = match self.way {
            Way::Tcp => format!("module(load=\"imptcp\")\ninput(type=\"imptcp\" port=\"{port}\")"),
            Way::Tls => format!(
                "global(defaultNetstreamDriverCAFile=\"{ca}\" defaultNetstreamDriverCertFile=\"{certificate}\" \
                 defaultNetstreamDriverKeyFile=\"{key}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"fw1.test\"])\n\
                 input(type=\"imtcp\" port=\"{port}\")"
            ),
            Way::Relp => format!("module(load=\"imrelp\")\ninput(type=\"imrelp\" port=\"{port}\")"),
            Way::RelpTls => format!(
                "module(load=\"imrelp\")\n\
                 input(type=\"imrelp\" port=\"{port}\" tls=\"on\" tls.caCert=\"{ca}\" tls.myCert=\"{certificate}\" \
                 tls.myPrivKey=\"{key}\" tls.authMode=\"name\" tls.permittedPeer=[\"fw1.test\"])"
            ),
        };
        // Nothing is queued: an answer of imrelp means that the line is written. omfile loses lines on a full disk all the
        // same (rsyslog#3800), so there a program writes that does not give up.
        let action = match &self.small {
            None => format!("action(type=\"omfile\" file=\"{}\" template=\"raw\")", out.display()),
            Some(_) => {
                let keeper = self.dir.path().join("keep.py");
                fs::write(&keeper, KEEPER).unwrap();
                let binary = format!("/usr/bin/python3 {} {}", keeper.display(), out.display());
                format!(
                    "action(type=\"omprog\" binary=\"{binary}\" template=\"raw\" confirmMessages=\"on\" \
                     confirmTimeout=\"60000\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")"
                )
            }
        };
        let configuration = format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"16k\")\nmain_queue(queue.type=\"Direct\")\n{}{input}\n\
             template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             if $app-name == \"ostiary\" then {action}\n",
            if self.small.is_some() { "module(load=\"omprog\")\n" } else { "" },
        );
        let (file, pid) = (self.dir.path().join("rsyslog.conf"), self.dir.path().join("pid"));
        fs::write(&file, configuration).unwrap();
        let _ = fs::remove_file(&pid);
        let mut command = self.namespace.command(&program("rsyslogd"));
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(pid);
        command
    }

    fn syslog_ng(&self) -> Command {
        let (dir, out) = (self.dir.path().display(), self.out());
        let path = |file: &str| self.pki.path(file).display().to_string();
        let port = Self::PORT;
        let transport = match self.way {
            Way::Tls => format!(
                "transport(\"tls\") tls(key-file(\"{}\") cert-file(\"{}\") ca-file(\"{}\") \
                 peer-verify(required-trusted))",
                path("now.key"),
                path("now.pem"),
                path("ca.pem"),
            ),
            _ => "transport(\"tcp\")".to_owned(),
        };
        let configuration = format!(
            "@version: 3.38\n\
             options {{ time-reopen(1); flush-lines(1); chain-hostnames(no); keep-hostname(yes); stats-freq(0); }};\n\
             source s {{ syslog({transport} port({port}) ip(127.0.0.1) log-iw-size(1000) max-connections(10)); }};\n\
             destination d {{ file(\"{}\" template(\"${{SDATA}} ${{MSG}}\\n\") log-fifo-size(2000)); }};\n\
             log {{ source(s); destination(d); flags(flow-control); }};\n",
            out.display(),
        );
        let file = self.dir.path().join("syslog-ng.conf");
        fs::write(&file, configuration).unwrap();
        let root = syslog_ng().unwrap();
        let libraries = format!("{0}/usr/lib/syslog-ng:{0}/usr/lib/x86_64-linux-gnu", root.display());
        let mut command = self.namespace.command(&root.join("usr/sbin/syslog-ng"));
        command.env("LD_LIBRARY_PATH", libraries).arg("-F").arg("--no-caps");
        command.arg(format!("--module-path={}", root.join("usr/lib/syslog-ng/3.38").display()));
        command.arg("-f").arg(file).arg("-R").arg(format!("{dir}/persist")).arg("-p").arg(format!("{dir}/pid"));
        command.arg("-c").arg(format!("{dir}/control"));
        command
    }
}

impl fmt::Display for Bed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} over {:?}", self.program, self.way)
    }
}

/// Where `scripts/setup` unpacks syslog-ng, which cannot be installed beside rsyslog; says so if it did not.
pub fn syslog_ng() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/syslog-ng");
    if root.join("usr/sbin/syslog-ng").is_file() {
        return Some(root);
    }
    println!("skipped: no syslog-ng in {}", root.display());
    None
}

/// Writes what it is given, and answers when it is written, however long that takes.
const KEEPER: &str = r#"import os, sys, time
parent = os.getppid()
out = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
sys.stdout.write("OK\n")
sys.stdout.flush()
for line in sys.stdin.buffer:
    while line:
        try:
            line = line[os.write(out, line):]
        except OSError:
            if os.getppid() != parent:
                sys.exit()
            time.sleep(0.05)
    sys.stdout.write("OK\n")
    sys.stdout.flush()
"#;

/// A file system in memory.
pub struct Mount {
    folder: PathBuf,
}

impl Mount {
    pub fn new(folder: PathBuf, size: &str) -> Self {
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], &folder);
        Self { folder }
    }

    pub fn resize(&self, size: &str) {
        mount(&["-o", &format!("remount,size={size}")], &self.folder);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn mount(arguments: &[&str], folder: &Path) {
    assert!(Command::new("mount").args(arguments).arg(folder).status().unwrap().success());
}
