//! Stories of PC QQ.

use std::time::Duration;

use super::{ends, ends_v6, minutes, plain, seconds, surround};
use crate::pktgen::frames::{Ends, Link};
use crate::pktgen::qq::{Generation, Session, reports};
use crate::pktgen::script::{Action, Script, SignOn};
use crate::pktgen::story::Tale;
use crate::pktgen::tcp::{Connection, Faults};

pub(super) const TALES: &[Tale] = &[
    Tale {
        name: "qq_udp_day",
        about: "PC QQ of today over UDP: login, a morning, four-fold logout",
        link: plain,
        write: udp_day,
    },
    Tale {
        name: "qq_tcp_day",
        about: "the same over TCP, records cut and joined by segments",
        link: plain,
        write: tcp_day,
    },
    Tale {
        name: "qq_generation_a_day",
        about: "a client of before 2009, server packets without account",
        link: plain,
        write: a_day,
    },
    Tale {
        name: "qq_generation_a_named_day",
        about: "the same, server packets with account",
        link: plain,
        write: a_named_day,
    },
    Tale { name: "qq_generation_b_day", about: "a client of 2010", link: plain, write: b_day },
    Tale { name: "qq_qr_login", about: "login by QR code: account 0 until confirmed", link: plain, write: qr_login },
    Tale { name: "qq_login_again", about: "login, logout, login, logout", link: plain, write: login_again },
    Tale {
        name: "qq_two_accounts",
        about: "two accounts on one machine, each with its own day",
        link: plain,
        write: two_accounts,
    },
    Tale { name: "qq_retransmissions", about: "every datagram comes twice", link: plain, write: retransmissions },
    Tale { name: "qq_tcp_retransmission", about: "TCP, segments come twice", link: plain, write: tcp_retransmission },
    Tale { name: "qq_tcp_reordering", about: "TCP, segments change places", link: plain, write: tcp_reordering },
    Tale { name: "qq_tcp_loss", about: "TCP, lost segments come late", link: plain, write: tcp_loss },
    Tale { name: "qq_tcp_overlap", about: "TCP, data comes again cut elsewhere", link: plain, write: tcp_overlap },
    Tale {
        name: "qq_tcp_cut",
        about: "TCP, the connection ends without a logout message",
        link: plain,
        write: tcp_cut,
    },
    Tale {
        name: "qq_silence",
        about: "the machine vanishes; logout by keepalive timeout",
        link: plain,
        write: silence,
    },
    Tale {
        name: "qq_midsession",
        about: "picked up in the middle: seen, then logged out",
        link: plain,
        write: midsession,
    },
    Tale {
        name: "qq_midsession_stays",
        about: "picked up in the middle, still there at the end",
        link: plain,
        write: midsession_stays,
    },
    Tale { name: "qq_failed_login", about: "three wrong passwords, nothing else", link: plain, write: failed_login },
    Tale {
        name: "qq_failed_then_login",
        about: "a wrong password, then the right one",
        link: plain,
        write: failed_then_login,
    },
    Tale { name: "qq_generation_a_failed", about: "an old client's wrong password", link: plain, write: a_failed },
    Tale { name: "qq_unanswered", about: "a login that no server answers", link: plain, write: unanswered },
    Tale {
        name: "qq_reports",
        about: "report packets: they look like an old logout",
        link: plain,
        write: only_reports,
    },
    Tale {
        name: "qq_reports_in_session",
        about: "report packets while the session lives",
        link: plain,
        write: reports_in_session,
    },
    Tale { name: "qq_vlan", about: "the UDP day inside a VLAN", link: || Link::vlan(101), write: udp_day },
    Tale { name: "qq_qinq", about: "the UDP day inside two tags", link: || Link::qinq(200, 101), write: udp_day },
    Tale {
        name: "qq_pppoe",
        about: "the UDP day inside a PPPoE session",
        link: || Link::pppoe(0x1234),
        write: udp_day,
    },
    Tale { name: "qq_ipv6", about: "UDP and TCP over IPv6", link: plain, write: ipv6 },
];

fn day(script: &mut Script, generation: Generation, flow: Ends, length: Duration) -> Duration {
    let account = script.dice.account();
    let mut session = Session::udp(script, generation, account, flow, seconds(5));
    session.login(script);
    session.stay(script, length);
    session.logout(script)
}

fn udp_day(script: &mut Script) {
    let end = day(script, Generation::C, ends(4009, 11, 8000), minutes(45));
    surround(script, end, minutes(11));
}

fn b_day(script: &mut Script) {
    let end = day(script, Generation::B, ends(4000, 12, 8000), minutes(25));
    surround(script, end, minutes(11));
}

fn a_day(script: &mut Script) {
    let end = day(script, Generation::A, ends(4000, 13, 8000), minutes(25));
    surround(script, end, minutes(11));
}

fn a_named_day(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::A, account, ends(4001, 13, 8000), seconds(5));
    session.server_names_account = true;
    session.login(script);
    session.stay(script, minutes(25));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn tcp_session(script: &mut Script, flow: Ends, faults: Faults) -> Session {
    let account = script.dice.account();
    let connection = Connection::open(script, flow, seconds(5)).with(faults);
    let mut session = Session::tcp(script, Generation::C, account, connection);
    session.login(script);
    session
}

fn tcp_with(script: &mut Script, faults: Faults) {
    let mut session = tcp_session(script, ends(51_020, 14, 443), faults);
    session.stay(script, minutes(25));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn tcp_day(script: &mut Script) {
    tcp_with(script, Faults::None);
}

fn tcp_retransmission(script: &mut Script) {
    tcp_with(script, Faults::Retransmission);
}

fn tcp_reordering(script: &mut Script) {
    tcp_with(script, Faults::Reordering);
}

fn tcp_loss(script: &mut Script) {
    tcp_with(script, Faults::Loss);
}

fn tcp_overlap(script: &mut Script) {
    tcp_with(script, Faults::Overlap);
}

fn tcp_cut(script: &mut Script) {
    let mut session = tcp_session(script, ends(51_022, 14, 8000), Faults::None);
    session.stay(script, minutes(8));
    let end = session.vanish(script);
    surround(script, end, minutes(12));
}

fn qr_login(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4014, 11, 8000), seconds(5));
    session.login_by_code(script);
    session.stay(script, minutes(10));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn login_again(script: &mut Script) {
    let account = script.dice.account();
    let mut now = seconds(5);
    for _ in 0..2 {
        let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), now);
        session.login(script);
        session.stay(script, minutes(7));
        now = session.logout(script) + minutes(2);
    }
    surround(script, now, minutes(11));
}

fn two_accounts(script: &mut Script) {
    let mut end = Duration::ZERO;
    for (i, port) in [4000, 4009].into_iter().enumerate() {
        let account = script.dice.account();
        let at = seconds(5 + 90 * i as u64);
        let mut session = Session::udp(script, Generation::C, account, ends(port, 11, 8000), at);
        session.login(script);
        session.stay(script, minutes(12 + 9 * i as u64));
        end = end.max(session.logout(script));
    }
    surround(script, end, minutes(11));
}

fn retransmissions(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4026, 11, 8000), seconds(5));
    session.repeats = true;
    session.login(script);
    session.stay(script, minutes(15));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn silence(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(5));
    session.login(script);
    session.stay(script, minutes(9));
    let end = session.vanish(script);
    surround(script, end, minutes(12));
}

fn picked_up(script: &mut Script) -> Session {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(5));
    session.expect(script, Action::Seen, "", seconds(5), minutes(8));
    session.stay(script, minutes(12));
    session
}

fn midsession(script: &mut Script) {
    let end = picked_up(script).logout(script);
    surround(script, end, minutes(11));
}

fn midsession_stays(script: &mut Script) {
    let end = picked_up(script).linger();
    surround(script, end, seconds(30));
}

fn failed_login(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(5));
    session.fail(script, 3);
    let end = session.linger();
    surround(script, end, minutes(11));
}

fn failed_then_login(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(5));
    session.fail(script, 1);
    session.login(script);
    session.stay(script, minutes(6));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn a_failed(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::A, account, ends(4000, 13, 8000), seconds(5));
    session.fail(script, 2);
    let end = session.linger();
    surround(script, end, minutes(11));
}

fn unanswered(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 15, 8000), seconds(5));
    session.answered = false;
    session.login(script);
    session.wait(seconds(20));
    session.login(script);
    let end = session.linger();
    surround(script, end, minutes(11));
}

fn only_reports(script: &mut Script) {
    let account = script.dice.account();
    let flow = ends(49_700, 16, 8000);
    let end = reports(script, account, flow, seconds(5), 24);
    let seen = SignOn::of_qq(account, flow.client.ip(), Action::Seen, Some("mention"), (seconds(5), minutes(1)));
    script.expect(seen);
    surround(script, end, minutes(11));
}

fn reports_in_session(script: &mut Script) {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(5));
    session.login(script);
    reports(script, account, ends(49_700, 16, 8000), session.now() + seconds(40), 3);
    session.stay(script, minutes(20));
    let end = session.logout(script);
    surround(script, end, minutes(11));
}

fn ipv6(script: &mut Script) {
    let end = day(script, Generation::C, ends_v6(4009, 11, 8000), minutes(12));
    let account = script.dice.account();
    let connection = Connection::open(script, ends_v6(51_020, 14, 443), seconds(30));
    let mut session = Session::tcp(script, Generation::C, account, connection);
    session.login(script);
    session.stay(script, minutes(6));
    let end = end.max(session.logout(script));
    surround(script, end, minutes(11));
}
