//! Conversations in which somebody signs on, with a secret in each that no record may have; and the packets that carry them.

use std::net::SocketAddr;
use std::time::Duration;

use bench::pktgen::frames::{ACK, Ends, FIN, Link, PSH, SYN, Segment, Side, tcp_packet, udp_packet};
use bench::pktgen::script::TimedFrame;

/// What no output may have, in any of its spellings.
pub const SECRET: &str = "hunter2-7f3a9c";
/// The same behind `\0someone\0` in base 64, as SASL's PLAIN has it (RFC 4616).
pub const SECRET_PLAIN: &str = "AHNvbWVvbmUAaHVudGVyMi03ZjNhOWM=";
/// The same alone in base 64, as AUTH LOGIN has it.
pub const SECRET_ALONE: &str = "aHVudGVyMi03ZjNhOWM=";

/// What client and server say to each other.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Of what kind it is.
    pub name: &'static str,
    /// The server's.
    pub port: u16,
    /// Whether over TCP; else over UDP.
    pub is_tcp: bool,
    /// By turns.
    pub turns: Vec<(Side, Vec<u8>)>,
}

use Side::{Client, Server};

/// A conversation of each protocol that shows a password or what stands for one.
pub fn conversations() -> Vec<Conversation> {
    let all = [
        ("irc", 6667, IRC),
        ("xmpp", 5222, XMPP),
        ("xmpp of the first days", 5222, XMPP_FIRST),
        ("sip", 5060, SIP),
        ("http", 80, HTTP),
        ("wechat", 80, WECHAT),
        ("pop3", 110, POP3),
        ("imap", 143, IMAP),
        ("ftp", 21, FTP),
        ("smtp", 25, SMTP),
        ("msn", 1863, MSN),
    ];
    let mut conversations: Vec<_> = all.map(|(name, port, turns)| text(name, port, turns)).into();
    let sip = Conversation { name: "sip over udp", is_tcp: false, ..text("", 5060, SIP) };
    conversations.extend([sip, mqtt(), oscar()]);
    conversations
}

fn text(name: &'static str, port: u16, turns: &[(Side, &str)]) -> Conversation {
    let octets = |text: &str| {
        text.replace("SECRET64", SECRET_PLAIN).replace("SECRET-64", SECRET_ALONE).replace("SECRET", SECRET).into_bytes()
    };
    let turns = turns.iter().map(|(from, text)| (*from, octets(text))).collect();
    Conversation { name, port, is_tcp: true, turns }
}

/// CONNECT of MQTT 3.1.1 with user and password, and its answer.
fn mqtt() -> Conversation {
    let field = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let payload = [field("client-1"), field("someone"), field(SECRET)].concat();
    let connect = [&[0, 4][..], b"MQTT", &[4, 0xc2, 0, 60], &payload].concat();
    let connect = [&[0x10, connect.len() as u8][..], &connect].concat();
    let turns = vec![(Client, connect), (Server, vec![0x20, 2, 0, 0]), (Client, vec![0xe0, 0])];
    Conversation { name: "mqtt", port: 1883, is_tcp: true, turns }
}

/// OSCAR's sign-on of its first form: the name in a TLV, and behind it the password, barely hidden.
fn oscar() -> Conversation {
    let frame =
        |channel: u8, body: &[u8]| [&[0x2a, channel, 0, 1][..], &(body.len() as u16).to_be_bytes(), body].concat();
    let field =
        |kind: u16, octets: &[u8]| [&kind.to_be_bytes()[..], &(octets.len() as u16).to_be_bytes(), octets].concat();
    let sign_on = [&[0, 0, 0, 1][..], &field(1, b"10001"), &field(2, SECRET.as_bytes())].concat();
    let information = [&[0, 1, 0, 0x0f, 0, 0, 0, 0, 0, 4, 5][..], b"10001", &[0, 0, 0, 1, 0, 1]].concat();
    let turns = vec![
        (Server, frame(1, &[0, 0, 0, 1])),
        (Client, frame(1, &sign_on)),
        (Server, frame(2, &information)),
        (Client, frame(4, &[])),
    ];
    Conversation { name: "oscar", port: 5190, is_tcp: true, turns }
}

const IRC: &[(Side, &str)] = &[
    (Client, "PASS SECRET\r\nNICK someone\r\nUSER someone 0 * :someone\r\n"),
    (Server, ":irc.example.com 001 someone :Welcome\r\n"),
    (Client, "PRIVMSG NickServ :IDENTIFY someone SECRET\r\n"),
    (Server, ":irc.example.com NOTICE someone :ok\r\n"),
    (Client, "QUIT :bye\r\n"),
];

const XMPP: &[(Side, &str)] = &[
    (
        Client,
        "<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    ),
    (
        Server,
        "<?xml version='1.0'?><stream:stream from='example.com' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    ),
    (Client, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>SECRET64</auth>"),
    (Server, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
    (Client, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
    (
        Server,
        "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>someone@example.com/desk</jid>\
         </bind></iq>",
    ),
    (Client, "</stream:stream>"),
];

const XMPP_FIRST: &[(Side, &str)] = &[
    (Client, "<stream:stream to='example.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"),
    (
        Server,
        "<stream:stream from='example.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
    ),
    (
        Client,
        "<iq type='set' id='a1'><query xmlns='jabber:iq:auth'><username>someone</username><password>SECRET</password>\
         <resource>desk</resource></query></iq>",
    ),
    (Server, "<iq type='result' id='a1'/>"),
];

const SIP: &[(Side, &str)] = &[
    (
        Client,
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1\r\nFrom: <sip:someone@example.com>;tag=1\r\n\
         To: <sip:someone@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:someone@10.0.0.1>\r\n\
         Authorization: Digest username=\"someone\", response=\"SECRET\"\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        Server,
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 10.0.0.1\r\nFrom: <sip:someone@example.com>;tag=1\r\n\
         To: <sip:someone@example.com>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n",
    ),
];

const HTTP: &[(Side, &str)] = &[
    (
        Client,
        "POST /login?password=SECRET HTTP/1.1\r\nHost: example.com\r\nAuthorization: Basic SECRET64\r\n\
         Cookie: token=SECRET\r\nContent-Length: 14\r\n\r\nSECRET",
    ),
    (Server, "HTTP/1.1 200 OK\r\nSet-Cookie: token=SECRET\r\nContent-Length: 0\r\n\r\n"),
];

const WECHAT: &[(Side, &str)] = &[
    (
        Client,
        "GET /cgi-bin/micromsg-bin/newgetdns?uin=20001&clientversion=1&ticket=SECRET HTTP/1.1\r\n\
         Host: dns.weixin.qq.com\r\nCookie: session=SECRET\r\n\r\n",
    ),
    (Server, "HTTP/1.1 200 OK\r\nSet-Cookie: session=SECRET\r\nContent-Length: 0\r\n\r\n"),
];

const POP3: &[(Side, &str)] =
    &[(Server, "+OK ready\r\n"), (Client, "USER someone\r\n"), (Server, "+OK\r\n"), (Client, "PASS SECRET\r\n")];

const IMAP: &[(Side, &str)] = &[
    (Server, "* OK ready\r\n"),
    (Client, "a1 LOGIN someone SECRET\r\n"),
    (Server, "a1 OK\r\n"),
    (Client, "a2 AUTHENTICATE PLAIN SECRET64\r\n"),
];

const FTP: &[(Side, &str)] = &[
    (Server, "220 ready\r\n"),
    (Client, "USER someone\r\n"),
    (Server, "331 password\r\n"),
    (Client, "PASS SECRET\r\n"),
    (Server, "230 in\r\n"),
];

const SMTP: &[(Side, &str)] = &[
    (Server, "220 mail.example.com ESMTP\r\n"),
    (Client, "EHLO x\r\nAUTH PLAIN SECRET64\r\n"),
    (Server, "535 no\r\n"),
    (Client, "AUTH LOGIN\r\nc29tZW9uZQ==\r\nSECRET-64\r\n"),
    (Server, "235 ok\r\n"),
];

const MSN: &[(Side, &str)] = &[
    (Client, "VER 1 MSNP15 CVR0\r\n"),
    (Server, "VER 1 MSNP15\r\n"),
    (Client, "USR 3 TWN I someone@example.com\r\n"),
    (Server, "USR 3 TWN S SECRET\r\n"),
    (Client, "USR 4 TWN S t=SECRET&p=\r\n"),
    (Server, "USR 4 OK someone@example.com 1 0\r\n"),
];

/// A conversation as frames, a packet every 10 ms from `at` on; what is sent at a turn in segments (not datagrams) of
/// `size` octets at most.
pub fn frames(conversation: &Conversation, ends: Ends, link: &Link, at: Duration, size: usize) -> Vec<TimedFrame> {
    let mut line = Line { ends, link, at, next: [1000, 500_000], frames: Vec::new() };
    if !conversation.is_tcp {
        for (from, octets) in &conversation.turns {
            let (source, destination) = ends.of(*from);
            line.push(*from, &udp_packet(source, destination, 1, octets));
        }
        return line.frames;
    }
    line.send(Client, SYN, &[]);
    line.send(Server, SYN | ACK, &[]);
    line.send(Client, ACK, &[]);
    for (from, octets) in &conversation.turns {
        for segment in octets.chunks(size) {
            line.send(*from, ACK | PSH, segment);
        }
        line.send(from.other(), ACK, &[]);
    }
    line.send(Client, ACK | FIN, &[]);
    line.send(Server, ACK | FIN, &[]);
    line.send(Client, ACK, &[]);
    line.frames
}

struct Line<'a> {
    ends: Ends,
    link: &'a Link,
    at: Duration,
    /// Of the client and of the server.
    next: [u32; 2],
    frames: Vec<TimedFrame>,
}

impl Line<'_> {
    fn send(&mut self, from: Side, flags: u8, payload: &[u8]) {
        let (source, destination): (SocketAddr, SocketAddr) = self.ends.of(from);
        let (ours, theirs) = (usize::from(from == Server), usize::from(from == Client));
        let (sequence, acknowledgement) = (self.next[ours], self.next[theirs]);
        let segment = Segment { sequence, acknowledgement, flags, mss: None, payload };
        self.next[ours] += payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.push(from, &tcp_packet(source, destination, 1, segment));
    }

    fn push(&mut self, from: Side, packet: &[u8]) {
        self.at += Duration::from_millis(10);
        self.frames.push(TimedFrame { at: self.at, from, bytes: self.link.frame(from, packet) });
    }
}
