//! The kernel's own firewall beside ours, where both can stand: between two veth cables, in namespaces. The same sender
//! offers the same load; counted is what arrives at the far end, and how long a part of it was on the way.

mod cables;
mod forwarder;
mod passages;
mod sender;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

pub use cables::Cables;
pub use forwarder::Forwarder;
pub use passages::Passages;
pub use sender::send;

use super::{Fallible, machine};

/// What is offered, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Frames of 64 octets a second.
    pub rate: u32,
    /// UDP flows, in turn.
    pub flows: u32,
    /// How long.
    pub time: Duration,
    /// The sender's CPU; the forwarder has the other.
    pub cpu: u16,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Frames a second that the sender's port took.
    pub offered: f64,
    /// Frames a second that arrived.
    pub delivered: f64,
    /// One-way times of every thousandth frame or so, in nanoseconds.
    pub latency: Histogram<u64>,
}

/// All forwarders at some rates.
#[derive(clap::Args, Clone, Debug)]
pub struct Comparison {
    /// Frames of 64 octets offered a second.
    #[arg(long, value_delimiter = ',', default_value = "100000,400000")]
    rate: Vec<u32>,
    /// UDP flows.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    flows: u32,
    /// Runs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Seconds that are counted in each run.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
}

impl Comparison {
    /// Forwarders take turns.
    ///
    /// # Errors
    /// Where one run fails.
    pub fn run(&self) -> Fallible<Passages> {
        let cpus = machine::allowed_cpus();
        let (Some(&cpu), Some(&sender)) = (cpus.last(), cpus.first()) else { return Err("no CPU to run on".into()) };
        let time = Duration::from_secs_f64(self.seconds);
        let mut passages = Passages::default();
        for &rate in &self.rate {
            let load = Load { rate, flows: self.flows, time, cpu: sender };
            for run in 1..=self.runs {
                eprint!("\rveth, {rate} a second: run {run} of {}    ", self.runs);
                for forwarder in Forwarder::ALL {
                    passages.add(rate, forwarder, measure(forwarder, &load, cpu)?);
                }
            }
            eprintln!();
        }
        Ok(passages)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.1..=3600.0).contains(&seconds) { Ok(seconds) } else { Err("from 0.1 to 3600".to_owned()) }
}

/// One run of a forwarder under a load.
///
/// # Errors
/// Where namespaces, the kernel or the forwarder refuse.
pub fn measure(forwarder: Forwarder, load: &Load, cpu: u16) -> Fallible<Passage> {
    let cables = Cables::lay(forwarder.is_transparent())?;
    let running = forwarder.start(&cables, cpu, load.flows)?;
    let mut sender = cables.in_sender(std::env::current_exe()?);
    sender.args(["veth-send", cables.sender_mac(), &serde_json::to_string(load)?]);
    let listener = cables.listen()?;
    let mut sender = sender.spawn()?;
    std::thread::sleep(WARM_UP);
    let before = cables.counts()?;
    let begin = std::time::Instant::now();
    let latency = listener.collect(load.time)?;
    let (after, passed) = (cables.counts()?, begin.elapsed().as_secs_f64());
    let status = sender.wait()?;
    if !status.success() {
        return Err("the sender failed".into());
    }
    running.stop()?;
    Ok(Passage {
        offered: (after.offered - before.offered) as f64 / passed,
        delivered: (after.delivered - before.delivered) as f64 / passed,
        latency,
    })
}

/// The sender starts and every flow is open after this.
const WARM_UP: Duration = Duration::from_secs(2);
