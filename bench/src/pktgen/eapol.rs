//! A supplicant at its authenticator: EAP over LAN (IEEE 802.1X-2020, 11), with EAP-MD5 (RFC 3748, 5.4).

use std::time::Duration;

use super::frames::{Link, Side};
use super::pppoe::mac;
use super::script::{AccessSignOn, Script};

const EAPOL: u16 = 0x888e;
/// Where both sides listen that do not know each other.
const GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 3];
const STEP: Duration = Duration::from_millis(13);
const SLACK: Duration = Duration::from_millis(50);

/// A host at a port that is closed.
#[derive(Debug)]
pub struct Supplicant {
    /// Its wire.
    pub link: Link,
    name: &'static str,
    /// When the next frame passes.
    pub at: Duration,
    id: u8,
}

impl Supplicant {
    /// One who says that it is `name`.
    pub fn new(link: Link, name: &'static str, at: Duration) -> Self {
        Self { link, name, at, id: 0 }
    }

    /// EAPOL-Start, identity, MD5's challenge, and the verdict; told where `is_new`.
    pub fn sign_on(&mut self, script: &mut Script, is_right: bool, is_new: bool) {
        if is_new {
            self.frame(script, Side::Client, 1, &[]);
        }
        self.ask(script, 1, &[]);
        self.answer(script, 1, self.name.as_bytes());
        // The identity is asked for twice, as a lost answer would have it.
        self.ask(script, 1, &[]);
        self.answer(script, 1, self.name.as_bytes());
        let value = |script: &mut Script| [&[16][..], &script.dice.octets(16)].concat();
        let (challenge, response) = (value(script), value(script));
        self.ask(script, 4, &challenge);
        self.answer(script, 4, &response);
        self.frame(script, Side::Server, 0, &[if is_right { 3 } else { 4 }, self.id, 0, 4]);
        if is_new {
            let (action, reason) = if is_right { ("ok", "accepted") } else { ("fail", "rejected") };
            self.expect(script, action, reason);
        }
    }

    /// EAPOL-Logoff, twice.
    pub fn log_off(&mut self, script: &mut Script) {
        self.frame(script, Side::Client, 2, &[]);
        self.expect(script, "logout", "logoff");
        self.frame(script, Side::Client, 2, &[]);
    }

    fn expect(&self, script: &mut Script, action: &'static str, reason: &'static str) {
        let mut details = vec![("mac", mac(self.link.client)), ("identifies", "person".to_owned())];
        details.extend(self.link.tags.first().map(|(_, vlan)| ("svlan", vlan.to_string())));
        let last = self.at.saturating_sub(STEP);
        let window = (last.saturating_sub(SLACK), last + SLACK);
        let account = self.name.to_owned();
        script.expect_access(AccessSignOn { application: "8021x", action, reason, account, details, window });
    }

    fn ask(&mut self, script: &mut Script, kind: u8, data: &[u8]) {
        self.id = self.id.wrapping_add(1);
        self.eap(script, Side::Server, 1, kind, data);
    }

    fn answer(&mut self, script: &mut Script, kind: u8, data: &[u8]) {
        self.eap(script, Side::Client, 2, kind, data);
    }

    fn eap(&mut self, script: &mut Script, from: Side, code: u8, kind: u8, data: &[u8]) {
        let length = (data.len() as u16 + 5).to_be_bytes();
        let packet = [&[code, self.id][..], &length, &[kind], data].concat();
        self.frame(script, from, 0, &packet);
    }

    fn frame(&mut self, script: &mut Script, from: Side, kind: u8, body: &[u8]) {
        // The supplicant speaks to whoever listens.
        let link = match from {
            Side::Client => Link { server: GROUP, ..self.link.clone() },
            Side::Server => self.link.clone(),
        };
        let payload = [&[2, kind][..], &(body.len() as u16).to_be_bytes(), body].concat();
        script.control(self.at, from, &link, EAPOL, &payload);
        self.at += STEP;
    }
}
