//! `pktgen`: writes capture files: stories of instant-messaging users, with what a firewall should say of them, and bulk
//! traffic for generators that repeat captures.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bench::harness::draw::Draw;
use bench::harness::flow;
use bench::harness::wire::Size;
use bench::pktgen::frames::Side;
use bench::pktgen::pcap::{self, Container, Layout, LinkType};
use bench::pktgen::stories;
use bench::pktgen::traffic::{self, Class, Traffic};
use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(about = "Seeded, deterministic traffic of instant-messaging users", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the story `day`: a QQ and two WeChat users' day, a mobile QQ, and much that is neither
    Day(Output),
    /// Writes one story
    Story {
        /// Its name; `pktgen list` knows them
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Writes bulk traffic: established sessions, new ones, whole connections, attacks
    Traffic(Bulk),
    /// Lists the stories
    List,
}

#[derive(Args)]
struct Bulk {
    /// udp, new-udp, tcp, or an attack: syn-flood, udp-ports, first-fragments, later-fragments, rst-guessed,
    /// out-of-window, ack-no-session, land, smurf, ip-options
    #[arg(long)]
    class: Class,
    /// Flows of `udp`, connections open at a time of `tcp`, flows that an attack aims at
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=i64::from(flow::MOST)))]
    flows: u32,
    /// How packets are spread over the flows of `udp`: uniform, zipf, zipf:EXPONENT
    #[arg(long, default_value = "uniform")]
    draw: Draw,
    /// UDP frames in octets without FCS, 64 to 9000, or imix
    #[arg(long, default_value = "64")]
    size: Size,
    /// Packets
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    packets: u64,
    /// Packets a second, by their time stamps
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: u64,
    /// One seed gives one traffic, to the octet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A story among it
    #[arg(long)]
    story: Option<String>,
    /// The capture file to write
    #[arg(long)]
    out: PathBuf,
    /// Write what each side sends into a file of its own: NAME-clients.pcap and NAME-servers.pcap
    #[arg(long)]
    split: bool,
}

#[derive(Args)]
struct Output {
    /// The capture file to write
    #[arg(long)]
    out: PathBuf,
    /// One seed gives one story, to the octet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write what a firewall should report, as JSON
    #[arg(long)]
    expect: Option<PathBuf>,
    /// Container of the capture
    #[arg(long, value_enum, default_value = "pcap")]
    container: ContainerName,
    /// Link type of the capture
    #[arg(long, value_enum, default_value = "ethernet")]
    link: LinkName,
    /// Shorten every pause to this many milliseconds; what only silence tells is no longer expected then
    #[arg(long, value_name = "MILLISECONDS")]
    compress: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ContainerName {
    Pcap,
    PcapNanoseconds,
    PcapBigEndian,
    Pcapng,
}

#[derive(Clone, Copy, ValueEnum)]
enum LinkName {
    Ethernet,
    Raw,
    LinuxCooked,
    LinuxCooked2,
    Null,
    Loop,
    Ppp,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Day(output) => write("day", &output),
        Command::Story { name, output } => write(&name, &output),
        Command::Traffic(bulk) => traffic(&bulk),
        Command::List => list(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("pktgen: {message}");
            ExitCode::from(2)
        }
    }
}

/// Frames are written as they are made: there may be more than memory holds.
fn traffic(bulk: &Bulk) -> Result<(), String> {
    let &Bulk { class, flows, draw, size, packets, rate, seed, .. } = bulk;
    let plain = Traffic { class, flows, draw, size, packets, rate, seed };
    let story = match &bulk.story {
        Some(name) => {
            let mut story = stories::find(name).ok_or_else(|| format!("no story `{name}`: `pktgen list`"))?.tell(seed);
            story.compress(Duration::from_millis(1));
            story.frames
        }
        None => Vec::new(),
    };
    let frames = || traffic::merged(plain.frames(), story.clone());
    if !bulk.split {
        return into_file(&bulk.out, |file| pcap::write_frames(frames(), file));
    }
    let stem = bulk.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for (side, name) in [(Side::Client, "clients"), (Side::Server, "servers")] {
        let path = bulk.out.with_file_name(format!("{stem}-{name}.pcap"));
        into_file(&path, |file| pcap::write_frames(frames().filter(|frame| frame.from == side), file))?;
    }
    Ok(())
}

fn list() -> Result<(), String> {
    let mut out = io::stdout().lock();
    for tale in stories::all() {
        match writeln!(out, "{:28} {}", tale.name, tale.about) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            done => done.map_err(|error| format!("standard output: {error}"))?,
        }
    }
    Ok(())
}

fn write(name: &str, output: &Output) -> Result<(), String> {
    let tale = stories::find(name).ok_or_else(|| format!("no story `{name}`: `pktgen list` names them"))?;
    let mut story = tale.tell(output.seed);
    if let Some(longest) = output.compress {
        story.compress(Duration::from_millis(longest));
    }
    let layout = Layout { container: output.container.into(), link: output.link.into() };
    into_file(&output.out, |file| pcap::write(&story, layout, file))?;
    if let Some(path) = &output.expect {
        into_file(path, |file| writeln!(file, "{:#}", story.expected_json()))?;
    }
    Ok(())
}

fn into_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), String> {
    let all = || {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    all().map_err(|error| format!("{}: {error}", path.display()))
}

impl From<ContainerName> for Container {
    fn from(name: ContainerName) -> Self {
        match name {
            ContainerName::Pcap => Self::Pcap,
            ContainerName::PcapNanoseconds => Self::PcapNanoseconds,
            ContainerName::PcapBigEndian => Self::PcapBigEndian,
            ContainerName::Pcapng => Self::PcapNg,
        }
    }
}

impl From<LinkName> for LinkType {
    fn from(name: LinkName) -> Self {
        match name {
            LinkName::Ethernet => Self::Ethernet,
            LinkName::Raw => Self::Raw,
            LinkName::LinuxCooked => Self::LinuxCooked,
            LinkName::LinuxCooked2 => Self::LinuxCooked2,
            LinkName::Null => Self::Null,
            LinkName::Loop => Self::Loop,
            LinkName::Ppp => Self::Ppp,
        }
    }
}
