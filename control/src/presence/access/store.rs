//! Who is signed on, kept over a restart: whoever is still there then does not sign on again, and is not forgotten.
//!
//! What is kept names ports by name, as numbers are another run's. Time that went by while the firewall was down is no silence
//! of the users': only leases and sessions that are over by their own time end, and those a minute later at the earliest, so
//! that what was said meanwhile can be said again.

use std::time::Duration;

use dataplane::access::{Assigned, Source, Trust};
use dataplane::endpoint::{Address, Endpoint, Mac};
use dataplane::event::Volume;
use dataplane::time::Nanos;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::{Entry, Family, NEVER, Phase};
use super::index::Slot;
use super::{AccessTable, AccessUser};
use crate::config::Names;
use crate::presence::store::StoreError;

/// The file in the folder for state.
pub const FILE: &str = "access";

const MAGIC: &[u8; 8] = b"OSTACCS3";
/// How long whoever was taken over stays at least.
const LEAST: Duration = Duration::from_secs(60);
/// What of the time that went by counts at most.
const DOWN: Duration = Duration::from_secs(6 * 3600);

/// The table being copied, a piece at a time, so that events need not wait for it.
#[derive(Debug, Default)]
pub struct Snapshot {
    next: usize,
    count: u64,
    users: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    time: u64,
    /// Under which sign-ons are numbered.
    seed: u64,
    ports: Vec<String>,
    count: u64,
}

/// An end of a flow: address and port.
type SavedEnd = ([u8; 16], u16);
/// Packets and octets.
type SavedVolume = (u64, u64);

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    source: u8,
    session: u64,
    vlans: (u16, u16),
    is_local: bool,
    ports: (u16, u16),
    ends: (SavedEnd, SavedEnd),
    mac: Option<[u8; 6]>,
    ipv4: Option<[u8; 4]>,
    ipv6: Option<[u8; 16]>,
    prefix: Option<([u8; 16], u8)>,
    assigned: u8,
    nas: Option<[u8; 16]>,
    nas_port: Option<u32>,
    is_verified: bool,
    traffic: Option<(SavedVolume, SavedVolume)>,
    since: u64,
    login: bool,
    account: Vec<u8>,
    user: Option<Vec<u8>>,
    texts: Vec<u8>,
    is_admitted: bool,
    /// How long it lasts yet, in nanoseconds; none: until it is told otherwise.
    left: Option<u64>,
    interim: u32,
    echoes: bool,
    is_over: bool,
}

const ASSIGNED: [Assigned; 5] =
    [Assigned::Unknown, Assigned::Router, Assigned::Dhcpv6, Assigned::Delegated, Assigned::Radius];

impl Snapshot {
    /// Copies so many places at most; true once all are. Who comes or goes meanwhile may be in it or not.
    pub fn copy(&mut self, table: &AccessTable, most: usize) -> bool {
        let end = self.next.saturating_add(most).min(table.index.slots());
        for slot in self.next..end {
            let Some(entry) = table.index.get(slot as Slot) else { continue };
            if matches!(entry.phase, Phase::Pending(_)) {
                // Nothing was said of it.
                continue;
            }
            let saved = Saved::of(entry, table.clock.now());
            let users = std::mem::take(&mut self.users);
            self.users = postcard::to_extend(&saved, users).expect("it is plain data");
            self.count += 1;
        }
        self.next = end;
        end >= table.index.slots()
    }

    /// The file's octets; `now` is when this holds.
    pub fn encode(self, now: Nanos, seed: u64, names: &[String]) -> Vec<u8> {
        let header = Header { time: now.0, seed, ports: names.to_vec(), count: self.count };
        let header = postcard::to_stdvec(&header).expect("it is plain data");
        let mut digest = Sha256::new();
        digest.update(&header);
        digest.update(&self.users);
        [&MAGIC[..], &digest.finalize(), &header, &self.users].concat()
    }
}

impl Saved {
    fn of(entry: &Entry, now: Nanos) -> Self {
        let user = &*entry.user;
        let end = |end: Endpoint| (end.address.0, end.port);
        let volume = |volume: Volume| (volume.packets, volume.octets);
        Self {
            source: user.source as u8,
            session: user.session,
            vlans: (user.svlan, user.cvlan),
            is_local: user.is_local,
            ports: user.ports,
            ends: (end(user.ends.0), end(user.ends.1)),
            mac: user.mac.map(|mac| mac.0),
            ipv4: user.ipv4,
            ipv6: user.ipv6,
            prefix: user.prefix,
            assigned: ASSIGNED.iter().position(|assigned| *assigned == user.assigned).unwrap_or(0) as u8,
            nas: user.nas.map(|nas| nas.0),
            nas_port: user.nas_port,
            is_verified: user.trust == Trust::Verified,
            traffic: user.traffic.map(|[from, to]| (volume(from), volume(to))),
            since: user.since.0,
            login: user.login,
            account: user.account.to_vec(),
            user: user.user.as_deref().filter(|_| !user.logged_off).map(Into::into),
            texts: user.packed_texts().to_vec(),
            is_admitted: entry.phase == Phase::Admitted,
            left: (entry.until != NEVER).then(|| entry.until.0.saturating_sub(now.0)),
            interim: entry.interim,
            echoes: entry.echoes,
            is_over: entry.phase == Phase::Over,
        }
    }

    /// None where it is none of ours.
    fn user(self, ports: &[u16]) -> Option<(AccessUser, Phase)> {
        let source = *Source::ALL.get(usize::from(self.source))?;
        let end = |(address, port): SavedEnd| Endpoint { address: Address(address), port };
        let volume = |(packets, octets): SavedVolume| Volume { packets, octets };
        let port = |port: u16| ports.get(usize::from(port)).copied().unwrap_or(u16::MAX);
        let has_authenticator = matches!(source, Source::Radius | Source::Receiver);
        let mut user =
            AccessUser::of(&dataplane::access::AccessEvent::new(dataplane::access::AccessKind::Seen, source));
        user.session = self.session;
        (user.svlan, user.cvlan) = self.vlans;
        user.is_local = self.is_local;
        user.ports = (port(self.ports.0), port(self.ports.1));
        user.ends = (end(self.ends.0), end(self.ends.1));
        user.mac = self.mac.map(Mac);
        (user.ipv4, user.ipv6) = (self.ipv4, self.ipv6);
        user.prefix = self.prefix.filter(|(_, length)| *length <= 128);
        user.assigned = ASSIGNED.get(usize::from(self.assigned)).copied().unwrap_or_default();
        user.nas = self.nas.map(Address);
        user.nas_port = self.nas_port;
        user.trust = match (has_authenticator, self.is_verified) {
            (true, true) => Trust::Verified,
            (true, false) => Trust::NoSecret,
            (false, _) => Trust::NotApplicable,
        };
        user.traffic = self.traffic.map(|(from, to)| [volume(from), volume(to)]);
        (user.since, user.login) = (Nanos(self.since), self.login);
        user.account = self.account.into();
        user.user = self.user.map(Into::into);
        user.set_packed_texts(self.texts.into());
        let phase = match (self.is_over, self.is_admitted) {
            (true, _) => Phase::Over,
            (false, true) => Phase::Admitted,
            (false, false) => Phase::Online,
        };
        Some((user, phase))
    }
}

/// What a file says before its users, and those.
fn open(octets: &[u8]) -> Result<(Header, &[u8]), StoreError> {
    let rest = octets.strip_prefix(MAGIC).ok_or(StoreError::Damaged)?;
    let (digest, payload) = rest.split_first_chunk::<32>().ok_or(StoreError::Damaged)?;
    if <[u8; 32]>::from(Sha256::digest(payload)) != *digest {
        return Err(StoreError::Damaged);
    }
    postcard::take_from_bytes(payload).map_err(|_| StoreError::Damaged)
}

/// The seed under which the run before numbered sign-ons.
///
/// # Errors
/// Where the octets are none of ours.
pub fn seed(octets: &[u8]) -> Result<u64, StoreError> {
    open(octets).map(|(header, _)| header.seed)
}

impl AccessTable {
    /// Takes over who was signed on when `octets` were written, as far as there is room; says how many. Nothing is recorded of
    /// that.
    ///
    /// # Errors
    /// Where the octets are none of ours, or lie in the future; then nobody is taken over.
    pub fn take_over(&mut self, octets: &[u8], names: &Names, now: Nanos) -> Result<usize, StoreError> {
        let (header, mut rest) = open(octets)?;
        if header.time > now.0 {
            return Err(StoreError::Clock((header.time - now.0).div_ceil(1_000_000_000)));
        }
        let down = now.since(Nanos(header.time)).min(DOWN);
        let ports: Vec<u16> = header.ports.iter().map(|port| names.port_of(port)).collect();
        self.clock.hear(now);
        let mut count = 0;
        for _ in 0..header.count {
            let (saved, after) = postcard::take_from_bytes::<Saved>(rest).map_err(|_| StoreError::Damaged)?;
            rest = after;
            let (left, interim, echoes) = (saved.left, saved.interim, saved.echoes);
            let Some((user, phase)) = saved.user(&ports) else { continue };
            let family = Family::of(user.source);
            let has_place =
                |place| phase == Phase::Over && self.index.at(place).any(|(_, entry)| entry.family() == family);
            let is_there = self.index.session(family, user.session).is_some()
                || user.places().into_iter().flatten().any(has_place);
            if is_there || self.index.len() >= self.limits.users {
                continue;
            }
            let begin = self.clock.now();
            let mut entry = Entry::new(user, phase, begin);
            let left = left.map(|left| Duration::from_nanos(left).saturating_sub(down).max(LEAST));
            entry.until = left.map_or(NEVER, |left| begin + left);
            (entry.interim, entry.echoes) = (interim, echoes);
            let slot = self.index.insert(entry);
            self.requeue(slot);
            count += 1;
        }
        // Each person is listed once, and what is over goes where the other sign-on found no room.
        (0..self.index.slots() as Slot).for_each(|slot| _ = self.pair(slot, now));
        Ok(count)
    }
}
