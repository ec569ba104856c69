//! Stories of WeChat.

use std::net::IpAddr;
use std::time::Duration;

use super::{minutes, plain, seconds, surround};
use crate::pktgen::frames::{Link, Side};
use crate::pktgen::script::{Action, Script};
use crate::pktgen::story::Tale;
use crate::pktgen::tcp::Faults;
use crate::pktgen::wechat::{LegacyLink, LongLink, Phone, file_network, legacy_post, web};

pub(super) const TALES: &[Tale] = &[
    Tale {
        name: "wechat_day",
        about: "a phone's day: address request, login by short link, long link, FIN",
        link: plain,
        write: day,
    },
    Tale {
        name: "wechat_ticket_day",
        about: "the long link comes back with a ticket; a refused ticket first",
        link: plain,
        write: ticket_day,
    },
    Tale {
        name: "wechat_reconnect_3s",
        about: "the long link ends and comes back after 3 s: no logout",
        link: plain,
        write: reconnect,
    },
    Tale {
        name: "wechat_repeated_requests",
        about: "the address request repeats on each network change: one login",
        link: plain,
        write: repeated_requests,
    },
    Tale {
        name: "wechat_silence",
        about: "the phone is gone without FIN; logout by timeout",
        link: plain,
        write: silence,
    },
    Tale { name: "wechat_reset", about: "the long link ends by RST", link: plain, write: reset },
    Tale { name: "wechat_reordering", about: "segments change places", link: plain, write: reordering },
    Tale { name: "wechat_signed_out", about: "the app starts with nobody signed in", link: plain, write: signed_out },
    Tale {
        name: "wechat_midsession",
        about: "a long link without its beginning: nobody to name",
        link: plain,
        write: midsession,
    },
    Tale { name: "wechat_legacy_day", about: "before mmtls: manualauth, logout call", link: plain, write: legacy_day },
    Tale {
        name: "wechat_legacy_autoauth_day",
        about: "before mmtls: autoauth, the long link ends",
        link: plain,
        write: legacy_autoauth_day,
    },
    Tale {
        name: "wechat_legacy_link_login",
        about: "before mmtls: login over the long link",
        link: plain,
        write: legacy_link_login,
    },
    Tale {
        name: "wechat_legacy_midsession",
        about: "before mmtls: ordinary calls only",
        link: plain,
        write: legacy_midsession,
    },
    Tale {
        name: "wechat_pc_files",
        about: "the PC client's file network names the account",
        link: plain,
        write: pc_files,
    },
    Tale { name: "wechat_web", about: "the web client: identified, no account", link: plain, write: web_client },
    Tale { name: "wechat_qinq", about: "the phone's day inside two tags", link: || Link::qinq(200, 102), write: day },
    Tale {
        name: "wechat_pppoe",
        about: "the phone's day inside a PPPoE session",
        link: || Link::pppoe(77),
        write: day,
    },
    Tale { name: "wechat_ipv6", about: "the phone's day over IPv6", link: plain, write: ipv6_day },
];

fn phone(script: &mut Script) -> Phone {
    let servers = [31, 32, 33].map(|host| IpAddr::from([203, 0, 113, host]));
    Phone::new(script, IpAddr::from([10, 1, 8, 44]), servers)
}

/// Address request, short-link handshake, login, long link; expects the login.
fn sign_in(script: &mut Script, phone: &mut Phone, at: Duration, faults: Faults) -> LongLink {
    let from = phone.look_up(script, at);
    let asked = phone.ask_addresses(script, from, true);
    let shaken = phone.short_handshake(script, asked + Duration::from_millis(300));
    let authenticated = phone.authenticate(script, shaken + Duration::from_millis(8), faults);
    let link = LongLink::open_with(script, phone, authenticated + Duration::from_millis(60), false, faults);
    let online = phone.usual_requests(script, link.now());
    phone.expect(script, Action::Login, None, (from, online));
    link
}

/// Says that the account goes offline after `from`, within `longest`.
fn goes(script: &mut Script, phone: &Phone, reason: &'static str, from: Duration, longest: Duration) {
    phone.expect(script, Action::Logout, Some(reason), (from, from + longest));
}

fn whole_day(script: &mut Script, mut phone: Phone, faults: Faults) {
    let mut link = sign_in(script, &mut phone, seconds(5), faults);
    link.stay(script, minutes(40));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script, Side::Client);
    surround(script, end, minutes(15));
}

fn day(script: &mut Script) {
    let phone = phone(script);
    whole_day(script, phone, Faults::None);
}

fn reordering(script: &mut Script) {
    let phone = phone(script);
    whole_day(script, phone, Faults::Reordering);
}

fn ipv6_day(script: &mut Script) {
    let servers = [31, 32, 33].map(|host| IpAddr::from([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, host]));
    let phone = Phone::new(script, IpAddr::from([0x2001, 0xdb8, 1, 8, 0, 0, 0, 0x44]), servers);
    whole_day(script, phone, Faults::None);
}

fn ticket_day(script: &mut Script) {
    let mut phone = phone(script);
    let asked = phone.ask_addresses(script, seconds(5), true);
    let refused = LongLink::refused(script, &mut phone, asked);
    let mut link = LongLink::open(script, &mut phone, refused + Duration::from_millis(90), true);
    let online = phone.usual_requests(script, link.now());
    phone.expect(script, Action::Login, None, (seconds(5), online));
    link.stay(script, minutes(30));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script, Side::Server);
    surround(script, end, minutes(15));
}

fn reconnect(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = sign_in(script, &mut phone, seconds(5), Faults::None);
    link.stay(script, minutes(14));
    let gone = link.finish(script, Side::Server);
    let mut link = LongLink::open(script, &mut phone, gone + seconds(3), true);
    link.stay(script, minutes(25));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script, Side::Client);
    surround(script, end, minutes(15));
}

fn repeated_requests(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = sign_in(script, &mut phone, seconds(5), Faults::None);
    for _ in 0..3 {
        link.stay(script, minutes(6));
        let gone = link.reset(script);
        let asked = phone.ask_addresses(script, gone + seconds(1), true);
        // Four candidates race for the new long link; one is kept.
        for i in 0..3 {
            let candidate = LongLink::open(script, &mut phone, asked + Duration::from_millis(10 * i), true);
            candidate.reset(script);
        }
        link = LongLink::open(script, &mut phone, asked + Duration::from_millis(70), true);
    }
    link.stay(script, minutes(6));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script, Side::Client);
    surround(script, end, minutes(15));
}

fn silence(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = sign_in(script, &mut phone, seconds(5), Faults::None);
    link.stay(script, minutes(16));
    goes(script, &phone, "timeout", link.now().saturating_sub(minutes(6)), minutes(34));
    let end = link.now();
    surround(script, end, minutes(31));
}

fn reset(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = sign_in(script, &mut phone, seconds(5), Faults::None);
    link.stay(script, minutes(12));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.reset(script);
    surround(script, end, minutes(15));
}

fn signed_out(script: &mut Script) {
    let mut phone = phone(script);
    let mut now = phone.look_up(script, seconds(5));
    for _ in 0..3 {
        now = phone.ask_addresses(script, now, false) + minutes(3);
    }
    surround(script, now, minutes(11));
}

fn midsession(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = LongLink::midway(script, &mut phone, seconds(5));
    link.stay(script, minutes(20));
    let end = link.finish(script, Side::Client);
    surround(script, end, minutes(15));
}

fn legacy_start(script: &mut Script, phone: &mut Phone, login: (&str, u32), signed_in: bool) -> LegacyLink {
    let from = seconds(5);
    let authenticated = legacy_post(script, phone, from, login, signed_in);
    let mut link = LegacyLink::open(script, phone, authenticated + Duration::from_millis(40));
    link.identify(script);
    let mut now = link.now();
    for call in [("newinit", 139), ("newsync", 138), ("statusnotify", 251)] {
        now = legacy_post(script, phone, now + Duration::from_millis(90), call, true);
    }
    phone.expect(script, Action::Login, None, (from, now));
    link
}

fn legacy_day(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = legacy_start(script, &mut phone, ("manualauth", 701), false);
    link.stay(script, minutes(22));
    let from = link.now();
    let to = legacy_post(script, &mut phone, from, ("logout", 282), true);
    phone.expect(script, Action::Logout, Some("message"), (from, to + seconds(2)));
    let end = link.finish(script).max(to);
    surround(script, end, minutes(15));
}

fn legacy_autoauth_day(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = legacy_start(script, &mut phone, ("autoauth", 702), true);
    link.stay(script, minutes(22));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script);
    surround(script, end, minutes(15));
}

fn legacy_link_login(script: &mut Script) {
    let mut phone = phone(script);
    let mut link = LegacyLink::open(script, &mut phone, seconds(5));
    link.login(script);
    link.identify(script);
    phone.expect(script, Action::Login, None, (seconds(5), link.now() + seconds(1)));
    link.stay(script, minutes(15));
    goes(script, &phone, "connection-closed", link.now(), minutes(10));
    let end = link.finish(script);
    surround(script, end, minutes(15));
}

fn legacy_midsession(script: &mut Script) {
    let mut phone = phone(script);
    let mut now = seconds(5);
    phone.expect(script, Action::Seen, None, (now, now + minutes(5)));
    for call in [("mmsnssync", 214), ("getcontactlabellist", 639), ("rtkvreport", 716), ("mmsnssync", 214)] {
        now = legacy_post(script, &mut phone, now, call, true) + seconds(20);
    }
    surround(script, now, minutes(2));
}

fn pc_files(script: &mut Script) {
    let mut phone = phone(script);
    phone.expect(script, Action::Seen, None, (seconds(5), minutes(2)));
    let end = file_network(script, &mut phone, seconds(5));
    surround(script, end, minutes(2));
}

fn web_client(script: &mut Script) {
    let mut phone = phone(script);
    let end = web(script, &mut phone, seconds(5));
    surround(script, end, minutes(11));
}
