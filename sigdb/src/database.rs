//! A compiled database, ready for lookups.

use std::time::Duration;

use hashbrown::HashMap;

use crate::automaton::literal::{self, Literal};
use crate::automaton::names::{NameHits, Names};
use crate::automaton::sieve::Sieve;
use crate::program::{Application, Program, Protocol, Sender, Test, Transport};
use crate::sighting::{AppId, Generation};

/// A signature database. Cheap to share, never changed: an update is another one.
#[derive(Debug)]
pub struct Database {
    program: Program,
    digest: [u8; 32],
    /// By number less one: applications of databases before this one, which this one does not have.
    gone: Vec<bool>,
    generation: Generation,
    /// For each protocol that is a base: whether a side that did not show it may yet name what it carries.
    other_side_may_tell: Vec<bool>,
    /// All lists of names.
    names: Names,
    /// By a list's number: the application that its names alone tell.
    owners: Vec<Option<AppId>>,
    /// For each transport, its clues.
    sieves: [Sieve; 2],
    /// For each protocol, a number that those share whose messages are told apart in the same way.
    framings: Vec<u16>,
    /// For each transport, one bit a port.
    server_ports: [Box<[u64; 1024]>; 2],
}

impl Default for Database {
    /// A database that knows nothing.
    fn default() -> Self {
        Self::new(Program::default(), [0; 32])
    }
}

impl Database {
    /// Prepares a program that was checked.
    pub(crate) fn new(mut program: Program, digest: [u8; 32]) -> Self {
        let (mut names, mut known) = (Names::default(), HashMap::new());
        program.name_lists().for_each(|list| names.add(list, &mut known));
        let sieves =
            [Transport::Tcp, Transport::Udp].map(|transport| Sieve::new(transport, &program.protocols, names.lists()));
        let mut server_ports = [Box::new([0; 1024]), Box::new([0; 1024])];
        for protocol in &program.protocols {
            let transport = place(protocol.transport);
            for &port in &protocol.server_ports {
                server_ports[transport][usize::from(port / 64)] |= 1 << (port % 64);
            }
        }
        let framings = framings(&program.protocols);
        let other_side_may_tell =
            (0..program.protocols.len()).map(|index| other_side_may_tell(&program, index)).collect();
        let owners = owners(&program, names.lists());
        Self {
            program,
            digest,
            gone: Vec::new(),
            generation: Generation::default(),
            other_side_may_tell,
            owners,
            names,
            sieves,
            framings,
            server_ports,
        }
    }

    /// The same database as one loaded later than others.
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// Which of the databases loaded since the start it is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The application of that name, as rules and records write it.
    pub fn by_name(&self, name: &str) -> Option<AppId> {
        let place = self.program.applications.iter().position(|application| application.name == name)?;
        (!self.is_gone(place)).then_some(AppId(place as u16 + 1))
    }

    /// The name of an application; `unknown` for [`AppId::UNKNOWN`] and for numbers that neither this database has nor one
    /// before it.
    pub fn name(&self, application: AppId) -> &str {
        let place = usize::from(application.0).wrapping_sub(1);
        self.program.applications.get(place).map_or("unknown", |application| &application.name)
    }

    /// Names and titles of all applications, in the order of their numbers.
    pub fn applications(&self) -> impl Iterator<Item = (&str, &str)> {
        let present = self.program.applications.iter().enumerate().filter(|(place, _)| !self.is_gone(*place));
        present.map(|(_, application)| (&application.name[..], &application.title[..]))
    }

    /// Names by number, from 1: those of applications too that only databases before this one had.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        self.program.applications.iter().map(|application| &application.name[..])
    }

    /// Names of the protocols, each with its application's, transport, and how many kinds of messages it knows.
    pub fn protocols(&self) -> impl Iterator<Item = (&str, &str, Transport, usize)> {
        self.program.protocols.iter().map(|protocol| {
            let application = self.name(AppId(protocol.application + 1));
            (application, &protocol.name[..], protocol.transport, protocol.messages.len())
        })
    }

    /// The content version.
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// The date of the content, `YYYY-MM-DD`.
    pub fn date(&self) -> &str {
        &self.program.date
    }

    /// Goes up with every change of the content: of two databases the one with the lower serial is the older.
    pub fn serial(&self) -> u64 {
        self.program.serial
    }

    /// SHA-256 of the content.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The fixed octets that clues ask for, to measure automata with.
    pub fn literals(&self) -> Vec<Literal> {
        literal::literals(&self.program)
    }

    /// How many clues a message is tried with, as far as its first octets, its sender and its flow's port tell; and how many
    /// there are for its transport. To measure with.
    pub fn tried(&self, transport: Transport, from: Sender, server_port: u16, data: &[u8]) -> (usize, usize) {
        let sieve = self.sieve(transport);
        (sieve.sift(from, server_port, data).count(), sieve.count())
    }

    /// Whether a port is a hint that its side is the server. `protocol` is an IANA number.
    pub fn is_server_port(&self, protocol: u8, port: u16) -> bool {
        let transport = match protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => return false,
        };
        self.server_ports[place(transport)][usize::from(port / 64)] & 1 << (port % 64) != 0
    }

    /// How long a user of a protocol may be silent before being taken for gone.
    pub fn limit(&self, protocol: u16) -> Duration {
        Duration::from_secs(self.protocol(protocol).map_or(0, |protocol| protocol.limit).into())
    }

    /// How long after the end of its last connection a session may go on in a new one.
    pub fn grace(&self, protocol: u16) -> Duration {
        Duration::from_secs(self.protocol(protocol).map_or(0, |protocol| protocol.grace).into())
    }

    /// Whether a protocol's connection is the session.
    pub fn carries_session(&self, protocol: u16) -> bool {
        self.protocol(protocol).is_some_and(|protocol| protocol.session)
    }

    /// Whether one flow of a protocol may carry several users at once.
    pub fn carries_several(&self, protocol: u16) -> bool {
        self.protocol(protocol).is_some_and(|protocol| protocol.several_users)
    }

    /// The same content, its applications at the places of `names`, where `place` finds them all; the others of `names` are
    /// known by their names only.
    pub(crate) fn renumbered(self, names: &[String], place: impl Fn(&str) -> Option<u16>) -> Self {
        let Self { mut program, digest, .. } = self;
        let unknown = |name: &String| Application { name: name.clone(), title: String::new(), base: false };
        let mut applications: Vec<Application> = names.iter().map(unknown).collect();
        let mut gone = vec![true; names.len()];
        let mut moved = Vec::with_capacity(program.applications.len());
        for application in std::mem::take(&mut program.applications) {
            let to = place(&application.name).unwrap_or_default();
            moved.push(to);
            if let (Some(there), Some(gone)) = (applications.get_mut(usize::from(to)), gone.get_mut(usize::from(to))) {
                (*there, *gone) = (application, false);
            }
        }
        for protocol in &mut program.protocols {
            protocol.application = moved.get(usize::from(protocol.application)).copied().unwrap_or_default();
        }
        program.applications = applications;
        Self { gone, ..Self::new(program, digest) }
    }

    fn is_gone(&self, place: usize) -> bool {
        self.gone.get(place).is_some_and(|gone| *gone)
    }

    pub(crate) fn protocol(&self, index: u16) -> Option<&Protocol> {
        self.program.protocols.get(usize::from(index))
    }

    /// The application of a protocol.
    pub(crate) fn application(&self, protocol: u16) -> Option<AppId> {
        self.protocol(protocol).map(|protocol| AppId(protocol.application + 1))
    }

    /// Whether a protocol only carries others.
    pub(crate) fn is_base(&self, protocol: u16) -> bool {
        let application = self.protocol(protocol).map(|protocol| usize::from(protocol.application));
        application.and_then(|place| self.program.applications.get(place)).is_some_and(|application| application.base)
    }

    /// Whether, where one side showed this base protocol, the other may yet name what it carries.
    pub(crate) fn other_side_may_tell(&self, protocol: u16) -> bool {
        self.other_side_may_tell.get(usize::from(protocol)).is_some_and(|may| *may)
    }

    /// The lists of names.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The application that a name belongs to, which these lists take; none where they are several applications'.
    pub(crate) fn owner(&self, hits: &NameHits) -> Option<AppId> {
        let mut owners = hits.numbers().filter_map(|list| *self.owners.get(list)?);
        let owner = owners.next()?;
        owners.all(|other| other == owner).then_some(owner)
    }

    /// Whether an application is one of this database's, and not one that only carries others.
    pub(crate) fn may_name(&self, application: AppId) -> bool {
        let place = usize::from(application.0).wrapping_sub(1);
        !self.is_gone(place) && self.program.applications.get(place).is_some_and(|application| !application.base)
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// All clues of a transport.
    pub(crate) fn sieve(&self, transport: Transport) -> &Sieve {
        &self.sieves[place(transport)]
    }

    /// A number that protocols share whose messages are told apart in the same way.
    pub(crate) fn framing(&self, protocol: u16) -> Option<u16> {
        self.framings.get(usize::from(protocol)).copied()
    }
}

fn place(transport: Transport) -> usize {
    match transport {
        Transport::Tcp => 0,
        Transport::Udp => 1,
    }
}

/// For each list the application that a clue names by it alone.
fn owners(program: &Program, lists: usize) -> Vec<Option<AppId>> {
    let mut owners = vec![None; lists];
    for protocol in &program.protocols {
        let base = program.applications.get(usize::from(protocol.application)).is_none_or(|one| one.base);
        for clue in protocol.clues.iter().filter(|clue| !base && clue.also.is_empty() && clue.needs | clue.shows == 0) {
            let mut tests = clue.tests.iter().filter(|test| !matches!(test, Test::Port(_)));
            let (Some(Test::Host(list) | Test::ServerName(list) | Test::DnsName(list)), None) =
                (tests.next(), tests.next())
            else {
                continue;
            };
            if let Some(owner) = owners.get_mut(list.number()) {
                owner.get_or_insert(AppId(protocol.application + 1));
            }
        }
    }
    owners
}

/// Whether an application is told from this protocol's messages by what the server says.
fn other_side_may_tell(program: &Program, index: usize) -> bool {
    let Some(base) = program.protocols.get(index) else { return false };
    let is_base = |protocol: &Protocol| program.applications[usize::from(protocol.application)].base;
    is_base(base)
        && program.protocols.iter().any(|protocol| {
            !is_base(protocol)
                && protocol.transport == base.transport
                && std::mem::discriminant(&protocol.framing) == std::mem::discriminant(&base.framing)
                && protocol.clues.iter().any(|clue| clue.from == Sender::Server && clue.needs == 0)
        })
}

fn framings(protocols: &[Protocol]) -> Vec<u16> {
    let alike = |one: &Protocol, other: &Protocol| one.transport == other.transport && one.framing == other.framing;
    let first = |protocol| protocols.iter().position(|other| alike(protocol, other)).unwrap_or_default() as u16;
    protocols.iter().map(first).collect()
}
