//! A real rsyslog, with a configuration and folders of its own, on ports of loopback.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::certificates::Certificates;
use crate::process::{Running, bound_udp, free_port, listens};

/// A running rsyslogd that takes messages over UDP, TCP and, with client certificates, TLS.
#[derive(Debug)]
pub struct Rsyslog {
    /// UDP port.
    pub udp: u16,
    /// TCP port, octet counting and LF.
    pub tcp: u16,
    /// TLS port.
    pub tls: u16,
    folder: PathBuf,
    namespace: Option<String>,
    running: Option<Running>,
}

impl Rsyslog {
    /// Starts one in `folder`.
    pub fn start(folder: &Path, certificates: &Certificates) -> Self {
        Self::start_in(None, folder, certificates)
    }

    /// Starts one in a network namespace.
    pub fn start_in(namespace: Option<&str>, folder: &Path, certificates: &Certificates) -> Self {
        let folder = folder.join("rsyslog");
        std::fs::create_dir_all(&folder).expect("a folder can be made in a temporary folder");
        let namespace = namespace.map(str::to_owned);
        let mut rsyslog =
            Self { udp: free_port(), tcp: free_port(), tls: free_port(), folder, namespace, running: None };
        let configuration = rsyslog.configuration(certificates);
        std::fs::write(rsyslog.folder.join("rsyslog.conf"), configuration).expect("a file can be made");
        rsyslog.resume();
        rsyslog
    }

    /// Starts it again on the same ports after [`Self::stop`].
    pub fn resume(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).expect("a file can be made");
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "rsyslogd"]);
                command
            }
            None => Command::new("rsyslogd"),
        };
        command.arg("-n").arg("-f").arg(self.folder.join("rsyslog.conf"));
        command.arg("-i").arg(self.folder.join("pid"));
        command.stdout(Stdio::null()).stderr(log);
        let mut running = Running::start(&mut command);
        let what = format!("rsyslogd, see {}", self.folder.join("log").display());
        crate::process::wait_for(&what, || {
            assert_eq!(running.ended(), None, "rsyslogd ended: {}", self.log());
            let pid = running.pid();
            (listens(pid, self.tcp) && listens(pid, self.tls) && bound_udp(pid, self.udp)).then_some(())
        });
        self.running = Some(running);
    }

    /// Stops it; what it has received is written.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.terminate();
        }
    }

    /// Everything received so far, in order of arrival: `input`, `pri`, `version`, `time`, `host`, `app`, `id`, `data` (the
    /// structured data as rsyslog parsed it, a text of JSON), `message`, and `raw`, all of it as it came.
    pub fn messages(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("out.json")).unwrap_or_default();
        // A line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("rsyslog wrote {line}: {error}")))
            .collect()
    }

    /// Our structured data of every message, with `input` and `id` beside it.
    pub fn records(&self) -> Vec<Value> {
        let records = self.messages().into_iter().map(|message| {
            // rsyslog writes the tree as a text of JSON.
            let data: Value = serde_json::from_str(message["data"].as_str().unwrap_or("{}")).unwrap_or_default();
            let mut record = data["ostiary@32473"].clone();
            assert!(record.is_object(), "no structured data of ours: {message}");
            record["input"] = message["input"].clone();
            record["id"] = message["id"].clone();
            record
        });
        records.collect()
    }

    /// What it said about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn configuration(&self, certificates: &Certificates) -> String {
        let folder = self.folder.display();
        let (ca, certificate, key) =
            (certificates.file("ca.pem"), certificates.file("server.pem"), certificates.file("server.key"));
        let (udp, tcp, tls) = (self.udp, self.tcp, self.tls);
        format!(
            r#"global(workDirectory="{folder}" maxMessageSize="16k" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imudp") module(load="imptcp") module(load="mmpstrucdata")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"
  PermittedPeer=["fw1.test"])
template(name="json" type="list" option.jsonf="on") {{
  property(outname="input" name="inputname" format="jsonf") property(outname="pri" name="pri" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf") property(outname="app" name="app-name" format="jsonf")
  property(outname="id" name="msgid" format="jsonf") property(outname="data" name="$!rfc5424-sd" format="jsonf")
  property(outname="message" name="msg" format="jsonf") property(outname="raw" name="rawmsg" format="jsonf")
}}
ruleset(name="keep") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{folder}/out.json" template="json" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="keep")
input(type="imptcp" address="127.0.0.1" port="{tcp}" supportOctetCountedFraming="on" ruleset="keep")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="keep")
"#
        )
    }
}
