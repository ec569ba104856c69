//! `bench`: how many packets a second one worker takes, beside a floor of ours and peers over the same wires.

use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::Duration;
use std::{env, fs};

use bench::harness::appid::Identification;
use bench::harness::contender::{self, Contender};
use bench::harness::draw::Draw;
use bench::harness::figure::{self, Row};
use bench::harness::logs::{self, Logs};
use bench::harness::measurement::Measurement;
use bench::harness::ostiary::{self, Own};
use bench::harness::report::Report;
use bench::harness::scene::{self, Plan};
use bench::harness::soak::{self, Soak};
use bench::harness::wire::{Size, Wire};
use bench::harness::{Fallible, bed, commit, flow, machine, playbill, veth};
use clap::{Args, Parser, Subcommand};

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
    /// What else happens to a firewall: new sessions, whole connections, latency, pauses, attacks, start-up
    Scenes(Scenes),
    /// Sign-ons of access users a second, from frames to formatted records, and the memory that a million users take
    Access(Access),
    /// Identification over captures: cost of a packet and a flow, beside nDPI's ndpiReader
    Appid(Identification),
    /// Log records: to memory in each format, and delivered, beside rsyslog and loggen
    Logs(Logs),
    /// Delivery to log hosts that fail at random, for as long as one likes: is every record accounted for and delivered?
    Soak(Soak),
    /// Everything, with a report as JSON, Markdown and plots
    All(All),
    /// A process of `logs`
    #[command(hide = true)]
    LogsPart {
        #[command(subcommand)]
        part: logs::Part,
    },
    /// One scene, as JSON: how this program calls itself
    #[command(hide = true)]
    Play { scene: String, plan: String },
    /// Throughput and latency between veth cables, beside the kernel's nftables with conntrack (root)
    Veth(veth::Comparison),
    /// Compiles policies until its input ends: the other process of the scene `commit`
    #[command(hide = true)]
    Compile { plan: String },
    /// The sender of `veth`
    #[command(hide = true)]
    VethSend { mac: String, load: String },
    /// One measurement of our own, as JSON: how this program calls itself
    #[command(hide = true)]
    Once { contender: Own, measurement: String },
}

#[derive(Args, Clone, Debug)]
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

#[derive(Args, Debug)]
struct Scenes {
    /// Which; none: all of them, `list`: their names.
    names: Vec<String>,
    /// Runs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Seconds that are counted in each run.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Rules of the policy.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    rules: u16,
    /// Small tables and short windows: to see that it works.
    #[arg(long)]
    quick: bool,
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

#[derive(Args, Debug)]
struct Access {
    /// Runs of each scene.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// 62,500 users: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Seconds to wait for a quiet machine before each run.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct All {
    /// Where the report goes.
    #[arg(long, default_value = "results")]
    out: PathBuf,
    /// Runs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Once, small and short, on whatever machine: to see that everything works and that its counts agree.
    #[arg(long)]
    quick: bool,
    /// Seconds to wait for a quiet machine before each run.
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Established(arguments) => compare(&arguments),
        Command::Scenes(arguments) => scenes(&arguments),
        Command::Access(Access { runs, quick, patience, json }) => {
            let names = ["access", "access-verified", "access-pppoe", "access-dhcp"].map(str::to_owned).into();
            scenes(&Scenes { names, runs, seconds: 1.0, rules: 1, quick, patience, seed: 1, json })
        }
        Command::All(arguments) => all(&arguments),
        Command::Logs(arguments) => Scratch::new().map_err(Into::into).and_then(|scratch| arguments.run(&scratch.0)),
        Command::LogsPart { part } => logs::part(part),
        Command::Appid(arguments) => appid(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Play { scene, plan } => play(&scene, &plan),
        Command::Compile { plan } => compile(&plan),
        Command::Veth(comparison) => comparison.run().map(|passages| print!("{passages}")),
        Command::VethSend { mac, load } => veth::send(&mac, &load),
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

/// Identification over captures.
fn appid(arguments: &Identification) -> Fallible<()> {
    let scratch = Scratch::new()?;
    print!("{}", arguments.run(&scratch.0)?);
    Ok(())
}

/// One scene, in this process.
fn play(scene: &str, plan: &str) -> Fallible<()> {
    let scratch = Scratch::new()?;
    let figures = scene::play(scene, &serde_json::from_str(plan)?, &scratch.0)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Policies, until nobody wants them any more.
fn compile(plan: &str) -> Fallible<()> {
    Ok(commit::compile_until_told(&serde_json::from_str(plan)?)?)
}

/// Scenes, in turn.
fn scenes(arguments: &Scenes) -> Fallible<()> {
    let known = scene::all();
    if arguments.names == ["list"] {
        for (name, about) in &known {
            println!("{name:<24} {about}");
        }
        return Ok(());
    }
    if let Some(unknown) = arguments.names.iter().find(|name| known.iter().all(|(known, _)| known != *name)) {
        return Err(format!("no scene {unknown:?}: scenes list").into());
    }
    let names = if arguments.names.is_empty() { scene_names() } else { arguments.names.clone() };
    let (cpu, main_cpu) = cpus(None)?;
    let plan = Plan {
        cpu,
        main_cpu,
        window: window(arguments.seconds)?,
        hugepages: machine::free_hugepages() >= SCENE_MEMORY,
        seed: arguments.seed,
        rules: arguments.rules,
        quick: arguments.quick,
    };
    let lines = playbill::play(&names, &plan, arguments.runs, Duration::from_secs(arguments.patience))?;
    let report = Report { machine: machine_line(cpu, plan.hugepages), lines, ..Report::default() };
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}\n\n{}", report.machine, playbill::table(&report.lines));
    }
    Ok(())
}

/// Everything, into files.
fn all(arguments: &All) -> Fallible<()> {
    let quick = arguments.quick;
    let (runs, patience) = if quick { (1, 0) } else { (arguments.runs, arguments.patience) };
    let base = Established {
        wire: vec![Wire::Pcap],
        flows: if quick { vec![1024, 100_000] } else { vec![1024, 65_536, 1_000_000, 10_000_000] },
        rewrite: None,
        rules: vec![1000],
        size: vec![Size::default()],
        only: if quick { Own::ALL.map(|own| own.name().to_owned()).to_vec() } else { Vec::new() },
        runs,
        seconds: if quick { 0.1 } else { 1.0 },
        cpu: None,
        patience,
        seed: 1,
        json: false,
    };
    let own = || ["ostiary", "floor"].map(str::to_owned).to_vec();
    let rules = Established { flows: vec![65_536], rules: vec![10, 10_000], only: own(), ..base.clone() };
    let sizes = [128, 256, 512, 1024, 1518, 9000].map(Size::Fixed).into_iter().chain([Size::Imix]).collect();
    let sizes = Established { flows: vec![1024], size: sizes, only: own(), ..base.clone() };
    let mut rows = Vec::new();
    for part in if quick { vec![base] } else { vec![base, rules, sizes] } {
        rows.extend(established(&part)?);
    }
    let (cpu, main_cpu) = cpus(None)?;
    let hugepages = machine::free_hugepages() >= SCENE_MEMORY;
    let window = Duration::from_millis(if quick { 100 } else { 2000 });
    let plan = Plan { cpu, main_cpu, window, hugepages, seed: 1, rules: 1000, quick };
    let lines = playbill::play(&scene_names(), &plan, runs, Duration::from_secs(patience))?;
    let report = Report { machine: machine_line(cpu, hugepages), rows, lines };
    println!("{}\n\n{}\n{}", report.machine, figure::table(&report.rows), playbill::table(&report.lines));
    if quick {
        println!("{} measurements and {} scenes worked; their counts agree", report.rows.len(), scene_names().len());
        return Ok(());
    }
    report.write(&arguments.out)?;
    println!("written to {}", arguments.out.display());
    Ok(())
}

fn scene_names() -> Vec<String> {
    scene::all().into_iter().map(|(name, _)| name).collect()
}

fn machine_line(cpu: u16, hugepages: bool) -> String {
    let pages = if hugepages { "hugepages" } else { "ordinary pages" };
    format!("{}; forwarding on CPU {cpu}; {pages}", machine::cpu_model())
}

/// All measurements, in turn, each in a process of its own.
fn compare(arguments: &Established) -> Fallible<()> {
    let rows = established(arguments)?;
    let Some(first) = rows.first() else { return Err("no contender can do that".into()) };
    let report =
        Report { machine: machine_line(first.measurement.cpu, first.measurement.hugepages), rows, ..Report::default() };
    if arguments.json {
        println!("{}", report.json());
        return Ok(());
    }
    print!("{}\n\n{}\n", report.machine, figure::table(&report.rows));
    for wire in &arguments.wire {
        println!("{:<6} {}", wire.name(), wire.meaning());
    }
    Ok(())
}

fn established(arguments: &Established) -> Fallible<Vec<Row>> {
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
    Ok(rows)
}

/// The forwarding CPU and another.
fn cpus(wanted: Option<u16>) -> Fallible<(u16, u16)> {
    let cpus = machine::allowed_cpus();
    let cpu = match (wanted, cpus.last()) {
        (Some(cpu), _) if !cpus.contains(&cpu) => return Err(format!("CPU {cpu} is not among {cpus:?}").into()),
        (Some(cpu), _) | (None, Some(&cpu)) => cpu,
        (None, None) => return Err("no CPU to run on".into()),
    };
    Ok((cpu, cpus.iter().copied().find(|&other| other != cpu).unwrap_or(cpu)))
}

fn measurements(arguments: &Established) -> Fallible<Vec<Measurement>> {
    let (cpu, main_cpu) = cpus(arguments.cpu)?;
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
            machine::quiet_or_say(Duration::from_secs(arguments.patience));
            rates.push(contender.measure(measurement, &scratch.0)?.rate);
        }
    }
    eprint!("\r\x1b[K");
    let floor = contenders.iter().position(|contender| contender.name() == Own::Floor.name());
    let floor = floor.map(|index| rates[index].clone());
    let row = |(contender, rates): (&&dyn Contender, Vec<f64>)| Row {
        title: title.clone(),
        measurement: measurement.clone(),
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

/// MiB of hugepages that any scene's frames need.
const SCENE_MEMORY: u32 = 256;
/// From so many sessions on, headers are rewritten in line.
const MANY: u32 = 100_000;
