//! Two programs that read syslog, and write down what they understood of each message as JSON.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::bed::syslog_ng;
use super::{Program, Running, free_port, have, program, wait_for_tcp};

/// One of them, which listens on a TCP port of loopback for each form of syslog.
pub struct Reader {
    /// Octet counting.
    pub rfc5424: u16,
    /// Lines.
    pub rfc3164: u16,
    /// Lines.
    pub json: u16,
    program: Program,
    _running: Running,
    dir: tempfile::TempDir,
}

impl Reader {
    /// None where it is not here; says so.
    pub fn start(program: Program) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let ports = [(); 3].map(|()| free_port());
        let mut command = match program {
            Program::Rsyslog => rsyslog(dir.path(), ports)?,
            Program::SyslogNg => syslog_ng_reader(dir.path(), ports)?,
        };
        // Times without a zone are UTC.
        command.env("TZ", "UTC").stderr(fs::File::create(dir.path().join("stderr")).unwrap());
        let running = Running::start(&mut command);
        ports.into_iter().for_each(wait_for_tcp);
        let [rfc5424, rfc3164, json] = ports;
        Some(Self { rfc5424, rfc3164, json, program, _running: running, dir })
    }

    /// What it made of the messages of one form (`rfc5424`, `rfc3164`, `json`), in their order.
    pub fn lines(&self, form: &str) -> Vec<Value> {
        let mut text = fs::read(self.dir.path().join(form)).unwrap_or_default();
        // What is being written may end within a character.
        text.truncate(text.iter().rposition(|octet| *octet == b'\n').unwrap_or(0));
        let whole = String::from_utf8(text).unwrap_or_else(|_| panic!("{:?} wrote what is no UTF-8", self.program));
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        whole.lines().map(parse).collect()
    }

    /// What it said of itself.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }
}

fn rsyslog(dir: &Path, [rfc5424, rfc3164, json]: [u16; 3]) -> Option<Command> {
    if !have(&["rsyslogd"]) {
        return None;
    }
    let configuration = format!(
        r#"global(workDirectory="{dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imptcp") module(load="mmpstrucdata") module(load="mmjsonparse")
template(name="message" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf") property(outname="app" name="app-name" format="jsonf")
  property(outname="pid" name="procid" format="jsonf") property(outname="id" name="msgid" format="jsonf")
  property(outname="data" name="$!rfc5424-sd" format="jsonf") property(outname="msg" name="msg" format="jsonf")
}}
template(name="tree" type="string" string="%$!all-json%\n")
ruleset(name="rfc5424") {{
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="{dir}/rfc5424" template="message")
}}
ruleset(name="rfc3164") {{ action(type="omfile" file="{dir}/rfc3164" template="message") }}
ruleset(name="json") {{
  action(type="mmjsonparse" cookie="" useRawMsg="on")
  action(type="omfile" file="{dir}/json" template="tree")
}}
input(type="imptcp" address="127.0.0.1" port="{rfc5424}" ruleset="rfc5424")
input(type="imptcp" address="127.0.0.1" port="{rfc3164}" ruleset="rfc3164")
input(type="imptcp" address="127.0.0.1" port="{json}" ruleset="json")
"#,
        dir = dir.display(),
    );
    let file = dir.join("rsyslog.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program("rsyslogd"));
    command.arg("-n").arg("-f").arg(file).arg("-i").arg(dir.join("pid"));
    Some(command)
}

fn syslog_ng_reader(dir: &Path, [rfc5424, rfc3164, json]: [u16; 3]) -> Option<Command> {
    let root = syslog_ng()?;
    let message = "pri=${PRI} time=${S_ISODATE} host=${HOST} app=${PROGRAM} pid=${PID} id=${MSGID} msg=${MESSAGE}";
    let configuration = format!(
        r#"@version: 3.38
options {{
  chain-hostnames(no); keep-hostname(yes); keep-timestamp(yes); use-dns(no); dns-cache(no); stats-freq(0); frac-digits(6);
  log-msg-size(65536);
}};
source rfc5424 {{ syslog(transport("tcp") ip(127.0.0.1) port({rfc5424})); }};
source rfc3164 {{ network(transport("tcp") ip(127.0.0.1) port({rfc3164})); }};
source json {{ network(transport("tcp") ip(127.0.0.1) port({json}) flags(no-parse)); }};
destination rfc5424 {{ file("{dir}/rfc5424" template("$(format-json {message} --key .SDATA.*)\n")); }};
destination rfc3164 {{ file("{dir}/rfc3164" template("$(format-json {message} --subkeys words:)\n")); }};
destination json {{ file("{dir}/json" template("$(format-json --subkeys tree:)\n")); }};
parser words {{ kv-parser(prefix("words:")); }};
parser tree {{ json-parser(prefix("tree:")); }};
log {{ source(rfc5424); destination(rfc5424); }};
log {{ source(rfc3164); parser(words); destination(rfc3164); }};
log {{ source(json); parser(tree); destination(json); }};
"#,
        dir = dir.display(),
    );
    let file = dir.join("syslog-ng.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = unpacked(&root);
    command.arg("-f").arg(file);
    for (option, name) in [("-R", "persist"), ("-p", "pid"), ("-c", "control")] {
        command.arg(option).arg(dir.join(name));
    }
    Some(command)
}

/// syslog-ng where it was unpacked.
fn unpacked(root: &Path) -> Command {
    let libraries = format!("{0}/usr/lib/syslog-ng:{0}/usr/lib/x86_64-linux-gnu", root.display());
    let mut command = Command::new(root.join("usr/sbin/syslog-ng"));
    command.env("LD_LIBRARY_PATH", libraries).arg("-F").arg("--no-caps");
    command.arg(format!("--module-path={}", root.join("usr/lib/syslog-ng/3.38").display()));
    command
}
