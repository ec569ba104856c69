//! Counters of a running DPDK program by its telemetry socket: what a peer forwarded, in its own words but by one ruler.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::Fallible;

/// A connection to one program.
#[derive(Debug)]
pub struct Telemetry(Socket);

impl Telemetry {
    /// Connects to the program started with this `--file-prefix`, as soon as it listens.
    ///
    /// # Errors
    /// Where it does not within `patience`.
    pub fn connect(prefix: &str, patience: Duration) -> Fallible<Self> {
        let begin = Instant::now();
        loop {
            let error = match Self::attempt(prefix) {
                Ok(telemetry) => return Ok(telemetry),
                Err(error) => error,
            };
            if begin.elapsed() > patience {
                return Err(format!("no telemetry of {prefix}: {error}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn attempt(prefix: &str) -> std::io::Result<Self> {
        let mut socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        socket.connect(&SockAddr::unix(runtime(prefix).join("dpdk_telemetry.v2"))?)?;
        socket.set_read_timeout(Some(ANSWER))?;
        // It begins by saying who it is.
        let _greeting = socket.read(&mut [0; 4096])?;
        Ok(Self(socket))
    }

    /// Packets that all `ports` together sent a second, over `window`.
    ///
    /// # Errors
    /// Where the program does not answer any more.
    pub fn sent_rate(&mut self, ports: &[u16], window: Duration) -> Fallible<f64> {
        let (before, begin) = (self.sent(ports)?, Instant::now());
        thread::sleep(window);
        let (after, passed) = (self.sent(ports)?, begin.elapsed());
        Ok((after - before) as f64 / passed.as_secs_f64())
    }

    fn sent(&mut self, ports: &[u16]) -> Fallible<u64> {
        let mut sum = 0;
        for port in ports {
            self.0.write_all(format!("/ethdev/stats,{port}").as_bytes())?;
            let mut answer = vec![0; 16 << 10];
            let length = self.0.read(&mut answer)?;
            let answer: Value = serde_json::from_slice(&answer[..length])?;
            sum += answer["/ethdev/stats"]["opackets"].as_u64().ok_or("a port without statistics")?;
        }
        Ok(sum)
    }
}

/// EAL's runtime folder of a privileged process with this file prefix.
pub fn runtime(prefix: &str) -> PathBuf {
    Path::new("/run/dpdk").join(prefix)
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
