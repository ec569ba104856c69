//! What clients and servers say to each other when somebody signs on, or when a flow shows its name; and what that shows.

use super::quic;
use crate::appid::tests::msf;
use crate::pipeline::tests::applications::{framed, oicq};

/// Who speaks (the client is 0), and what.
pub(super) type Turns = Vec<(usize, Vec<u8>)>;

/// What identifies a flow, and mostly a user.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) name: &'static str,
    /// The server's.
    pub(super) port: u16,
    pub(super) is_tcp: bool,
    pub(super) turns: Turns,
    /// The application, and sightings with their accounts in order.
    pub(super) shows: &'static [&'static str],
}

fn tcp(name: &'static str, port: u16, turns: Turns, shows: &'static [&'static str]) -> Login {
    Login { name, port, is_tcp: true, turns, shows }
}

fn udp(name: &'static str, port: u16, turns: Turns, shows: &'static [&'static str]) -> Login {
    Login { is_tcp: false, ..tcp(name, port, turns, shows) }
}

const QQ: &[&str] = &["qq", "Attempt 10001", "Login 10001"];
const ADA: &str = "Ada@example.org";

/// All of them.
pub(super) fn logins() -> Vec<Login> {
    let both = |packet: fn(u16) -> Vec<u8>| {
        [0x0828, 0x0058].into_iter().flat_map(|command| [(0, packet(command)), (1, packet(command))]).collect::<Turns>()
    };
    vec![
        udp("OICQ over UDP", 8000, both(oicq), QQ),
        tcp("OICQ over TCP", 8000, both(framed), QQ),
        tcp("MSF", 8080, msf_turns(), &["qq", "Attempt 20001", "Login 20001"]),
        tcp("newgetdns", 8080, newgetdns(), &["wechat", "Identity 20001"]),
        tcp("mmtls", 8080, mmtls(), &["wechat", "Opened"]),
        tcp("TLS", 443, client_hello(), &["wechat"]),
        tcp("HTTP", 80, http(), &["wechat"]),
        udp("QUIC", 443, quic_turns(), &["instagram"]),
        tcp("XMPP", 5222, xmpp(), &["xmpp", "Attempt ada", "KeepAlive ada", "Login ada@example.org"]),
        tcp("IRC", 6667, irc(), &["irc", "Attempt ada", "Login ada", "Logout ada"]),
        udp(
            "SIP over UDP",
            5060,
            sip(),
            &["sip", "Attempt Ada@example.org", "Attempt Ada@example.org", "Login Ada@example.org"],
        ),
        tcp(
            "SIP over TCP",
            5060,
            sip(),
            &["sip", "Attempt Ada@example.org", "Attempt Ada@example.org", "Login Ada@example.org"],
        ),
        tcp("MQTT", 1883, mqtt(), &["mqtt", "Attempt ada", "Login ada"]),
        tcp("OSCAR", 5190, oscar(), &["oscar", "Attempt", "Login 10001", "Logout 10001"]),
        tcp("DNS over TCP", 53, dns(), &["dns"]),
        udp("DNS over UDP", 53, without_length(dns()), &["dns"]),
    ]
}

fn texts(turns: &[(usize, &str)]) -> Turns {
    turns.iter().map(|(from, text)| (*from, text.as_bytes().to_vec())).collect()
}

fn octets(turns: &[(usize, &str)]) -> Turns {
    turns.iter().map(|(from, digits)| (*from, hex(digits))).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn msf_turns() -> Turns {
    vec![
        (0, msf(0x0a, 2, true, 30)),
        (1, msf(0x0a, 2, false, 500)),
        (0, msf(0x0a, 1, true, 30)),
        (1, msf(0x0b, 1, false, 60)),
    ]
}

fn newgetdns() -> Turns {
    texts(&[
        (0, "GET /cgi-bin/micromsg-bin/newgetdns?scene=0&uin=20001&net=1 HTTP/1.0\r\nHost: dns.weixin.qq.com\r\n\r\n"),
        (1, "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
    ])
}

/// WeChat's long link: a hello of its TLS, and a first record.
fn mmtls() -> Turns {
    let record = |kind: u8, body: &[u8]| [&[kind, 0xf1, 0x03][..], &(body.len() as u16).to_be_bytes(), body].concat();
    let message = |kind: u8, size: usize| {
        let mut body = ((size + 3) as u32).to_be_bytes().to_vec();
        body.extend([kind, 0x03, 0xf1]);
        body.extend(std::iter::repeat_n(0x5a, size));
        body
    };
    vec![
        (0, [record(0x16, &message(1, 204)), record(0x19, &[0x33; 300])].concat()),
        (1, [record(0x16, &message(2, 110)), record(0x16, &[0x44; 90])].concat()),
        (0, record(0x17, &[0x55; 37])),
        (1, record(0x17, &[0x66; 60])),
    ]
}

fn client_hello() -> Turns {
    let handshake = hello(b"web.wechat.com", 1_200);
    let record = [&[0x16, 3, 1][..], &(handshake.len() as u16).to_be_bytes(), &handshake].concat();
    vec![(0, record), (1, vec![0x16, 3, 3, 0, 4, 2, 0, 0, 0])]
}

/// A ClientHello with a key share of so many octets before the server's name, as those of today are.
fn hello(name: &[u8], share: usize) -> Vec<u8> {
    let part =
        |number: u16, octets: &[u8]| [&number.to_be_bytes()[..], &(octets.len() as u16).to_be_bytes(), octets].concat();
    let name = [&[0][..], &(name.len() as u16).to_be_bytes(), name].concat();
    let names = [&(name.len() as u16).to_be_bytes()[..], &name].concat();
    let extensions = [part(51, &vec![7; share]), part(0, &names)].concat();
    let length = (extensions.len() as u16).to_be_bytes();
    let body = [&[3, 3][..], &[1; 32], &[0, 0, 2, 0x13, 1, 1, 0], &length, &extensions].concat();
    [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat()
}

fn http() -> Turns {
    let head = format!(
        "GET /cgi-bin/mmwebwx-bin/login?loginicon=true HTTP/1.1\r\nAccept: {}\r\nHost: login.wx.qq.com\r\n\r\n",
        "text/html, ".repeat(40)
    );
    texts(&[(0, &head), (1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")])
}

/// A hello over three packets, none of which has the server's name whole; the CRYPTO frames of each out of order.
fn quic_turns() -> Turns {
    let hello = hello(b"i.instagram.com", 1_184);
    let (first, end) = (400, hello.len());
    let packets = [&[(40, first), (0, 40)][..], &[(end - 8, end), (700, end - 8)], &[(first - 10, 700)]];
    let packets = packets.iter().enumerate().map(|(number, parts)| {
        let frames: Vec<_> = parts.iter().map(|&(from, to)| (from, &hello[from..to])).collect();
        (0, quic::initial(number as u8, &frames))
    });
    packets.collect()
}

fn xmpp() -> Turns {
    texts(&[
        (
            0,
            "<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        ),
        (
            1,
            "<?xml version='1.0'?><stream:stream from='example.org' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features/>",
        ),
        (0, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFkYQBzZWNyZXQ=</auth>"),
        (1, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        (0, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        (
            1,
            &format!(
                "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{ADA}/desk</jid></bind></iq>"
            ),
        ),
        (0, "<presence/>"),
    ])
}

fn irc() -> Turns {
    texts(&[
        (1, ":irc.example.net NOTICE * :*** Looking up your hostname...\r\n"),
        (0, "CAP LS 302\r\nPASS secret\r\nNICK ada\r\nUSER ada 0 * :Ada\r\n"),
        (
            1,
            ":irc.example.net 001 ada :Welcome to the example network ada\r\n:irc.example.net 002 ada :Your host is irc\r\n",
        ),
        (0, "QUIT :bye\r\n"),
    ])
}

fn sip() -> Turns {
    let register = |number: u8, more: &str| {
        format!(
            "REGISTER sip:example.org SIP/2.0\r\nTo: Ada <sip:{ADA}>\r\nFrom: <sip:{ADA}>;tag=1\r\nCall-ID: c1@192.0.2.1\r\n\
             CSeq: {number} REGISTER\r\nContact: <sip:ada@192.0.2.1>;expires=3600\r\n{more}Content-Length: 0\r\n\r\n"
        )
    };
    let status = |line: &str, number: u8| {
        format!(
            "SIP/2.0 {line}\r\nTo: <sip:{ADA}>;tag=9\r\nCall-ID: c1@192.0.2.1\r\nCSeq: {number} REGISTER\r\n\
             Content-Length: 0\r\n\r\n"
        )
    };
    let answered = "Authorization: Digest username=\"ada\", response=\"0123456789abcdef0123456789abcdef\"\r\n";
    texts(&[
        (0, &register(1, "")),
        (1, &status("401 Unauthorized", 1)),
        (0, &register(2, answered)),
        (1, &status("200 OK", 2)),
    ])
}

fn mqtt() -> Turns {
    octets(&[
        (0, "10 24 0006 4d5149736470 03 c6 003c 0003 636c69 0002 7774 0003 776d73 0003 616461 0006 736563726574"),
        (1, "20 02 00 00"),
        (0, "30 05 0003 612f62"),
    ])
}

fn oscar() -> Turns {
    octets(&[
        (1, "2a01 0001 0004 00000001"),
        (0, "2a01 0001 000e 00000001 0006 0006 a1a2a3a4a5a6"),
        (1, "2a02 0002 0018 0001000f 0000 00000004 05 3130303031 0000 0001 0001"),
        (0, "2a04 0009 0000"),
    ])
}

fn dns() -> Turns {
    octets(&[
        (0, "0021 1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 036e6574 00 0001 0001"),
        (
            1,
            "0031 1234 8180 0001 0001 0000 0000 03777777 076578616d706c65 036e6574 00 0001 0001 c00c 0001 0001 0000003c 0004 c0000201",
        ),
    ])
}

fn without_length(turns: Turns) -> Turns {
    turns.into_iter().map(|(from, octets)| (from, octets[2..].to_vec())).collect()
}
