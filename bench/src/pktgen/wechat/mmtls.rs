//! mmtls: the long link over bare TCP and the short link inside HTTP. Lengths are those of a real phone's start.

use std::time::Duration;

use super::Phone;
use crate::pktgen::dice::Dice;
use crate::pktgen::frames::Side;
use crate::pktgen::script::Script;
use crate::pktgen::tcp::{Connection, Faults};

const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;
const DATA: u8 = 0x17;
const EARLY: u8 = 0x19;

/// A record with random contents, as encryption leaves them.
fn record(dice: &mut Dice, kind: u8, length: u16) -> Vec<u8> {
    let contents = dice.octets(usize::from(length));
    framed(kind, &contents)
}

fn framed(kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 0xf1, 0x04];
    out.extend_from_slice(&(contents.len() as u16).to_be_bytes());
    out.extend_from_slice(contents);
    out
}

/// A ClientHello of `length` octets in a record of `kind`; the ticket's suite alone, or key agreement first.
fn client_hello(dice: &mut Dice, kind: u8, length: usize, ticket: bool) -> Vec<u8> {
    let mut hello = (length as u32 - 4).to_be_bytes().to_vec();
    hello.extend_from_slice(&[1, 0x04, 0xf1]);
    hello.extend_from_slice(if ticket { &[1, 0x00, 0xa8] } else { &[2, 0xc0, 0x2b, 0x00, 0xa8] });
    let rest = length - hello.len();
    hello.extend_from_slice(&dice.octets(rest));
    framed(kind, &hello)
}

/// A ServerHello of `length` octets.
fn server_hello(dice: &mut Dice, length: usize, ticket: bool) -> Vec<u8> {
    let mut hello = (length as u32 - 4).to_be_bytes().to_vec();
    hello.extend_from_slice(&[2, 0x04, 0xf1]);
    hello.extend_from_slice(if ticket { &[0x00, 0xa8] } else { &[0xc0, 0x2b] });
    let rest = length - hello.len();
    hello.extend_from_slice(&dice.octets(rest));
    framed(HANDSHAKE, &hello)
}

/// A phone's long link.
#[derive(Clone, Debug)]
pub struct LongLink {
    connection: Connection,
}

impl LongLink {
    /// Opens a long link with key agreement, or with the ticket of an earlier one.
    pub fn open(script: &mut Script, phone: &mut Phone, at: Duration, ticket: bool) -> Self {
        Self::open_with(script, phone, at, ticket, Faults::None)
    }

    /// The same over a path with faults.
    pub fn open_with(script: &mut Script, phone: &mut Phone, at: Duration, ticket: bool, faults: Faults) -> Self {
        let which = script.dice.between(0, 3) as usize;
        let ends = phone.ends(which, if script.dice.between(0, 2) == 0 { 80 } else { 8080 });
        script.names_tcp("wechat", ends);
        let mut connection = Connection::open(script, ends, at).with(faults);
        let dice = &mut script.dice;
        let (hello, answer) = if ticket {
            let answer = [server_hello(dice, 46, true), record(dice, HANDSHAKE, 55)].concat();
            (client_hello(dice, HANDSHAKE, 161, true), answer)
        } else {
            let answer = [
                server_hello(dice, 137, false),
                record(dice, HANDSHAKE, 95),
                record(dice, HANDSHAKE, 293),
                record(dice, HANDSHAKE, 55),
            ];
            (client_hello(dice, HANDSHAKE, 366, false), answer.concat())
        };
        connection.send(script, Side::Client, &hello);
        connection.send(script, Side::Server, &answer);
        let identify = [record(&mut script.dice, HANDSHAKE, 55), record(&mut script.dice, DATA, 546)].concat();
        connection.send(script, Side::Client, &identify);
        let mut link = Self { connection };
        link.say(script, Side::Server, 150);
        link.say(script, Side::Client, 360);
        link.say(script, Side::Server, 369);
        link
    }

    /// A ticket that the server refuses: an alert in clear, and the end of the connection.
    pub fn refused(script: &mut Script, phone: &mut Phone, at: Duration) -> Duration {
        let ends = phone.ends(1, 80);
        script.names_tcp("wechat", ends);
        let mut connection = Connection::open(script, ends, at);
        let hello = client_hello(&mut script.dice, HANDSHAKE, 161, true);
        connection.send(script, Side::Client, &hello);
        connection.send(script, Side::Server, &framed(ALERT, &[0, 0, 0, 3, 0, 0x73, 2]));
        connection.finish(script, Side::Client)
    }

    /// A long link that was open before the story begins.
    pub fn midway(script: &mut Script, phone: &mut Phone, at: Duration) -> Self {
        let ends = phone.ends(0, 8080);
        // Without its handshake, a few records of the right shape are all there is to go by.
        script.may_name_tcp("wechat", ends);
        Self { connection: Connection::midway(script, ends, at) }
    }

    /// The time that has come.
    pub fn now(&self) -> Duration {
        self.connection.now
    }

    /// Lets time pass.
    pub fn wait(&mut self, span: Duration) {
        self.connection.wait(span);
    }

    /// One data record of `length` octets.
    pub fn say(&mut self, script: &mut Script, from: Side, length: u16) {
        let data = record(&mut script.dice, DATA, length);
        self.connection.send(script, from, &data);
    }

    /// NOOP both ways: 37 octets on the wire.
    pub fn keepalive(&mut self, script: &mut Script) {
        self.say(script, Side::Client, 32);
        self.say(script, Side::Server, 32);
    }

    /// Stays connected for `span`: a keepalive about every five minutes, now and then news and a sync.
    pub fn stay(&mut self, script: &mut Script, span: Duration) {
        let end = self.now() + span;
        while self.now() + KEEPALIVE < end {
            self.wait(KEEPALIVE);
            self.keepalive(script);
            if script.dice.between(0, 3) == 0 {
                self.say(script, Side::Server, 96);
                self.say(script, Side::Client, 360);
                self.say(script, Side::Server, 2900);
            }
        }
        self.wait(end.saturating_sub(self.now()));
    }

    /// Ends the connection by FIN from `first`.
    pub fn finish(self, script: &mut Script, first: Side) -> Duration {
        self.connection.finish(script, first)
    }

    /// Ends the connection by RST.
    pub fn reset(self, script: &mut Script) -> Duration {
        self.connection.reset(script, Side::Client)
    }
}

/// Shorter than the five minutes after which servers give up.
const KEEPALIVE: Duration = Duration::from_secs(275);

impl Phone {
    /// The handshake of the short links, which gives the keys for early data.
    pub fn short_handshake(&mut self, script: &mut Script, at: Duration) -> Duration {
        let dice = &mut script.dice;
        let request = client_hello(dice, HANDSHAKE, 366, false);
        let answer = [
            server_hello(dice, 137, false),
            record(dice, HANDSHAKE, 95),
            record(dice, HANDSHAKE, 293),
            record(dice, HANDSHAKE, 55),
        ];
        self.short_link(script, at, &request, &answer.concat(), Faults::None)
    }

    /// The login of an app that was signed in before, or the first: a request of 5,704 octets, answered by 4,330.
    pub fn authenticate(&mut self, script: &mut Script, at: Duration, faults: Faults) -> Duration {
        self.early_request(script, at, 5464, 4186, faults)
    }

    /// An ordinary request with `asked` octets in its data record and `answered` in the answer's.
    pub fn request(&mut self, script: &mut Script, at: Duration, asked: u16, answered: u16) -> Duration {
        self.early_request(script, at, asked, answered, Faults::None)
    }

    /// What an app asks for when it has started.
    pub fn usual_requests(&mut self, script: &mut Script, at: Duration) -> Duration {
        let mut now = at;
        for (asked, answered) in [(143, 72), (232, 118), (336, 72), (186, 1640), (383, 88), (400, 628), (589, 2760)] {
            now = self.request(script, now + Duration::from_millis(35), asked, answered);
        }
        self.word = script.dice.half();
        now
    }

    fn early_request(
        &mut self,
        script: &mut Script,
        at: Duration,
        asked: u16,
        answered: u16,
        faults: Faults,
    ) -> Duration {
        let dice = &mut script.dice;
        let request = [
            client_hello(dice, EARLY, 161, true),
            record(dice, EARLY, 36),
            record(dice, DATA, asked),
            record(dice, ALERT, 23),
        ];
        let answer = [
            server_hello(dice, 46, true),
            record(dice, HANDSHAKE, 55),
            record(dice, DATA, answered),
            record(dice, ALERT, 23),
        ];
        self.short_link(script, at, &request.concat(), &answer.concat(), faults)
    }

    fn short_link(
        &mut self,
        script: &mut Script,
        at: Duration,
        asked: &[u8],
        answered: &[u8],
        faults: Faults,
    ) -> Duration {
        let ends = self.ends(1, 80);
        script.names_tcp("wechat", ends);
        let mut connection = Connection::open(script, ends, at).with(faults);
        let mut request = format!(
            "POST /mmtls/{:08x} HTTP/1.1\r\nAccept: */*\r\nCache-Control: no-cache\r\nConnection: close\r\n\
             Content-Length: {}\r\nContent-Type: application/octet-stream\r\nHost: hkextshort.weixin.qq.com\r\n\
             Upgrade: mmtls\r\nUser-Agent: MicroMessenger Client\r\n\r\n",
            self.word,
            asked.len()
        )
        .into_bytes();
        request.extend_from_slice(asked);
        connection.send(script, Side::Client, &request);
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            answered.len()
        )
        .into_bytes();
        answer.extend_from_slice(answered);
        connection.send(script, Side::Server, &answer);
        connection.finish(script, Side::Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pktgen::frames::Link;

    #[test]
    fn a_login_has_the_lengths_of_a_real_one() {
        let mut script = Script::new(Link::plain(), Dice::new(11));
        let servers = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(|ip| ip.parse().unwrap());
        let mut phone = Phone::new(&mut script, "10.0.0.1".parse().unwrap(), servers);
        phone.authenticate(&mut script, Duration::ZERO, Faults::None);
        let text: Vec<u8> = script.frames.iter().flat_map(|frame| frame.bytes.iter().copied()).collect();
        let holds = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
        assert!(holds("Content-Length: 5704\r\n"));
        assert!(holds("Content-Length: 4330\r\n"));
    }

    #[test]
    fn a_keepalive_is_37_octets() {
        assert_eq!(record(&mut Dice::new(1), DATA, 32)[..5], [0x17, 0xf1, 0x04, 0, 0x20]);
        assert_eq!(record(&mut Dice::new(1), DATA, 32).len(), 37);
    }
}
