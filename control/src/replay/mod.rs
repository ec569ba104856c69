//! Offline replay: capture files through the same pipeline as live frames, with capture time as the clock.
//!
//! Sessions and users are judged, followed and recorded as by the running firewall. What is still open at the end stays
//! open: nothing is reported of it but its number.

mod batch;
pub mod capture;
pub mod link;
mod pcapng;
mod player;
mod report;
mod side;
mod summary;
mod window;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dataplane::policy::PortId;
use dataplane::time::Nanos;
use ipnet::IpNet;
use thiserror::Error;

use self::batch::Batch;
use self::capture::{Capture, CaptureError, Packet};
use self::link::{LinkType, SUPPORTED};
use self::player::Player;
use self::report::Report;
pub use self::report::{Form, SignOns};
pub use self::side::{INSIDE, Sides};
pub use self::summary::Summary;
use crate::config::Compiled;
use crate::runtime::DataplaneConfig;

/// What is to be replayed, and how.
#[derive(Debug)]
pub struct Options {
    /// Capture files, in order; `-` is standard input. Time never runs backwards: a packet captured before the one that
    /// was replayed before it counts as captured with that one.
    pub files: Vec<PathBuf>,
    /// How to print.
    pub form: Form,
    /// The networks behind the first port of the first wire, or of a router's first interface (none: [`INSIDE`]): frames whose sender is in one of them
    /// come in there, as do those of which neither end or both are; the others come in at the second port.
    pub inside: Vec<IpNet>,
    /// What to judge by; without a policy file [`crate::config::replay_default`].
    pub configuration: Compiled,
}

/// Why a replay failed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A file cannot be replayed.
    #[error("{}: {error}", file.display())]
    Capture {
        /// Which.
        file: PathBuf,
        /// Why.
        error: CaptureError,
    },
    /// The configuration has nothing to replay to.
    #[error("the policy file has neither a [[wire]] nor two [[interface]]s: a replay needs two ports")]
    NoWire,
    /// The results cannot be written.
    #[error("cannot write the results: {0}")]
    Output(io::Error),
}

/// Replays. Results go to `out`; what is to be said beside them (truncated files, packets left out) to `err`. Whoever
/// stops reading `out` ends the replay without an error.
///
/// # Errors
/// Every file is opened, and its header read, before anything is replayed: a file that is no capture is an error before
/// the first result. Not so for pipes, which can be read once only. Packets of a link type that cannot be replayed are
/// left out and told in `err`; so are those that carry neither IP nor anything that Ethernet has a type for.
pub fn run(mut options: Options, out: &mut dyn Write, err: &mut dyn Write) -> Result<Summary, ReplayError> {
    let wire = wire(&options.configuration.dataplane).ok_or(ReplayError::NoWire)?;
    for file in &options.files {
        inspect(file).map_err(|error| ReplayError::Capture { file: file.clone(), error })?;
    }
    options.configuration.make_user_table();
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let player = Player::new(
        &options.configuration,
        wire,
        sessions_at_most(&options.files),
        Report::new(&mut out, options.form),
    );
    let replay = Replay {
        player,
        batch: Batch::default(),
        sides: Sides::new(&options.inside, wire),
        summary: Summary::default(),
        clock: Nanos(0),
    };
    match replay.run(&options.files, err) {
        Err(ReplayError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Summary::default()),
        done => done,
    }
}

/// The ports that captures are replayed between. A capture is of one side of a router: its frames have neither the MAC
/// addresses nor the hops of both, so the policy is asked as on a wire between the first two interfaces.
fn wire(dataplane: &DataplaneConfig) -> Option<(PortId, PortId)> {
    let interfaces = || match dataplane.routing.interfaces.as_slice() {
        [first, second, ..] => Some((first.port, second.port)),
        _ => None,
    };
    dataplane.wires.first().copied().or_else(interfaces)
}

/// Whether a file is a capture, by its header. A pipe can be read once, so it is looked at only when it is replayed.
fn inspect(file: &Path) -> Result<(), CaptureError> {
    if file == Path::new("-") {
        return Ok(());
    }
    if !std::fs::metadata(file)?.is_file() {
        // Directories are refused now, pipes later if at all.
        return if file.is_dir() { Err(CaptureError::Directory) } else { Ok(()) };
    }
    Capture::open(file).map(drop)
}

/// As a packet opens one session at most, and takes at least sixteen octets of a file, the tables need not be larger
/// than the files: small captures are replayed without the memory of a large firewall.
fn sessions_at_most(files: &[PathBuf]) -> usize {
    let mut sessions = 1024_u64;
    for file in files {
        match std::fs::metadata(file) {
            Ok(metadata) if metadata.is_file() => sessions = sessions.saturating_add(metadata.len() / 16),
            _ => return usize::MAX,
        }
    }
    usize::try_from(sessions).unwrap_or(usize::MAX)
}

struct Replay<'a> {
    player: Player<'a>,
    batch: Batch,
    sides: Sides,
    summary: Summary,
    /// The time of the last packet.
    clock: Nanos,
}

impl Replay<'_> {
    fn run(mut self, files: &[PathBuf], err: &mut dyn Write) -> Result<Summary, ReplayError> {
        for file in files {
            self.file(file, err)?;
        }
        self.play().map_err(ReplayError::Output)?;
        self.player.finish().map_err(ReplayError::Output)?;
        self.summary.count(self.player.counters());
        self.player.into_report().end(self.summary).map_err(ReplayError::Output)
    }

    fn file(&mut self, file: &Path, err: &mut dyn Write) -> Result<(), ReplayError> {
        let refuse = |error| ReplayError::Capture { file: file.to_owned(), error };
        let mut capture = Capture::open(file).map_err(refuse)?;
        self.summary.files += 1;
        let before = self.summary.packets;
        let mut skipped = BTreeMap::new();
        while let Some(packet) = capture.next_packet().map_err(refuse)? {
            if !self.packet(&packet).map_err(ReplayError::Output)? {
                *skipped.entry(packet.link).or_default() += 1;
            }
        }
        // Who does not read the remarks still gets the results.
        let _ = self.remarks(file, &capture, &skipped, before, err);
        Ok(())
    }

    /// Takes a packet; false where it is left out.
    fn packet(&mut self, packet: &Packet<'_>) -> io::Result<bool> {
        let taken = match packet.link.framing() {
            None => false,
            Some(framing) => {
                let time = packet.time.unwrap_or(self.clock).max(self.clock);
                if self.batch.is_complete(time) {
                    self.play()?;
                }
                let sides = &self.sides;
                let write = |memory: &mut Vec<u8>| framing.ethernet(packet.bytes, packet.length, memory);
                let taken = self.batch.push(time, write, |frame| sides.port(frame));
                if taken {
                    self.clock = time;
                    let first = self.summary.span.map_or(time, |(first, _)| first);
                    self.summary.span = Some((first, time));
                }
                taken
            }
        };
        if taken {
            self.summary.packets += 1;
            self.summary.octets += u64::from(packet.length);
        } else {
            self.summary.skipped += 1;
        }
        Ok(taken)
    }

    fn play(&mut self) -> io::Result<()> {
        let played = self.player.play(&mut self.batch);
        self.batch.clear();
        played
    }

    /// Says what of a file was not replayed.
    fn remarks<R: Read>(
        &mut self,
        file: &Path,
        capture: &Capture<R>,
        skipped: &BTreeMap<LinkType, u64>,
        before: u64,
        err: &mut dyn Write,
    ) -> io::Result<()> {
        let file = file.display();
        if let Some(ending) = capture.ending() {
            self.summary.truncated = true;
            let packets = self.summary.packets - before;
            writeln!(err, "warning: {file}: {ending}; the {packets} packets before were replayed")?;
        }
        for (link, count) in skipped {
            write!(err, "warning: {file}: {count} packets of link type {link} were skipped: ")?;
            match link.framing() {
                None => writeln!(err, "it cannot be replayed; those that can: {SUPPORTED}")?,
                Some(_) => writeln!(err, "neither IP nor anything that Ethernet has a type for")?,
            }
        }
        Ok(())
    }
}
