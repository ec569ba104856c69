//! WeChat before mmtls: packets whose header names the account, inside HTTP and on a long link in clear.

use std::time::Duration;

use super::Phone;
use crate::pktgen::dice::Dice;
use crate::pktgen::frames::Side;
use crate::pktgen::script::Script;
use crate::pktgen::tcp::Connection;

/// How a packet's body is encrypted.
const AES: u8 = 5;
/// By the server's public key: what a client sends before it has a session.
const RSA: u8 = 7;

/// A packet of the business layer; `version` is 0 in replies.
fn packet(dice: &mut Dice, version: u32, account: u32, algorithm: u8, cgi: u32, octets: usize) -> Vec<u8> {
    let mut out = vec![0xbf, 0, algorithm << 4 | 15];
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&account.to_be_bytes());
    let cookie = if account == 0 { vec![0; 15] } else { dice.octets(15) };
    out.extend_from_slice(&cookie);
    put_varint(&mut out, cgi);
    put_varint(&mut out, octets as u32);
    put_varint(&mut out, octets as u32);
    out.extend_from_slice(&[0x9d, 0x01, 0x0d, 0, 9, 0]);
    // The header's length, and 2 for "not compressed".
    out[1] = (out.len() as u8) << 2 | 2;
    out.extend(dice.octets(octets.next_multiple_of(16)));
    out
}

fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A request of the old kind over HTTP. `signed_in` tells whether the request can name the account already; the answer
/// always does.
pub fn legacy_post(
    script: &mut Script,
    phone: &mut Phone,
    at: Duration,
    call: (&str, u32),
    signed_in: bool,
) -> Duration {
    let (name, cgi) = call;
    let ends = phone.ends(1, 80);
    script.names_tcp("wechat", ends);
    let mut connection = Connection::open(script, ends, at);
    let account = if signed_in { phone.account } else { 0 };
    let body = packet(&mut script.dice, 0x2603_0435, account, if signed_in { AES } else { RSA }, cgi, 420);
    let mut request = format!(
        "POST /cgi-bin/micromsg-bin/{name} HTTP/1.1\r\nAccept: */*\r\nCache-Control: no-cache\r\nConnection: close\r\n\
         Content-Length: {}\r\nContent-Type: application/octet-stream\r\nHost: short.weixin.qq.com\r\n\
         User-Agent: MicroMessenger Client\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    connection.send(script, Side::Client, &request);
    let body = packet(&mut script.dice, 0, phone.account, AES, cgi, 610);
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    connection.send(script, Side::Server, &answer);
    connection.finish(script, Side::Server)
}

/// The long link of that time.
#[derive(Clone, Debug)]
pub struct LegacyLink {
    connection: Connection,
    account: u32,
    sequence: u32,
}

/// What a reply's command has more than its request's.
const REPLY: u32 = 1_000_000_000;
const NOOP: u32 = 6;
const NOTICE: u32 = 24;
const SYNC: u32 = 121;
const IDENTIFY: u32 = 205;
const MANUAL_LOGIN: u32 = 253;

impl LegacyLink {
    /// Opens the connection; nothing is said yet.
    pub fn open(script: &mut Script, phone: &mut Phone, at: Duration) -> Self {
        let ends = phone.ends(2, 8080);
        script.names_tcp("wechat", ends);
        Self { connection: Connection::open(script, ends, at), account: phone.account, sequence: 1 }
    }

    /// Says whose link this is.
    pub fn identify(&mut self, script: &mut Script) {
        let body = packet(&mut script.dice, 0x2603_0435, self.account, AES, 0, 60);
        self.say(script, Side::Client, IDENTIFY, 0xffff_fffe, &body);
        self.say(script, Side::Server, IDENTIFY + REPLY, 0xffff_fffe, &[0; 20]);
    }

    /// Logs in over the link: the request names nobody, the answer names the account.
    pub fn login(&mut self, script: &mut Script) {
        let body = packet(&mut script.dice, 0x2603_0435, 0, RSA, 701, 800);
        self.sequence += 1;
        self.say(script, Side::Client, MANUAL_LOGIN, self.sequence, &body);
        let body = packet(&mut script.dice, 0, self.account, AES, 701, 1800);
        self.say(script, Side::Server, MANUAL_LOGIN + REPLY, self.sequence, &body);
    }

    /// The time that has come.
    pub fn now(&self) -> Duration {
        self.connection.now
    }

    /// Stays connected for `span`.
    pub fn stay(&mut self, script: &mut Script, span: Duration) {
        let end = self.now() + span;
        let interval = Duration::from_secs(270);
        while self.now() + interval < end {
            self.connection.wait(interval);
            self.say(script, Side::Client, NOOP, u32::MAX, &[]);
            self.say(script, Side::Server, NOOP + REPLY, u32::MAX, &[]);
            if script.dice.between(0, 2) == 0 {
                self.say(script, Side::Server, NOTICE, 0, &[0, 0, 0, 7]);
                self.sequence += 1;
                let body = packet(&mut script.dice, 0x2603_0435, self.account, AES, 138, 90);
                self.say(script, Side::Client, SYNC, self.sequence, &body);
                let body = packet(&mut script.dice, 0, self.account, AES, 138, 700);
                self.say(script, Side::Server, SYNC + REPLY, self.sequence, &body);
            }
        }
        self.connection.wait(end.saturating_sub(self.now()));
    }

    /// Ends the connection.
    pub fn finish(self, script: &mut Script) -> Duration {
        self.connection.finish(script, Side::Client)
    }

    fn say(&mut self, script: &mut Script, from: Side, command: u32, sequence: u32, body: &[u8]) {
        let mut out = (body.len() as u32 + 16).to_be_bytes().to_vec();
        out.extend_from_slice(&[0, 0x10, 0, 1]);
        out.extend_from_slice(&command.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(body);
        self.connection.send(script, from, &out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_account_and_call_where_readers_look_for_them() {
        let bytes = packet(&mut Dice::new(2), 0x2603_0435, 4_123_456_789, AES, 282, 40);
        assert_eq!(bytes[0], 0xbf);
        assert_eq!(bytes[7..11], 4_123_456_789_u32.to_be_bytes());
        assert_eq!(bytes[26..28], [0x9a, 0x02]);
        assert!(usize::from(bytes[1] >> 2) < bytes.len() - 40);
    }
}
