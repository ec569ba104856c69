//! Capture files, read as a stream: pcap (micro- and nanoseconds, both byte orders) here, pcapng beside it.
//!
//! A file that ends within a record, or whose record contradicts itself, is read up to there; [`Capture::ending`] then says
//! what was wrong. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use dataplane::time::Nanos;
use pcap_parser::{LegacyPcapBlock, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};
use thiserror::Error;

use super::link::LinkType;
use super::pcapng::{SECTION_MAGIC, Section};
use super::window::Window;

/// The largest record or block that is believed: libpcap never captures more than 256 KiB of a packet, USB capture
/// aside; a length beyond this is damage, and memory stays bounded.
pub(super) const LARGEST: usize = 16 << 20;

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Why a file cannot be replayed at all.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file cannot be opened or read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// A directory.
    #[error("it is a directory; name the capture files in it")]
    Directory,
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// A compressed file, by its first bytes.
    #[error("it is compressed with {0}; decompress it first ({1})")]
    Compressed(&'static str, &'static str),
    /// Neither pcap nor pcapng.
    #[error("it is neither pcap nor pcapng (it begins with {0})")]
    NotACapture(String),
    /// Ends within the file header, so that not even the link type is known.
    #[error("it ends within its file header, after {0} octets")]
    HeaderCut(usize),
}

/// Where and how a file ended before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Octets of the file before the record that is not whole.
    pub offset: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with the record at which reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file ends within it.
    Truncated,
    /// It contradicts itself, so that what follows cannot be told apart.
    Damaged(&'static str),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Truncated => write!(f, "it is truncated: it ends within the record at octet {}", self.offset),
            Fault::Damaged(what) => write!(f, "it is damaged at octet {}: {what}", self.offset),
        }
    }
}

/// A captured packet, as it was when it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When; none where the record does not say (pcapng's Simple Packet Block).
    pub time: Option<Nanos>,
    /// What its first octets are.
    pub link: LinkType,
    /// What the capture kept of it, without FCS.
    pub bytes: &'a [u8],
    /// Its length on the wire, without FCS; at least that of `bytes`.
    pub length: u32,
}

/// A capture file, read packet by packet.
pub struct Capture<R> {
    window: Window<R>,
    format: Format,
    ending: Option<Ending>,
}

enum Format {
    Pcap(Pcap),
    PcapNg(Section),
}

/// What the header of a pcap file says of all its records.
struct Pcap {
    big_endian: bool,
    nanoseconds: bool,
    link: LinkType,
    /// Octets of the frame check sequence at the end of each packet.
    fcs: u32,
}

impl Capture<Box<dyn Read>> {
    /// Opens a file, `-` for standard input, and reads its header.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path == Path::new("-") {
            return Self::new(Box::new(io::stdin().lock()));
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(CaptureError::Directory);
        }
        Self::new(Box::new(file))
    }
}

impl<R: Read> Capture<R> {
    /// Reads the header of a capture.
    pub fn new(source: R) -> Result<Self, CaptureError> {
        let mut window = Window::new(source);
        let format = Format::detect(&mut window)?;
        Ok(Self { window, format, ending: None })
    }

    /// The next packet; none at the end, be it complete or not (see [`Self::ending`]).
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let offset = self.window.position();
        let packet = match &mut self.format {
            Format::Pcap(pcap) => pcap.next_packet(&mut self.window),
            Format::PcapNg(section) => section.next_packet(&mut self.window),
        };
        match packet {
            Ok(packet) => Ok(packet),
            Err(Stop::Io(error)) => Err(CaptureError::Io(error)),
            Err(Stop::Fault(offset_in_file, fault)) => {
                self.ending = Some(Ending { offset: offset_in_file.unwrap_or(offset), fault });
                Ok(None)
            }
        }
    }

    /// What was wrong where reading ended; none as long as nothing was.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }
}

/// Why no packet comes any more.
pub(super) enum Stop {
    Io(io::Error),
    /// Where the record begins, if not where reading began; and what is wrong with it.
    Fault(Option<u64>, Fault),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Format {
    fn detect<R: Read>(window: &mut Window<R>) -> Result<Self, CaptureError> {
        let head = window.peek(FILE_HEADER)?;
        if head.is_empty() {
            return Err(CaptureError::Empty);
        }
        for (magic, name, command) in COMPRESSED {
            if head.starts_with(magic) {
                return Err(CaptureError::Compressed(name, command));
            }
        }
        if head.starts_with(&SECTION_MAGIC) {
            return match Section::of_file(head) {
                Some(section) => Ok(Self::PcapNg(section)),
                None if head.len() < 12 => Err(CaptureError::HeaderCut(head.len())),
                None => Err(CaptureError::NotACapture("a section header without byte order".into())),
            };
        }
        match parse_pcap_header(head) {
            Ok((_, header)) => {
                // The upper half of the field tells whether, and how much of, an FCS ends each packet.
                let field = header.network.0 as u32;
                let fcs = if field & 0x0400_0000 != 0 { (field >> 28) * 2 } else { 0 };
                if header.version_major != 2 {
                    let version = format!("the header of a pcap of version {}", header.version_major);
                    return Err(CaptureError::NotACapture(version));
                }
                // The one variant that only ever had one byte order; its longer record header is not worth the risk.
                if header.is_modified_format() {
                    return Err(CaptureError::NotACapture("the magic of a modified pcap".into()));
                }
                let pcap = Pcap {
                    big_endian: header.is_bigendian(),
                    nanoseconds: header.is_nanosecond_precision(),
                    link: LinkType(field as u16),
                    fcs,
                };
                window.skip(FILE_HEADER as u64)?;
                Ok(Self::Pcap(pcap))
            }
            Err(pcap_parser::nom::Err::Incomplete(_)) => Err(CaptureError::HeaderCut(head.len())),
            Err(_) => {
                let first: Vec<String> = head.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
                Err(CaptureError::NotACapture(first.join(" ")))
            }
        }
    }
}

impl Pcap {
    fn next_packet<'a, R: Read>(&self, window: &'a mut Window<R>) -> Result<Option<Packet<'a>>, Stop> {
        let header = window.peek(RECORD_HEADER)?;
        if header.is_empty() {
            return Ok(None);
        }
        let Some(&[a, b, c, d]) = header.get(8..12) else {
            return Err(Stop::Fault(None, Fault::Truncated));
        };
        let captured =
            if self.big_endian { u32::from_be_bytes([a, b, c, d]) } else { u32::from_le_bytes([a, b, c, d]) };
        if captured as usize > LARGEST {
            return Err(Stop::Fault(None, Fault::Damaged("a packet of more than 16 MiB")));
        }
        let Some(record) = window.take(RECORD_HEADER + captured as usize)? else {
            return Err(Stop::Fault(None, Fault::Truncated));
        };
        let parse = if self.big_endian { parse_pcap_frame_be } else { parse_pcap_frame };
        let (_, record) = parse(record).map_err(|_| Stop::Fault(None, Fault::Damaged("a record that is none")))?;
        Ok(Some(Packet {
            time: Some(self.time(&record)),
            link: self.link,
            bytes: without_fcs(record.data, record.origlen, self.fcs),
            length: wire_length(record.data, record.origlen, self.fcs),
        }))
    }

    fn time(&self, record: &LegacyPcapBlock<'_>) -> Nanos {
        let scale = if self.nanoseconds { 1 } else { 1_000 };
        Nanos(u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * scale)
    }
}

/// What a capture kept of a packet, less what of it is FCS.
pub(super) fn without_fcs(bytes: &[u8], original: u32, fcs: u32) -> &[u8] {
    &bytes[..bytes.len().min(original.max(bytes.len() as u32).saturating_sub(fcs) as usize)]
}

/// The length on the wire without FCS: never less than what was captured, whatever the record claims.
pub(super) fn wire_length(bytes: &[u8], original: u32, fcs: u32) -> u32 {
    original.max(bytes.len() as u32).saturating_sub(fcs)
}

/// First octets of compressed files, and what opens them.
const COMPRESSED: [(&[u8], &str, &str); 5] = [
    (&[0x1f, 0x8b], "gzip", "gunzip FILE"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd FILE"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4 FILE"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz FILE"),
    (b"BZh", "bzip2", "bunzip2 FILE"),
];
