//! `bench`: how many packets a second one worker takes, beside dpdk-testpmd over the same wires.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs, process};

use bench::harness::figure::{self, Row, Sample};
use bench::harness::ostiary::{self, Measurement};
use bench::harness::testpmd;
use bench::harness::wire::Wire;
use clap::Parser;
use dataplane::dpdk::Memory;
use serde_json::{Value, json};

/// Measures packets a second of established sessions, through the real worker and pipeline, beside dpdk-testpmd over the
/// same software wires. Contenders take turns; of each the median of all runs is given. Figures, no verdicts.
#[derive(Parser, Debug)]
struct Arguments {
    /// Wires: null, ring, pcap.
    #[arg(long, value_delimiter = ',', default_value = "null,ring,pcap")]
    wire: Vec<Wire>,
    /// Sessions, over the wires that carry any.
    #[arg(long, value_delimiter = ',', default_value = "1024,65536", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    flows: Vec<u32>,
    /// Runs of each contender.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Seconds that are counted in each run.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The forwarding core; default: the last that this process may run on.
    #[arg(long)]
    cpu: Option<u16>,
    /// Leave out dpdk-testpmd.
    #[arg(long)]
    alone: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// One measurement of our own, as JSON: how this program calls itself.
    #[arg(long, hide = true)]
    once: bool,
    /// Whether that one has hugepages.
    #[arg(long, hide = true)]
    hugepages: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match if arguments.once { once(&arguments) } else { compare(&arguments) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// One measurement, in this process.
fn once(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (Some(&wire), Some(&flows), Some(cpu)) = (arguments.wire.first(), arguments.flows.first(), arguments.cpu)
    else {
        return Err("--once needs --wire, --flows and --cpu".into());
    };
    let window = window(arguments)?;
    let memory = memory(ostiary::memory(wire, flows), arguments.hugepages);
    let scratch = Scratch::new()?;
    let outcome = ostiary::measure(&Measurement { wire, flows, cpu, window, memory }, &scratch.0)?;
    let result = json!({
        "rate": outcome.sample.rate,
        "cycles_per_second": outcome.sample.cycles_per_second,
        "sessions": outcome.sessions,
        "opened": outcome.opened,
        "dropped": outcome.dropped,
        "lost_buffers": outcome.lost_buffers,
    });
    println!("{result}");
    Ok(())
}

/// All measurements, in turn, each in a process of its own.
fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let cpus = allowed_cpus()?;
    let cpu = match (arguments.cpu, cpus.last()) {
        (Some(cpu), _) if !cpus.contains(&cpu) => return Err(format!("CPU {cpu} is not among {cpus:?}").into()),
        (Some(cpu), _) | (None, Some(&cpu)) => cpu,
        (None, None) => return Err("no CPU to run on".into()),
    };
    let main_cpu = cpus.iter().copied().find(|&other| other != cpu).unwrap_or(cpu);
    let scratch = Scratch::new()?;
    let free = free_hugepages();
    let mut rows: Vec<Row> = Vec::new();
    let mut kinds: Vec<&str> = Vec::new();
    for &wire in &arguments.wire {
        let flows: &[u32] = if wire.has_flows() { &arguments.flows } else { &[1] };
        for &flows in flows {
            let need = ostiary::memory(wire, flows).max(testpmd::memory(wire, flows));
            let hugepages = free >= need;
            kinds.push(if hugepages { "hugepages" } else { "ordinary pages" });
            let measurement =
                Measurement { wire, flows, cpu, window: window(arguments)?, memory: memory(need, hugepages) };
            rows.extend(measure(arguments, &measurement, main_cpu, hugepages, &scratch)?);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    if arguments.json {
        let mut report = figure::json(&rows);
        report["machine"] = json!({ "cpu": cpu_model(), "forwarding_core": cpu, "memory": kinds.join(", ") });
        println!("{report}");
        return Ok(());
    }
    println!("{}; forwarding on CPU {cpu}; {}; frames of 64 octets\n", cpu_model(), kinds.join(", "));
    print!("{}", figure::table(&rows));
    println!();
    for wire in &arguments.wire {
        println!("{:<6} {}", wire.name(), wire.meaning());
    }
    Ok(())
}

/// All contenders over one wire, taking turns.
fn measure(
    arguments: &Arguments,
    measurement: &Measurement,
    main_cpu: u16,
    hugepages: bool,
    scratch: &Scratch,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let wire = match measurement.wire.has_flows() {
        true => format!("{}, {} flows", measurement.wire.name(), measurement.flows),
        false => measurement.wire.name().to_owned(),
    };
    let modes: &[&str] = if arguments.alone { &[] } else { &testpmd::MODES };
    let mut ours = Row { wire: wire.clone(), contender: "ostiary".to_owned(), samples: Vec::new() };
    let theirs = |mode: &&str| Row { wire: wire.clone(), contender: format!("testpmd {mode}"), samples: Vec::new() };
    let mut theirs: Vec<Row> = modes.iter().map(theirs).collect();
    for run in 1..=arguments.runs {
        eprint!("\r{wire}: run {run} of {}    ", arguments.runs);
        let sample = ourselves(measurement, hugepages)?;
        ours.samples.push(sample);
        for (mode, row) in modes.iter().zip(&mut theirs) {
            let rate = testpmd::measure(measurement, mode, main_cpu, &scratch.0)?;
            row.samples.push(Sample { rate, ..sample });
        }
    }
    eprintln!();
    theirs.insert(0, ours);
    Ok(theirs)
}

/// One run of this program with `--once`, and whether it measured what it was to.
fn ourselves(measurement: &Measurement, hugepages: bool) -> Result<Sample, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--once", "--wire", measurement.wire.name()]);
    command.args(["--flows", &measurement.flows.to_string(), "--cpu", &measurement.cpu.to_string()]);
    command.args(["--seconds", &measurement.window.as_secs_f64().to_string()]);
    if hugepages {
        command.arg("--hugepages");
    }
    let output = command.stderr(process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("a measurement failed".into());
    }
    let result: Value = serde_json::from_slice(&output.stdout)?;
    let number = |key: &str| result[key].as_u64().ok_or_else(|| format!("{key} is missing"));
    let sessions = if measurement.wire.has_flows() { u64::from(measurement.flows) } else { 0 };
    if (number("sessions")?, number("opened")?, number("dropped")?, number("lost_buffers")?) != (sessions, 0, 0, 0) {
        return Err(format!("the measurement is not of {sessions} established sessions: {result}").into());
    }
    let rate = |key: &str| result[key].as_f64().ok_or_else(|| format!("{key} is missing"));
    Ok(Sample { rate: rate("rate")?, cycles_per_second: rate("cycles_per_second")? })
}

fn window(arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    match arguments.seconds {
        seconds if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        seconds => Err(format!("--seconds {seconds}: from 0.1 to 3600").into()),
    }
}

fn memory(mib: u32, hugepages: bool) -> Memory {
    if hugepages { Memory::Hugepages { mib } } else { Memory::Ordinary { mib } }
}

/// The CPUs that this process may run on.
fn allowed_cpus() -> Result<Vec<u16>, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let mut cpus = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<u16>()?..=last.parse()?);
    }
    Ok(cpus)
}

/// MiB of free hugepages of the default size.
fn free_hugepages() -> u32 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let number = |key: &str| -> Option<u64> {
        let line = memory.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let free = number("HugePages_Free:").zip(number("Hugepagesize:"));
    free.map_or(0, |(pages, kib)| u32::try_from(pages * kib / 1024).unwrap_or(u32::MAX))
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown CPU".to_owned(), |(_, name)| name.to_owned())
}

/// A folder that is removed with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let folder = env::temp_dir().join(format!("ostiary-bench-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
