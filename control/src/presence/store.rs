//! Who is online, kept over a restart: a user who is still there then neither logs in again nor is forgotten.
//!
//! What is kept names things, as numbers are another run's. An account is kept as records may have it: as it is, as a
//! pseudonym, by which it is known again when it is seen, or not at all; then the next user of the application at the
//! address is taken for this one, which nobody who reads the records can tell from the truth.

use std::time::Duration;

use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{Header, SessionId, SignOnEvent, WorkerId};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sigdb::{AccountText, AppId, Confidence, Database, Sighting, SignOn};

use super::im::{Key, Presence};
use super::place::{Identity, Phase, Place, User};
use crate::config::Names;
use crate::record::account::{AccountPolicy, Kept, KeyId};

/// The file in the folder for state.
pub const FILE: &str = "presence";

const MAGIC: &[u8; 8] = b"OSTPRES1";

/// Why nobody is taken over from the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Its checksum does not hold, or another version wrote it.
    #[error("it is damaged, or of another version")]
    Damaged,
    /// It was written later than now.
    #[error("it was written {0} seconds later than now: the clock was set back")]
    Clock(u64),
}

/// A table being copied, a piece at a time, so that events need not wait for it.
#[derive(Debug)]
pub struct Snapshot {
    keys: Vec<Key>,
    places: Vec<SavedPlace>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    time: u64,
    places: Vec<SavedPlace>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedPlace {
    application: String,
    client: [u8; 16],
    vlans: (u16, u16),
    /// Whom the application named as signed in, and when; where accounts are kept as they are.
    identity: Option<(String, u64)>,
    users: Vec<SavedUser>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedUser {
    account: SavedAccount,
    since: u64,
    login: bool,
    limit: u64,
    datagrams: u64,
    seen: u64,
    silence: u64,
    closed: Option<(u64, u64)>,
    certain: bool,
    client_port: u16,
    server: ([u8; 16], u16),
    protocol: u8,
    rule: String,
    ports: (String, String),
    logged: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum SavedAccount {
    Clear(String),
    Pseudonym(String, [u8; 4]),
    Omitted,
}

impl Snapshot {
    /// Of a table as it is from now on.
    pub fn begin(presence: &Presence) -> Self {
        Self { keys: presence.places.keys().copied().collect(), places: Vec::new() }
    }

    /// Copies so many places at most; true once all are.
    pub fn copy(&mut self, presence: &Presence, names: &Names, most: usize) -> bool {
        for key in self.keys.drain(self.keys.len().saturating_sub(most)..) {
            let Some(place) = presence.places.get(&key) else { continue };
            let application = names.application(key.application);
            let policy = presence.accounts().of(application);
            let users: Vec<_> = place.users.iter().filter_map(|user| SavedUser::of(user, policy, names)).collect();
            let identity = match (&place.identity, policy) {
                (Identity::Account(account), AccountPolicy::Clear) => Some((account.to_string(), place.named.0)),
                _ => None,
            };
            if !users.is_empty() || identity.is_some() {
                let application = application.to_string();
                self.places.push(SavedPlace { application, client: key.client.0, vlans: key.vlans, identity, users });
            }
        }
        self.keys.is_empty()
    }

    /// The file's octets; `now` is when this holds.
    pub fn encode(self, now: Nanos) -> Vec<u8> {
        let saved = Saved { time: now.0, places: self.places };
        let payload =
            postcard::to_stdvec(&saved).expect("it is plain data, and memory is the only thing to run out of");
        [&MAGIC[..], &Sha256::digest(&payload), &payload].concat()
    }
}

impl SavedUser {
    /// Of one who was reported as online: of the others nothing was said that would have to be taken back.
    fn of(user: &User, policy: &AccountPolicy, names: &Names) -> Option<Self> {
        let Phase::Online { since, login } = user.phase else { return None };
        let account = match (user.kept, policy) {
            (Some(Kept::Omitted), _) | (None, AccountPolicy::Omit) => SavedAccount::Omitted,
            (Some(Kept::Pseudonym(key)), _) => SavedAccount::Pseudonym(user.account.to_string(), key.0),
            // Nothing was visible: it stays so, in whatever form it would be written.
            (None, _) if user.account.is_empty() => SavedAccount::Clear(String::new()),
            (None, policy) => match (policy.apply(&user.account).account, policy.apply(&user.account).key) {
                (Some(text), Some(key)) => SavedAccount::Pseudonym(text.to_string(), key.0),
                (Some(text), None) => SavedAccount::Clear(text.to_string()),
                (None, _) => SavedAccount::Omitted,
            },
        };
        let (tuple, context) = (&user.context.tuple, &user.context);
        Some(Self {
            account,
            since: since.0,
            login,
            limit: user.limit.0,
            datagrams: user.datagrams.0,
            seen: user.seen.0,
            silence: u64::try_from(user.silence.as_nanos()).unwrap_or(u64::MAX),
            closed: user.closed.map(|(ended, grace)| (ended.0, grace.0)),
            certain: context.sign_on.confidence == Confidence::Certain,
            client_port: tuple.client.port,
            server: (tuple.server.address.0, tuple.server.port),
            protocol: tuple.protocol,
            rule: names.rule(context.rule).to_string(),
            ports: (names.port(context.ports.0).to_string(), names.port(context.ports.1).to_string()),
            logged: context.logged,
        })
    }

    /// None where the text of its account is none of ours.
    fn user(&self, key: Key, application: AppId, names: &Names, database: &Database) -> Option<User> {
        let (account, kept) = match &self.account {
            SavedAccount::Clear(text) => (AccountText::from(text).ok()?, None),
            SavedAccount::Pseudonym(text, id) => (AccountText::from(text).ok()?, Some(Kept::Pseudonym(KeyId(*id)))),
            SavedAccount::Omitted => (AccountText::new(), Some(Kept::Omitted)),
        };
        let confidence = if self.certain { Confidence::Certain } else { Confidence::Likely };
        let (address, port) = self.server;
        let context = SignOnEvent {
            header: Header::new(WorkerId(0), 0, Nanos(self.seen)),
            // The session was another run's.
            session: SessionId(0),
            start: Nanos(self.seen),
            tuple: Tuple {
                client: Endpoint { address: key.client, port: self.client_port },
                server: Endpoint { address: Address(address), port },
                protocol: self.protocol,
                svlan: key.vlans.0,
                cvlan: key.vlans.1,
            },
            rule: names.rule_of(&self.rule).unwrap_or(RuleId(u16::MAX - 1)),
            ports: (names.port_of(&self.ports.0), names.port_of(&self.ports.1)),
            logged: self.logged,
            sign_on: SignOn {
                application,
                protocol: 0,
                database: database.generation(),
                confidence,
                sighting: Sighting::Online,
                account,
            },
        };
        let mut user = User::new(account, Phase::Online { since: Nanos(self.since), login: self.login }, &context);
        user.limit = Nanos(self.limit);
        user.datagrams = Nanos(self.datagrams);
        user.seen = Nanos(self.seen);
        user.silence = Duration::from_nanos(self.silence);
        // A connection that had ended may have been followed by another while nobody looked.
        user.closed = self.closed.map(|(ended, grace)| (Nanos(ended), Nanos(grace)));
        user.kept = kept;
        Some(user)
    }
}

impl Presence {
    /// Takes over who was online when `octets` were written, as far as the applications are still known and there is room;
    /// says how many. Whoever is not seen again within the limit is logged out by it.
    ///
    /// # Errors
    /// Where the octets are none of ours, or lie in the future; then nobody is taken over.
    pub fn take_over(
        &mut self,
        octets: &[u8],
        names: &Names,
        database: &Database,
        now: Nanos,
    ) -> Result<usize, StoreError> {
        let rest = octets.strip_prefix(MAGIC).ok_or(StoreError::Damaged)?;
        let (digest, payload) = rest.split_first_chunk::<32>().ok_or(StoreError::Damaged)?;
        if <[u8; 32]>::from(Sha256::digest(payload)) != *digest {
            return Err(StoreError::Damaged);
        }
        let saved: Saved = postcard::from_bytes(payload).map_err(|_| StoreError::Damaged)?;
        if saved.time > now.0 {
            return Err(StoreError::Clock((saved.time - now.0).div_ceil(1_000_000_000)));
        }
        let mut count = 0;
        for place in saved.places {
            let Some(application) = database.by_name(&place.application) else { continue };
            let key = Key { application, client: Address(place.client), vlans: place.vlans };
            if !self.has_room() || self.places.contains_key(&key) {
                continue;
            }
            let users: Vec<User> =
                place.users.iter().filter_map(|user| user.user(key, application, names, database)).collect();
            count += users.len();
            let mut restored = Place { users, ..Place::default() };
            if let Some((account, named)) = place.identity
                && let Ok(account) = AccountText::from(&account)
            {
                (restored.identity, restored.named) = (Identity::Account(account), Nanos(named));
            }
            self.restore(key, restored);
        }
        Ok(count)
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
