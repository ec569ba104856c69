//! Samples: flows that stand in a signature file with what is to be found in them. The compiler runs each, as the packet
//! path would, and refuses a file whose samples do not hold.

use crate::compile::{CompileError, hex};
use crate::database::Database;
use crate::flow::{Finding, Findings, FlowState, Start, Step};
use crate::program::{Sender, Transport, WINDOW};
use crate::scratch::Scratch;
use crate::sighting::Sighting;
use crate::source::{SampleSource, SegmentSource};

/// Runs a sample of the file of `application`; the error says what was found in place of what was expected.
pub(crate) fn run(
    database: &Database,
    file: &str,
    application: &str,
    sample: &SampleSource,
) -> Result<(), CompileError> {
    let fault = |what| CompileError { file: file.into(), place: format!("sample {:?}", sample.name), what };
    let mut found = Found { application: "none".into(), other_base: false, sightings: Vec::new() };
    let mut flow = FlowState::new(Start {
        transport: sample.transport,
        server_port: sample.server_port,
        from_start: sample.from_start,
        resolved: None,
    });
    let mut scratch = Scratch::new();
    let mut waiting = [Vec::new(), Vec::new()];
    let mut unwanted = [0usize; 2];
    let mut now = 1_000_000_000_000u64;
    'segments: for segment in &sample.segment {
        now += u64::from(segment.after) * 1_000_000_000;
        if segment.from == Sender::Either {
            return Err(fault("a segment is from the client or from the server".into()));
        }
        let side = usize::from(segment.from == Sender::Server);
        let octets = octets(segment).map_err(&fault)?;
        let skip = unwanted[side].min(octets.len());
        unwanted[side] -= skip;
        waiting[side].extend_from_slice(&octets[skip..]);
        let mut at = 0;
        while at < waiting[side].len() {
            let mut findings = Findings::new();
            let step = flow.read(database, &mut scratch, now, segment.from, &waiting[side][at..], &mut findings);
            found.add(database, &findings);
            match step {
                Step::Consumed(length) => at += length.max(1),
                Step::More if sample.transport == Transport::Tcp && waiting[side].len() - at < WINDOW => break,
                Step::More | Step::Resync => at = waiting[side].len(),
                Step::Finished | Step::GaveUp => break 'segments,
            }
        }
        unwanted[side] = at.saturating_sub(waiting[side].len());
        waiting[side].drain(..at.min(waiting[side].len()));
    }
    let base = database.program().applications.iter().any(|one| one.name == found.application && one.base);
    found.other_base = base && found.application != application;
    if let Some(end) = flow.end(database) {
        found.sightings.push(words(end.sighting, &end.account));
    }
    found.compare(sample).map_err(fault)
}

struct Found {
    application: String,
    /// Whether that is a base protocol of another file: to a near miss as good as nothing.
    other_base: bool,
    sightings: Vec<String>,
}

impl Found {
    fn add(&mut self, database: &Database, findings: &Findings) {
        for finding in findings {
            match finding {
                Finding::Application(application, _) => self.application = database.name(*application).into(),
                Finding::SignOn(sign_on) => self.sightings.push(words(sign_on.sighting, &sign_on.account)),
                Finding::Resolved(_) => {}
            }
        }
    }

    fn compare(&self, sample: &SampleSource) -> Result<(), String> {
        if self.application != sample.application && !(sample.application == "none" && self.other_base) {
            return Err(format!("expected application {:?}, found {:?}", sample.application, self.application));
        }
        if self.sightings != sample.sightings {
            return Err(format!("expected sightings {:?}, found {:?}", sample.sightings, self.sightings));
        }
        Ok(())
    }
}

fn words(sighting: Sighting, account: &str) -> String {
    let name = match sighting {
        Sighting::Attempt => "attempt",
        Sighting::Login => "login",
        Sighting::Failure => "failure",
        Sighting::Online => "online",
        Sighting::KeepAlive => "keepalive",
        Sighting::Logout => "logout",
        Sighting::Identity => "identity",
        Sighting::Mention => "mention",
        Sighting::Opened => "opened",
        Sighting::Closed => "closed",
    };
    if account.is_empty() { name.into() } else { format!("{name} {account}") }
}

fn octets(segment: &SegmentSource) -> Result<Vec<u8>, String> {
    let mut octets = segment.server_name.as_deref().map_or_else(|| Ok(Vec::new()), client_hello)?;
    octets.extend(segment.text.bytes());
    octets.extend(hex(&segment.octets)?);
    octets.extend(std::iter::repeat_n(0x5a, usize::from(segment.fill)));
    octets.extend(hex(&segment.tail)?);
    Ok(octets)
}

/// The record that opens a TLS connection (RFC 8446, 4.1.2), with a server name (RFC 6066, 3) and one suite.
fn client_hello(name: &str) -> Result<Vec<u8>, String> {
    let length = u16::try_from(name.len()).ok().filter(|length| (1..=253).contains(length));
    let length = length.ok_or_else(|| format!("{name:?} is no server name"))?;
    let list = [&[0][..], &length.to_be_bytes(), name.as_bytes()].concat();
    let names = [&[0, 0][..], &(length + 5).to_be_bytes(), &(length + 3).to_be_bytes(), &list[..]].concat();
    let fixed = [&[3, 3][..], &[0x5a; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    let hello = [&fixed[..], &(length + 9).to_be_bytes(), &names[..]].concat();
    let size = hello.len() as u16;
    let record = [&[0x16, 3, 1][..], &(size + 4).to_be_bytes(), &[1, 0], &size.to_be_bytes()].concat();
    Ok([record, hello].concat())
}
