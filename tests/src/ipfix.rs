//! Real IPFIX collectors: socat takes the bytes off UDP, TCP or TLS, libfixbuf's `ipfixDump` reads them strictly; and
//! nfcapd, which many networks run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::certificates::Certificates;
use crate::process::{Running, bound_udp, free_port, listens, wait_for};

/// How the exporter comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS; the client has to show a certificate.
    Tls,
}

/// A record by element names, as ipfixDump prints them.
pub type Record = BTreeMap<String, String>;

/// A collector.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens on loopback.
    pub port: u16,
    file: PathBuf,
    _running: Running,
}

impl Collector {
    /// Starts one in `folder`; needs `socat` and `ipfixDump`.
    pub fn start(folder: &Path, over: Over, certificates: &Certificates) -> Self {
        let port = free_port();
        let file = folder.join(format!("{over:?}.ipfix").to_lowercase());
        let input = match over {
            Over::Udp => format!("UDP4-RECV:{port},bind=127.0.0.1,rcvbuf=4194304"),
            Over::Tcp => format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"),
            Over::Tls => format!(
                "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={},key={},cafile={},verify=1",
                certificates.file("server.pem"),
                certificates.file("server.key"),
                certificates.file("ca.pem"),
            ),
        };
        let log = std::fs::File::create(folder.join(format!("socat-{over:?}"))).expect("a file can be made");
        let mut command = Command::new("socat");
        // One write a datagram, so that messages stay whole and in order.
        command.args(["-b", "65536", "-u", &input, &format!("OPEN:{},creat,append", file.display())]);
        let running = Running::start(command.stdout(Stdio::null()).stderr(log));
        let pid = running.pid();
        let listening = || if over == Over::Udp { bound_udp(pid, port) } else { listens(pid, port) };
        wait_for("socat to listen", || listening().then_some(()));
        Self { port, file, _running: running }
    }

    /// The whole messages received so far.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        split(&std::fs::read(&self.file).unwrap_or_default())
    }

    /// The data records received so far, without those that only describe elements.
    ///
    /// # Panics
    /// Where ipfixDump finds anything to complain of.
    pub fn records(&self) -> Vec<Record> {
        let messages = self.messages();
        if messages.is_empty() {
            return Vec::new();
        }
        let whole = self.file.with_extension("whole");
        std::fs::write(&whole, messages.concat()).expect("a file can be made");
        let output = Command::new("ipfixDump").args(["--rfc5610", "-d", "-i"]).arg(&whole).output();
        let output = output.expect("ipfixDump runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "ipfixDump: {complaint}");
        parse(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Cuts a stream into messages by the length in their headers (RFC 7011, 3.1); what is not whole yet is left out.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some(length) = bytes.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]]))) {
        assert_eq!(bytes[..2], [0, 10], "not an IPFIX message");
        assert!(length >= 16, "an IPFIX message shorter than its header");
        let Some(message) = bytes.get(..length) else { break };
        messages.push(message.to_vec());
        bytes = &bytes[length..];
    }
    messages
}

/// Reads ipfixDump's lines `(8) sourceIPv4Address : 10.1.2.3` and `(96) applicationName : (len: 2) qq`.
fn parse(text: &str) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for line in text.lines() {
        if line.starts_with("--- data record") {
            records.push(Record::new());
            continue;
        }
        let (Some(record), Some((left, value))) = (records.last_mut(), line.split_once(" : ")) else { continue };
        let Some(name) = left.trim_start().strip_prefix('(').and_then(|left| left.split_whitespace().last()) else {
            continue;
        };
        // A text comes behind its length.
        let value = match value.strip_prefix("(len: ").and_then(|rest| rest.split_once(')')) {
            Some((_, text)) => text.strip_prefix(' ').unwrap_or(text),
            None => value,
        };
        record.insert(name.to_owned(), value.to_owned());
    }
    records.retain(|record| !record.contains_key("informationElementName"));
    records
}

/// nfcapd, listening on UDP.
#[derive(Debug)]
pub struct Nfcapd {
    /// Where it listens on loopback.
    pub port: u16,
    folder: PathBuf,
    running: Running,
}

impl Nfcapd {
    /// Starts one in `folder`; needs `nfcapd` and `nfdump`.
    pub fn start(folder: &Path) -> Self {
        let folder = folder.join("nfcapd");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let port = free_port();
        let log = std::fs::File::create(folder.with_extension("log")).expect("a file can be made");
        let mut command = Command::new("nfcapd");
        command.args(["-b", "127.0.0.1", "-p", &port.to_string(), "-t", "3600", "-l"]).arg(&folder);
        let running = Running::start(command.stdout(Stdio::null()).stderr(log));
        wait_for("nfcapd to listen", || bound_udp(running.pid(), port).then_some(()));
        Self { port, folder, running }
    }

    /// Ends it and gives the flows that it kept, as nfdump prints them in CSV: a map by column.
    pub fn finish(mut self) -> Vec<Record> {
        self.running.terminate();
        let output = Command::new("nfdump").arg("-R").arg(&self.folder).args(["-o", "csv"]).output();
        let output = output.expect("nfdump runs");
        assert!(output.status.success(), "nfdump: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
        lines
            .take_while(|line| line.contains(','))
            .map(|line| {
                columns.iter().zip(line.split(',')).map(|(c, v)| ((*c).to_owned(), v.trim().to_owned())).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_is_read_with_texts_and_numbers() {
        let text = "--- data record 20 ---\nheader:\n\tcount: 2\nfields:\n\t(8)   sourceIPv4Address : 10.1.2.3\n\
                    \t(32473/6)    ostiaryAccount : (len: 5) 10001\n\t(32473/7)  ostiarySignOnResult : (len: 0) \n\
                    --- data record 21 ---\n\t(341)  informationElementName : (len: 4) name\n";
        let records = parse(text);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["sourceIPv4Address"], "10.1.2.3");
        assert_eq!(records[0]["ostiaryAccount"], "10001");
        assert_eq!(records[0]["ostiarySignOnResult"], "");
    }

    #[test]
    fn a_message_that_is_not_whole_waits() {
        let message = [&[0, 10, 0, 18][..], &[0; 14]].concat();
        let bytes = [&message[..], &message[..10]].concat();
        assert_eq!(split(&bytes), [message]);
    }
}
