//! Stories of many, and of nobody.

use std::net::IpAddr;
use std::time::Duration;

use super::{ends, minutes, plain, seconds, surround};
use crate::pktgen::background::look_alikes;
use crate::pktgen::frames::Side;
use crate::pktgen::msf::{Client, Ending, Session as Msf};
use crate::pktgen::qq::{Generation, Session, reports};
use crate::pktgen::script::{Action, Script, SignOn};
use crate::pktgen::story::Tale;
use crate::pktgen::tcp::{Connection, Faults};
use crate::pktgen::wechat::{LegacyLink, LongLink, Phone, legacy_post};

pub(super) const TALES: &[Tale] = &[
    Tale {
        name: "day",
        about: "a QQ and two WeChat users' day, a mobile QQ, reports, look-alikes and neighbours",
        link: plain,
        write: day,
    },
    Tale {
        name: "look_alikes",
        about: "what a careless rule takes for QQ or WeChat",
        link: plain,
        write: only_look_alikes,
    },
    Tale { name: "background", about: "nobody uses a messenger", link: plain, write: background_only },
];

fn day(script: &mut Script) {
    let ends_of_all = [pc(script), phone(script), old_phone(script), mobile(script)];
    let account = script.dice.account();
    let flow = ends(49_700, 16, 8000);
    reports(script, account, flow, minutes(3), 4);
    let seen = SignOn::of_qq(account, flow.client.ip(), Action::Seen, Some("mention"), (minutes(3), minutes(4)));
    script.expect(seen);
    look_alikes(script, minutes(6), IpAddr::from([10, 1, 9, 5]), IpAddr::from([203, 0, 113, 90]));
    let end = ends_of_all.into_iter().max().unwrap_or_default();
    surround(script, end, minutes(15));
}

/// PC QQ over UDP, with a wrong password first.
fn pc(script: &mut Script) -> Duration {
    let account = script.dice.account();
    let mut session = Session::udp(script, Generation::C, account, ends(4009, 11, 8000), seconds(30));
    session.fail(script, 1);
    session.login(script);
    session.stay(script, minutes(40));
    session.logout(script)
}

/// WeChat over mmtls.
fn phone(script: &mut Script) -> Duration {
    let servers = [31, 32, 33].map(|host| IpAddr::from([203, 0, 113, host]));
    let mut phone = Phone::new(script, IpAddr::from([10, 1, 8, 44]), servers);
    let from = phone.look_up(script, minutes(1));
    let asked = phone.ask_addresses(script, from, true);
    let shaken = phone.short_handshake(script, asked);
    let authenticated = phone.authenticate(script, shaken, Faults::None);
    let mut link = LongLink::open(script, &mut phone, authenticated, false);
    let online = phone.usual_requests(script, link.now());
    phone.expect(script, Action::Login, None, (from, online));
    link.stay(script, minutes(30));
    let end = link.now();
    phone.expect(script, Action::Logout, Some("connection-closed"), (end, end + minutes(10)));
    link.finish(script, Side::Client)
}

/// WeChat before mmtls, which says in clear when it goes.
fn old_phone(script: &mut Script) -> Duration {
    let servers = [34, 35, 36].map(|host| IpAddr::from([203, 0, 113, host]));
    let mut phone = Phone::new(script, IpAddr::from([10, 1, 8, 45]), servers);
    let from = minutes(2);
    let authenticated = legacy_post(script, &mut phone, from, ("manualauth", 701), false);
    let mut link = LegacyLink::open(script, &mut phone, authenticated);
    link.identify(script);
    phone.expect(script, Action::Login, None, (from, link.now()));
    link.stay(script, minutes(25));
    let from = link.now();
    let to = legacy_post(script, &mut phone, from, ("logout", 282), true);
    phone.expect(script, Action::Logout, Some("message"), (from, to + seconds(2)));
    link.finish(script)
}

/// Mobile QQ.
fn mobile(script: &mut Script) -> Duration {
    let account = script.dice.account();
    let mut flow = ends(40_112, 21, 8080);
    flow.client.set_ip(IpAddr::from([10, 1, 8, 46]));
    let connection = Connection::open(script, flow, minutes(4));
    let mut session = Msf::new(script, Client::Mobile, account, connection);
    session.login(script, 1);
    session.stay(script, minutes(20), seconds(60));
    session.leave(script, Ending::Finished)
}

fn only_look_alikes(script: &mut Script) {
    let end = look_alikes(script, seconds(5), IpAddr::from([10, 1, 9, 5]), IpAddr::from([203, 0, 113, 90]));
    surround(script, end, minutes(11));
}

fn background_only(script: &mut Script) {
    surround(script, Duration::ZERO, minutes(30));
}
