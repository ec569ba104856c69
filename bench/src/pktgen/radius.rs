//! An access server and its RADIUS server (RFC 2865, RFC 2866).

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use md5::{Digest, Md5};

use super::frames::{Ends, Side};
use super::pppoe::mac;
use super::script::{AccessSignOn, Script};

/// What the access servers of the stories share with their RADIUS server.
pub const SECRET: &[u8] = b"a secret of the stories";

/// Between a request and its answer.
const STEP: Duration = Duration::from_millis(9);
const SLACK: Duration = Duration::from_millis(50);

/// Acct-Status-Type (RFC 2866, 5.1).
pub const START: u32 = 1;
/// Likewise.
pub const STOP: u32 = 2;
/// Likewise.
pub const INTERIM: u32 = 3;
/// Likewise.
pub const ON: u32 = 7;
/// Likewise.
pub const OFF: u32 = 8;

/// An access server.
#[derive(Debug)]
pub struct Nas {
    name: &'static str,
    address: Ipv4Addr,
    id: u8,
}

/// Who signs on there.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// User-Name.
    pub name: Vec<u8>,
    /// Acct-Session-Id.
    pub session: String,
    /// Framed-IP-Address.
    pub address: Ipv4Addr,
    /// Delegated-IPv6-Prefix: the third and fourth group of a prefix of 56 bits, where there is one.
    pub prefix: Option<(u16, u16)>,
    /// Calling-Station-Id.
    pub mac: [u8; 6],
}

impl Nas {
    /// The access server of that name, at 192.0.2.`host`.
    pub fn new(name: &'static str, host: u8) -> Self {
        Self { name, address: Ipv4Addr::new(192, 0, 2, host), id: 0 }
    }

    /// Asks for a user to be let in; `words` are the server's. Gives when the answer passes.
    pub fn ask(
        &mut self,
        script: &mut Script,
        at: Duration,
        user: &Subscriber,
        password: &str,
        is_right: bool,
    ) -> Duration {
        script.expected.secrets.push(password.to_owned());
        // Whatever is in this attribute, nobody may see it.
        let hidden = password.as_bytes().iter().copied().chain([0; 16]).take(16);
        let mut request = [attribute(1, &user.name), attribute(2, &hidden.collect::<Vec<_>>())].concat();
        request.extend(self.own(user));
        let words: &[u8] = if is_right { b"Welcome" } else { b"Unknown user or wrong password" };
        let mut answer = attribute(18, words);
        if is_right {
            answer.extend([number(85, 600), attribute(25, b"gold"), vendor()].concat());
        }
        let end = self.exchange(script, at, 1812, (1, if is_right { 2 } else { 3 }), &request, &answer);
        let (action, reason) = if is_right { ("ok", "accepted") } else { ("fail", "rejected") };
        let mut record = self.record(user, action, reason, end);
        record.details.push(("message", String::from_utf8_lossy(words).into_owned()));
        script.expect_access(record);
        end
    }

    /// Accounts for a user; `more` are further attributes. What is said of it is for the caller to expect.
    pub fn account(&mut self, script: &mut Script, at: Duration, user: &Subscriber, status: u32, more: &[u8]) {
        let mut request =
            [number(40, status), attribute(1, &user.name), attribute(44, user.session.as_bytes())].concat();
        request.extend(attribute(8, &user.address.octets()));
        if let Some((third, fourth)) = user.prefix {
            let prefix = [&[0, 56, 0x20, 0x01, 0x0d, 0xb8][..], &third.to_be_bytes(), &fourth.to_be_bytes()].concat();
            request.extend(attribute(123, &[&prefix[..], &[0; 8]].concat()));
        }
        request.extend(self.own(user));
        request.extend_from_slice(more);
        self.exchange(script, at, 1813, (4, 5), &request, &[]);
    }

    /// The access server itself begins or ends ([`ON`], [`OFF`]).
    pub fn reboot(&mut self, script: &mut Script, at: Duration, status: u32) {
        let request = [number(40, status), attribute(4, &self.address.octets()), attribute(32, self.name.as_bytes())];
        self.exchange(script, at, 1813, (4, 5), &request.concat(), &[]);
    }

    /// Start: the user is on.
    pub fn start(&mut self, script: &mut Script, at: Duration, user: &Subscriber) {
        self.account(script, at, user, START, &[]);
        script.expect_access(self.record(user, "login", "message", at));
    }

    /// Stop, with one of the causes that records have a word for.
    pub fn stop(&mut self, script: &mut Script, at: Duration, user: &Subscriber, cause: u32, reason: &'static str) {
        let counts = [number(46, 600), number(42, 1000), number(43, 70_000), number(47, 10), number(48, 100)].concat();
        self.account(script, at, user, STOP, &[counts, number(49, cause), number(53, 1)].concat());
        let mut record = self.record(user, "logout", reason, at);
        record.details.push(("from-user-octets", "1000".to_owned()));
        record.details.push(("to-user-octets", ((1_u64 << 32) + 70_000).to_string()));
        script.expect_access(record);
    }

    /// A record of a user, made at about a time.
    pub fn record(&self, user: &Subscriber, action: &'static str, reason: &'static str, at: Duration) -> AccessSignOn {
        let mut details = vec![("nas", self.address.to_string()), ("nas-id", self.name.to_owned())];
        details.push(("mac", mac(user.mac)));
        if action.starts_with("log") {
            details.push(("session-id", user.session.clone()));
            details.push(("ipv4", user.address.to_string()));
            if let Some((third, fourth)) = user.prefix {
                let prefix = [0x2001, 0xdb8, third, fourth, 0, 0, 0, 0];
                details.push(("prefix", format!("{}/56", std::net::Ipv6Addr::from(prefix))));
            }
        }
        let window = (at.saturating_sub(SLACK), at + SLACK);
        AccessSignOn { application: "radius", action, reason, account: legible(&user.name), details, window }
    }

    /// What the access server says of itself and of the line in every request.
    fn own(&self, user: &Subscriber) -> Vec<u8> {
        let station = user.mac.map(|octet| format!("{octet:02X}")).join("-");
        [
            attribute(4, &self.address.octets()),
            attribute(32, self.name.as_bytes()),
            number(61, 15),
            attribute(87, b"eth 0/1:301"),
            attribute(31, station.as_bytes()),
            vendor(),
        ]
        .concat()
    }

    /// A request and its answer, and when that passes.
    fn exchange(
        &mut self,
        script: &mut Script,
        at: Duration,
        port: u16,
        (asks, answers): (u8, u8),
        request: &[u8],
        answer: &[u8],
    ) -> Duration {
        self.id = self.id.wrapping_add(1);
        let ends = self.ends(port);
        let random = script.dice.octets(16);
        // Of what asks to be let in it is drawn, of accounting it follows from the rest (RFC 2866, 3).
        let request = message(asks, self.id, (asks == 1).then_some(&random), request);
        script.udp(at, Side::Client, ends, &request);
        let end = at + STEP;
        script.udp(end, Side::Server, ends, &message_to(answers, self.id, &request[4..20], answer));
        end
    }

    /// Between this server and the RADIUS server.
    pub fn ends(&self, port: u16) -> Ends {
        Ends {
            client: SocketAddr::from((self.address, 32_768 + port)),
            server: SocketAddr::from(([198, 51, 100, 18], port)),
        }
    }
}

/// A request: with an authenticator that was drawn, or the digest that accounting has.
pub fn message(code: u8, id: u8, authenticator: Option<&[u8]>, attributes: &[u8]) -> Vec<u8> {
    match authenticator {
        Some(authenticator) => plain(code, id, authenticator, attributes),
        None => message_to(code, id, &[0; 16], attributes),
    }
}

/// An answer to a request with that authenticator (RFC 2865, 3).
pub fn message_to(code: u8, id: u8, asked: &[u8], attributes: &[u8]) -> Vec<u8> {
    let mut octets = plain(code, id, asked, attributes);
    let authenticator = Md5::digest([&octets, SECRET].concat());
    octets[4..20].copy_from_slice(&authenticator);
    octets
}

fn plain(code: u8, id: u8, authenticator: &[u8], attributes: &[u8]) -> Vec<u8> {
    let length = attributes.len() as u16 + 20;
    [&[code, id][..], &length.to_be_bytes(), authenticator, attributes].concat()
}

/// An attribute; of 253 octets at most.
pub fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8 + 2][..], value].concat()
}

/// An attribute that is a number.
pub fn number(kind: u8, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

/// A vendor's attribute (RFC 2865, 5.26), with one inside whose length goes past its end.
fn vendor() -> Vec<u8> {
    attribute(26, &[0, 0, 0x7e, 0xd9, 1, 6, b'i', b's', b'p', b'1', 7, 200, 1])
}

/// A name as records write it: text, or the octets that are none of it as `\xHH`.
pub fn legible(octets: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(octets) {
        return text.to_owned();
    }
    octets.iter().fold(String::new(), |mut text, octet| {
        match octet {
            0..=0x7f => text.push(char::from(*octet)),
            _ => write!(text, "\\x{octet:02X}").expect("a string takes text"),
        }
        text
    })
}
