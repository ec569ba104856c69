//! Others who send the same lines: rsyslog, which reads them from a file in memory, and loggen, which repeats its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Part, Protocol, SENDER, on, part_on};
use crate::harness::Fallible;

/// rsyslog with a file to forward.
pub(super) struct Forwarder {
    folder: PathBuf,
    lines: PathBuf,
}

/// Whether rsyslog is there.
pub(super) fn is_there() -> bool {
    Path::new(RSYSLOG).exists()
}

const RSYSLOG: &str = "/usr/sbin/rsyslogd";

impl Forwarder {
    /// With the lines of `records` in memory.
    pub(super) fn new(folder: &Path, records: u64) -> Fallible<Self> {
        let lines = PathBuf::from(format!("/dev/shm/ostiary-bench-{}.log", std::process::id()));
        let status = part_on(SENDER, &Part::Lines { path: lines.clone(), records })?.status()?;
        if !status.success() {
            return Err("the lines to forward could not be written".into());
        }
        Ok(Self { folder: folder.to_owned(), lines })
    }

    /// Starts rsyslog, which forwards to that port as fast as it can.
    pub(super) fn start(&self, protocol: Protocol, port: u16) -> Fallible<Vec<Child>> {
        // It remembers in its folder how far it has read.
        let folder = self.folder.join(format!("rsyslog-{port}"));
        fs::create_dir_all(&folder)?;
        let (work, lines) = (folder.display(), self.lines.display());
        let (module, action) = match protocol {
            Protocol::Tcp => ("", r#"type="omfwd" protocol="tcp" TCP_Framing="octet-counted""#),
            Protocol::Relp => ("module(load=\"omrelp\")\n", r#"type="omrelp""#),
        };
        let configuration = format!(
            "global(workDirectory=\"{work}\")\nmodule(load=\"imfile\" mode=\"inotify\")\n{module}\
             main_queue(queue.type=\"FixedArray\" queue.size=\"200000\" queue.dequeueBatchSize=\"2048\" \
             queue.workerThreads=\"1\")\n\
             template(name=\"line\" type=\"string\" string=\"%rawmsg%\")\n\
             input(type=\"imfile\" file=\"{lines}\" tag=\"x\" ruleset=\"r\" readMode=\"0\")\n\
             ruleset(name=\"r\") {{ action({action} target=\"127.0.0.1\" port=\"{port}\" template=\"line\") }}\n"
        );
        let file = folder.join("rsyslog.conf");
        fs::write(&file, configuration)?;
        let mut command = on(SENDER, Path::new(RSYSLOG));
        command.arg("-n").arg("-f").arg(&file).arg("-i").arg(folder.join("pid"));
        Ok(vec![command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?])
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lines);
    }
}

/// Starts loggen, which sends one line of as many octets as ours have, again and again.
pub(super) fn loggen(program: &Path, port: u16, records: u64) -> Fallible<Vec<Child>> {
    let mut command: Command = on(SENDER, program);
    command.args(["--stream", "--syslog-proto", "--size", "560", "--rate", "100000000", "--quiet", "--number"]);
    command.arg(records.to_string()).args(["127.0.0.1", &port.to_string()]);
    Ok(vec![command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?])
}
