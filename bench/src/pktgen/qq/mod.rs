//! PC QQ over UDP and TCP: packets and a session that speaks them. The three generations of the protocol share the header
//! and little else; the same command number means different things in each.

mod login;

use std::time::Duration;

use super::dice::Dice;
use super::frames::{Ends, Side};
use super::script::{Action, Script, SignOn};
use super::tcp::Connection;
use super::tea::{self, Key};

/// The protocol's generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 2000 to 2008.
    A,
    /// 2009 to 2011.
    B,
    /// 2012 on.
    C,
}

impl Generation {
    /// Version word and public number of a client of that time.
    const fn client(self) -> (u16, [u8; 4]) {
        match self {
            Self::A => (0x1205, [0; 4]),
            Self::B => (0x2227, [0, 0, 0x64, 0x8d]),
            Self::C => (0x3c3d, [0, 0, 0x6b, 0x13]),
        }
    }

    /// Keepalive command and interval.
    const fn keepalive(self) -> (u16, Duration) {
        match self {
            Self::A => (0x0002, Duration::from_secs(100)),
            Self::B | Self::C => (0x0058, Duration::from_secs(60)),
        }
    }

    const fn logout(self) -> u16 {
        match self {
            Self::A => 0x0001,
            Self::B | Self::C => 0x0062,
        }
    }
}

/// How packets travel.
#[derive(Clone, Debug)]
enum Channel {
    Udp { ends: Ends, now: Duration },
    Tcp(Connection),
}

/// One account's session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The QQ number.
    pub account: u32,
    /// The protocol's generation.
    pub generation: Generation,
    /// Whether every datagram comes twice, as over a path that loses answers.
    pub repeats: bool,
    /// Whether the server's packets carry the number too; those of generation A are said not to.
    pub server_names_account: bool,
    /// Whether the server answers at all.
    pub answered: bool,
    channel: Channel,
    key: Key,
    sequence: u16,
    server_sequence: u16,
}

/// Half a round trip.
const HALF: Duration = Duration::from_millis(18);

impl Session {
    /// A session over UDP that begins at `at`.
    pub fn udp(script: &mut Script, generation: Generation, account: u32, ends: Ends, at: Duration) -> Self {
        script.names_udp("qq", ends);
        Self::new(&mut script.dice, generation, account, Channel::Udp { ends, now: at })
    }

    /// A session over a TCP connection.
    pub fn tcp(script: &mut Script, generation: Generation, account: u32, connection: Connection) -> Self {
        script.names_tcp("qq", connection.ends);
        Self::new(&mut script.dice, generation, account, Channel::Tcp(connection))
    }

    fn new(dice: &mut Dice, generation: Generation, account: u32, channel: Channel) -> Self {
        let key = std::array::from_fn(|_| dice.half() as u8);
        Self {
            account,
            generation,
            repeats: false,
            server_names_account: generation != Generation::A,
            answered: true,
            channel,
            key,
            sequence: dice.half() as u16,
            server_sequence: dice.half() as u16,
        }
    }

    /// The time that has come.
    pub fn now(&self) -> Duration {
        match &self.channel {
            Channel::Udp { now, .. } => *now,
            Channel::Tcp(connection) => connection.now,
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, span: Duration) {
        match &mut self.channel {
            Channel::Udp { now, .. } => *now += span,
            Channel::Tcp(connection) => connection.wait(span),
        }
    }

    /// Stays online for `span`: keepalives at the protocol's interval, and what comes between them.
    pub fn stay(&mut self, script: &mut Script, span: Duration) {
        let end = self.now() + span;
        let (_, interval) = self.generation.keepalive();
        while self.now() < end {
            self.keepalive(script);
            let before = self.now();
            match script.dice.between(0, 6) {
                0 => self.talk(script),
                1 => self.push(script, 0x0081, 48),
                2 => self.push(script, 0x00ce, 160),
                3 => self.group(script),
                4 => self.push(script, 0x0017, 96),
                _ => {}
            }
            let next = (before + interval).min(end);
            self.wait(next.saturating_sub(self.now()));
        }
    }

    /// One keepalive and its answer.
    pub fn keepalive(&mut self, script: &mut Script) {
        let (command, _) = self.generation.keepalive();
        let number = self.account.to_string();
        self.ask(script, command, number.as_bytes(), 24);
    }

    /// A message to a friend.
    pub fn talk(&mut self, script: &mut Script) {
        let words = script.dice.octets(40);
        self.ask(script, if self.generation == Generation::A { 0x0016 } else { 0x00cd }, &words, 8);
    }

    /// Something of a group.
    fn group(&mut self, script: &mut Script) {
        let words = script.dice.octets(24);
        self.ask(script, if self.generation == Generation::A { 0x0030 } else { 0x0002 }, &words, 64);
    }

    /// Something that the server sends of itself, and the client's acknowledgement.
    pub fn push(&mut self, script: &mut Script, command: u16, octets: usize) {
        self.server_sequence = self.server_sequence.wrapping_add(1);
        let sequence = self.server_sequence;
        let body = script.dice.octets(octets);
        let pushed = self.server_packet(&mut script.dice, command, sequence, &body);
        self.send(script, Side::Server, &pushed);
        self.wait(HALF);
        let answer = self.in_session(&mut script.dice, command, sequence, &[0; 16]);
        self.send(script, Side::Client, &answer);
        self.wait(HALF);
    }

    /// Logs out: the message goes four times and gets no answer. The connection, if there is one, ends.
    pub fn logout(mut self, script: &mut Script) -> Duration {
        let from = self.now();
        // The 2010 clients sent all four with one constant sequence number; others counted.
        for _ in 0..4 {
            self.sequence = if self.generation == Generation::B { 0xffff } else { self.sequence.wrapping_add(1) };
            let farewell = self.in_session(&mut script.dice, self.generation.logout(), self.sequence, &[0; 16]);
            self.send(script, Side::Client, &farewell);
            self.wait(Duration::from_millis(3));
        }
        self.expect(script, Action::Logout, "message", from, self.now() + Duration::from_secs(2));
        self.end(script)
    }

    /// Ends without a word: over TCP by FIN, over UDP by silence.
    pub fn vanish(self, script: &mut Script) -> Duration {
        let from = self.now();
        let reason = match self.channel {
            Channel::Udp { .. } => "timeout",
            Channel::Tcp(_) => "connection-closed",
        };
        self.expect(script, Action::Logout, reason, from, from + Duration::from_secs(600));
        self.end(script)
    }

    /// Leaves the story while the session lives on.
    pub fn linger(self) -> Duration {
        self.now()
    }

    fn end(self, script: &mut Script) -> Duration {
        match self.channel {
            Channel::Udp { now, .. } => now,
            Channel::Tcp(connection) => connection.finish(script, Side::Client),
        }
    }

    fn client(&self) -> std::net::IpAddr {
        match &self.channel {
            Channel::Udp { ends, .. } => ends.client.ip(),
            Channel::Tcp(connection) => connection.ends.client.ip(),
        }
    }

    /// Says what should be reported of this account.
    pub fn expect(&self, script: &mut Script, action: Action, reason: &'static str, from: Duration, to: Duration) {
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        script.expect(SignOn::of_qq(self.account, self.client(), action, reason, (from, to)));
    }

    /// A session command and its answer of `answer` plain octets.
    fn ask(&mut self, script: &mut Script, command: u16, body: &[u8], answer: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = self.in_session(&mut script.dice, command, self.sequence, body);
        self.exchange(script, command, &packet, answer);
    }

    /// Sends a client packet that is ready and the server's answer to it.
    fn exchange(&mut self, script: &mut Script, command: u16, packet: &[u8], answer: usize) {
        self.send(script, Side::Client, packet);
        self.wait(HALF);
        if self.answered {
            let plain = script.dice.octets(answer);
            let reply = self.server_packet(&mut script.dice, command, self.sequence, &plain);
            self.send(script, Side::Server, &reply);
        }
        self.wait(HALF);
    }

    fn send(&mut self, script: &mut Script, from: Side, packet: &[u8]) {
        let repeats = self.repeats;
        match &mut self.channel {
            Channel::Udp { ends, now } => {
                script.udp(*now, from, *ends, packet);
                if repeats {
                    script.udp(*now + Duration::from_millis(6), from, *ends, packet);
                }
            }
            Channel::Tcp(connection) => {
                let mut record = (packet.len() as u16 + 2).to_be_bytes().to_vec();
                record.extend_from_slice(packet);
                // Now and then a record is cut in the middle of its header.
                let size = if script.dice.between(0, 5) == 0 { 7 } else { connection.mss };
                connection.send_cut(script, from, &record, size);
            }
        }
    }

    /// A packet of the client under the session key.
    fn in_session(&self, dice: &mut Dice, command: u16, sequence: u16, plain: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        if self.generation != Generation::A {
            body.extend_from_slice(&[2, 0, 0, 0, 1, 1, 1]);
            body.extend_from_slice(&self.generation.client().1);
        }
        body.extend_from_slice(&tea::seal(&self.key, plain, dice));
        self.packet(command, sequence, Some(self.account), &body)
    }

    fn server_packet(&self, dice: &mut Dice, command: u16, sequence: u16, plain: &[u8]) -> Vec<u8> {
        let mut body = match (self.generation, command) {
            (Generation::A, _) => Vec::new(),
            (_, 0x0002) => vec![0, 0x20, 0],
            (_, 0x0017) => vec![0, 4, 0],
            _ => vec![0, 0, 0],
        };
        body.extend_from_slice(&tea::seal(&self.key, plain, dice));
        self.packet(command, sequence, self.server_names_account.then_some(self.account), &body)
    }

    fn packet(&self, command: u16, sequence: u16, account: Option<u32>, body: &[u8]) -> Vec<u8> {
        packet(self.generation.client().0, command, sequence, account, body)
    }
}

/// Start tag, header, body, end tag.
fn packet(version: u16, command: u16, sequence: u16, account: Option<u32>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 12);
    out.push(2);
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&command.to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend(account.into_iter().flat_map(u32::to_be_bytes));
    out.extend_from_slice(body);
    out.push(3);
    out
}

/// Reports: command 0x0001 of a present client, from a fresh port each, with eight zero octets in front of the
/// ciphertext, a counter of their own, and no answer. They look like a logout of generation A and are none; they do name
/// the account.
pub fn reports(script: &mut Script, account: u32, ends: Ends, at: Duration, count: u16) -> Duration {
    let mut now = at;
    let (version, _) = Generation::C.client();
    for i in 0..count {
        let mut body = vec![0; 8];
        let plain = script.dice.octets(if i % 3 == 0 { 20 } else { 12 });
        body.extend_from_slice(&tea::seal(&[7; 16], &plain, &mut script.dice));
        let datagram = packet(version, 0x0001, 23 + i, Some(account), &body);
        let mut ends = ends;
        ends.client.set_port(ends.client.port() + i);
        script.names_udp("qq", ends);
        script.udp(now, Side::Client, ends, &datagram);
        now += Duration::from_secs(u64::from(script.dice.between(40, 300)));
    }
    now
}
