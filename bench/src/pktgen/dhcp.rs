//! A host and its DHCP server (RFC 2131), directly or by way of a relay.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::frames::{Ends, Link, Side};
use super::pppoe::mac;
use super::script::{AccessSignOn, Script};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 21, 0, 1);
/// Between two messages.
const STEP: Duration = Duration::from_millis(11);
const SLACK: Duration = Duration::from_millis(50);

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;
const INFORM: u8 = 8;

/// A host that takes leases.
#[derive(Debug)]
pub struct Host {
    link: Link,
    mac: [u8; 6],
    name: &'static str,
    /// The name of the person, where records have it.
    pub person: Option<&'static str>,
    /// The circuit that a relay names (RFC 3046), which then is whose the frames are.
    circuit: Option<&'static str>,
    /// When the next message passes.
    pub at: Duration,
    address: Ipv4Addr,
    seconds: u32,
}

impl Host {
    /// One on a piece of wire, whose MAC address is the clients' there.
    pub fn new(link: Link, name: &'static str, at: Duration) -> Self {
        let mac = link.client;
        let address = Ipv4Addr::UNSPECIFIED;
        Self { link, mac, name, person: None, circuit: None, at, address, seconds: 0 }
    }

    /// One behind a relay, which the frames come from.
    pub fn relayed(link: Link, mac: [u8; 6], name: &'static str, circuit: &'static str, at: Duration) -> Self {
        Self { mac, circuit: Some(circuit), ..Self::new(link, name, at) }
    }

    /// DISCOVER, OFFER, REQUEST, ACK: a lease of so many seconds, the request sent twice.
    pub fn lease(&mut self, script: &mut Script, address: Ipv4Addr, seconds: u32) {
        (self.address, self.seconds) = (Ipv4Addr::UNSPECIFIED, seconds);
        let xid = script.dice.half();
        self.send(script, Side::Client, DISCOVER, xid, address, &[]);
        self.send(script, Side::Server, OFFER, xid, address, &self.terms());
        let wanted = [&option(50, &address.octets())[..], &option(54, &SERVER.octets())].concat();
        self.send(script, Side::Client, REQUEST, xid, address, &wanted);
        self.send(script, Side::Client, REQUEST, xid, address, &wanted);
        self.send(script, Side::Server, ACK, xid, address, &self.terms());
        self.address = address;
        self.expect(script, "login", "lease");
        self.send(script, Side::Server, ACK, xid, address, &self.terms());
    }

    /// Asks for more time, and has it: nothing to tell.
    pub fn renew(&mut self, script: &mut Script) {
        let xid = script.dice.half();
        self.send(script, Side::Client, REQUEST, xid, self.address, &[]);
        self.send(script, Side::Server, ACK, xid, self.address, &self.terms());
    }

    /// Asks for all but an address: nothing to tell.
    pub fn inform(&mut self, script: &mut Script) {
        let xid = script.dice.half();
        self.send(script, Side::Client, INFORM, xid, self.address, &[]);
        self.send(script, Side::Server, ACK, xid, Ipv4Addr::UNSPECIFIED, &[]);
    }

    /// Gives the address back.
    pub fn release(&mut self, script: &mut Script) {
        let xid = script.dice.half();
        self.send(script, Side::Client, RELEASE, xid, self.address, &option(54, &SERVER.octets()));
        self.expect(script, "logout", "release");
        self.send(script, Side::Client, RELEASE, xid, self.address, &option(54, &SERVER.octets()));
    }

    /// Finds that another has the address.
    pub fn decline(&mut self, script: &mut Script) {
        let (xid, address) = (script.dice.half(), std::mem::replace(&mut self.address, Ipv4Addr::UNSPECIFIED));
        self.send(script, Side::Client, DECLINE, xid, address, &option(50, &address.octets()));
        self.address = address;
        self.expect(script, "logout", "decline");
    }

    /// Asks for an address of another network, and is refused.
    pub fn refused(&mut self, script: &mut Script, address: Ipv4Addr) {
        let xid = script.dice.half();
        self.send(script, Side::Client, REQUEST, xid, address, &option(50, &address.octets()));
        let words = [&option(54, &SERVER.octets())[..], &option(56, b"wrong network")].concat();
        self.send(script, Side::Server, NAK, xid, Ipv4Addr::UNSPECIFIED, &words);
        let mut record = self.record("fail", "nak");
        record.details.push(("message", "wrong network".to_owned()));
        script.expect_access(record);
    }

    /// The lease ends and was not renewed. Says when.
    pub fn expire(&mut self, script: &mut Script) -> Duration {
        // The last message was the acknowledgment, or its repetition.
        let end = self.at + Duration::from_secs(self.seconds.into());
        let mut record = self.record("logout", "expired");
        record.window = (end - Duration::from_secs(1), end + Duration::from_secs(2));
        script.expect_access(record);
        end + Duration::from_secs(2)
    }

    fn expect(&self, script: &mut Script, action: &'static str, reason: &'static str) {
        script.expect_access(self.record(action, reason));
    }

    fn record(&self, action: &'static str, reason: &'static str) -> AccessSignOn {
        let account = mac(self.mac);
        let mut details = vec![("mac", account.clone()), ("host-name", self.name.to_owned())];
        if action.starts_with("log") {
            details.push(("ipv4", self.address.to_string()));
        }
        details.extend(self.person.map(|person| ("user", person.to_owned())));
        details.extend(self.circuit.map(|circuit| ("circuit-id", circuit.to_owned())));
        let vlans = self.link.tags.iter().map(|(_, vlan)| vlan.to_string());
        details.extend(["svlan", "cvlan"].into_iter().zip(vlans));
        let last = self.at.saturating_sub(STEP);
        let window = (last.saturating_sub(SLACK), last + SLACK);
        AccessSignOn { application: "dhcp", action, reason, account, details, window }
    }

    fn terms(&self) -> Vec<u8> {
        let lease = option(51, &self.seconds.to_be_bytes());
        [lease, option(54, &SERVER.octets()), option(1, &[255, 255, 0, 0])].concat()
    }

    fn send(&mut self, script: &mut Script, from: Side, kind: u8, xid: u32, address: Ipv4Addr, more: &[u8]) {
        let is_request = from == Side::Client;
        let mut octets = vec![0; 236];
        octets[..3].copy_from_slice(&[if is_request { 1 } else { 2 }, 1, 6]);
        octets[4..8].copy_from_slice(&xid.to_be_bytes());
        let (has, gets) =
            if is_request { (self.address, Ipv4Addr::UNSPECIFIED) } else { (Ipv4Addr::UNSPECIFIED, address) };
        octets[12..16].copy_from_slice(&has.octets());
        octets[16..20].copy_from_slice(&gets.octets());
        octets[28..34].copy_from_slice(&self.mac);
        let mut agent = Vec::new();
        if let Some(circuit) = self.circuit {
            octets[24..28].copy_from_slice(&RELAY.octets());
            agent = option(82, &option(1, circuit.as_bytes()));
        }
        octets.extend([99, 130, 83, 99, 53, 1, kind]);
        if is_request {
            octets.extend(option(12, self.name.as_bytes()));
            octets.extend(option(61, &[&[1][..], &self.mac].concat()));
        }
        octets.extend_from_slice(more);
        octets.extend(agent);
        octets.push(255);
        // What is sent to all, or from nobody, has no flow in common with the answer.
        let (client, server) = match self.circuit {
            Some(_) => ((RELAY, 67), (SERVER, 67)),
            None if self.address.is_unspecified() && is_request => ((self.address, 68), (Ipv4Addr::BROADCAST, 67)),
            None if self.address.is_unspecified() => ((address, 68), (SERVER, 67)),
            None => ((self.address, 68), (SERVER, 67)),
        };
        let client = if client.0.is_unspecified() && !is_request { (Ipv4Addr::BROADCAST, 68) } else { client };
        let ends = Ends { client: SocketAddr::from(client), server: SocketAddr::from(server) };
        let link = self.link.clone();
        script.udp_on(self.at, from, &link, ends, &octets);
        self.at += STEP;
    }
}

fn option(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8][..], value].concat()
}
