//! A subscriber's line: a host dials its access concentrator by PPPoE (RFC 2516) and PPP (RFC 1661).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::frames::{Ends, Link, Side, udp_packet};
use super::radius::legible;
use super::script::{AccessSignOn, Script};

/// EtherTypes.
const DISCOVERY: u16 = 0x8863;
const SESSION: u16 = 0x8864;
/// Codes of the discovery stage.
const PADI: u8 = 0x09;
const PADO: u8 = 0x07;
const PADR: u8 = 0x19;
const PADS: u8 = 0x65;
const PADT: u8 = 0xa7;
/// PPP's protocols.
const LCP: u16 = 0xc021;
const PAP: u16 = 0xc023;
const CHAP: u16 = 0xc223;
const IPCP: u16 = 0x8021;
const IPV6CP: u16 = 0x8057;

/// Between two packets of a negotiation.
const STEP: Duration = Duration::from_millis(7);
/// How far the firewall's time of an event may be from the frame's.
const SLACK: Duration = Duration::from_millis(50);
/// The concentrator's own address, behind every line.
const GATEWAY: [u8; 4] = [10, 64, 0, 1];

/// A line with one host.
#[derive(Debug)]
pub struct Line {
    /// Its wire: MAC addresses and tags.
    pub link: Link,
    /// PPPoE's session.
    pub id: u16,
    /// The user's name.
    pub name: Vec<u8>,
    /// When the next packet passes.
    pub at: Duration,
    address: Option<Ipv4Addr>,
    circuit: Option<&'static str>,
    number: u8,
    is_online: bool,
}

impl Line {
    /// A line whose host will be `name`, its first packet at `at`.
    pub fn new(link: Link, id: u16, name: &[u8], at: Duration) -> Self {
        Self { link, id, name: name.to_vec(), at, address: None, circuit: None, number: 0, is_online: false }
    }

    /// Waits.
    pub fn wait(&mut self, span: Duration) {
        self.at += span;
    }

    /// From PADI to PADS. The access node puts in the name of the `circuit`, where it has one (TR-101, 3.9.2).
    pub fn discover(&mut self, script: &mut Script, circuit: Option<&'static str>) {
        let unique = tag(0x0103, &script.dice.octets(8));
        let cookie = tag(0x0104, &script.dice.octets(16));
        let (service, concentrator) = (tag(0x0101, &[]), tag(0x0102, b"bras-1"));
        let node = circuit.map(|circuit| {
            let sub = [&[1, circuit.len() as u8][..], circuit.as_bytes()].concat();
            tag(0x0105, &[&[0, 0, 0x0d, 0xe9][..], &sub].concat())
        });
        let node = node.unwrap_or_default();
        self.circuit = circuit;
        let broadcast = Link { server: [0xff; 6], ..self.link.clone() };
        let initiation = [&service[..], &unique, &node].concat();
        self.discovery(script, &broadcast, Side::Client, PADI, 0, &initiation);
        let offer = [&service[..], &concentrator, &unique, &cookie].concat();
        let link = self.link.clone();
        self.discovery(script, &link, Side::Server, PADO, 0, &offer);
        self.discovery(script, &link, Side::Client, PADR, 0, &[&service[..], &unique, &cookie, &node].concat());
        self.discovery(script, &link, Side::Server, PADS, self.id, &[&service[..], &concentrator, &unique].concat());
    }

    /// The link comes up, with a protocol of authentication: 0xc023 or 0xc223.
    fn configure_link(&mut self, script: &mut Script, authentication: &[u8]) {
        let magic = [script.dice.half().to_be_bytes(), script.dice.half().to_be_bytes()];
        let mru = [1, 4, 0x05, 0xd4];
        let own = [&mru[..], &[5, 6], &magic[0]].concat();
        let others = [&mru[..], &[3, authentication.len() as u8 + 2], authentication, &[5, 6], &magic[1]].concat();
        let id = self.next();
        self.ppp(script, Side::Client, LCP, 1, id, &own);
        self.ppp(script, Side::Server, LCP, 1, id, &others);
        self.ppp(script, Side::Server, LCP, 2, id, &own);
        self.ppp(script, Side::Client, LCP, 2, id, &others);
    }

    /// PAP (RFC 1334), the request sent `times` times before its answer, which says whether the host is let in.
    pub fn pap(&mut self, script: &mut Script, password: &str, times: usize, is_right: bool) {
        self.configure_link(script, &PAP.to_be_bytes());
        script.expected.secrets.push(password.to_owned());
        let counted = |text: &[u8]| [&[text.len() as u8][..], text].concat();
        let request = [counted(&self.name), counted(password.as_bytes())].concat();
        let mut id = 0;
        for time in 0..times {
            id = self.next();
            self.ppp(script, Side::Client, PAP, 1, id, &request);
            if time + 1 < times {
                self.wait(Duration::from_secs(3));
            }
        }
        let message: &[u8] = if is_right { b"Welcome" } else { b"Login incorrect" };
        self.ppp(script, Side::Server, PAP, if is_right { 2 } else { 3 }, id, &counted(message));
        self.expect_result(script, is_right);
        if !is_right {
            // The concentrator's answer comes once more, and then it hangs up.
            self.ppp(script, Side::Server, PAP, 3, id, &counted(message));
        }
    }

    /// CHAP with MD5 (RFC 1994): the challenge, the response, and the verdict.
    pub fn chap(&mut self, script: &mut Script, is_right: bool) {
        self.configure_link(script, &[0xc2, 0x23, 5]);
        self.challenge(script, is_right);
        self.expect_result(script, is_right);
    }

    /// Another challenge, as they come every few minutes: nothing new if it is answered rightly.
    pub fn challenge(&mut self, script: &mut Script, is_right: bool) {
        let value = |script: &mut Script| [&[16][..], &script.dice.octets(16)].concat();
        let id = self.next();
        let challenge = [&value(script)[..], b"bras-1"].concat();
        self.ppp(script, Side::Server, CHAP, 1, id, &challenge);
        let response = [&value(script)[..], &self.name].concat();
        self.ppp(script, Side::Client, CHAP, 2, id, &response);
        let (code, message): (u8, &[u8]) = if is_right { (3, b"Welcome") } else { (4, b"Authentication failure") };
        self.ppp(script, Side::Server, CHAP, code, id, message);
    }

    /// IPCP (RFC 1332): the host asks for any address and takes the one that it is told. With it the user is on.
    pub fn ipcp(&mut self, script: &mut Script, address: Ipv4Addr) {
        let option = |address: [u8; 4]| [&[3, 6][..], &address].concat();
        let (gateway, any, own) = (option(GATEWAY), option([0; 4]), option(address.octets()));
        let id = self.next();
        self.ppp(script, Side::Server, IPCP, 1, id, &gateway);
        self.ppp(script, Side::Client, IPCP, 1, id, &any);
        self.ppp(script, Side::Client, IPCP, 2, id, &gateway);
        self.ppp(script, Side::Server, IPCP, 3, id, &own);
        let id = self.next();
        self.ppp(script, Side::Client, IPCP, 1, id, &own);
        self.ppp(script, Side::Server, IPCP, 2, id, &own);
        self.address = Some(address);
        if !std::mem::replace(&mut self.is_online, true) {
            // It may wait for the other family's address, and is of this moment all the same.
            self.expect(script, "login", "message");
        }
    }

    /// The host begins IPv6CP (RFC 5072); the rest of it is [`Self::finish_ipv6cp`]'s.
    pub fn begin_ipv6cp(&mut self, script: &mut Script) -> Vec<u8> {
        let own = [&[1, 10][..], &script.dice.octets(8)].concat();
        let id = self.next();
        self.ppp(script, Side::Client, IPV6CP, 1, id, &own);
        own
    }

    /// Both sides agree on interface identifiers.
    pub fn finish_ipv6cp(&mut self, script: &mut Script, own: &[u8]) {
        let id = self.number;
        let other = [&[1, 10][..], &script.dice.octets(8)].concat();
        self.ppp(script, Side::Server, IPV6CP, 1, id, &other);
        // The host's request was of another number, and is repeated as it was.
        let id = self.next();
        self.ppp(script, Side::Client, IPV6CP, 1, id, own);
        self.ppp(script, Side::Server, IPV6CP, 2, id, own);
        self.ppp(script, Side::Client, IPV6CP, 2, id.wrapping_sub(1), &other);
    }

    /// LCP's echo from the concentrator; whether the host answers.
    pub fn echo(&mut self, script: &mut Script, is_answered: bool) {
        let magic = script.dice.octets(4);
        let id = self.next();
        self.ppp(script, Side::Server, LCP, 9, id, &magic);
        if is_answered {
            self.ppp(script, Side::Client, LCP, 10, id, &magic);
        }
    }

    /// Datagrams of the user's, within the session.
    pub fn talk(&mut self, script: &mut Script, datagrams: u8) {
        let Some(address) = self.address else { return };
        let ends = Ends {
            client: SocketAddr::new(IpAddr::V4(address), 40_000 + self.id % 10_000),
            server: SocketAddr::from(([203, 0, 113, 77], 4500)),
        };
        let link = Link { session: Some(self.id), ..self.link.clone() };
        for number in 0..datagrams {
            let from = if number % 2 == 0 { Side::Client } else { Side::Server };
            let (source, destination) = ends.of(from);
            let octets = script.dice.octets(64);
            let packet = udp_packet(source, destination, u16::from(number), &octets);
            let bytes = link.frame(from, &packet);
            script.frames.push(super::script::TimedFrame { at: self.at, from, bytes });
            self.at += STEP;
        }
    }

    /// One side ends the link (LCP, Terminate-Request and -Ack) and the session (PADT).
    pub fn hang_up(&mut self, script: &mut Script, side: Side) {
        let id = self.next();
        self.ppp(script, side, LCP, 5, id, b"User request");
        self.expect_end(script);
        self.ppp(script, side.other(), LCP, 6, id, &[]);
        let link = self.link.clone();
        self.discovery(script, &link, side, PADT, self.id, &[]);
    }

    /// One side ends the session without a word of PPP.
    pub fn cut(&mut self, script: &mut Script, side: Side) {
        let link = self.link.clone();
        self.discovery(script, &link, side, PADT, self.id, &tag(0x0203, b"session limit"));
        self.expect_end(script);
    }

    /// The user is gone without a word; the firewall says so between `from` and `to`.
    pub fn vanish(&mut self, script: &mut Script, from: Duration, to: Duration) {
        let mut sign_on = self.record("logout", "silence");
        sign_on.window = (from, to);
        script.expect_access(sign_on);
        self.is_online = false;
    }

    fn expect_end(&mut self, script: &mut Script) {
        if std::mem::replace(&mut self.is_online, false) {
            self.expect(script, "logout", "terminated");
        }
    }

    fn expect_result(&self, script: &mut Script, is_right: bool) {
        let (action, reason) = if is_right { ("ok", "accepted") } else { ("fail", "rejected") };
        self.expect(script, action, reason);
    }

    /// Of the packet before this moment.
    fn expect(&self, script: &mut Script, action: &'static str, reason: &'static str) {
        script.expect_access(self.record(action, reason));
    }

    fn record(&self, action: &'static str, reason: &'static str) -> AccessSignOn {
        let mut details = vec![("mac", mac(self.link.client)), ("session-id", self.id.to_string())];
        let vlans = self.link.tags.iter().map(|(_, vlan)| vlan.to_string());
        details.extend(["svlan", "cvlan"].into_iter().zip(vlans));
        if action.starts_with("log")
            && let Some(address) = self.address
        {
            details.push(("ipv4", address.to_string()));
        }
        if let Some(circuit) = self.circuit {
            details.push(("circuit-id", circuit.to_owned()));
        }
        let last = self.at.saturating_sub(STEP);
        let window = (last.saturating_sub(SLACK), last + SLACK);
        AccessSignOn { application: "pppoe", action, reason, account: legible(&self.name), details, window }
    }

    fn next(&mut self) -> u8 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    fn discovery(&mut self, script: &mut Script, link: &Link, from: Side, code: u8, id: u16, tags: &[u8]) {
        let header = [&[0x11, code][..], &id.to_be_bytes(), &(tags.len() as u16).to_be_bytes()].concat();
        script.control(self.at, from, link, DISCOVERY, &[&header[..], tags].concat());
        self.at += STEP;
    }

    fn ppp(&mut self, script: &mut Script, from: Side, protocol: u16, code: u8, id: u8, data: &[u8]) {
        let packet = [&[code, id][..], &(data.len() as u16 + 4).to_be_bytes(), data].concat();
        self.session(script, from, protocol, &packet);
    }

    /// A packet of any protocol, whatever it says.
    pub fn session(&mut self, script: &mut Script, from: Side, protocol: u16, packet: &[u8]) {
        let length = (packet.len() as u16 + 2).to_be_bytes();
        let header = [[0x11, 0], self.id.to_be_bytes(), length, protocol.to_be_bytes()].concat();
        script.control(self.at, from, &self.link.clone(), SESSION, &[&header[..], packet].concat());
        self.at += STEP;
    }
}

/// A PADT, of whichever session.
pub fn terminate(script: &mut Script, at: Duration, from: Side, link: &Link, id: u16) {
    let payload = [&[0x11, PADT][..], &id.to_be_bytes(), &[0, 0]].concat();
    script.control(at, from, link, DISCOVERY, &payload);
}

/// A MAC address as records write it.
pub fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

fn tag(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}
