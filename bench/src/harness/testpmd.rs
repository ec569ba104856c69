//! One measurement of DPDK's own forwarder, as a yardstick of what the wire costs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::Fallible;
use super::bed;
use super::contender::Contender;
use super::measurement::{Measurement, Outcome};
use super::wire::{self, Wire};

/// dpdk-testpmd in one of its forwarding modes.
#[derive(Clone, Copy, Debug)]
pub struct Testpmd(&'static str);

impl Testpmd {
    /// The modes that are measured: untouched; addresses swapped in Ethernet; in Ethernet, IP and UDP.
    pub const MODES: [Self; 3] = [Self("io"), Self("macswap"), Self("5tswap")];
}

impl Contender for Testpmd {
    fn name(&self) -> String {
        format!("testpmd {}", self.0)
    }

    /// It rewrites nothing in line, and its frames over rings are its own.
    fn can(&self, measurement: &Measurement) -> bool {
        measurement.rewritten.is_none()
    }

    fn measure(&self, measurement: &Measurement, folder: &Path) -> Fallible<Outcome> {
        let mut testpmd = Running::start(&arguments(measurement, self.0, folder)?)?;
        // Over rings, the frames that go round must be sent once: bursts of 64, half a ring of 1,024.
        testpmd.say(if measurement.wire == Wire::Ring { "start tx_first 8" } else { "start" })?;
        thread::sleep(WARM_UP);
        // testpmd computes rates between two of these.
        testpmd.received_rate()?;
        thread::sleep(measurement.window);
        let rate = testpmd.received_rate()?;
        testpmd.quit()?;
        Ok(Outcome::of_rate(rate))
    }
}

fn arguments(measurement: &Measurement, mode: &str, folder: &Path) -> std::io::Result<Vec<String>> {
    let mut arguments: Vec<String> = vec![
        format!("--lcores=0@{},1@{}", measurement.main_cpu, measurement.cpu),
        "--no-pci".to_owned(),
        "--no-telemetry".to_owned(),
        format!("--file-prefix={}", file_prefix()),
        "--log-level=*:error".to_owned(),
    ];
    arguments.push(format!("-m{}", bed::memory(measurement)));
    if measurement.hugepages {
        arguments.push("--in-memory".to_owned());
    } else {
        arguments.extend(["--no-huge".to_owned(), "--no-shconf".to_owned()]);
    }
    let devices = match measurement.wire {
        Wire::Null => ["net_null0".to_owned(), "net_null1".to_owned()],
        Wire::Ring => ["net_ring0".to_owned(), "net_ring1".to_owned()],
        Wire::Pcap => {
            let (clients, servers) = wire::captures(folder, measurement)?;
            let device = |index: u32, path: &Path| format!("net_pcap{index},rx_pcap={},infinite_rx=1", path.display());
            [device(0, &clients), device(1, &servers)]
        }
    };
    arguments.extend(devices.map(|device| format!("--vdev={device}")));
    let buffers =
        if measurement.wire == Wire::Pcap { 2 * (measurement.flows + 1).next_power_of_two() } else { 0 } + 8192;
    arguments.extend([
        "--".to_owned(),
        "-i".to_owned(),
        "--no-flush-rx".to_owned(),
        "--burst=64".to_owned(),
        "--rxd=1024".to_owned(),
        "--txd=1024".to_owned(),
        format!("--forward-mode={mode}"),
        format!("--total-num-mbufs={buffers}"),
    ]);
    Ok(arguments)
}

/// A running testpmd; killed when dropped.
struct Running {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(arguments: &[String]) -> Result<Self, Box<dyn std::error::Error>> {
        // Into a pipe it would write by the block, and the statistics would come when it ends.
        let mut process = Command::new("stdbuf")
            .args(["-oL", "dpdk-testpmd"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("stdbuf (coreutils) does not start: {error}"))?;
        let input = process.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        Ok(Self { process, input, output })
    }

    fn say(&mut self, command: &str) -> std::io::Result<()> {
        writeln!(self.input, "{command}")?;
        self.input.flush()
    }

    /// The sum of both ports' receive rates since the last call.
    fn received_rate(&mut self) -> Result<f64, Box<dyn std::error::Error>> {
        self.say("show port stats all")?;
        let mut sum = 0.0;
        let mut seen = 0;
        let mut line = String::new();
        while seen < 2 {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                return Err("dpdk-testpmd did not run, or ended early (on Debian it is in package dpdk-dev; --alone does without)".into());
            }
            if let Some(rate) = received(&line) {
                sum += rate;
                seen += 1;
            }
        }
        Ok(sum)
    }

    fn quit(mut self) -> std::io::Result<()> {
        self.say("quit")?;
        // It writes while it stops; a full pipe would hold it up.
        std::io::copy(&mut self.output, &mut std::io::sink())?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended where all went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // It leaves its runtime folder behind; where EAL puts that depends on who runs it.
        let folders = [Some("/run".into()), std::env::var_os("XDG_RUNTIME_DIR"), Some("/tmp".into())];
        for folder in folders.into_iter().flatten() {
            let _ = std::fs::remove_dir_all(Path::new(&folder).join("dpdk").join(file_prefix()));
        }
    }
}

fn file_prefix() -> String {
    format!("ostiary-testpmd-{}", std::process::id())
}

/// The rate in a line such as `  Rx-pps:     71512345          Rx-bps:  36614320640`.
fn received(line: &str) -> Option<f64> {
    line.trim_start().strip_prefix("Rx-pps:")?.split_whitespace().next()?.parse().ok()
}

const WARM_UP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_its_line() {
        assert_eq!(received("  Rx-pps:     71512345          Rx-bps:  36614320640"), Some(71_512_345.0));
        assert_eq!(received("  Tx-pps:     71512345          Tx-bps:  36614320640"), None);
        assert_eq!(received("  RX-packets: 715123456  RX-missed: 0          RX-bytes:  45767872384"), None);
    }
}
