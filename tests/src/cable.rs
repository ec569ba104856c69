//! Frames of any kind over real interfaces: both ends of the laboratory's cables as raw sockets.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bench::pktgen::frames::Side;
use bench::pktgen::script::TimedFrame;

use crate::netns::Lab;
use crate::process::PATIENCE;

/// Sends each frame that a line of hexadecimal digits on standard input is, and says likewise which come in. The kernel has
/// the outermost tag beside the frame (PACKET_AUXDATA, packet(7)).
const PROGRAM: &str = r#"
import socket, struct, sys, threading
cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
cable.setsockopt(263, 8, 1)
cable.bind((sys.argv[1], 0))
def sends():
    for line in sys.stdin:
        cable.send(bytes.fromhex(line))
threading.Thread(target=sends, daemon=True).start()
print("ready", flush=True)
while True:
    try:
        frame, ancillary, _, sender = cable.recvmsg(65536, 256)
    except OSError: # the cable is gone
        break
    if sender[2] == 4:
        continue
    for level, kind, data in ancillary:
        if (level, kind) == (263, 8):
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
            if status & 0x10:
                frame = frame[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + frame[12:]
    print(frame.hex(), flush=True)
"#;

/// One end of a cable.
#[derive(Debug)]
struct End {
    program: Child,
    input: ChildStdin,
    received: Receiver<String>,
}

/// The firewall's cables, from their other ends. Needs `python3`.
#[derive(Debug)]
pub struct Cable {
    client: End,
    server: End,
}

impl Cable {
    /// Takes both ends of a laboratory.
    pub fn open(lab: &Lab) -> Self {
        Self { client: End::open(lab.client("python3"), "c0"), server: End::open(lab.server("python3"), "s0") }
    }

    /// Sends frames one after the other, each from its side once the one before has arrived on the other, whatever their times.
    ///
    /// # Panics
    /// Where one does not arrive.
    pub fn play<'a>(&mut self, frames: impl IntoIterator<Item = &'a TimedFrame>) {
        for frame in frames {
            let (from, to) = match frame.from {
                Side::Client => (&mut self.client, &self.server),
                Side::Server => (&mut self.server, &self.client),
            };
            from.send(&frame.bytes);
            to.await_frame(&frame.bytes);
        }
    }
}

impl End {
    fn open(mut command: Command, device: &str) -> Self {
        command.args(["-c", PROGRAM, device]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().unwrap_or_else(|error| panic!("cannot start python3: {error}"));
        let input = program.stdin.take().expect("it is piped");
        let lines = BufReader::new(program.stdout.take().expect("it is piped")).lines();
        let (sender, received) = channel();
        std::thread::spawn(move || {
            // Whoever listened has gone, or the program has ended.
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line).ok())
        });
        let end = Self { program, input, received };
        assert_eq!(end.received.recv_timeout(PATIENCE).as_deref(), Ok("ready"), "no raw socket on {device}");
        end
    }

    fn send(&mut self, frame: &[u8]) {
        writeln!(self.input, "{}", hexadecimal(frame)).expect("python3 runs");
    }

    /// Waits for a frame; others are other's. The type of its outermost tag may be another: drivers know but one.
    fn await_frame(&self, frame: &[u8]) {
        let is_tagged = matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]);
        let (head, tail) = (hexadecimal(&frame[..12]), hexadecimal(&frame[if is_tagged { 14 } else { 12 }..]));
        let end = Instant::now() + PATIENCE;
        loop {
            let rest = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match self.received.recv_timeout(rest) {
                Ok(line) if line.starts_with(&head) && line.ends_with(&tail) => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("a frame did not arrive: {head} {tail}"),
                Err(RecvTimeoutError::Disconnected) => panic!("python3 ended"),
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
