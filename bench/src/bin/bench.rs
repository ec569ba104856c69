//! `bench`: how many packets a second one worker takes, beside a floor of ours and peers over the same wires.

use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::Duration;
use std::{env, fs};

use bench::harness::contender::{self, Contender};
use bench::harness::draw::Draw;
use bench::harness::figure::{self, Row};
use bench::harness::measurement::Measurement;
use bench::harness::ostiary::{self, Own};
use bench::harness::wire::{Size, Wire};
use bench::harness::{Fallible, bed, flow, machine};
use clap::{Args, Parser, Subcommand};
use serde_json::json;

/// Measures one worker, through the worker and pipeline that are in service. Contenders take turns; of each the median of
/// all runs is given. Figures, no verdicts.
#[derive(Parser, Debug)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Packets a second of established UDP sessions, both directions mixed
    Established(Established),
    /// One measurement of our own, as JSON: how this program calls itself
    #[command(hide = true)]
    Once { contender: Own, measurement: String },
}

#[derive(Args, Debug)]
struct Established {
    /// Wires: null, ring, pcap.
    #[arg(long, value_delimiter = ',', default_value = "pcap")]
    wire: Vec<Wire>,
    /// Sessions, over the wires that carry any.
    #[arg(long, value_delimiter = ',', default_value = "1024,65536,1000000", value_parser = clap::value_parser!(u32).range(1..=i64::from(flow::MOST)))]
    flows: Vec<u32>,
    /// Rewrite headers in line, packets spread over sessions like this (uniform, zipf, zipf:EXPONENT). Without it that is
    /// done, uniformly, from 100,000 sessions on; fewer have a frame each on the wire.
    #[arg(long)]
    rewrite: Option<Draw>,
    /// Rules of the policy.
    #[arg(long, value_delimiter = ',', default_value = "1000", value_parser = clap::value_parser!(u16).range(1..=65_000))]
    rules: Vec<u16>,
    /// Frames in octets without FCS, or imix.
    #[arg(long, value_delimiter = ',', default_value = "64")]
    size: Vec<Size>,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Runs of each contender.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Seconds that are counted in each run.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The forwarding core; default: the last that this process may run on.
    #[arg(long)]
    cpu: Option<u16>,
    /// Seconds to wait for a quiet machine before each run.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Established(arguments) => compare(&arguments),
        Command::Once { contender, measurement } => once(contender, &measurement),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// One measurement, in this process.
fn once(contender: Own, measurement: &str) -> Fallible<()> {
    let scratch = Scratch::new()?;
    let outcome = ostiary::measure(contender, &serde_json::from_str(measurement)?, &scratch.0)?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// All measurements, in turn, each in a process of its own.
fn compare(arguments: &Established) -> Fallible<()> {
    let measurements = measurements(arguments)?;
    let contenders = contender::all();
    if let Some(unknown) = arguments.only.iter().find(|name| contenders.iter().all(|known| known.name() != **name)) {
        let names: Vec<_> = contenders.iter().map(|contender| contender.name()).collect();
        return Err(format!("no contender {unknown:?}: {}", names.join(", ")).into());
    }
    let hertz = machine::cycles_per_second();
    let mut rows: Vec<Row> = Vec::new();
    for measurement in &measurements {
        let wanted = |contender: &&dyn Contender| {
            let is_named = arguments.only.is_empty() || arguments.only.contains(&contender.name());
            is_named && contender.can(measurement)
        };
        let contenders: Vec<_> = contenders.iter().map(Box::as_ref).filter(wanted).collect();
        rows.extend(measure(arguments, measurement, &contenders, hertz)?);
    }
    let mut kinds: Vec<&str> =
        measurements.iter().map(|one| if one.hugepages { "hugepages" } else { "ordinary pages" }).collect();
    kinds.dedup();
    let cpu = measurements.first().map(|one| one.cpu);
    if arguments.json {
        let mut report = figure::json(&rows);
        report["machine"] =
            json!({ "cpu": machine::cpu_model(), "forwarding_core": cpu, "memory": kinds.join(", "), "hertz": hertz });
        println!("{report}");
        return Ok(());
    }
    println!("{}; forwarding on CPU {}; {}\n", machine::cpu_model(), cpu.unwrap_or_default(), kinds.join(", "));
    print!("{}", figure::table(&rows));
    println!();
    for wire in &arguments.wire {
        println!("{:<6} {}", wire.name(), wire.meaning());
    }
    Ok(())
}

fn measurements(arguments: &Established) -> Fallible<Vec<Measurement>> {
    let cpus = machine::allowed_cpus();
    let cpu = match (arguments.cpu, cpus.last()) {
        (Some(cpu), _) if !cpus.contains(&cpu) => return Err(format!("CPU {cpu} is not among {cpus:?}").into()),
        (Some(cpu), _) | (None, Some(&cpu)) => cpu,
        (None, None) => return Err("no CPU to run on".into()),
    };
    let main_cpu = cpus.iter().copied().find(|&other| other != cpu).unwrap_or(cpu);
    let free = machine::free_hugepages();
    let mut measurements = Vec::new();
    for &wire in &arguments.wire {
        for &flows in if wire.has_flows() { &arguments.flows[..] } else { &[1] } {
            for &rules in &arguments.rules {
                for &size in if wire.has_flows() { &arguments.size[..] } else { &[Size::Fixed(64)] } {
                    let many = (flows >= MANY).then_some(Draw::Uniform);
                    let mut measurement = Measurement {
                        wire,
                        flows,
                        rewritten: arguments.rewrite.or(many).filter(|_| wire.has_flows()),
                        rules,
                        size,
                        cpu,
                        main_cpu,
                        window: window(arguments.seconds)?,
                        hugepages: false,
                        seed: arguments.seed,
                    };
                    measurement.hugepages = free >= bed::memory(&measurement);
                    measurements.push(measurement);
                }
            }
        }
    }
    Ok(measurements)
}

/// All contenders in one measurement, taking turns.
fn measure(
    arguments: &Established,
    measurement: &Measurement,
    contenders: &[&dyn Contender],
    hertz: f64,
) -> Fallible<Vec<Row>> {
    let mut title = measurement.title();
    if arguments.rules.len() > 1 {
        title += &format!(", {} rules", measurement.rules);
    }
    let mut rates = vec![Vec::new(); contenders.len()];
    let scratch = Scratch::new()?;
    for run in 1..=arguments.runs {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            eprint!("\r\x1b[K{title}: run {run} of {}, {}", arguments.runs, contender.name());
            let idle = machine::wait_for_quiet(Duration::from_secs(arguments.patience));
            if idle <= machine::QUIET {
                eprintln!("\r\x1b[Kthe machine is not quiet: {:.0} % idle; measuring all the same", idle * 100.0);
            }
            rates.push(contender.measure(measurement, &scratch.0)?.rate);
        }
    }
    eprint!("\r\x1b[K");
    let floor = contenders.iter().position(|contender| contender.name() == Own::Floor.name());
    let floor = floor.map(|index| rates[index].clone());
    let row = |(contender, rates): (&&dyn Contender, Vec<f64>)| Row {
        title: title.clone(),
        contender: contender.name(),
        rates,
        hertz,
        floor: floor.clone(),
    };
    Ok(contenders.iter().zip(rates).map(row).collect())
}

fn window(seconds: f64) -> Fallible<Duration> {
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(format!("--seconds {seconds}: from 0.1 to 3600").into());
    }
    Ok(Duration::from_secs_f64(seconds))
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

/// From so many sessions on, headers are rewritten in line.
const MANY: u32 = 100_000;
