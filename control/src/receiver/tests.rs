use std::net::UdpSocket;
use std::time::Duration;

use dataplane::access::radius::{Check, Message, verify_answer};
use dataplane::access::{AccessKind, RadiusClient, Source, Text, Trust};
use dataplane::endpoint::Address;
use md5::{Digest, Md5};
use mio::Poll;

use super::*;

const SECRET: &[u8] = b"s3cret";
const START: u32 = 1;
const STOP: u32 = 2;

fn settings(secret: &[u8]) -> Arc<AccessSettings> {
    let client = RadiusClient {
        name: "bras1".into(),
        networks: vec![(Address::v4([127, 0, 0, 1]), 128)],
        secret: secret.into(),
        believes_unverified: false,
    };
    Arc::new(AccessSettings { clients: vec![client], believes_unknown: true, seed: 5, ..AccessSettings::default() })
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 2 + value.len() as u8][..], value].concat()
}

/// An Accounting-Request (RFC 2866, 3).
fn request(id: u8, attributes: &[u8], secret: &[u8]) -> Vec<u8> {
    let head = [4, id, 0, 20 + attributes.len() as u8];
    let authenticator = Md5::digest([&head[..], &[0; 16], attributes, secret].concat());
    [&head[..], &authenticator, attributes].concat()
}

fn accounting(id: u8, status: u32, name: &[u8]) -> Vec<u8> {
    let attributes = [
        attribute(40, &status.to_be_bytes()),
        attribute(1, name),
        attribute(44, b"0001"),
        attribute(8, &[10, 1, 2, 3]),
        attribute(33, b"via"),
    ];
    request(id, &attributes.concat(), SECRET)
}

/// A receiver, an access server, and what was heard.
struct Bed {
    receiver: Receiver,
    server: UdpSocket,
    heard: Vec<AccessEvent>,
    has_room: bool,
    now: Nanos,
}

impl Bed {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let receiver = Receiver::bind(listen, settings(SECRET), poll.registry(), Token(0)).unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.connect(receiver.local()).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { receiver, server, heard: Vec::new(), has_room: true, now: Nanos(1_000_000_000_000) }
    }

    /// On loopback what was sent is there when `send` comes back.
    fn send(&mut self, datagram: &[u8]) {
        self.server.send(datagram).unwrap();
        self.receiver.wake();
        let (heard, has_room) = (&mut self.heard, self.has_room);
        let hear = |event| {
            heard.push(event);
            has_room
        };
        assert!(!self.receiver.turn(self.now, hear), "there is no more");
    }

    /// The answer to `sent`.
    #[track_caller]
    fn answer(&self, sent: &[u8]) -> Vec<u8> {
        let mut room = [0; 4096];
        let length = self.server.recv(&mut room).unwrap();
        let asked = *Message::parse(sent).unwrap().authenticator();
        let answer = Message::parse(&room[..length]).unwrap();
        assert_eq!((answer.code(), answer.id()), (5, sent[1]));
        assert_eq!(verify_answer(&answer, &asked, SECRET), Check::Good);
        room[..length].to_vec()
    }

    #[track_caller]
    fn stays_silent(&self) {
        self.server.set_nonblocking(true).unwrap();
        assert!(self.server.recv(&mut [0; 64]).is_err());
        self.server.set_nonblocking(false).unwrap();
    }
}

#[test]
fn what_an_access_server_accounts_is_heard_and_answered() {
    let mut bed = Bed::new();
    let (start, stop) = (accounting(1, START, b"alice"), accounting(2, STOP, b"alice"));
    bed.send(&start);
    let answer = bed.answer(&start);
    assert_eq!(Message::parse(&answer).unwrap().find(33), Some(&b"via"[..]), "who is on the way gets his words back");
    bed.send(&stop);
    bed.answer(&stop);
    let [login, logout] = &bed.heard[..] else { panic!("{:?}", bed.heard) };
    assert_eq!((login.kind, logout.kind), (AccessKind::Login { more: false }, AccessKind::Logout));
    assert_eq!((login.source, login.trust), (Source::Receiver, Trust::Verified));
    assert_eq!((login.texts.get(Text::User), login.ipv4), (&b"alice"[..], Some([10, 1, 2, 3])));
    assert_eq!(login.session, logout.session);
    assert_eq!((login.header.time, login.header.sequence(), logout.header.sequence()), (bed.now, 1, 2));
    assert_eq!(*bed.receiver.tally(), ReceiverTally { requests: 2, answers: 2, ..ReceiverTally::default() });
}

#[test]
fn what_comes_again_is_answered_and_not_heard() {
    let mut bed = Bed::new();
    let start = accounting(1, START, b"alice");
    for _ in 0..3 {
        bed.send(&start);
        bed.answer(&start);
    }
    assert_eq!(bed.heard.len(), 1);
    // The number again for something else is something else.
    let other = accounting(1, START, b"bob");
    bed.send(&other);
    bed.answer(&other);
    assert_eq!(bed.heard.len(), 2);
    // After a while it is not remembered; the table knows what it knows.
    bed.now = bed.now + Duration::from_secs(31);
    bed.send(&start);
    bed.answer(&start);
    assert_eq!(bed.heard.len(), 3);
    let expected = ReceiverTally { requests: 3, repeated: 2, answers: 5, ..ReceiverTally::default() };
    assert_eq!(*bed.receiver.tally(), expected);
}

#[test]
fn who_does_not_know_the_secret_is_not_answered() {
    let mut bed = Bed::new();
    bed.send(&request(1, &attribute(40, &START.to_be_bytes()), b"wrong"));
    // No accounting: an Access-Request, an answer, nothing at all, half of a request.
    let mut access = accounting(1, START, b"alice");
    access[0] = 1;
    bed.send(&access);
    access[0] = 5;
    bed.send(&access);
    bed.send(b"");
    bed.send(&accounting(1, START, b"alice")[..30]);
    bed.stays_silent();
    let kinds: Vec<_> = bed.heard.iter().map(|event| (event.kind, event.source)).collect();
    assert_eq!(kinds, [(AccessKind::Forged, Source::Receiver)], "who forges is told of");
    // With another secret this one is as wrong.
    bed.receiver.reconfigure(settings(b"another"));
    bed.send(&accounting(1, START, b"alice"));
    // An address that no access server has is not even told of.
    bed.receiver.reconfigure(Arc::new(AccessSettings::default()));
    bed.send(&accounting(1, START, b"alice"));
    bed.stays_silent();
    assert_eq!(bed.heard.len(), 2);
    let expected = ReceiverTally { forged: 2, malformed: 4, unknown: 1, ..ReceiverTally::default() };
    assert_eq!(*bed.receiver.tally(), expected);
}

#[test]
fn what_there_is_no_room_for_is_kept_by_the_access_server() {
    let mut bed = Bed::new();
    bed.has_room = false;
    let start = accounting(1, START, b"alice");
    bed.send(&start);
    bed.stays_silent();
    bed.has_room = true;
    bed.send(&start);
    bed.answer(&start);
    assert_eq!(bed.heard.len(), 2);
    let expected = ReceiverTally { requests: 1, refused: 1, answers: 1, ..ReceiverTally::default() };
    assert_eq!(*bed.receiver.tally(), expected);
}

/// A Status-Server (RFC 5997, 2); its Message-Authenticator is HMAC-MD5 (RFC 2104, 2) by `secret`.
fn status(id: u8, secret: Option<&[u8]>) -> Vec<u8> {
    let via = attribute(33, b"via");
    let signature = secret.map_or(0, |_| 18);
    let mut message = vec![12, id, 0, (20 + via.len() + signature) as u8];
    message.extend([0x5c; 16]);
    message.extend(via);
    if let Some(secret) = secret {
        message.extend(attribute(80, &[0; 16]));
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        let inner = Md5::digest([&block.map(|octet| octet ^ 0x36)[..], &message].concat());
        let signed = Md5::digest([&block.map(|octet| octet ^ 0x5c)[..], &inner].concat());
        let place = message.len() - 16;
        message[place..].copy_from_slice(&signed);
    }
    message
}

#[test]
fn who_asks_whether_it_is_there_is_answered_if_he_knows_the_secret() {
    let mut bed = Bed::new();
    let asked = status(7, Some(SECRET));
    for _ in 0..2 {
        bed.send(&asked);
        let answer = bed.answer(&asked);
        assert_eq!(Message::parse(&answer).unwrap().find(33), Some(&b"via"[..]));
    }
    assert_eq!(bed.heard.len(), 0, "it says nothing of users");
    bed.send(&status(8, Some(b"wrong")));
    // Without a Message-Authenticator anybody could have sent it.
    bed.send(&status(9, None));
    bed.stays_silent();
    assert_eq!(bed.heard.iter().map(|event| event.kind).collect::<Vec<_>>(), [AccessKind::Forged]);
    let octets = 28 + status(8, Some(SECRET)).len() as u64;
    assert_eq!(bed.heard[0].traffic.unwrap()[0].octets, octets);
    let expected = ReceiverTally { status: 2, answers: 2, forged: 1, malformed: 1, ..ReceiverTally::default() };
    assert_eq!(*bed.receiver.tally(), expected);
    assert_eq!(bed.receiver.tally().since(&expected), ReceiverTally::default());
}
