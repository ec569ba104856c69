//! Stories of mobile QQ and of the NTQQ desktop client.

use std::time::Duration;

use super::{ends, ends_v6, minutes, plain, seconds, surround};
use crate::pktgen::frames::{Ends, Link};
use crate::pktgen::msf::{Client, Ending, Session};
use crate::pktgen::script::{Action, Script};
use crate::pktgen::story::Tale;
use crate::pktgen::tcp::{Connection, Faults};

pub(super) const TALES: &[Tale] = &[
    Tale { name: "msf_day", about: "mobile QQ: login, an hour, FIN", link: plain, write: day },
    Tale {
        name: "msf_token_restart",
        about: "login with saved tokens: no login record at all",
        link: plain,
        write: token_restart,
    },
    Tale {
        name: "msf_reconnect",
        about: "the connection ends and comes back after 4 s: no logout",
        link: plain,
        write: reconnect,
    },
    Tale {
        name: "msf_two_connections",
        about: "two connections of one account; one logout, after the last",
        link: plain,
        write: two_connections,
    },
    Tale {
        name: "msf_two_clients",
        about: "one account on two devices: two logins, two logouts",
        link: plain,
        write: two_clients,
    },
    Tale { name: "msf_failed_login", about: "login records, no session", link: plain, write: failed_login },
    Tale { name: "msf_midsession", about: "picked up in the middle: seen, then FIN", link: plain, write: midsession },
    Tale {
        name: "msf_silence",
        about: "the phone is gone without FIN; logout by timeout",
        link: plain,
        write: silence,
    },
    Tale { name: "msf_reset", about: "the connection ends by RST", link: plain, write: reset },
    Tale { name: "msf_retransmission", about: "segments come twice", link: plain, write: retransmission },
    Tale { name: "msf_reordering", about: "segments change places", link: plain, write: reordering },
    Tale { name: "msf_loss", about: "lost segments come late", link: plain, write: loss },
    Tale {
        name: "msf_small_segments",
        about: "every record in segments of 5 octets",
        link: plain,
        write: small_segments,
    },
    Tale { name: "msf_vlan", about: "mobile QQ inside a VLAN", link: || Link::vlan(300), write: day },
    Tale { name: "msf_ipv6", about: "mobile QQ over IPv6", link: plain, write: ipv6 },
    Tale { name: "ntqq_day", about: "the desktop client on port 14000", link: plain, write: desktop_day },
];

/// The slowest heartbeat that clients use, and a usual one.
const SLOW: Duration = seconds(270);
const USUAL: Duration = seconds(60);

fn open(script: &mut Script, account: u32, flow: Ends, at: Duration, faults: Faults) -> Session {
    let connection = Connection::open(script, flow, at).with(faults);
    Session::new(script, Client::Mobile, account, connection)
}

fn whole_day(script: &mut Script, flow: Ends, faults: Faults, ending: Ending) {
    let account = script.dice.account();
    let mut session = open(script, account, flow, seconds(5), faults);
    session.login(script, 2);
    session.stay(script, minutes(30), USUAL);
    session.stay(script, minutes(30), SLOW);
    let end = session.leave(script, ending);
    surround(script, end, minutes(if ending == Ending::Silent { 26 } else { 12 }));
}

fn day(script: &mut Script) {
    whole_day(script, ends(40_112, 21, 8080), Faults::None, Ending::Finished);
}

fn silence(script: &mut Script) {
    whole_day(script, ends(40_114, 21, 8080), Faults::None, Ending::Silent);
}

fn reset(script: &mut Script) {
    whole_day(script, ends(40_116, 21, 443), Faults::None, Ending::Reset);
}

fn retransmission(script: &mut Script) {
    whole_day(script, ends(40_118, 21, 8080), Faults::Retransmission, Ending::Finished);
}

fn reordering(script: &mut Script) {
    whole_day(script, ends(40_120, 21, 8080), Faults::Reordering, Ending::Finished);
}

fn loss(script: &mut Script) {
    whole_day(script, ends(40_122, 21, 8080), Faults::Loss, Ending::Finished);
}

fn ipv6(script: &mut Script) {
    whole_day(script, ends_v6(40_124, 21, 8080), Faults::None, Ending::Finished);
}

fn small_segments(script: &mut Script) {
    let account = script.dice.account();
    let mut connection = Connection::open(script, ends(40_126, 21, 8080), seconds(5));
    connection.mss = 5;
    let mut session = Session::new(script, Client::Mobile, account, connection);
    session.login(script, 1);
    session.stay(script, minutes(5), USUAL);
    let end = session.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn token_restart(script: &mut Script) {
    let account = script.dice.account();
    let mut session = open(script, account, ends(40_128, 22, 8080), seconds(5), Faults::None);
    session.restart(script);
    session.stay(script, minutes(20), USUAL);
    let end = session.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn reconnect(script: &mut Script) {
    let account = script.dice.account();
    let mut session = open(script, account, ends(40_130, 22, 8080), seconds(5), Faults::None);
    session.login(script, 1);
    session.stay(script, minutes(10), USUAL);
    let gone = session.drop_connection(script, Ending::Reset);
    let mut session = open(script, account, ends(40_144, 23, 8080), gone + seconds(4), Faults::None);
    session.resume(script);
    session.stay(script, minutes(15), USUAL);
    let end = session.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn two_connections(script: &mut Script) {
    let account = script.dice.account();
    let mut first = open(script, account, ends(40_132, 22, 8080), seconds(5), Faults::None);
    first.login(script, 1);
    let mut second = open(script, account, ends(40_146, 23, 443), first.now() + seconds(50), Faults::None);
    second.resume(script);
    first.stay(script, minutes(8), USUAL);
    first.drop_connection(script, Ending::Finished);
    second.stay(script, minutes(25), USUAL);
    let end = second.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn two_clients(script: &mut Script) {
    let account = script.dice.account();
    let mut end = Duration::ZERO;
    for (host, length) in [(20, 9), (31, 16)] {
        let mut flow = ends(40_150, 22, 8080);
        flow.client.set_ip([10, 1, 7, host].into());
        let mut session = open(script, account, flow, seconds(u64::from(host)), Faults::None);
        session.login(script, 1);
        session.stay(script, minutes(length), USUAL);
        end = end.max(session.leave(script, Ending::Finished));
    }
    surround(script, end, minutes(12));
}

fn failed_login(script: &mut Script) {
    let account = script.dice.account();
    let mut session = open(script, account, ends(40_134, 22, 8080), seconds(5), Faults::None);
    session.attempt(script, 4);
    let end = session.drop_connection(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn midsession(script: &mut Script) {
    let account = script.dice.account();
    let connection = Connection::midway(script, ends(40_136, 22, 8080), seconds(5));
    let mut session = Session::new(script, Client::Mobile, account, connection);
    session.expect(script, Action::Seen, None, (seconds(5), minutes(4)));
    session.ask(script, 100, 300);
    session.push(script, 900);
    session.stay(script, minutes(10), USUAL);
    let end = session.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}

fn desktop_day(script: &mut Script) {
    let account = script.dice.account();
    let connection = Connection::open(script, ends(50_220, 24, 14_000), seconds(5));
    let mut session = Session::new(script, Client::Desktop, account, connection);
    session.login(script, 1);
    session.stay(script, minutes(25), USUAL);
    let end = session.leave(script, Ending::Finished);
    surround(script, end, minutes(12));
}
