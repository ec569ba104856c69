//! Stories of users of the access network.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{minutes, plain, seconds, surround};
use crate::pktgen::dhcp::Host;
use crate::pktgen::eapol::Supplicant;
use crate::pktgen::frames::{Link, Side};
use crate::pktgen::pppoe::Line;
use crate::pktgen::radius::{INTERIM, Nas, OFF, ON, START, STOP, Subscriber, number};
use crate::pktgen::script::{AccessSignOn, Script};
use crate::pktgen::story::Tale;

pub(super) const TALES: &[Tale] = &[
    Tale { name: "access_pap", about: "PPPoE with PAP: on, and off by the host", link: plain, write: pap },
    Tale { name: "access_pap_refused", about: "a wrong password, then the right one", link: plain, write: pap_refused },
    Tale {
        name: "access_chap",
        about: "PPPoE with CHAP: asked again, cut by the concentrator",
        link: plain,
        write: chap,
    },
    Tale { name: "access_chap_refused", about: "CHAP fails, and nobody is on", link: plain, write: chap_refused },
    Tale { name: "access_qinq", about: "one session number on three lines of two tags", link: plain, write: qinq },
    Tale { name: "access_dual_stack", about: "IPCP and IPv6CP: one login", link: plain, write: dual_stack },
    Tale { name: "access_echo_loss", about: "a host stops answering echoes", link: plain, write: echo_loss },
    Tale {
        name: "access_radius_day",
        about: "sixty subscribers of two access servers, one of which begins anew",
        link: plain,
        write: radius_day,
    },
    Tale {
        name: "access_radius_troubles",
        about: "requests twice, Stop before Start, lost Stops, an address used again",
        link: plain,
        write: radius_troubles,
    },
    Tale {
        name: "access_pppoe_and_radius",
        about: "PPPoE, and the access server's RADIUS of the same users: both are told",
        link: plain,
        write: pppoe_and_radius,
    },
    Tale { name: "access_dhcp_day", about: "leases, option 82, NAK, DECLINE, expiry", link: plain, write: dhcp_day },
    Tale {
        name: "access_dot1x",
        about: "EAP-MD5: on, asked again, off; a refusal; a lease",
        link: plain,
        write: dot1x,
    },
];

/// The wire of a line: its host's MAC address and its tags.
pub(super) fn line(host: u8, vlans: &[u16]) -> Link {
    let link = match *vlans {
        [service, customer] => Link::qinq(service, customer),
        [vlan] => Link::vlan(vlan),
        _ => Link::plain(),
    };
    Link { client: [2, 0, 0, 0, 0xa, host], server: [2, 0, 0, 0, 0xb, 1], ..link }
}

fn address(script: &mut Script, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 64, script.dice.between(1, 200) as u8, host)
}

fn pap(script: &mut Script) {
    let mut line = Line::new(line(1, &[]), 17, b"zo\xc3\xab@isp.example", seconds(5));
    line.discover(script, Some("dslam-1 eth 1/3:101"));
    line.pap(script, "correct horse", 1, true);
    let own = address(script, 10);
    line.ipcp(script, own);
    for _ in 0..3 {
        line.talk(script, 6);
        line.echo(script, true);
        line.wait(seconds(30));
    }
    line.hang_up(script, Side::Client);
    let end = line.at;
    surround(script, end, minutes(2));
}

fn pap_refused(script: &mut Script) {
    let mut first = Line::new(line(2, &[]), 21, b"mallory", seconds(5));
    first.discover(script, None);
    first.pap(script, "battery staple", 3, false);
    first.hang_up(script, Side::Server);
    let mut second = Line::new(line(2, &[]), 22, b"mallory", first.at + seconds(20));
    second.discover(script, None);
    second.pap(script, "the right one", 2, true);
    let own = address(script, 11);
    second.ipcp(script, own);
    second.talk(script, 4);
    second.wait(minutes(2));
    second.hang_up(script, Side::Server);
    let end = second.at;
    surround(script, end, minutes(2));
}

fn chap(script: &mut Script) {
    let mut line = Line::new(line(3, &[100]), 4_711, b"alice@isp.example", seconds(5));
    line.discover(script, None);
    line.chap(script, true);
    let own = address(script, 12);
    line.ipcp(script, own);
    for _ in 0..3 {
        line.talk(script, 4);
        line.wait(minutes(5));
        line.challenge(script, true);
    }
    line.cut(script, Side::Server);
    // The other side says so too.
    line.cut(script, Side::Client);
    let end = line.at;
    surround(script, end, minutes(2));
}

fn chap_refused(script: &mut Script) {
    let mut line = Line::new(line(4, &[100]), 9, b"mallory", seconds(5));
    line.discover(script, None);
    line.chap(script, false);
    line.hang_up(script, Side::Server);
    let end = line.at;
    surround(script, end, minutes(2));
}

/// Each of the lines begins while the one before is on; what ends one is nothing to the others.
fn qinq(script: &mut Script) {
    let tags = [[200, 101], [200, 102], [201, 101]];
    let mut lines: Vec<Line> = Vec::new();
    for (host, vlans) in (5..).zip(tags) {
        let name = format!("user{host}@isp.example");
        let mut line = Line::new(line(5, &vlans), 7, name.as_bytes(), seconds(3 * u64::from(host)));
        line.discover(script, Some("olt-2 1/1/4"));
        line.pap(script, "four words in clear", 1, true);
        let own = address(script, host);
        line.ipcp(script, own);
        line.talk(script, 4);
        lines.push(line);
    }
    for (number, line) in (1..).zip(&mut lines) {
        line.wait(minutes(number));
        line.hang_up(script, if number == 2 { Side::Server } else { Side::Client });
    }
    let end = lines.iter().map(|line| line.at).max().unwrap_or_default();
    surround(script, end, minutes(2));
}

fn dual_stack(script: &mut Script) {
    let mut line = Line::new(line(8, &[200, 108]), 8, b"bob@isp.example", seconds(5));
    line.discover(script, None);
    line.chap(script, true);
    let identifier = line.begin_ipv6cp(script);
    let own = address(script, 13);
    line.ipcp(script, own);
    line.finish_ipv6cp(script, &identifier);
    line.talk(script, 8);
    line.wait(minutes(3));
    line.hang_up(script, Side::Client);
    let end = line.at;
    surround(script, end, minutes(2));
}

fn echo_loss(script: &mut Script) {
    let mut line = Line::new(line(9, &[300]), 33, b"carol@isp.example", seconds(5));
    line.discover(script, None);
    line.pap(script, "does not answer", 1, true);
    let own = address(script, 14);
    line.ipcp(script, own);
    for _ in 0..8 {
        line.wait(seconds(20));
        line.echo(script, true);
    }
    let last = line.at;
    for _ in 0..5 {
        line.wait(seconds(20));
        line.echo(script, false);
    }
    // A sign of life is passed on once a minute, and three minutes of silence are the limit.
    line.vanish(script, last + minutes(2), last + minutes(3) + seconds(5));
    surround(script, last, minutes(6));
}

/// The subscriber of a number. Both access servers have one of every number, and name their sessions alike.
fn subscriber(server: usize, number: u8) -> Subscriber {
    Subscriber {
        name: format!("user{number}@area{server}.example").into_bytes(),
        session: format!("{number:08x}"),
        address: Ipv4Addr::new(100, 64, server as u8, number),
        prefix: number.is_multiple_of(3).then_some((server as u16, u16::from(number) << 8)),
        mac: [2, 0, 0, 1, server as u8, number],
    }
}

fn radius_day(script: &mut Script) {
    let mut servers = [Nas::new("bras-a", 11), Nas::new("bras-b", 12)];
    let reboot = minutes(240);
    servers[1].reboot(script, seconds(1), ON);
    for number in 0..60_u8 {
        let place = usize::from(number % 2);
        let server = &mut servers[place];
        let user = subscriber(place, number / 2 + 1);
        let begin = seconds(60 + 190 * u64::from(number) + u64::from(script.dice.between(0, 60)));
        if number % 7 == 3 {
            server.ask(script, begin, &user, "forgotten", false);
            continue;
        }
        let answered = server.ask(script, begin, &user, "remembered", true);
        let mut now = answered + seconds(2);
        server.start(script, now, &user);
        let end = now + minutes(u64::from(script.dice.between(12, 110)));
        while now + minutes(10) < end && !(place == 1 && now + minutes(10) >= reboot) {
            now += minutes(10);
            let counts = [number_of_octets(42, now), number_of_octets(43, now)].concat();
            server.account(script, now, &user, INTERIM, &counts);
        }
        if place == 1 && now < reboot && end >= reboot {
            script.expect_access(server.record(&user, "logout", "nas-reboot", reboot));
            continue;
        }
        let (cause, reason) = match number % 5 {
            0 => (4, "idle-timeout"),
            1 => (2, "lost-carrier"),
            2 => (6, "admin-reset"),
            3 => (5, "session-timeout"),
            _ => (1, "user-request"),
        };
        server.stop(script, end, &user, cause, reason);
    }
    servers[1].reboot(script, reboot, OFF);
    servers[1].reboot(script, reboot + seconds(90), ON);
    surround(script, minutes(330), minutes(2));
}

fn number_of_octets(kind: u8, at: Duration) -> Vec<u8> {
    number(kind, at.as_secs() as u32 * 1000)
}

fn radius_troubles(script: &mut Script) {
    let mut server = Nas::new("bras-c", 13);
    // Told again with the delay that it has by then, and so with another authenticator: once.
    let first = subscriber(3, 1);
    server.start(script, seconds(10), &first);
    server.account(script, seconds(13), &first, START, &number(41, 3));
    server.account(script, seconds(19), &first, START, &number(41, 9));
    // Its Stop is lost; the next has its address.
    let second = Subscriber { address: first.address, ..subscriber(3, 2) };
    script.expect_access(server.record(&first, "logout", "replaced", minutes(9)));
    server.start(script, minutes(9), &second);
    server.stop(script, minutes(12), &second, 1, "user-request");
    // Of this one the Start comes late, after the end: it is not on.
    let third = subscriber(3, 3);
    server.account(script, minutes(13), &third, STOP, &number(49, 1));
    server.account(script, minutes(13) + seconds(4), &third, START, &number(41, 30));
    // Its beginning was not seen; and then nothing more is heard of it than three messages of ten minutes.
    let fourth = subscriber(3, 4);
    server.account(script, minutes(14), &fourth, INTERIM, &number(85, 600));
    script.expect_access(server.record(&fourth, "seen", "mid-session", minutes(14)));
    let mut lost = server.record(&fourth, "logout", "silence", minutes(54));
    lost.window = (minutes(54) - seconds(1), minutes(54) + seconds(5));
    server.account(script, minutes(24), &fourth, INTERIM, &number(85, 600));
    script.expect_access(lost);
    surround(script, minutes(54), minutes(3));
}

/// Each source's sign-on is told for itself, whichever begins and ends first; what both know is in both.
fn pppoe_and_radius(script: &mut Script) {
    let mut server = Nas::new("bras-d", 14);
    let mut end = Duration::ZERO;
    for (place, is_line_first) in [(1, true), (2, false)] {
        let user = subscriber(4, place);
        let mut line =
            Line::new(self::line(40 + place, &[200, 140 + u16::from(place)]), 70, &user.name, minutes(place.into()));
        let user = Subscriber { mac: line.link.client, ..user };
        line.discover(script, Some("olt-3 1/1/9"));
        line.pap(script, "by both ways", 1, true);
        let line_of = |record: &mut AccessSignOn, line: &Line| {
            let tags = line.link.tags.iter().map(|(_, vlan)| vlan.to_string());
            record.details.extend(["svlan", "cvlan"].into_iter().zip(tags));
        };
        if is_line_first {
            line.ipcp(script, user.address);
            server.account(script, line.at + seconds(1), &user, START, &[]);
            let mut record = server.record(&user, "login", "message", line.at + seconds(1));
            line_of(&mut record, &line);
            script.expect_access(record);
        } else {
            server.start(script, line.at + seconds(1), &user);
            line.wait(seconds(2));
            line.ipcp(script, user.address);
        }
        line.talk(script, 4);
        line.wait(minutes(5));
        // The access server says it again; the other's end is not this one's.
        server.account(script, line.at - minutes(1), &user, INTERIM, &number_of_octets(42, line.at));
        if is_line_first {
            server.stop(script, line.at, &user, 6, "admin-reset");
            line.wait(seconds(30));
            line.hang_up(script, Side::Server);
        } else {
            line.hang_up(script, Side::Client);
            server.account(script, line.at + seconds(30), &user, STOP, &number(49, 1));
            let mut record = server.record(&user, "logout", "user-request", line.at + seconds(30));
            line_of(&mut record, &line);
            script.expect_access(record);
        }
        end = end.max(line.at);
    }
    surround(script, end, minutes(2));
}

fn dhcp_day(script: &mut Script) {
    let mut direct = Host::new(line(20, &[7]), "laptop", seconds(5));
    direct.lease(script, Ipv4Addr::new(10, 20, 0, 20), 1200);
    direct.at += minutes(10);
    direct.renew(script);
    direct.inform(script);
    direct.at += minutes(5);
    direct.release(script);
    let relay = Link { client: [2, 0, 0, 0, 0xc, 1], ..line(0, &[]) };
    let mut behind = Host::relayed(relay, [2, 0, 0, 0, 0xa, 21], "phone", "dslam-1 eth 1/7", seconds(30));
    behind.lease(script, Ipv4Addr::new(10, 21, 0, 21), 600);
    behind.at += minutes(5);
    behind.renew(script);
    let mut end = behind.expire(script);
    let mut elsewhere = Host::new(line(22, &[7]), "tablet", minutes(1));
    elsewhere.refused(script, Ipv4Addr::new(203, 0, 113, 5));
    elsewhere.lease(script, Ipv4Addr::new(10, 20, 0, 22), 3600);
    elsewhere.at += seconds(1);
    elsewhere.decline(script);
    elsewhere.at += seconds(10);
    elsewhere.lease(script, Ipv4Addr::new(10, 20, 0, 23), 3600);
    elsewhere.at += minutes(7);
    elsewhere.release(script);
    end = end.max(direct.at).max(elsewhere.at);
    surround(script, end, minutes(2));
}

fn dot1x(script: &mut Script) {
    let port = line(30, &[40]);
    let mut alice = Supplicant::new(port.clone(), "alice", seconds(5));
    alice.sign_on(script, true, true);
    // The lease that follows is hers.
    let mut host = Host::new(port, "desk-30", alice.at + seconds(1));
    host.person = Some("alice");
    host.lease(script, Ipv4Addr::new(10, 20, 0, 30), 3600);
    alice.at += minutes(10);
    alice.sign_on(script, true, false);
    host.at += minutes(12);
    host.release(script);
    alice.at = host.at + seconds(3);
    alice.log_off(script);
    let mut mallory = Supplicant::new(line(31, &[40]), "mallory", minutes(2));
    mallory.sign_on(script, false, true);
    let end = alice.at;
    surround(script, end, minutes(2));
}
