//! A real rsyslogd.

use std::fs;
use std::process::Command;

use super::{Pki, Running, free_port, parameter, program, wait_for_tcp, wait_for_udp};

/// A real rsyslogd on loopback, writing what it understood as JSON lines.
pub struct Rsyslog {
    dir: tempfile::TempDir,
    pub port: u16,
    input: String,
    running: Option<Running>,
}

impl Rsyslog {
    pub fn udp() -> Self {
        Self::start("module(load=\"imudp\") input(type=\"imudp\" address=\"127.0.0.1\" port=\"@PORT@\")".into(), true)
    }

    /// Takes octet counting and LF.
    pub fn tcp() -> Self {
        let input = "module(load=\"imptcp\") input(type=\"imptcp\" address=\"127.0.0.1\" port=\"@PORT@\")";
        Self::start(input.into(), false)
    }

    /// With that certificate, for clients with the certificate of `fw1.test`.
    pub fn tls(pki: &Pki, certificate: &str) -> Self {
        let path = |file: String| pki.path(&file).display().to_string();
        Self::start(
            format!(
                "global(defaultNetstreamDriverCAFile=\"{}\" defaultNetstreamDriverCertFile=\"{}\" \
                 defaultNetstreamDriverKeyFile=\"{}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"fw1.test\"])\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"@PORT@\")",
                path("ca.pem".into()),
                path(format!("{certificate}.pem")),
                path(format!("{certificate}.key")),
            ),
            false,
        )
    }

    /// RELP. An answer means that the message is written down, as nothing is queued.
    pub fn relp() -> Self {
        let input = "main_queue(queue.type=\"Direct\")\nmodule(load=\"imrelp\")\n\
                     input(type=\"imrelp\" address=\"127.0.0.1\" port=\"@PORT@\")";
        Self::start(input.into(), false)
    }

    /// [`Self::relp`] under TLS, with that certificate, for clients with the certificate of `fw1.test`.
    pub fn relp_tls(pki: &Pki, certificate: &str) -> Self {
        let path = |file: String| pki.path(&file).display().to_string();
        Self::start(
            format!(
                "main_queue(queue.type=\"Direct\")\nmodule(load=\"imrelp\")\n\
                 input(type=\"imrelp\" address=\"127.0.0.1\" port=\"@PORT@\" tls=\"on\" tls.caCert=\"{}\" \
                 tls.myCert=\"{}\" tls.myPrivKey=\"{}\" tls.authMode=\"name\" tls.permittedPeer=[\"fw1.test\"])",
                path("ca.pem".into()),
                path(format!("{certificate}.pem")),
                path(format!("{certificate}.key")),
            ),
            false,
        )
    }

    fn start(input: String, udp: bool) -> Self {
        let mut this = Self { dir: tempfile::tempdir().unwrap(), port: free_port(), input, running: None };
        this.restart();
        if udp {
            wait_for_udp(this.port);
        }
        this
    }

    /// Starts it on the same port and file.
    pub fn restart(&mut self) {
        let dir = self.dir.path().display();
        let input = self.input.replace("@PORT@", &self.port.to_string());
        let property = |name: &str, of: &str| format!(" property(outname=\"{name}\" name=\"{of}\" format=\"jsonf\")");
        let properties: String = [
            ("pri", "pri"),
            ("host", "hostname"),
            ("app", "app-name"),
            ("pid", "procid"),
            ("id", "msgid"),
            ("sd", "structured-data"),
            ("msg", "msg"),
        ]
        .iter()
        .map(|(name, of)| property(name, of))
        .collect();
        let configuration = format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"16k\")\n{input}\n\
             template(name=\"j\" type=\"list\" option.jsonf=\"on\") {{\n \
             property(outname=\"time\" name=\"timereported\" dateFormat=\"rfc3339\" format=\"jsonf\"){properties}}}\n\
             if $app-name == \"ostiary\" then action(type=\"omfile\" file=\"{dir}/out.json\" template=\"j\")\n\
             if $programname startswith \"rsyslogd\" then action(type=\"omfile\" file=\"{dir}/own.log\")\n"
        );
        let (file, pid) = (self.dir.path().join("rsyslog.conf"), self.dir.path().join("pid"));
        fs::write(&file, configuration).unwrap();
        let _ = fs::remove_file(&pid);
        let mut command = Command::new(program("rsyslogd"));
        let errors = fs::File::create(self.dir.path().join("stderr")).unwrap();
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(pid).stderr(errors);
        self.running = Some(Running::start(&mut command));
        if !self.input.contains("imudp") {
            wait_for_tcp(self.port);
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// Ends it in order, and gives what it said about itself.
    pub fn terminate(&mut self) -> String {
        self.running.take().unwrap().terminate();
        fs::read_to_string(self.dir.path().join("own.log")).unwrap_or_default()
    }

    /// The messages of ours that it wrote down.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read(self.dir.path().join("out.json")).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The sequence numbers it wrote down, each once.
    pub fn sequences(&self) -> std::collections::BTreeSet<u64> {
        self.lines()
            .iter()
            .map(|line| parameter(line["sd"].as_str().unwrap(), "seq").unwrap().parse().unwrap())
            .collect()
    }
}
