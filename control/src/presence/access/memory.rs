//! What the table remembers beside who is signed on: what hosts asked for, what was said before, who was let in with what.

use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, ResultCode, Source, Text, dhcp};
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

/// A sign-on that ended.
#[derive(Debug)]
struct Ended {
    at: Nanos,
    /// Of RADIUS, where the access server names sessions: by what another is told that has the same name.
    user: Option<Whose>,
}

/// A user's name and address, as far as they were said.
#[derive(Debug)]
struct Whose {
    name: Box<[u8]>,
    ipv4: Option<[u8; 4]>,
}

/// By what the two verdicts of one try are known that a proxy of RADIUS makes of it (RFC 2865, 2.3): all that it passes on, but
/// for what it may strip from the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Try {
    /// Hashes of the access server's name for itself and of the user's.
    names: (u64, u64),
    mac: Option<Mac>,
    port: Option<u32>,
    code: ResultCode,
}

/// What is remembered.
#[derive(Debug)]
pub(super) struct Memory {
    hints: Recent<(Mac, u64), AccessUser>,
    messages: Recent<Message, u64>,
    /// How many proxies the question had passed whose verdict was heard last.
    tries: Recent<Try, u8>,
    ended: Recent<(Family, u64), Ended>,
    grants: Recent<Grantee, Grant>,
    state: foldhash::fast::RandomState,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            hints: Recent::new(MOST, REQUEST),
            messages: Recent::new(MOST, REPEATED),
            tries: Recent::new(MOST, REPEATED),
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

    /// Whether a verdict is one that was heard behind a proxy already. The answer comes back from the farthest first: of one
    /// try, each is to a question that passed fewer proxies than the one before; of another, it begins with the farthest again.
    /// Those that nobody answers are given up in any order.
    pub(super) fn is_of_other_leg(&mut self, event: &AccessEvent) -> bool {
        use std::hash::BuildHasher as _;
        let (name, server) = (event.texts.get(Text::User), event.texts.get(Text::NasId));
        if event.source != Source::Radius || name.is_empty() && event.mac.is_none() {
            return false;
        }
        let address = event.nas.unwrap_or_default();
        let server = self.state.hash_one(if server.is_empty() { &address.0 } else { server });
        let names = (server, self.state.hash_one(without_realm(name)));
        let this = Try { names, mac: event.mac, port: event.nas_port, code: event.code };
        let is_timeout = event.code == ResultCode::Timeout;
        let before = self.tries.get(event.header.time, &this).copied();
        if event.proxies > 0 || before.is_some() || is_timeout {
            self.tries.insert(event.header.time, this, event.proxies);
        }
        before.is_some_and(|before| event.proxies < before || is_timeout && event.proxies != before)
    }

    /// A sign-on ended, as is told now, when it had happened.
    pub(super) fn end(&mut self, event: &AccessEvent, happened: Nanos) {
        if event.session != 0 {
            let family = Family::of(event.source);
            let is_named = family == Family::of(Source::Radius) && !event.texts.get(Text::SessionId).is_empty();
            let user = is_named.then(|| Whose { name: event.texts.get(Text::User).into(), ipv4: event.ipv4 });
            self.ended.insert(event.header.time, (family, event.session), Ended { at: happened, user });
        }
    }

    /// Whether a sign-on had ended before what is told now happened. That is so
    ///
    /// - of a session of accounting by its name, which no other has (RFC 2866, 5.5): what comes behind its Stop was overtaken
    ///   by it. One of another user or address is another all the same;
    /// - of a lease where it answers what was asked before the address was given back (RFC 2131, 4.4.6), or only goes on.
    pub(super) fn has_ended(&self, event: &AccessEvent, happened: Nanos) -> bool {
        let Some(ended) = self.ended.get(event.header.time, &(Family::of(event.source), event.session)) else {
            return false;
        };
        let name = event.texts.get(Text::User);
        let is_other = |user: &Whose| {
            !user.name.is_empty() && !name.is_empty() && without_realm(&user.name) != without_realm(name)
                || user.ipv4.is_some() && event.ipv4.is_some() && user.ipv4 != event.ipv4
        };
        match (event.source, &ended.user) {
            (Source::Dhcp, _) => match self.asked(event) {
                Some(asked) => asked.since <= ended.at,
                None => event.kind == AccessKind::Seen,
            },
            (_, Some(user)) if !event.texts.get(Text::SessionId).is_empty() && !is_other(user) => true,
            _ => ended.at > happened,
        }
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

/// A user's name without the realm that a proxy may strip: `alice` of `alice@isp`, `ISP\alice` and `isp/alice` (RFC 2865, 5.1).
pub(super) fn without_realm(name: &[u8]) -> &[u8] {
    let name = name.rsplitn(2, |octet| *octet == b'@').last().unwrap_or(name);
    name.rsplit(|octet| matches!(octet, b'\\' | b'/')).next().unwrap_or(name)
}
