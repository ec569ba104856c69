//! What those send who would have the firewall believe, forget or fail, among users who are to be told of all the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::access::line;
use super::{ends, minutes, plain, seconds, surround};
use crate::pktgen::frames::{Ends, Side};
use crate::pktgen::pppoe::{Line, terminate};
use crate::pktgen::qq::{Generation, Session};
use crate::pktgen::radius::{Nas, START, Subscriber, attribute, message, message_to, number};
use crate::pktgen::script::Script;
use crate::pktgen::story::Tale;

pub(super) const TALES: &[Tale] = &[
    Tale { name: "access_hostile_names", about: "names of all octets, lengths that lie", link: plain, write: names },
    Tale {
        name: "access_floods",
        about: "100,000 requests, answers and PADTs of nobody around users' sign-ons",
        link: plain,
        write: floods,
    },
];

/// As long as PAP and CHAP have them: quotes, brackets, backslashes, NUL, controls and no UTF-8.
fn hostile_name(length: usize) -> Vec<u8> {
    let octets = b"\"]\\[=; \0\x01\x7f\xff\xfe%n${x}<a>\xc3(";
    octets.iter().copied().cycle().take(length).collect()
}

fn names(script: &mut Script) {
    let mut line = Line::new(line(1, &[]), 17, &hostile_name(255), seconds(5));
    line.discover(script, Some("\"]"));
    line.pap(script, "secret of a hostile user", 1, true);
    line.ipcp(script, Ipv4Addr::new(10, 64, 9, 9));
    line.talk(script, 4);
    lies(script, &mut line);
    line.wait(seconds(30));
    line.hang_up(script, Side::Client);

    let mut server = Nas::new("bras-h", 19);
    let user = Subscriber {
        name: hostile_name(253),
        session: "s-\"]\\".to_owned(),
        address: Ipv4Addr::new(10, 64, 9, 10),
        prefix: None,
        mac: [2, 0, 0, 9, 9, 9],
    };
    let now = server.ask(script, minutes(1), &user, "another secret of one", true);
    server.start(script, now + seconds(1), &user);
    contradictions(script, &server, now + seconds(2));
    server.stop(script, now + minutes(1), &user, 1, "user-request");
    let end = line.at.max(now + minutes(1));
    surround(script, end, minutes(2));
}

/// Packets of the line's own session whose lengths are not what they say.
fn lies(script: &mut Script, line: &mut Line) {
    for packet in [
        &[5, 9, 0, 3][..],
        &[5, 9, 0xff, 0xff],
        &[1, 9, 0, 6, 200, b'x'],
        &[2, 9, 0, 4],
        &[1, 9, 0, 8, 3, 0, 3, 1],
        &[1],
        &[],
    ] {
        for protocol in [0xc021, 0xc023, 0xc223, 0x8021, 0x8057, 0xc227] {
            // Of LCP's they would be its end, were they whole.
            line.session(script, Side::Client, protocol, packet);
        }
    }
}

/// Accounting that would have somebody sign on, were it not that it contradicts itself.
fn contradictions(script: &mut Script, server: &Nas, at: Duration) {
    let good = [number(40, START), attribute(1, b"nobody"), attribute(44, b"n-1")].concat();
    let bad: [&[u8]; 6] = [&[8, 0], &[8, 1], &[8, 200, 10], &[8, 5, 10, 0, 0], &[1, 4, b'm', b'e'], &[44]];
    let with = |bad: &[u8]| message(4, bad.len() as u8, None, &[&good[..], bad].concat());
    let mut messages: Vec<Vec<u8>> = bad.into_iter().map(with).collect();
    // Lengths of the message itself: less than a header, more than there is.
    for length in [0_u16, 19, 4_097, 0xffff] {
        let mut octets = message(4, 99, None, &good);
        octets[2..4].copy_from_slice(&length.to_be_bytes());
        messages.push(octets);
    }
    for (number, octets) in (0..).zip(messages) {
        script.udp(at + Duration::from_millis(number), Side::Client, server.ends(1813), &octets);
    }
}

/// How many of each.
const FLOOD: u32 = 100_000;

/// Users sign on before, in the midst and after; those in the midst by what needs no answer to be remembered.
fn floods(script: &mut Script) {
    let mut before = Line::new(line(1, &[]), 17, b"early@isp.example", seconds(5));
    before.discover(script, None);
    before.pap(script, "before the flood", 1, true);
    before.ipcp(script, Ipv4Addr::new(10, 64, 9, 1));
    before.talk(script, 2);

    let begin = seconds(30);
    let moment = |number: u32| begin + Duration::from_micros(u64::from(number) * 200);
    let end = moment(FLOOD);
    for number in 0..FLOOD {
        flood(script, moment(number), number);
    }
    let account = script.dice.account();
    let mut messenger = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), begin + seconds(8));
    messenger.login(script);
    let mut server = Nas::new("bras-f", 20);
    let user = Subscriber {
        name: b"amid@isp.example".to_vec(),
        session: "amid".to_owned(),
        address: Ipv4Addr::new(10, 64, 9, 2),
        prefix: None,
        mac: [2, 0, 0, 9, 9, 2],
    };
    server.start(script, begin + seconds(9), &user);
    server.stop(script, end + seconds(5), &user, 1, "user-request");

    messenger.stay(script, minutes(2));
    let last = messenger.logout(script);
    before.at = end + seconds(6);
    before.hang_up(script, Side::Server);
    surround(script, last.max(before.at), minutes(15));
}

/// A request to be let in that nobody answers, an answer that nobody asked for, and the end of a session that there is not.
fn flood(script: &mut Script, at: Duration, number: u32) {
    let [a, b, c, id] = number.to_be_bytes();
    let ends = Ends {
        client: SocketAddr::from(([10, 66, 0, 1 + (number >> 8 & 63) as u8], 20_000 + (number >> 14) as u16)),
        server: SocketAddr::from(([198, 51, 100, 18], 1812)),
    };
    let authenticator = script.dice.octets(16);
    let name = attribute(1, format!("nobody{number}").as_bytes());
    script.udp(at, Side::Client, ends, &message(1, id, Some(&authenticator), &name));
    let others = Ends { client: SocketAddr::from(([10, 67, 0, 1], ends.client.port())), ..ends };
    script.udp(at, Side::Server, others, &message_to(2, id, &authenticator, &name));
    let mut link = line(1, &[]);
    link.client = [2, 1, 0xbb, a, b, c];
    terminate(script, at, Side::Client, &link, number as u16 | 1);
}
