//! Log records: how many a second one core writes to memory in each format, and how many reach a host over TCP and RELP,
//! beside rsyslog that forwards the same lines and loggen that sends a line of its own, into the same sink.
//!
//! Senders run on one CPU, the sink on another, each a process of its own.

mod forwarder;
mod memory;
mod records;
mod sender;
mod sink;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::playbill::{self, Line};
use super::report::Report;
use super::{Fallible, machine};

/// `bench logs`.
#[derive(Args, Debug)]
pub struct Logs {
    /// Runs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Records of each run that are delivered; ten times as many are written to memory.
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    records: u64,
    /// Few records, once: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Only what is written to memory.
    #[arg(long)]
    memory: bool,
    /// Only ours.
    #[arg(long)]
    own: bool,
    /// syslog-ng's loggen; where there is none it takes no part.
    #[arg(long)]
    loggen: Option<PathBuf>,
    /// Seconds to wait for a quiet machine before each run.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The processes of `bench logs`.
#[derive(Subcommand, Clone, Debug)]
pub enum Part {
    /// Takes messages, and says how many came in what time.
    Sink {
        /// How they come.
        protocol: Protocol,
        /// How many.
        records: u64,
    },
    /// Sends records as the firewall does.
    Send {
        /// How.
        protocol: Protocol,
        /// Where the sink is.
        port: u16,
        /// How many.
        records: u64,
    },
    /// Writes records to memory.
    Memory {
        /// How many.
        records: u64,
    },
    /// Writes the lines that others forward.
    Lines {
        /// To this file.
        path: PathBuf,
        /// How many.
        records: u64,
    },
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// TCP, each message behind its length.
    Tcp,
    /// RELP.
    Relp,
}

impl Protocol {
    const ALL: [Self; 2] = [Self::Tcp, Self::Relp];

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Relp => "relp",
        }
    }
}

/// What a sink took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Taken {
    records: u64,
    octets: u64,
    /// From the first octet to the last.
    seconds: f64,
}

/// One of them, in this process.
///
/// # Errors
/// As sockets and files have them.
pub fn part(part: Part) -> Fallible<()> {
    match part {
        Part::Sink { protocol, records } => sink::run(protocol, records),
        Part::Send { protocol, port, records } => sender::run(protocol, port, records),
        Part::Memory { records } => {
            println!("{}", serde_json::to_string(&memory::run(records)?)?);
            Ok(())
        }
        Part::Lines { path, records } => Ok(fs::write(path, records::lines(records))?),
    }
}

impl Logs {
    /// Measures, and prints.
    ///
    /// # Errors
    /// If a process fails, or not everything arrives.
    pub fn run(&self, scratch: &Path) -> Fallible<()> {
        let (runs, records, patience) =
            if self.quick { (1, 5_000, 0) } else { (self.runs, self.records, self.patience) };
        let forwarder = forwarder::Forwarder::new(scratch, records)?;
        let mut lines: Vec<Line> = Vec::new();
        for run in 1..=runs {
            machine::quiet_or_say(Duration::from_secs(patience));
            eprint!("\r\x1b[Krun {run} of {runs}");
            for (format, rate) in memory(records * 10)? {
                add(&mut lines, "to memory", &format, "M/s", rate / 1e6);
            }
            for protocol in Protocol::ALL.into_iter().filter(|_| !self.memory) {
                let scene = format!("delivered over {}", protocol.name());
                let ours = deliver(protocol, records, |port| {
                    let send = Part::Send { protocol, port, records };
                    Ok(vec![part_on(SENDER, &send)?.stdout(Stdio::null()).spawn()?])
                })?;
                add(&mut lines, &scene, "ostiary", "k/s", ours / 1e3);
                if self.own || !forwarder::is_there() {
                    continue;
                }
                let theirs = deliver(protocol, records, |port| forwarder.start(protocol, port))?;
                add(&mut lines, &scene, "rsyslog", "k/s", theirs / 1e3);
                add(&mut lines, &scene, "ostiary / rsyslog", "times", ours / theirs);
                if let (Protocol::Tcp, Some(loggen)) = (protocol, &self.loggen) {
                    let theirs = deliver(protocol, records, |port| forwarder::loggen(loggen, port, records))?;
                    add(&mut lines, &scene, "loggen", "k/s", theirs / 1e3);
                }
            }
        }
        eprint!("\r\x1b[K");
        let machine = format!("{}; senders on CPU {SENDER}, sinks on CPU {SINK}", machine::cpu_model());
        let report = Report { machine, lines, ..Report::default() };
        if self.json {
            println!("{}", report.json());
        } else {
            print!("{}\n\n{}", report.machine, playbill::table(&report.lines));
        }
        Ok(())
    }
}

const SENDER: u16 = 0;
const SINK: u16 = 1;

fn add(lines: &mut Vec<Line>, scene: &str, name: &str, unit: &str, value: f64) {
    match lines.iter_mut().find(|line| (&*line.scene, &*line.name) == (scene, name)) {
        Some(line) => line.values.push(value),
        None => lines.push(Line { scene: scene.into(), name: name.into(), values: vec![value], unit: unit.into() }),
    }
}

fn memory(records: u64) -> Fallible<Vec<(String, f64)>> {
    let output = part_on(SENDER, &Part::Memory { records })?.stdout(Stdio::piped()).output()?;
    if !output.status.success() {
        return Err("writing to memory failed".into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Records a second that a sink took of what `start` starts, told the sink's port.
fn deliver(protocol: Protocol, records: u64, start: impl FnOnce(u16) -> Fallible<Vec<Child>>) -> Fallible<f64> {
    let mut sink = part_on(SINK, &Part::Sink { protocol, records })?.stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(sink.stdout.take().ok_or("the sink has no output")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    let mut senders = start(line.trim().parse()?)?;
    line.clear();
    let read = said.read_line(&mut line);
    for sender in &mut senders {
        let _ = sender.kill();
        sender.wait()?;
    }
    let _ = sink.kill();
    sink.wait()?;
    read?;
    let taken: Taken = serde_json::from_str(&line).map_err(|why| format!("the sink said {line:?}: {why}"))?;
    if taken.records < records {
        return Err(format!("{} of {records} records arrived over {}", taken.records, protocol.name()).into());
    }
    Ok(taken.records as f64 / taken.seconds)
}

/// This program as one of its parts, on a CPU; on whatever CPU where there are not as many.
fn part_on(cpu: u16, part: &Part) -> Fallible<Command> {
    let mut command = on(cpu, &env::current_exe()?);
    command.arg("logs-part");
    match part {
        Part::Sink { protocol, records } => command.args(["sink", protocol.name(), &records.to_string()]),
        Part::Send { protocol, port, records } => {
            command.args(["send", protocol.name(), &port.to_string(), &records.to_string()])
        }
        Part::Memory { records } => command.args(["memory", &records.to_string()]),
        Part::Lines { path, records } => command.arg("lines").arg(path).arg(records.to_string()),
    };
    Ok(command)
}

fn on(cpu: u16, program: &Path) -> Command {
    if !machine::allowed_cpus().contains(&cpu) {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cpu.to_string()).arg(program);
    command
}
