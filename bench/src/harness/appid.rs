//! Identification over captures: what it costs a packet and a flow, beside nDPI's `ndpiReader` on the same frames.
//!
//! All captures are merged as if they had begun at once, each in a VLAN of its own so that equal addresses stay apart, and
//! written to one file for `ndpiReader`. Ours runs through the pipeline that is in service, with and without
//! identification: the difference is what identification costs. Contenders take turns.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use clap::Args;
use control::config::{self, Compiled, Purpose};
use control::replay::Sides;
use control::replay::capture::Capture;
use dataplane::counters::Counter;
use dataplane::event::{self, EventReceiver, WorkerId};
use dataplane::guard::Protection;
use dataplane::pipeline::{BURST, Frame, Pipeline, Settings};
use dataplane::policy::PortId;
use dataplane::time::Nanos;

use super::Fallible;
use super::machine;

/// Identification over captures, beside ndpiReader.
#[derive(Args, Clone, Debug)]
pub struct Identification {
    /// Captures, or folders of captures.
    #[arg(required = true)]
    captures: Vec<PathBuf>,
    /// Runs of each contender.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// nDPI's reader; left out where it is not there.
    #[arg(long, default_value = "ndpiReader")]
    ndpi: PathBuf,
    /// Seconds to wait for a quiet machine first.
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

/// Captured frames in the order of their times.
struct Mix {
    octets: Vec<u8>,
    frames: Vec<Captured>,
    captures: usize,
}

struct Captured {
    time: Nanos,
    port: PortId,
    at: usize,
    end: usize,
    length: u32,
}

/// What a pass over the mix came to.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    took: Duration,
    flows: u64,
    inspected: u64,
    identified: u64,
    no_slot: u64,
}

/// Medians over the runs.
#[derive(Debug)]
pub struct Comparison {
    captures: usize,
    frames: usize,
    octets: usize,
    runs: u32,
    full: Pass,
    off: Pass,
    /// What ndpiReader took, less what it takes for a capture without packets.
    ndpi: Option<Duration>,
}

/// The two ports of the wire.
const WIRE: (PortId, PortId) = (PortId(0), PortId(1));
/// As a worker does its housekeeping, in bursts.
const TURN: usize = 256;
/// Of a pcap file (draft-ietf-opsawg-pcap, 4): magic, version 2.4, zone, accuracy, longest packet, Ethernet.
const PCAP: [u32; 6] = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 0x4_0000, 1];

impl Identification {
    /// Measures.
    pub fn run(&self, scratch: &Path) -> Fallible<Comparison> {
        let mut mix = Mix::read(&files(&self.captures)?)?;
        let (merged, empty) = (scratch.join("mix.pcap"), scratch.join("empty.pcap"));
        mix.write(&merged)?;
        fs::write(&empty, PCAP.map(u32::to_le_bytes).concat())?;
        let full = configuration(scratch, "full")?;
        // No rule asks for applications: then none is inspected.
        let off = configuration(scratch, "on-demand")?;
        machine::quiet_or_say(Duration::from_secs(self.patience));
        let (mut with, mut without, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            with.push(mix.pass(&full));
            without.push(mix.pass(&off));
            if let Some(start) = ndpi(&self.ndpi, &empty)? {
                theirs.extend(ndpi(&self.ndpi, &merged)?.map(|took| took.saturating_sub(start)));
            }
        }
        with.sort_by_key(|pass| pass.took);
        without.sort_by_key(|pass| pass.took);
        theirs.sort();
        Ok(Comparison {
            captures: mix.captures,
            frames: mix.frames.len(),
            octets: mix.octets.len(),
            runs: self.runs,
            full: with[with.len() / 2],
            off: without[without.len() / 2],
            ndpi: theirs.get(theirs.len() / 2).copied(),
        })
    }
}

/// The captures among files and folders.
fn files(given: &[PathBuf]) -> Fallible<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| ["pcap", "pcapng", "cap"].iter().any(|one| extension == *one)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A policy that permits all.
fn configuration(scratch: &Path, mode: &str) -> Fallible<Compiled> {
    let text = format!(
        "[dataplane]\nverify-checksums = false\n\
         [[port]]\nname = \"inside\"\ndevice = \"net_null0\"\nzone = \"inside\"\n\
         [[port]]\nname = \"outside\"\ndevice = \"net_null1\"\nzone = \"outside\"\n\
         [[wire]]\nports = [\"inside\", \"outside\"]\n\
         [[rule]]\nname = \"all\"\naction = \"permit\"\n\
         [application-identification]\nmode = \"{mode}\"\n"
    );
    let file = scratch.join(format!("{mode}.toml"));
    fs::write(&file, text)?;
    let (compiled, _) = config::load(&file, Purpose::Replay).map_err(|faults| format!("{faults:?}"))?;
    Ok(compiled)
}

impl Mix {
    fn read(files: &[PathBuf]) -> Fallible<Self> {
        let mut mix = Self { octets: Vec::new(), frames: Vec::new(), captures: 0 };
        let sides = Sides::new(&[], WIRE);
        let mut frame = Vec::new();
        for file in files {
            let mut capture = Capture::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let vlan = mix.captures as u16 % 4094 + 1;
            let (mut first, mut last) = (None, Nanos(0));
            while let Some(packet) = capture.next_packet()? {
                let Some(framing) = packet.link.framing() else { continue };
                frame.clear();
                let Some(length) = framing.ethernet(packet.bytes, packet.length, &mut frame) else { continue };
                let Some((addresses, rest)) = frame.split_at_checked(12) else { continue };
                let time = packet.time.unwrap_or(last).max(last);
                last = time;
                let since = time.since(*first.get_or_insert(time));
                let at = mix.octets.len();
                mix.octets.extend_from_slice(addresses);
                mix.octets.extend_from_slice(&[0x81, 0x00]);
                mix.octets.extend_from_slice(&vlan.to_be_bytes());
                mix.octets.extend_from_slice(rest);
                let time = Nanos::from_parts(1_700_000_000, 0) + since;
                mix.frames.push(Captured {
                    time,
                    port: sides.port(&frame),
                    at,
                    end: mix.octets.len(),
                    length: length + 4,
                });
            }
            mix.captures += 1;
        }
        mix.frames.sort_by_key(|frame| frame.time);
        // In the order in which they are read, as a device would leave them.
        let octets = std::mem::take(&mut mix.octets);
        for frame in &mut mix.frames {
            let bytes = octets.get(frame.at..frame.end).unwrap_or_default();
            (frame.at, frame.end) = (mix.octets.len(), mix.octets.len() + bytes.len());
            mix.octets.extend_from_slice(bytes);
        }
        if mix.frames.is_empty() { Err("no frames in these captures".into()) } else { Ok(mix) }
    }

    fn write(&self, file: &Path) -> Fallible<()> {
        let mut out = std::io::BufWriter::new(fs::File::create(file)?);
        out.write_all(&PCAP.map(u32::to_le_bytes).concat())?;
        for frame in &self.frames {
            let bytes = self.octets.get(frame.at..frame.end).unwrap_or_default();
            let (seconds, micros) = (frame.time.0 / 1_000_000_000, frame.time.0 % 1_000_000_000 / 1000);
            let header = [seconds as u32, micros as u32, bytes.len() as u32, frame.length.max(bytes.len() as u32)];
            out.write_all(&header.map(u32::to_le_bytes).concat())?;
            out.write_all(bytes)?;
        }
        Ok(out.flush()?)
    }

    /// All frames through a new pipeline, once its memory is warm.
    fn pass(&mut self, configuration: &Compiled) -> Pass {
        let dataplane = &configuration.dataplane;
        let worker = WorkerId(0);
        let (sender, mut events) = event::channel(worker, 16_384, 16_384);
        let sessions = self.frames.len().next_power_of_two().clamp(1024, dataplane.max_sessions);
        let settings = Settings {
            worker,
            max_sessions: sessions,
            inspection_slots: dataplane.inspection_slots.min(sessions),
            fragment_slots: dataplane.fragment_slots.min(sessions),
            timeouts: dataplane.timeouts,
            wires: vec![WIRE],
            nat: Vec::new(),
            routing: Default::default(),
            midstream: dataplane.midstream,
            verify_checksums: false,
            protection: Protection { has_sides: false, ..dataplane.protection.clone() },
        };
        let policy = Arc::clone(&configuration.policy);
        let mut pipeline = Pipeline::new(settings, policy, Arc::clone(&configuration.database), sender);
        // A firewall that is in service has touched its memory: a first pass, a day earlier, is not counted.
        self.play(&mut pipeline, &mut events, Duration::ZERO);
        let idle = pipeline.counters().clone();
        let later = self.frames.last().map_or(Nanos(0), |frame| frame.time) + Duration::from_secs(40_000);
        for _ in 0..1_000_000 {
            if idle.value(Counter::TableEntries) == 0 {
                break;
            }
            pipeline.turn(later);
            while events.session().is_some() || events.sign_on().is_some() {}
        }
        let value = |counter| idle.value(counter);
        let counts = || {
            [Counter::SessionsOpened, Counter::AppidInspected, Counter::AppidIdentified, Counter::AppidNoSlot]
                .map(value)
        };
        let before = counts();
        let started = Instant::now();
        self.play(&mut pipeline, &mut events, Duration::from_secs(86_400));
        let took = started.elapsed();
        let after = counts();
        let [flows, inspected, identified, no_slot] = [0, 1, 2, 3].map(|place: usize| after[place] - before[place]);
        Pass { took, flows, inspected, identified, no_slot }
    }

    fn play(&mut self, pipeline: &mut Pipeline, events: &mut EventReceiver, later: Duration) {
        let mut verdicts = ArrayVec::new();
        let mut rest = self.octets.as_mut_slice();
        for (number, burst) in self.frames.chunks(BURST).enumerate() {
            let mut frames = ArrayVec::<Frame<'_>, BURST>::new();
            for frame in burst {
                let (bytes, behind) = std::mem::take(&mut rest).split_at_mut(frame.end - frame.at);
                rest = behind;
                frames.push(Frame::new(frame.port, bytes, frame.length));
            }
            let now = burst.first().map_or(Nanos(0), |frame| frame.time) + later;
            pipeline.process(now, &mut frames, &mut verdicts);
            pipeline.replies().for_each(drop);
            if number % TURN == 0 {
                pipeline.turn(now);
            }
            while events.session().is_some() || events.sign_on().is_some() {}
        }
    }
}

/// How long the reader takes for a file; none where there is no reader.
fn ndpi(program: &Path, file: &Path) -> Fallible<Option<Duration>> {
    let started = Instant::now();
    let run = Command::new(program).arg("-q").arg("-i").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match run {
        Ok(status) if status.success() => Ok(Some(started.elapsed())),
        Ok(status) => Err(format!("{} ended with {status}", program.display()).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.frames as f64;
        let cycles = machine::cycles_per_second() / 1e9;
        let Self { full, off, .. } = self;
        writeln!(
            f,
            "{} captures, {} frames, {} octets, {} flows; medians of {} runs",
            self.captures, self.frames, self.octets, full.flows, self.runs
        )?;
        let mut line = |name: &str, took: Duration| {
            let each = took.as_nanos() as f64 / frames;
            writeln!(f, "{name:<34} {each:8.0} ns {:8.0} cycles a frame {:8.3} Mpps", each * cycles, 1e3 / each)
        };
        line("ostiary, identification", full.took)?;
        line("ostiary, none", off.took)?;
        if let Some(ndpi) = self.ndpi {
            line("ndpiReader", ndpi)?;
        }
        let cost = full.took.saturating_sub(off.took).as_nanos() as f64;
        writeln!(
            f,
            "identification: {:.0} ns a frame, {:.0} ns a flow; {} flows inspected, {} named, {} without a slot",
            cost / frames,
            cost / (full.inspected.max(1)) as f64,
            full.inspected,
            full.identified,
            full.no_slot
        )?;
        match self.ndpi {
            Some(ndpi) => {
                writeln!(
                    f,
                    "ostiary takes {:.1} times ndpiReader's frames",
                    ndpi.as_secs_f64() / full.took.as_secs_f64()
                )
            }
            None => writeln!(f, "ndpiReader is not here (Debian: libndpi-bin)"),
        }
    }
}
