//! `ostiary trace`: what happens to a packet, step by step, which rule and why.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{Failure, Output, Style};
use super::table::{Cell, Table};
use crate::config::{self, DEFAULT_SOCKET, Purpose};
use crate::manage;
use crate::manage::protocol::{Answer, Request};
use crate::replay::capture::Capture;
use crate::trace::{self, FRAME_LIMIT, Flow, Question, TraceRow, from_hex, to_hex};

/// Options of `trace`.
#[derive(Debug, Args)]
pub(super) struct TraceOptions {
    /// tcp, udp, icmp, icmpv6, sctp, or a protocol's number
    #[arg(
        required_unless_present = "packet",
        requires = "destination",
        conflicts_with = "packet",
        value_name = "PROTO"
    )]
    protocol: Option<String>,
    /// The sender; without a port, 40000
    #[arg(value_name = "SRC[:PORT]", requires = "protocol")]
    source: Option<String>,
    /// The receiver; tcp, udp and sctp need its port
    #[arg(value_name = "DST[:PORT]", requires = "source")]
    destination: Option<String>,
    /// The port where it comes in
    #[arg(long, value_name = "NAME")]
    port: String,
    /// The frame itself: hexadecimal digits, or a capture file, of which N chooses a packet (1 is the first)
    #[arg(long, value_name = "HEX|FILE[:N]")]
    packet: Option<String>,
    /// Behind this VLAN tag, or two: 101, 20.101
    #[arg(long, value_name = "ID[.ID]", conflicts_with = "packet")]
    vlan: Option<String>,
    /// As if this user were signed on at the client's address
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// As if its session were known to be of this application
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// Ask this policy file instead of the running firewall
    ///
    /// No session is open then, nobody is signed on, and no neighbour is known. What the packet carries is shown to the engine.
    #[arg(short, long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// The management socket of the running firewall
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// Write an object a line: a step, or a rule; the verdict last
    #[arg(long)]
    json: bool,
}

/// Where a client's port is not given: of the dynamic ones of most systems.
const SOURCE_PORT: u16 = 40_000;

pub(super) fn trace(options: &TraceOptions, output: &mut Output) -> Result<(), Failure> {
    let question = question(options).map_err(Failure::Input)?;
    let mut teller = Teller { json: options.json, table: Table::new(&["STEP", "RESULT", "WHY"]), output };
    match &options.config {
        Some(file) => {
            let (mut compiled, _) = config::load(file, Purpose::Replay).map_err(|faults| {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                Failure::Input(format!("{first}; all faults: ostiary check {}", file.display()))
            })?;
            compiled.make_user_table();
            let mut story = trace::trace(&question, &compiled).map_err(Failure::Input)?;
            while let Some(row) = story.next(&compiled) {
                teller.tell(&row)?;
            }
        }
        None => {
            let mut answers = manage::request(&options.socket, &Request::Trace(question))?;
            while let Some(answer) = answers.next_row()? {
                if let Answer::Trace(row) = answer {
                    teller.tell(&row)?;
                }
            }
        }
    }
    teller.finish()
}

struct Teller<'a> {
    json: bool,
    table: Table,
    output: &'a mut Output,
}

impl Teller<'_> {
    fn tell(&mut self, row: &TraceRow) -> Result<(), Failure> {
        if self.json {
            return self.output.json(row);
        }
        let step = match (row.number, &row.rule) {
            (Some(number), Some(rule)) => format!("rule {number} {rule}"),
            _ => row.step.clone(),
        };
        let style = match row.outcome.as_str() {
            "match" | "forward" => Style::Good,
            "drop" | "reset" => Style::Bad,
            _ => Style::Plain,
        };
        self.table.row(vec![Cell::text(step), Cell::text(&row.outcome).style(style), Cell::text(&row.detail)]);
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.table.print("no step", self.output) }
    }
}

fn question(options: &TraceOptions) -> Result<Question, String> {
    let mut question = Question {
        port: options.port.clone(),
        user: options.user.clone(),
        application: options.application.clone(),
        ..Question::default()
    };
    match (&options.packet, &options.protocol, &options.source, &options.destination) {
        (Some(packet), ..) => {
            let (mut bytes, length) = frame(packet)?;
            question.length = Some(length.max(bytes.len() as u32));
            bytes.truncate(FRAME_LIMIT);
            question.frame = Some(to_hex(&bytes));
        }
        (None, Some(number), Some(source), Some(destination)) => {
            question.flow = Some(flow(number, source, destination, options.vlan.as_deref())?);
        }
        _ => return Err("a protocol, a sender and a receiver, or --packet".to_owned()),
    }
    Ok(question)
}

fn flow(number: &str, source: &str, destination: &str, vlan: Option<&str>) -> Result<Flow, String> {
    let protocol = match number {
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" => 58,
        "sctp" => 132,
        other => other
            .parse()
            .map_err(|_| format!("\"{other}\": a protocol is tcp, udp, icmp, icmpv6, sctp, or a number to 255"))?,
    };
    let has_ports = matches!(protocol, 6 | 17 | 132);
    let (source, source_port) = end(source)?;
    let (destination, destination_port) = end(destination)?;
    if !has_ports && (source_port.is_some() || destination_port.is_some()) {
        return Err(format!("{number} has no ports: give addresses only"));
    }
    let destination_port = match destination_port {
        Some(port) => port,
        None if has_ports => return Err(format!("{number} needs the receiver's port, as in {destination}:443")),
        None => 0,
    };
    let (svlan, cvlan) = vlan.map_or(Ok((0, 0)), tags)?;
    let source_port = if has_ports { source_port.unwrap_or(SOURCE_PORT) } else { 0 };
    Ok(Flow { protocol, source, source_port, destination, destination_port, svlan, cvlan })
}

fn end(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(end) = text.parse::<SocketAddr>() {
        return Ok((end.ip(), Some(end.port())));
    }
    let address = text.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse().map_err(|_| {
        format!("\"{text}\": an end is an address, or with a port 192.0.2.1:443 or [2001:db8::1]:443; names are not looked up")
    })?;
    Ok((address, None))
}

fn tags(text: &str) -> Result<(u16, u16), String> {
    let id = |text: &str| text.parse().ok().filter(|id| (1..4_095).contains(id));
    let (outer, inner) = match text.split_once('.') {
        Some((outer, inner)) => (id(outer), id(inner)),
        None => (id(text), Some(0)),
    };
    outer.zip(inner).ok_or_else(|| format!("\"{text}\": a VLAN is 1 to 4094, two are written 20.101"))
}

/// A frame and its length on the wire, out of digits or of a file.
fn frame(text: &str) -> Result<(Vec<u8>, u32), String> {
    let (file, number) = match text.rsplit_once(':') {
        Some((file, number)) if !Path::new(text).exists() && Path::new(file).exists() => {
            let wrong = || format!("\"{number}\": packets are counted from 1");
            (file, number.parse::<u64>().ok().filter(|number| *number > 0).ok_or_else(wrong)?)
        }
        _ => (text, 1),
    };
    if !Path::new(file).exists() {
        let bytes = from_hex(text).map_err(|_| format!("\"{text}\": neither a file nor hexadecimal digits"))?;
        let length = bytes.len() as u32;
        return Ok((bytes, length));
    }
    let failed = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let mut capture = Capture::open(Path::new(file)).map_err(|error| failed(&error))?;
    let mut found = 0;
    while let Some(packet) = capture.next_packet().map_err(|error| failed(&error))? {
        found += 1;
        if found < number {
            continue;
        }
        let mut bytes = Vec::new();
        let framing = packet.link.framing();
        let length = framing.and_then(|framing| framing.ethernet(packet.bytes, packet.length, &mut bytes));
        return match length {
            Some(length) => Ok((bytes, length)),
            None => {
                Err(failed(&format!("packet {number} is of link type {}, and no frame can be made of it", packet.link)))
            }
        };
    }
    Err(failed(&format!("it has {found} packets, not {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_addresses_with_and_without_ports() {
        let asked = flow("tcp", "10.0.0.1", "192.0.2.1:443", Some("20.101")).unwrap();
        assert_eq!((asked.protocol, asked.source_port, asked.destination_port), (6, SOURCE_PORT, 443));
        assert_eq!((asked.svlan, asked.cvlan), (20, 101));
        let asked = flow("17", "[2001:db8::1]:5000", "[2001:db8::2]:53", Some("7")).unwrap();
        assert_eq!((asked.source_port, asked.destination_port, asked.svlan, asked.cvlan), (5000, 53, 7, 0));
        assert_eq!(flow("icmpv6", "2001:db8::1", "[2001:db8::2]", None).unwrap().destination_port, 0);
        for (protocol, source, destination, vlan) in [
            ("tcp", "10.0.0.1", "192.0.2.1", None),
            ("icmp", "10.0.0.1:1", "192.0.2.1", None),
            ("http", "10.0.0.1", "192.0.2.1:80", None),
            ("300", "10.0.0.1", "192.0.2.1", None),
            ("udp", "example.com", "192.0.2.1:80", None),
            ("udp", "10.0.0.1", "192.0.2.1:80", Some("4095")),
            ("udp", "10.0.0.1", "192.0.2.1:80", Some("1.0")),
        ] {
            assert!(flow(protocol, source, destination, vlan).is_err(), "{protocol} {source} {destination}");
        }
    }

    #[test]
    fn frames_come_of_digits_and_of_files() {
        assert_eq!(frame("02 00:ff").unwrap(), (vec![2, 0, 255], 3));
        assert!(frame("no such file").is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("two.pcap");
        let mut bytes = [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 1, 0, 1, 0, 0, 0]].concat();
        for octet in [7, 8] {
            bytes.extend([&[0; 8][..], &[20, 0, 0, 0, 90, 0, 0, 0], &[octet; 20]].concat());
        }
        std::fs::write(&file, bytes).unwrap();
        let name = file.to_str().unwrap();
        assert_eq!(frame(name).unwrap(), (vec![7; 20], 90));
        assert_eq!(frame(&format!("{name}:2")).unwrap(), (vec![8; 20], 90));
        assert!(frame(&format!("{name}:3")).unwrap_err().contains("it has 2 packets"));
        assert!(frame(&format!("{name}:0")).is_err());
    }
}
