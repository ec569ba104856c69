//! Samples: flows that stand in a signature file with what is to be found in them. The compiler runs each, as the packet
//! path would, and refuses a file whose samples do not hold.

use crate::compile::{CompileError, hex};
use crate::database::Database;
use crate::explain::{Explanation, Piece, explain, play};
use crate::flow::{Finding, Findings, Start};
use crate::program::Sender;
use crate::sighting::{AppId, Sighting, SignOn};
use crate::source::{SampleSource, SegmentSource};

/// Runs a sample of the file of `application`; the error says what was found in place of what was expected.
pub(crate) fn run(
    database: &Database,
    file: &str,
    application: &str,
    sample: &SampleSource,
) -> Result<(), CompileError> {
    let fault = |what| CompileError { file: file.into(), place: format!("sample {:?}", sample.name), what };
    let pieces = pieces(sample).map_err(fault)?;
    play(database, start(sample), &pieces, |_, _, _, _| {}).compare(database, application, sample).map_err(fault)
}

/// A sample as people are to see it.
pub(crate) fn report(database: &Database, application: &str, sample: &SampleSource) -> SampleReport {
    let run = pieces(sample).and_then(|pieces| {
        play(database, start(sample), &pieces, |_, _, _, _| {}).compare(database, application, sample)
    });
    let of = database.by_name(application).unwrap_or(AppId::UNKNOWN);
    let explanation = explain(database, of, start(sample), &pieces(sample).unwrap_or_default());
    SampleReport { name: sample.name.clone(), fault: run.err(), explanation }
}

/// A sample, whether it holds, and what the rules of its file's application made of it.
#[derive(Clone, Debug)]
pub struct SampleReport {
    /// Its name.
    pub name: String,
    /// What was found in place of what was expected; none where it holds.
    pub fault: Option<String>,
    /// Rule by rule.
    pub explanation: Explanation,
}

/// A sample as a flow.
#[derive(Clone, Debug)]
pub struct SampleFlow {
    /// The signature file that it stands in.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How the flow begins.
    pub start: Start,
    /// What is sent.
    pub pieces: Vec<Piece>,
}

/// A sample of a file as a flow.
pub(crate) fn flow(file: &str, sample: &SampleSource) -> Result<SampleFlow, CompileError> {
    let fault = |what| CompileError { file: file.into(), place: format!("sample {:?}", sample.name), what };
    let pieces = pieces(sample).map_err(fault)?;
    Ok(SampleFlow { file: file.into(), name: sample.name.clone(), start: start(sample), pieces })
}

fn start(sample: &SampleSource) -> Start {
    Start {
        transport: sample.transport,
        server_port: sample.server_port,
        from_start: sample.from_start,
        resolved: None,
    }
}

pub(crate) fn pieces(sample: &SampleSource) -> Result<Vec<Piece>, String> {
    let piece = |segment: &SegmentSource| match segment.from {
        Sender::Either => Err("a segment is from the client or from the server".into()),
        from => Ok(Piece { from, octets: octets(segment)?, after: segment.after }),
    };
    sample.segment.iter().map(piece).collect()
}

/// What a flow showed.
pub(crate) struct Found {
    pub(crate) application: String,
    pub(crate) sightings: Vec<String>,
}

impl Default for Found {
    fn default() -> Self {
        Self { application: "none".into(), sightings: Vec::new() }
    }
}

impl Found {
    pub(crate) fn add(&mut self, database: &Database, findings: &Findings) {
        for finding in findings {
            match finding {
                Finding::Application(application, _) => self.application = database.name(*application).into(),
                Finding::SignOn(sign_on) => self.end(sign_on),
                Finding::Resolved(_) => {}
            }
        }
    }

    pub(crate) fn end(&mut self, sign_on: &SignOn) {
        self.sightings.push(words(sign_on.sighting, &sign_on.account));
    }

    /// A base protocol of another file is to a near miss as good as nothing.
    fn compare(&self, database: &Database, application: &str, sample: &SampleSource) -> Result<(), String> {
        let base = database.program().applications.iter().any(|one| one.name == self.application && one.base);
        let other_base = base && self.application != application;
        if self.application != sample.application && !(sample.application == "none" && other_base) {
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
