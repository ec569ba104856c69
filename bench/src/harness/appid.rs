//! Identification over captures: what it costs a packet and a flow, beside nDPI's `ndpiReader` on the same frames.
//!
//! All captures are merged as if they had begun at once, and again some seconds later as often as asked, each in a VLAN of
//! its own so that equal addresses stay apart, and written to one file for `ndpiReader`. Ours runs through the pipeline that
//! is in service, with and without identification: the difference is what identification costs. Contenders take turns.

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
    /// How often the captures are shown, some seconds apart: so that a run lasts, and sessions are many.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    copies: u16,
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

#[derive(Clone, Copy, Debug)]
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
    packets: u64,
    identified: u64,
    no_slot: u64,
}

/// All runs, one after the other.
#[derive(Debug)]
pub struct Comparison {
    captures: usize,
    copies: u16,
    frames: usize,
    octets: usize,
    full: Vec<Pass>,
    off: Vec<Pass>,
    /// What ndpiReader took, less what it takes for a capture without packets.
    ndpi: Vec<Duration>,
}

/// What of several runs is said.
#[derive(Clone, Copy, Debug)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// None where there are no runs.
    fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Some(Self { median: *figures.get(figures.len() / 2)?, least: *figures.first()?, most: *figures.last()? })
    }
}

/// The two ports of the wire.
const WIRE: (PortId, PortId) = (PortId(0), PortId(1));
/// As a worker does its housekeeping, in bursts.
const TURN: usize = 256;
/// Between the beginnings of two copies.
const APART: Duration = Duration::from_millis(2_300);
/// VLANs to tell captures apart by.
const VLANS: usize = 4094;
/// Of a pcap file (draft-ietf-opsawg-pcap, 4): magic, version 2.4, zone, accuracy, longest packet, Ethernet.
const PCAP: [u32; 6] = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 0x4_0000, 1];

impl Identification {
    /// Measures.
    pub fn run(&self, scratch: &Path) -> Fallible<Comparison> {
        let mut mix = Mix::read(&files(&self.captures)?, self.copies)?;
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
        Ok(Comparison {
            captures: mix.captures,
            copies: self.copies,
            frames: mix.frames.len(),
            octets: mix.octets.len(),
            full: with,
            off: without,
            ndpi: theirs,
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
    fn read(files: &[PathBuf], copies: u16) -> Fallible<Self> {
        let mut mix = Self { octets: Vec::new(), frames: Vec::new(), captures: 0 };
        let sides = Sides::new(&[], WIRE);
        let mut frame = Vec::new();
        for file in files {
            let mut capture = Capture::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let vlan = (mix.captures * usize::from(copies) % VLANS) as u16 + 1;
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
        mix.repeat(copies);
        if mix.frames.is_empty() { Err("no frames in these captures".into()) } else { Ok(mix) }
    }

    /// Copies of all, each later than the one before and in VLANs of its own, in the order in which they are read, as a
    /// device would leave them.
    fn repeat(&mut self, copies: u16) {
        let once = std::mem::take(&mut self.frames);
        let mut order: Vec<_> = (0..copies)
            .flat_map(|copy| once.iter().map(move |frame| (frame.time + APART * u32::from(copy), copy, frame)))
            .collect();
        order.sort_by_key(|(time, ..)| *time);
        let octets = std::mem::take(&mut self.octets);
        for (time, copy, frame) in order {
            let bytes = octets.get(frame.at..frame.end).unwrap_or_default();
            let at = self.octets.len();
            self.octets.extend_from_slice(bytes);
            if let Some(tag) = self.octets.get_mut(at + 14..).and_then(|behind| behind.first_chunk_mut::<2>()) {
                let vlan = usize::from(u16::from_be_bytes(*tag)) - 1 + usize::from(copy);
                *tag = ((vlan % VLANS) as u16 + 1).to_be_bytes();
            }
            self.frames.push(Captured { time, at, end: self.octets.len(), ..*frame });
        }
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
            [
                Counter::SessionsOpened,
                Counter::AppidInspected,
                Counter::AppidPackets,
                Counter::AppidIdentified,
                Counter::AppidNoSlot,
            ]
            .map(value)
        };
        let before = counts();
        let started = Instant::now();
        self.play(&mut pipeline, &mut events, Duration::from_secs(86_400));
        let took = started.elapsed();
        let after = counts();
        let moved = [0, 1, 2, 3, 4].map(|place: usize| after[place] - before[place]);
        let [flows, inspected, packets, identified, no_slot] = moved;
        Pass { took, flows, inspected, packets, identified, no_slot }
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
        let Some(pass) = self.full.first() else { return Ok(()) };
        writeln!(
            f,
            "{} captures {} times over, {} frames, {} octets, {} flows; {} runs, medians and spread",
            self.captures,
            self.copies,
            self.frames,
            self.octets,
            pass.flows,
            self.full.len()
        )?;
        let mut line = |name: &str, took: &mut dyn Iterator<Item = Duration>| {
            let Some(Spread { median, least, most }) = Spread::of(took.map(|took| took.as_nanos() as f64 / frames))
            else {
                return writeln!(f, "{name:<26} is not here (Debian: libndpi-bin)");
            };
            let rates = [median, most, least].map(|each| 1e3 / each);
            writeln!(
                f,
                "{name:<26} {median:7.0} ns {:7.0} cycles a frame [{:.0} to {:.0}]; {:.3} Mpps [{:.3} to {:.3}]",
                median * cycles,
                least * cycles,
                most * cycles,
                rates[0],
                rates[1],
                rates[2]
            )
        };
        line("ostiary, identification", &mut self.full.iter().map(|pass| pass.took))?;
        line("ostiary, none", &mut self.off.iter().map(|pass| pass.took))?;
        line("ndpiReader", &mut self.ndpi.iter().copied())?;
        let pairs = self.full.iter().zip(&self.off);
        let costs = pairs.map(|(full, off)| full.took.saturating_sub(off.took).as_nanos() as f64 * cycles);
        if let Some(Spread { median, .. }) = Spread::of(costs) {
            writeln!(
                f,
                "identification: {:.0} cycles an inspected packet, {:.0} a flow; {} of {} packets and {} flows inspected, \
                 {} named, {} without a slot",
                median / pass.packets.max(1) as f64,
                median / pass.inspected.max(1) as f64,
                pass.packets,
                self.frames,
                pass.inspected,
                pass.identified,
                pass.no_slot
            )?;
        }
        let ratios = self.ndpi.iter().zip(&self.full).map(|(ndpi, full)| ndpi.as_secs_f64() / full.took.as_secs_f64());
        if let Some(Spread { median, least, most }) = Spread::of(ratios) {
            writeln!(f, "ostiary takes {median:.1} times ndpiReader's frames [{least:.1} to {most:.1}]")?;
        }
        Ok(())
    }
}
