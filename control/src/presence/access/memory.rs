//! What the table remembers beside who is signed on: what hosts asked for, what was said before, who was let in with what.

use std::time::Duration;

use dataplane::access::{AccessEvent, Source, Text, dhcp};
use dataplane::endpoint::{Address, Mac};
use dataplane::time::Nanos;

use super::AccessUser;
use super::entry::Family;
use super::recent::Recent;

/// Things of each kind that are remembered at most.
const MOST: usize = 65_536;
/// How long a request waits for its answer (RFC 2131, 4.1: clients ask again after 64 s at most).
const REQUEST: Duration = Duration::from_secs(60);
/// How long the same message may go on coming by another way.
const REPEATED: Duration = Duration::from_secs(10);
/// How long messages of a sign-on that ended may come late.
const LATE: Duration = Duration::from_secs(60);
/// How long after being let in a user begins.
const GRANT: Duration = Duration::from_secs(600);

/// What was decided when a user was let in, and is not said again when the sign-on begins.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) name: Box<[u8]>,
    pub(super) class: Box<[u8]>,
    pub(super) filter: Box<[u8]>,
    pub(super) mac: Option<Mac>,
    pub(super) lifetime: Option<u32>,
    pub(super) interim: Option<u32>,
}

/// By whom a grant is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Grantee {
    /// A hash of the user's name at an access server.
    Name(Option<Address>, u64),
    Mac(Mac),
}

/// By what a message is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Message {
    source: Source,
    transaction: u64,
    mac: Option<Mac>,
    ipv4: Option<[u8; 4]>,
    success: bool,
}

/// What is remembered.
#[derive(Debug)]
pub(super) struct Memory {
    hints: Recent<(Mac, u64), AccessUser>,
    messages: Recent<Message, u64>,
    ended: Recent<(Family, u64), Nanos>,
    grants: Recent<Grantee, Grant>,
    state: foldhash::fast::RandomState,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            hints: Recent::new(MOST, REQUEST),
            messages: Recent::new(MOST, REPEATED),
            ended: Recent::new(MOST, LATE),
            grants: Recent::new(MOST, GRANT),
            state: foldhash::fast::RandomState::default(),
        }
    }
}

impl Memory {
    /// A host asks for an address. One that asks for all but an address (INFORM) is not meant by what leases and refuses one.
    pub(super) fn ask(&mut self, event: &AccessEvent) {
        let Some(mac) = event.mac.filter(|_| event.cause != u16::from(dhcp::INFORM)) else { return };
        let (key, mut asked) = ((mac, event.transaction), AccessUser::of(event));
        // A relay says more of the client when it passes this on, but does so elsewhere.
        let own = self.hints.get(event.header.time, &key).filter(|known| known.is_local && !asked.is_local);
        if let Some(mut own) = own.cloned() {
            own.adopt(&asked);
            asked = own;
        }
        self.hints.insert(event.header.time, key, asked);
    }

    /// What the host had asked that this answers.
    pub(super) fn asked(&self, event: &AccessEvent) -> Option<&AccessUser> {
        self.hints.get(event.header.time, &(event.mac?, event.transaction))
    }

    /// Whether a verdict was not taken up from elsewhere, or before; one without a number is always new.
    pub(super) fn is_new(&mut self, event: &AccessEvent, success: bool) -> bool {
        let AccessEvent { source, transaction, mac, ipv4, .. } = *event;
        let message = Message { source, transaction, mac, ipv4, success };
        transaction == 0 || self.messages.is_new(event.header.time, message, event.session)
    }

    /// Whether the same message told of another sign-on than this just now.
    pub(super) fn told_of_another(&mut self, event: &AccessEvent, session: u64) -> bool {
        let AccessEvent { source, transaction, mac, ipv4, .. } = *event;
        let message = Message { source, transaction, mac, ipv4, success: true };
        let before = self.messages.get(event.header.time, &message).copied();
        if before.is_none() && transaction != 0 {
            self.messages.insert(event.header.time, message, session);
        }
        before.is_some_and(|before| before != session)
    }

    /// A sign-on ended, as told at a time, when it had happened.
    pub(super) fn end(&mut self, told: Nanos, source: Source, session: u64, happened: Nanos) {
        if session != 0 {
            self.ended.insert(told, (Family::of(source), session), happened);
        }
    }

    /// Whether a sign-on had ended before what is told now happened.
    pub(super) fn has_ended(&self, told: Nanos, source: Source, session: u64, happened: Nanos) -> bool {
        let ended = self.ended.get(told, &(Family::of(source), session));
        session != 0 && ended.is_some_and(|ended| *ended > happened)
    }

    /// A user was let in.
    pub(super) fn grant(&mut self, event: &AccessEvent) {
        let text = |which| Box::from(event.texts.get(which));
        let grant = Grant {
            name: text(Text::User),
            class: text(Text::Class),
            filter: text(Text::Filter),
            mac: event.mac,
            lifetime: event.lifetime,
            interim: event.interim,
        };
        if grant.name.is_empty() {
            return;
        }
        if let Some(mac) = event.mac {
            self.grants.insert(event.header.time, Grantee::Mac(mac), grant.clone());
        }
        let by_name = self.by_name(event);
        self.grants.insert(event.header.time, by_name, grant);
    }

    /// What was granted to the user of a sign-on that begins, by name at the same access server.
    pub(super) fn granted(&self, event: &AccessEvent) -> Option<&Grant> {
        let grant = self.grants.get(event.header.time, &self.by_name(event))?;
        let is_other = grant.mac.is_some() && event.mac.is_some() && grant.mac != event.mac;
        (!is_other && *grant.name == *event.texts.get(Text::User)).then_some(grant)
    }

    /// The name under which a host was let in.
    pub(super) fn name_of(&self, now: Nanos, mac: Mac) -> Option<&[u8]> {
        self.grants.get(now, &Grantee::Mac(mac)).map(|grant| &*grant.name)
    }

    fn by_name(&self, event: &AccessEvent) -> Grantee {
        use std::hash::BuildHasher as _;
        Grantee::Name(event.nas, self.state.hash_one(event.texts.get(Text::User)))
    }
}
