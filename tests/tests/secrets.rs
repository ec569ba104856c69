//! Passwords and tokens stay in their frames: whatever a conversation holds, no output of a replay has any of them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;

use ostiary_tests::captures;
use ostiary_tests::program;

/// What no output may have, in any of its spellings.
const SECRET: &str = "hunter2-7f3a9c";
/// The same behind `\0someone\0` in base 64, as SASL's PLAIN has it (RFC 4616).
const SECRET_PLAIN: &str = "AHNvbWVvbmUAaHVudGVyMi03ZjNhOWM=";

/// What client and server say to each other, by turns; server port first.
fn conversations() -> Vec<(&'static str, u16, Vec<Vec<u8>>)> {
    let text = |lines: &[&str]| -> Vec<Vec<u8>> {
        lines.iter().map(|line| line.replace("SECRET64", SECRET_PLAIN).replace("SECRET", SECRET).into_bytes()).collect()
    };
    let mqtt = {
        let field = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
        let payload = [field("client-1"), field("someone"), field(SECRET)].concat();
        let connect = [&[0, 4][..], b"MQTT", &[4, 0xc2, 0, 60], &payload].concat();
        vec![[&[0x10, connect.len() as u8][..], &connect].concat(), vec![0x20, 2, 0, 0]]
    };
    vec![
        (
            "irc",
            6667,
            text(&[
                "PASS SECRET\r\nNICK someone\r\nUSER someone 0 * :someone\r\n",
                ":irc.example.com 001 someone :Welcome\r\n",
                "PRIVMSG NickServ :IDENTIFY someone SECRET\r\n",
                ":irc.example.com NOTICE someone :ok\r\n",
                "QUIT :bye\r\n",
            ]),
        ),
        (
            "xmpp",
            5222,
            text(&[
                "<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client' \
                 xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
                "<?xml version='1.0'?><stream:stream from='example.com' xmlns='jabber:client' \
                 xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>SECRET64</auth>",
                "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            ]),
        ),
        (
            "sip",
            5060,
            text(&[
                "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1\r\nFrom: <sip:someone@example.com>;tag=1\r\n\
                 To: <sip:someone@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:someone@10.0.0.1>\r\n\
                 Authorization: Digest username=\"someone\", response=\"SECRET\"\r\nContent-Length: 0\r\n\r\n",
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 10.0.0.1\r\nFrom: <sip:someone@example.com>;tag=1\r\n\
                 To: <sip:someone@example.com>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n",
            ]),
        ),
        ("mqtt", 1883, mqtt),
        (
            "http",
            80,
            text(&[
                "POST /login?password=SECRET HTTP/1.1\r\nHost: example.com\r\nAuthorization: Basic SECRET64\r\n\
                 Cookie: token=SECRET\r\nContent-Length: 14\r\n\r\nSECRET",
                "HTTP/1.1 200 OK\r\nSet-Cookie: token=SECRET\r\nContent-Length: 0\r\n\r\n",
            ]),
        ),
        ("pop3", 110, text(&["USER someone\r\nPASS SECRET\r\n", "+OK\r\n"])),
        ("smtp", 25, text(&["EHLO x\r\nAUTH PLAIN SECRET64\r\n", "235 ok\r\n"])),
    ]
}

/// A capture of a conversation: raw IPv4 (LINKTYPE_IPV4), a handshake first.
fn capture(port: u16, turns: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 228] {
        file.extend(word.to_le_bytes());
    }
    let (mut numbers, mut second) = ([1000_u32, 5000], 1_772_352_000_u32);
    let mut send = |from: usize, flags: u8, payload: &[u8]| {
        let (ours, theirs) = (numbers[from], numbers[1 - from]);
        let ends = [([10, 0, 0, 1], 40_000_u16), ([192, 0, 2, 1], port)];
        let ((source, source_port), (destination, destination_port)) = (ends[from], ends[1 - from]);
        let mut packet = vec![0x45, 0];
        packet.extend((40 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 1, 0, 0, 64, 6, 0, 0]);
        packet.extend(source.iter().chain(&destination));
        packet.extend(source_port.to_be_bytes());
        packet.extend(destination_port.to_be_bytes());
        packet.extend(ours.to_be_bytes());
        packet.extend(if flags == 2 { 0 } else { theirs }.to_be_bytes());
        packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(payload);
        second += 1;
        for word in [second, 0, packet.len() as u32, packet.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
        numbers[from] += payload.len() as u32 + u32::from(flags & 3 != 0);
    };
    send(0, 2, &[]);
    send(1, 0x12, &[]);
    send(0, 0x10, &[]);
    for (turn, payload) in turns.iter().enumerate() {
        send(turn % 2, 0x18, payload);
    }
    send(0, 0x11, &[]);
    send(1, 0x11, &[]);
    file
}

/// All that a replay says, for people and for programs.
fn said(file: &Path) -> Vec<u8> {
    let mut said = Vec::new();
    for form in [&["replay", "--json"][..], &["replay"]] {
        let arguments = form.iter().map(|word| std::ffi::OsStr::new(*word)).chain([file.as_os_str()]);
        let output = program::run(arguments);
        said.extend(output.stdout);
        said.extend(output.stderr);
    }
    said
}

fn has(said: &[u8], what: &[u8]) -> bool {
    said.windows(what.len()).any(|window| window == what)
}

#[test]
fn no_password_of_any_protocol_leaves() {
    let folder = tempfile::tempdir().unwrap();
    for (name, port, turns) in conversations() {
        assert!(turns.iter().any(|turn| has(turn, SECRET.as_bytes()) || has(turn, SECRET_PLAIN.as_bytes())), "{name}");
        let file = folder.path().join(format!("{name}.pcap"));
        std::fs::write(&file, capture(port, &turns)).unwrap();
        let said = said(&file);
        assert!(has(&said, b"\"flows\":1"), "{name}: {}", String::from_utf8_lossy(&said));
        let hex: String = SECRET.bytes().map(|octet| format!("{octet:02x}")).collect();
        for spelling in [SECRET, SECRET_PLAIN, &hex] {
            assert!(!has(&said, spelling.as_bytes()), "{name}: {}", String::from_utf8_lossy(&said));
        }
    }
}

#[test]
fn what_is_looked_for_would_be_found() {
    // The account of the same conversation does leave: silence would prove nothing.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("irc.pcap");
    let (_, port, turns) = conversations().remove(0);
    std::fs::write(&file, capture(port, &turns)).unwrap();
    assert!(has(&said(&file), b"\"account\":\"someone\""));
}

/// What stands behind these words, up to an octet that ends it, is a secret wherever it occurs.
const BEFORE_SECRETS: [&[u8]; 7] = [
    b"\nPASS ",
    b"AUTH PLAIN ",
    b"mechanism=\"PLAIN\">",
    b"mechanism='PLAIN'>",
    b" response=\"",
    b"Cookie: ",
    b"Authorization: ",
];

#[test]
fn no_secret_of_a_real_capture_leaves() {
    let Some(folder) = captures::folder() else { return };
    for file in captures::all(&folder) {
        let octets = std::fs::read(&file).unwrap();
        let mut secrets: Vec<&[u8]> = Vec::new();
        for before in BEFORE_SECRETS {
            let places = octets.windows(before.len()).enumerate().filter(|(_, window)| *window == before);
            for (at, _) in places {
                let rest = &octets[at + before.len()..];
                let end = rest.iter().position(|octet| b"\r\n\"<'\0".contains(octet)).unwrap_or(rest.len());
                // What is shorter is found in anything.
                secrets.extend(rest.get(..end.min(200)).filter(|secret| secret.len() >= 8));
            }
        }
        if secrets.is_empty() {
            continue;
        }
        let said = said(&file);
        for secret in secrets {
            assert!(!has(&said, secret), "{}: {}", file.display(), String::from_utf8_lossy(secret));
        }
    }
}
