//! An rsyslog that writes down the numbers of what it got, and what befalls it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::Fallible;
use super::authority::{Authority, FIREWALL};

/// How it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Relp,
    RelpTls,
    Tcp,
    Tls,
}

/// What befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// It is stopped, and goes on.
    Stopped,
    /// It is killed, and started again.
    Killed,
    /// It is stopped, and killed in that state.
    StoppedAndKilled,
}

const OUTAGES: [Outage; 3] = [Outage::Stopped, Outage::Killed, Outage::StoppedAndKilled];

/// Shortest and longest outage, and pause between two; shorter in a run that is shorter than an hour's fifth.
const LASTS: (f64, f64) = (2.0, 30.0);
const PAUSES: (f64, f64) = (5.0, 60.0);

/// For a program to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(super) struct Collector {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
    /// How much shorter than usual its outages are.
    scale: f64,
    /// What it suffers, until when in the run; or when the next begins.
    outage: Option<Outage>,
    next: Duration,
    outages: u32,
}

impl Kind {
    /// As in the configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Relp => "relp",
            Self::RelpTls => "relp-tls",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl Collector {
    pub(super) fn start(kind: Kind, folder: &Path, authority: &Authority) -> Fallible<Self> {
        fs::create_dir_all(folder)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let path = |file: &str| authority.path(file).display().to_string();
        let (ca, certificate, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
        let input = match kind {
            Kind::Relp => {
                format!("module(load=\"imrelp\")\ninput(type=\"imrelp\" address=\"127.0.0.1\" port=\"{port}\")")
            }
            Kind::RelpTls => format!(
                "module(load=\"imrelp\")\ninput(type=\"imrelp\" address=\"127.0.0.1\" port=\"{port}\" tls=\"on\" \
                 tls.caCert=\"{ca}\" tls.myCert=\"{certificate}\" tls.myPrivKey=\"{key}\" tls.authMode=\"name\" \
                 tls.permittedPeer=[\"{FIREWALL}\"])"
            ),
            Kind::Tcp => {
                format!("module(load=\"imptcp\")\ninput(type=\"imptcp\" address=\"127.0.0.1\" port=\"{port}\")")
            }
            Kind::Tls => format!(
                "global(defaultNetstreamDriverCAFile=\"{ca}\" defaultNetstreamDriverCertFile=\"{certificate}\" \
                 defaultNetstreamDriverKeyFile=\"{key}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"{FIREWALL}\"])\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
            ),
        };
        // Nothing is queued: what is answered is written. Of a record only its two names are: the third and the second
        // value of its structured data.
        let out = folder.join("out");
        let configuration = format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"16k\")\nmain_queue(queue.type=\"Direct\")\n{input}\n\
             template(name=\"n\" type=\"list\") {{\n\
             property(name=\"structured-data\" field.delimiter=\"34\" field.number=\"4\")\nconstant(value=\" \")\n\
             property(name=\"structured-data\" field.delimiter=\"34\" field.number=\"6\")\nconstant(value=\"\\n\")\n}}\n\
             if $app-name == \"ostiary\" then action(type=\"omfile\" file=\"{out}\" template=\"n\")\n",
            folder = folder.display(),
            out = out.display(),
        );
        fs::write(folder.join("rsyslog.conf"), configuration)?;
        File::create(out)?;
        let folder = folder.to_owned();
        let (next, outages) = (Duration::MAX, 0);
        let mut collector = Self { kind, folder, port, child: None, scale: 1.0, outage: None, next, outages };
        collector.launch()?;
        Ok(collector)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it wrote.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// How often it failed.
    pub(super) fn outages(&self) -> u32 {
        self.outages
    }

    /// The run will last so long.
    pub(super) fn plan(&mut self, span: Duration, draw: &mut impl Rng) {
        self.scale = (span.as_secs_f64() / 720.0).min(1.0);
        self.next = self.draw(PAUSES, draw);
    }

    fn draw(&self, range: (f64, f64), draw: &mut impl Rng) -> Duration {
        Duration::from_secs_f64(draw.random_range(range.0..range.1) * self.scale)
    }

    /// Begins or ends an outage, where that is due.
    pub(super) fn disturb(&mut self, age: Duration, draw: &mut impl Rng) -> Fallible<()> {
        if age < self.next {
            return Ok(());
        }
        if self.outage.is_some() {
            self.recover()?;
            self.next = age + self.draw(PAUSES, draw);
            return Ok(());
        }
        let outage = OUTAGES[draw.random_range(0..OUTAGES.len())];
        let lasts = self.draw(LASTS, draw);
        println!("  {} on port {}: {outage:?} for {:.1} s", self.kind.name(), self.port, lasts.as_secs_f64());
        match outage {
            Outage::Stopped | Outage::StoppedAndKilled => self.signal(Signal::STOP)?,
            Outage::Killed => self.kill()?,
        }
        (self.outage, self.next, self.outages) = (Some(outage), age + lasts, self.outages + 1);
        Ok(())
    }

    /// Ends an outage.
    pub(super) fn recover(&mut self) -> Fallible<()> {
        match self.outage.take() {
            None => Ok(()),
            Some(Outage::Stopped) => self.signal(Signal::CONT),
            Some(Outage::Killed) => self.launch(),
            Some(Outage::StoppedAndKilled) => {
                self.kill()?;
                self.launch()
            }
        }
    }

    /// Ends it in order.
    pub(super) fn terminate(&mut self) -> Fallible<()> {
        self.signal(Signal::TERM)?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill()?;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn launch(&mut self) -> Fallible<()> {
        let pid = self.folder.join("pid");
        let _ = fs::remove_file(&pid);
        let program = if Path::new("/usr/sbin/rsyslogd").is_file() { "/usr/sbin/rsyslogd" } else { "rsyslogd" };
        let mut command = Command::new(program);
        command.arg("-n").arg("-f").arg(self.folder.join("rsyslog.conf")).arg("-i").arg(pid);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(self.folder.join("stderr"))?);
        let mut child = command.spawn().map_err(|error| format!("rsyslogd: {error}"))?;
        let listening = format!(":{:04X} 00000000:0000 0A", self.port);
        let begun = Instant::now();
        while !fs::read_to_string("/proc/net/tcp")?.contains(&listening) {
            if let Some(status) = child.try_wait()? {
                return Err(format!("rsyslogd: {status}").into());
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                return Err("rsyslogd does not listen".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
        Ok(())
    }

    fn kill(&mut self) -> Fallible<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Fallible<()> {
        if let Some(pid) = self.child.as_ref().and_then(|child| Pid::from_raw(child.id() as i32)) {
            kill_process(pid, signal)?;
        }
        Ok(())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
