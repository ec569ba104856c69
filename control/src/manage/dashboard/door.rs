//! Who may see the page: whoever knows the token, or, where there is none, whoever reaches it.
//!
//! The token comes as `Authorization: Bearer`, once for a cookie or with each request. The cookie is a number of its own: it
//! is good for nothing else, and for a day at most. Failed tries are few for each address, and told to the audit trail.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use dataplane::time::Nanos;
use sha2::{Digest, Sha256};

use super::super::Role;
use super::super::http::{Request, Status};
use crate::config::TokenDigest;
use crate::record::audit::{AuditEvent, AuditField, Occurrence, Origin, Subject, Via};

/// Viewers that are known at once. One more takes the place of who was not heard for longest, who has to log in again.
const VIEWERS: usize = 64;
/// A session is over after so long without a request,
const SILENCE: Duration = Duration::from_secs(60 * 60);
/// and after so long in any case.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Tries that an address has,
const TRIES: u32 = 5;
/// and one more each.
const EVERY: Duration = Duration::from_secs(10);
/// Addresses whose tries are counted.
const ADDRESSES: usize = 64;
/// Failed tries that are told one by one, whoever makes them,
const TOLD: u32 = 32;
/// and one more each.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What the trail is told of who looks, once a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sensitive {
    /// Users of messengers and of the access network.
    Users,
    /// Their sign-ons.
    SignOns,
    /// The trail.
    Audit,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Door {
    token: Option<TokenDigest>,
    cookie: String,
    secure: bool,
    viewers: Vec<Viewer>,
    tries: Vec<Tries>,
    told: Bucket,
    untold: u64,
}

/// Somebody who looks.
#[derive(Debug)]
struct Viewer {
    /// By what it is known.
    key: Key,
    began: Instant,
    last: Instant,
    /// What the trail was told of it.
    seen: [bool; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// The digest of its cookie.
    Cookie([u8; 32]),
    /// Its address: it has no cookie.
    Address(IpAddr),
}

/// The failed tries of an address.
#[derive(Debug)]
struct Tries {
    address: IpAddr,
    left: Bucket,
    failed: u64,
}

/// So many at once, and one more each while.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    most: u32,
    every: Duration,
    filled: Option<Instant>,
}

impl Bucket {
    const fn of(most: u32, every: Duration) -> Self {
        Self { left: most, most, every, filled: None }
    }

    /// Whether there is one left.
    fn has(&mut self, now: Instant) -> bool {
        let filled = *self.filled.get_or_insert(now);
        let more = now.saturating_duration_since(filled).as_millis() / self.every.as_millis().max(1);
        if more > 0 {
            self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(self.most);
            self.filled = Some(now);
        }
        self.left > 0
    }
}

/// What came of a look at the door.
pub(super) type Entry = Result<usize, Status>;

impl Door {
    /// `port` is part of the cookie's name: browsers keep those of all ports of a machine together.
    pub(super) fn new(token: Option<TokenDigest>, port: u16, secure: bool) -> Self {
        Self {
            token,
            cookie: format!("ostiary_{port}"),
            secure,
            viewers: Vec::new(),
            tries: Vec::new(),
            told: Bucket::of(TOLD, TOLD_EVERY),
            untold: 0,
        }
    }

    /// Whether a token has to be known.
    pub(super) fn is_locked(&self) -> bool {
        self.token.is_some()
    }

    /// Who asks, as a number that holds until the next call.
    ///
    /// # Errors
    /// Where that is nobody who may.
    pub(super) fn enter(
        &mut self,
        request: &Request,
        peer: SocketAddr,
        now: Instant,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) -> Entry {
        self.viewers.retain(|viewer| {
            now.saturating_duration_since(viewer.last) < SILENCE && now.saturating_duration_since(viewer.began) < LIFE
        });
        if self.token.is_none() {
            return Ok(self.viewer(Key::Address(peer.ip()), now));
        }
        if let Some(key) = self.shown(request)
            && let Some(at) = self.viewers.iter().position(|viewer| viewer.key == key)
        {
            if let Some(viewer) = self.viewers.get_mut(at) {
                viewer.last = now;
            }
            return Ok(at);
        }
        self.prove(request, peer, now, audit, time)?;
        Ok(self.viewer(Key::Address(peer.ip()), now))
    }

    /// Gives who knows the token a cookie: the header with it.
    ///
    /// # Errors
    /// Where that is nobody who does.
    pub(super) fn log_in(
        &mut self,
        request: &Request,
        peer: SocketAddr,
        now: Instant,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) -> Result<String, Status> {
        if self.token.is_none() {
            return Ok(String::new());
        }
        self.prove(request, peer, now, audit, time)?;
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| Status::Busy)?;
        let text: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        self.viewer(Key::Cookie(Sha256::digest(&text).into()), now);
        audit(said(AuditEvent::Login, peer, time).with(AuditField::Method, "token"));
        Ok(self.set_cookie(&text, LIFE.as_secs()))
    }

    /// Forgets a cookie: the header that has the browser do so too.
    pub(super) fn log_out(
        &mut self,
        request: &Request,
        peer: SocketAddr,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) -> String {
        let before = self.viewers.len();
        if let Some(key) = self.shown(request) {
            self.viewers.retain(|viewer| viewer.key != key);
        }
        if self.viewers.len() < before {
            audit(said(AuditEvent::Logout, peer, time));
        }
        self.set_cookie("", 0)
    }

    /// Tells the trail that a viewer sees that, unless it was told.
    pub(super) fn note(
        &mut self,
        viewer: usize,
        view: Sensitive,
        peer: SocketAddr,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) {
        let Some(seen) = self.viewers.get_mut(viewer).and_then(|viewer| viewer.seen.get_mut(view as usize)) else {
            return;
        };
        if !std::mem::replace(seen, true) {
            let text = match view {
                Sensitive::Users => "users online",
                Sensitive::SignOns => "sign-ons",
                Sensitive::Audit => "audit",
            };
            let viewed = Occurrence::new(AuditEvent::SensitiveView, time).by(subject(peer));
            audit(viewed.with(AuditField::View, text));
        }
    }

    /// Whether the token is known to who asks.
    fn prove(
        &mut self,
        request: &Request,
        peer: SocketAddr,
        now: Instant,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) -> Result<(), Status> {
        let Some(token) = self.token else { return Ok(()) };
        let Some(said) = request.authorization.as_deref() else { return Err(Status::Unauthorized) };
        let address = network(peer.ip());
        let place = self.tries.iter().position(|tries| tries.address == address);
        if let Some(tries) = place.and_then(|at| self.tries.get_mut(at))
            && !tries.left.has(now)
        {
            return Err(Status::TooMany);
        }
        if bearer(said).is_some_and(|said| token.is_of(said.as_bytes())) {
            if let Some(at) = place {
                self.tries.swap_remove(at);
            }
            return Ok(());
        }
        self.failed(address, place, peer, now, audit, time);
        Err(Status::Unauthorized)
    }

    fn failed(
        &mut self,
        address: IpAddr,
        place: Option<usize>,
        peer: SocketAddr,
        now: Instant,
        audit: &mut dyn FnMut(Occurrence),
        time: Nanos,
    ) {
        let at = place.unwrap_or_else(|| {
            if self.tries.len() >= ADDRESSES {
                // The one that failed least gives way: who tries hard stays.
                let least = self.tries.iter().enumerate().min_by_key(|(_, tries)| tries.failed).map(|(at, _)| at);
                self.tries.swap_remove(least.unwrap_or_default());
            }
            self.tries.push(Tries { address, left: Bucket::of(TRIES, EVERY), failed: 0 });
            self.tries.len() - 1
        });
        let Some(tries) = self.tries.get_mut(at) else { return };
        tries.failed += 1;
        tries.left.has(now);
        tries.left.left = tries.left.left.saturating_sub(1);
        let (is_over, failed) = (tries.left.left == 0, tries.failed);
        if !self.told.has(now) {
            self.untold += 1;
            return;
        }
        self.told.left -= 1;
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            let text = "tries failed that are not told one by one";
            let said = said(AuditEvent::LoginThreshold, peer, time).with(AuditField::Count, untold);
            audit(said.with(AuditField::Reason, text));
        }
        let said_of = said(AuditEvent::LoginFailed, peer, time).with(AuditField::Method, "token");
        audit(said_of.with(AuditField::Reason, "the token is wrong"));
        if is_over {
            let text = "tries of this address are not looked at for a while";
            let said = said(AuditEvent::LoginThreshold, peer, time).with(AuditField::Count, failed);
            audit(said.with(AuditField::Reason, text));
        }
    }

    fn viewer(&mut self, key: Key, now: Instant) -> usize {
        if let Some(at) = self.viewers.iter().position(|viewer| viewer.key == key) {
            if let Some(viewer) = self.viewers.get_mut(at) {
                viewer.last = now;
            }
            return at;
        }
        if self.viewers.len() >= VIEWERS {
            let oldest = self.viewers.iter().enumerate().min_by_key(|(_, viewer)| viewer.last).map(|(at, _)| at);
            self.viewers.swap_remove(oldest.unwrap_or_default());
        }
        self.viewers.push(Viewer { key, began: now, last: now, seen: [false; 3] });
        self.viewers.len() - 1
    }

    /// What a request's cookie stands for.
    fn shown(&self, request: &Request) -> Option<Key> {
        let pairs = request.cookie.split(';').filter_map(|pair| pair.trim().split_once('='));
        let (_, text) = pairs.into_iter().find(|(name, text)| *name == self.cookie && !text.is_empty())?;
        Some(Key::Cookie(Sha256::digest(text).into()))
    }

    fn set_cookie(&self, text: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("Set-Cookie: {}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}\r\n", self.cookie)
    }
}

/// The token of RFC 6750, 2.1.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Of IPv6 the network of 64 bits: whoever has one address of it has all.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        },
        v4 => v4,
    }
}

fn subject(peer: SocketAddr) -> Subject {
    let via = Some(Via::Dashboard);
    Subject { origin: Some(Origin::from(peer)), via, role: Some(Role::ReadOnly), ..Subject::default() }
}

fn said(event: AuditEvent, peer: SocketAddr, time: Nanos) -> Occurrence {
    // Who does not know the token is nobody yet.
    let role = matches!(event, AuditEvent::Login | AuditEvent::Logout).then_some(Role::ReadOnly);
    let by = Subject { role, ..subject(peer) };
    Occurrence::new(event, time).by(by).with(AuditField::Service, "dashboard")
}
