//! Mobile QQ and the NTQQ desktop client: MSF records over TCP. Each names the account in clear; what it is about is
//! encrypted, but the kind of encryption tells login from session.

use std::time::Duration;

use super::frames::Side;
use super::script::{Action, Script, SignOn};
use super::tcp::Connection;
use super::tea::{self, Key, ZERO_KEY};

/// Which client; they differ in the record types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Types 0x0A and 0x0B.
    Mobile,
    /// Types 0x0C and 0x0D.
    Desktop,
}

impl Client {
    const fn login_type(self) -> u32 {
        match self {
            Self::Mobile => 0x0a,
            Self::Desktop => 0x0c,
        }
    }

    const fn simple_type(self) -> u32 {
        self.login_type() + 1
    }
}

/// How the account's connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// FIN from the client.
    Finished,
    /// RST from the client.
    Reset,
    /// Neither: the device is gone.
    Silent,
}

/// An account's connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// The QQ number.
    pub account: u32,
    client: Client,
    connection: Connection,
    key: Key,
    sequence: u32,
}

impl Session {
    /// A session on a connection.
    pub fn new(script: &mut Script, client: Client, account: u32, connection: Connection) -> Self {
        script.names_tcp("qq", connection.ends);
        let key = std::array::from_fn(|_| script.dice.half() as u8);
        let sequence = script.dice.between(60_000, 90_000);
        Self { account, client, connection, key, sequence }
    }

    /// The time that has come.
    pub fn now(&self) -> Duration {
        self.connection.now
    }

    /// Lets time pass.
    pub fn wait(&mut self, span: Duration) {
        self.connection.wait(span);
    }

    /// A login by password: one round, or more where the server wants a captcha or a code first.
    pub fn login(&mut self, script: &mut Script, rounds: u32) {
        self.attempt(script, rounds);
        self.register(script);
        self.online(script);
    }

    /// Asks to log in; the verdict is not readable.
    pub fn attempt(&mut self, script: &mut Script, rounds: u32) {
        let command: &[u8] = match self.client {
            Client::Mobile => b"wtlogin.login",
            Client::Desktop => b"trpc.login.ecdh.EcdhService.SsoNTLoginPasswordLogin",
        };
        for _ in 0..rounds {
            let packet = self.wtlogin(script);
            let sso = self.sso(command, &packet);
            let sealed = tea::seal(&ZERO_KEY, &sso, &mut script.dice);
            let record = self.login_form(2, &[], &sealed);
            self.connection.send(script, Side::Client, &record);
            let answer = self.answer(command, &script.dice.octets(480));
            let sealed = tea::seal(&ZERO_KEY, &answer, &mut script.dice);
            let record = self.server_record(self.client.login_type(), 2, &sealed);
            self.connection.send(script, Side::Server, &record);
            self.wait(Duration::from_secs(3));
        }
    }

    /// Comes back with the tokens of an earlier login; on its own connection that is a login as well.
    pub fn restart(&mut self, script: &mut Script) {
        self.register(script);
        self.online(script);
    }

    /// Comes back within the grace time: nothing to report.
    pub fn resume(&mut self, script: &mut Script) {
        self.register(script);
        self.ask(script, 120, 300);
    }

    fn online(&mut self, script: &mut Script) {
        self.ask(script, 90, 700);
        // From the first record that only a token holder can send.
        let from = self.now().saturating_sub(Duration::from_secs(4));
        let to = self.now() + Duration::from_secs(1);
        self.expect(script, Action::Login, None, (from, to));
    }

    /// StatSvc.register: go online, under the token's key.
    fn register(&mut self, script: &mut Script) {
        let plain = script.dice.octets(330);
        let sealed = tea::seal(&self.key, &plain, &mut script.dice);
        let token = script.dice.octets(72);
        let record = self.login_form(1, &token, &sealed);
        self.connection.send(script, Side::Client, &record);
        let plain = script.dice.octets(210);
        let sealed = tea::seal(&self.key, &plain, &mut script.dice);
        let record = self.server_record(self.client.login_type(), 1, &sealed);
        self.connection.send(script, Side::Server, &record);
    }

    /// A request in the session and its answer, of so many plain octets.
    pub fn ask(&mut self, script: &mut Script, octets: usize, answer: usize) {
        self.sequence += 1;
        let plain = script.dice.octets(octets);
        let sealed = tea::seal(&self.key, &plain, &mut script.dice);
        let mut record = self.client.simple_type().to_be_bytes().to_vec();
        record.push(1);
        record.extend_from_slice(&self.sequence.to_be_bytes());
        record.push(0);
        put(&mut record, self.number().as_bytes());
        record.extend_from_slice(&sealed);
        let record = whole(&record);
        self.connection.send(script, Side::Client, &record);
        self.push(script, answer);
    }

    /// Something from the server.
    pub fn push(&mut self, script: &mut Script, octets: usize) {
        let plain = script.dice.octets(octets);
        let sealed = tea::seal(&self.key, &plain, &mut script.dice);
        let record = self.server_record(self.client.simple_type(), 1, &sealed);
        // Long answers span segments, and short segments cut through the length word.
        let size = if script.dice.between(0, 4) == 0 { 3 } else { self.connection.mss };
        self.connection.send_cut(script, Side::Server, &record[..record.len().min(30)], size);
        self.connection.send(script, Side::Server, &record[record.len().min(30)..]);
    }

    /// Two requests that leave in one segment.
    pub fn ask_twice_at_once(&mut self, script: &mut Script) {
        let (first, second) = (self.heartbeat_record(), self.heartbeat_record());
        self.connection.send(script, Side::Client, &[first, second].concat());
        self.push(script, 40);
        self.push(script, 40);
    }

    /// Heartbeat.Alive, in plain text, and its answer.
    pub fn heartbeat(&mut self, script: &mut Script) {
        let record = self.heartbeat_record();
        self.connection.send(script, Side::Client, &record);
        let answer = self.answer(b"Heartbeat.Alive", &[]);
        let record = self.server_record(self.client.login_type(), 0, &answer);
        self.connection.send(script, Side::Server, &record);
    }

    /// Stays online for `span` with a heartbeat every `interval`.
    pub fn stay(&mut self, script: &mut Script, span: Duration, interval: Duration) {
        let end = self.now() + span;
        while self.now() < end {
            self.heartbeat(script);
            match script.dice.between(0, 4) {
                0 => self.ask(script, 100, 2500),
                1 => self.push(script, 180),
                2 => self.ask_twice_at_once(script),
                _ => {}
            }
            let next = (self.now() + interval).min(end);
            self.wait(next.saturating_sub(self.now()));
        }
    }

    /// Signs off and ends the connection for good.
    pub fn leave(mut self, script: &mut Script, ending: Ending) -> Duration {
        let from = self.now();
        if ending == Ending::Finished {
            self.register(script);
        }
        let reason = if ending == Ending::Silent { "timeout" } else { "connection-closed" };
        let longest = Duration::from_secs(if ending == Ending::Silent { 1500 } else { 420 });
        self.expect(script, Action::Logout, Some(reason), (from, from + longest));
        self.drop_connection(script, ending)
    }

    /// Ends the connection, not the session.
    pub fn drop_connection(self, script: &mut Script, ending: Ending) -> Duration {
        match ending {
            Ending::Finished => self.connection.finish(script, Side::Client),
            Ending::Reset => self.connection.reset(script, Side::Client),
            Ending::Silent => self.connection.now,
        }
    }

    /// Says what should be reported of this account.
    pub fn expect(
        &self,
        script: &mut Script,
        action: Action,
        reason: Option<&'static str>,
        window: (Duration, Duration),
    ) {
        let client = self.connection.ends.client.ip();
        script.expect(SignOn::of_qq(self.account, client, action, reason, window));
    }

    fn number(&self) -> String {
        self.account.to_string()
    }

    fn login_form(&self, encryption: u8, token: &[u8], body: &[u8]) -> Vec<u8> {
        let mut record = self.client.login_type().to_be_bytes().to_vec();
        record.push(encryption);
        put(&mut record, token);
        record.push(0);
        put(&mut record, self.number().as_bytes());
        record.extend_from_slice(body);
        whole(&record)
    }

    fn heartbeat_record(&mut self) -> Vec<u8> {
        let sso = self.sso(b"Heartbeat.Alive", &[]);
        self.login_form(0, &[], &sso)
    }

    fn server_record(&self, kind: u32, encryption: u8, body: &[u8]) -> Vec<u8> {
        let mut record = kind.to_be_bytes().to_vec();
        record.extend_from_slice(&[encryption, 0]);
        put(&mut record, self.number().as_bytes());
        record.extend_from_slice(body);
        whole(&record)
    }

    /// The SSO packet of a client: head with command, then body.
    fn sso(&mut self, command: &[u8], body: &[u8]) -> Vec<u8> {
        self.sequence += 1;
        let mut head = self.sequence.to_be_bytes().to_vec();
        for _ in 0..2 {
            head.extend_from_slice(&537_100_000_u32.to_be_bytes());
        }
        head.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        put(&mut head, &[]);
        put(&mut head, command);
        put(&mut head, &[2, 0xb0, 0x5b, 0x8b]);
        put(&mut head, b"000000000000000");
        head.extend_from_slice(&4_u32.to_be_bytes());
        head.extend_from_slice(&2_u16.to_be_bytes());
        put(&mut head, &[]);
        let mut packet = Vec::new();
        put(&mut packet, &head);
        put(&mut packet, body);
        packet
    }

    fn answer(&self, command: &[u8], body: &[u8]) -> Vec<u8> {
        let mut head = self.sequence.to_be_bytes().to_vec();
        head.extend_from_slice(&0_u32.to_be_bytes());
        put(&mut head, &[]);
        put(&mut head, command);
        put(&mut head, &[0; 4]);
        head.extend_from_slice(&0_u32.to_be_bytes());
        let mut packet = Vec::new();
        put(&mut packet, &head);
        put(&mut packet, body);
        packet
    }

    /// The inner login packet; its body is closed to everyone but the server.
    fn wtlogin(&self, script: &mut Script) -> Vec<u8> {
        let mut inner = 8001_u16.to_be_bytes().to_vec();
        inner.extend_from_slice(&0x0810_u16.to_be_bytes());
        inner.extend_from_slice(&1_u16.to_be_bytes());
        inner.extend_from_slice(&self.account.to_be_bytes());
        inner.extend_from_slice(&[3, 0x87, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
        inner.extend_from_slice(&script.dice.octets(900));
        let mut packet = vec![2];
        packet.extend_from_slice(&(inner.len() as u16 + 4).to_be_bytes());
        packet.extend_from_slice(&inner);
        packet.push(3);
        packet
    }
}

/// A length that counts its own four octets, then the data.
fn put(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(data);
}

/// A record behind its length.
fn whole(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.len() + 4);
    put(&mut out, record);
    out
}
