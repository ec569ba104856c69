//! Conversations as the machine reads them.

use proptest::prelude::*;

use super::samples::{SECRET, accounting as accounted, answer_to, attribute, message, request, sight, signed};
use super::*;
use crate::access::{RadiusClient, Text};

const NAS: &str = "192.0.2.9:40000";
const SERVER: &str = "198.51.100.1:1812";

/// The machine, a clock, and what it counted.
struct Bench {
    radius: Radius,
    settings: AccessSettings,
    now: Nanos,
    tally: Tally,
}

impl Bench {
    /// Without secrets.
    fn new() -> Self {
        let settings = AccessSettings {
            sources: vec![Source::Radius],
            ports: vec![1812, 1813],
            believes_unknown: true,
            seed: 5,
            ..AccessSettings::default()
        };
        let radius = Radius::new(crate::access::ROOM);
        Self { radius, settings, now: Nanos::from_parts(1_800_000_000, 0), tally: Tally::default() }
    }

    /// Knowing the secret of `192.0.2.0/24`.
    fn with_secret() -> Self {
        let mut bench = Self::new();
        bench.settings.clients.push(RadiusClient {
            name: "bras".into(),
            networks: vec![(Address::v4([192, 0, 2, 0]), 120)],
            secret: SECRET.into(),
            believes_unverified: false,
        });
        bench
    }

    fn see(&mut self, source: &str, destination: &str, payload: &[u8]) -> Option<AccessEvent> {
        let (mut found, at) = (Found::new(), sight(source, destination));
        self.radius.datagram(&self.settings, self.now, &at, payload, &mut self.tally, &mut found);
        assert!(found.len() <= 1);
        found.pop()
    }

    fn ask(&mut self, payload: &[u8]) -> Option<AccessEvent> {
        self.see(NAS, SERVER, payload)
    }

    fn reply(&mut self, payload: &[u8]) -> Option<AccessEvent> {
        self.see(SERVER, NAS, payload)
    }

    fn wait(&mut self, seconds: u64) -> Vec<AccessEvent> {
        self.now = self.now + Duration::from_secs(seconds);
        let mut all = Vec::new();
        for _ in 0..200 {
            let mut found = Found::new();
            self.radius.turn(&self.settings, self.now, &mut self.tally, &mut found);
            all.extend(found);
        }
        all
    }
}

fn access(id: u8, name: &str) -> Vec<u8> {
    message(ACCESS_REQUEST, id, &attribute(1, name))
}

fn answered(request: &[u8], code: u8, attributes: &[u8]) -> Vec<u8> {
    answer_to(&Message::parse(request).unwrap(), code, attributes, SECRET)
}

fn name(event: &AccessEvent) -> &str {
    std::str::from_utf8(event.texts.get(Text::User)).unwrap()
}

#[test]
fn an_accept_is_a_result_of_who_was_asked_for() {
    let mut bench = Bench::new();
    let asked = message(ACCESS_REQUEST, 7, &[attribute(1, "alice"), attribute(32, "bras1")].concat());
    assert!(bench.ask(&asked).is_none());
    let accept = answered(&asked, ACCESS_ACCEPT, &[attribute(25, "gold"), attribute(8, [10, 0, 0, 9])].concat());
    let event = bench.reply(&accept).unwrap();
    assert_eq!((event.kind, event.code), (AccessKind::Result { success: true }, ResultCode::Accepted));
    assert_eq!(
        (name(&event), event.texts.get(Text::NasId), event.texts.get(Text::Class)),
        ("alice", &b"bras1"[..], &b"gold"[..])
    );
    assert_eq!((event.ipv4, event.trust, event.session), (Some([10, 0, 0, 9]), Trust::NoSecret, 0));
    assert_eq!((event.ends.0.port, event.ends.1.port, event.ports), (40000, 1812, (2, 3)));
    assert!(bench.reply(&accept).is_none(), "an answer that is repeated says nothing");
    assert!(bench.ask(&asked).is_none(), "nor does a request that was answered");
    let expected = Tally { radius_requests: 2, radius_answers: 2, ..Tally::default() };
    assert_eq!(bench.tally, expected);
}

#[test]
fn a_reject_says_why_and_the_name_of_an_accept_replaces_the_other() {
    let mut bench = Bench::new();
    let asked = access(1, "mallory");
    bench.ask(&asked);
    let text = [attribute(18, "no "), attribute(18, "way")].concat();
    let event = bench.reply(&answered(&asked, ACCESS_REJECT, &text)).unwrap();
    assert_eq!((event.kind, event.code), (AccessKind::Result { success: false }, ResultCode::Rejected));
    assert_eq!((name(&event), event.texts.get(Text::Message)), ("mallory", &b"no way"[..]));
    let asked = access(2, &"a".repeat(253));
    bench.ask(&asked);
    let other = "b".repeat(253);
    let event = bench.reply(&answered(&asked, ACCESS_ACCEPT, &attribute(1, &other))).unwrap();
    assert_eq!(name(&event), other);
}

#[test]
fn a_challenge_is_neither_and_a_lone_answer_is_not_believed() {
    let mut bench = Bench::new();
    let first = access(1, "bob");
    bench.ask(&first);
    assert!(bench.reply(&answered(&first, ACCESS_CHALLENGE, &attribute(24, "s"))).is_none());
    let lone = access(2, "bob");
    assert!(bench.reply(&answered(&lone, ACCESS_ACCEPT, &[])).is_none());
    assert_eq!(bench.tally, Tally { radius_requests: 1, radius_answers: 1, radius_unmatched: 1, ..Tally::default() });
    bench.ask(&lone);
    assert!(bench.see("198.51.100.2:1812", NAS, &answered(&lone, ACCESS_ACCEPT, &[])).is_none(), "nor a stranger's");
    assert!(bench.reply(&answered(&lone, ACCOUNTING_RESPONSE, &[])).is_none());
    assert!(bench.reply(&answered(&lone, ACCESS_ACCEPT, &[])).is_some());
}

#[test]
fn an_access_server_without_random_numbers_is_heard() {
    let mut bench = Bench::new();
    for who in ["alice", "bob"] {
        let mut asked = access(1, who);
        asked[4..20].fill(0);
        bench.ask(&asked);
        assert_eq!(name(&bench.reply(&answered(&asked, ACCESS_ACCEPT, &[])).unwrap()), who);
        assert!(bench.ask(&asked).is_none());
        assert!(bench.reply(&answered(&asked, ACCESS_ACCEPT, &[])).is_none());
    }
}

#[test]
fn accounting_is_told_once_and_at_the_request() {
    let mut bench = Bench::with_secret();
    let start = accounted(&[attribute(1, "carol"), attribute(40, [0, 0, 0, 1]), attribute(44, "x")].concat(), SECRET);
    let event = bench.ask(&start).unwrap();
    assert_eq!((event.kind, event.trust, name(&event)), (AccessKind::Login { more: false }, Trust::Verified, "carol"));
    assert!(bench.ask(&start).is_none(), "the same again");
    assert!(bench.reply(&answered(&start, ACCOUNTING_RESPONSE, &[])).is_none());
    let stop =
        accounted(&[attribute(40, [0, 0, 0, 2]), attribute(44, "x"), attribute(49, [0, 0, 0, 1])].concat(), SECRET);
    let gone = bench.ask(&stop).unwrap();
    assert_eq!((gone.kind, gone.session, gone.cause), (AccessKind::Logout, event.session, 1));
    let off = bench.ask(&accounted(&attribute(40, [0, 0, 0, 8]), SECRET)).unwrap();
    assert_eq!((off.kind, off.nas), (AccessKind::NasGone, Some(Address::v4([192, 0, 2, 9]))));
    assert_eq!(bench.tally, Tally { radius_requests: 4, radius_answers: 1, ..Tally::default() });
}

#[test]
fn a_wrong_secret_is_forged_and_told_ten_times_a_second_at_most() {
    let mut bench = Bench::with_secret();
    let start = accounted(&[attribute(1, "eve"), attribute(40, [0, 0, 0, 1])].concat(), b"wrong");
    let event = bench.ask(&start).unwrap();
    assert_eq!((event.kind, event.texts.get(Text::User)), (AccessKind::Forged, &b""[..]));
    assert_eq!((event.ends.0.port, event.nas), (40000, Some(Address::v4([192, 0, 2, 9]))));
    assert!((0..1000).all(|_| bench.ask(&start).is_none()));
    assert_eq!(bench.tally.radius_forged, 1001);
    // The others are told together, a while later.
    let told = bench.wait(1);
    let volume = told[0].traffic.unwrap()[0];
    assert_eq!((told.len(), told[0].kind), (1, AccessKind::Forged));
    assert_eq!((volume.packets, volume.octets), (1_000, 1_000 * (28 + start.len() as u64)));
    assert!(bench.wait(1).is_empty());
    assert!(bench.ask(&start).is_some());
    // A forged answer does not end the wait for the right one.
    let asked = access(4, "dave");
    bench.ask(&asked);
    bench.wait(1);
    let forged = answer_to(&Message::parse(&asked).unwrap(), ACCESS_REJECT, &[], b"wrong");
    assert_eq!(bench.reply(&forged).unwrap().kind, AccessKind::Forged);
    let event = bench.reply(&answered(&asked, ACCESS_ACCEPT, &[])).unwrap();
    assert_eq!((event.kind, event.trust), (AccessKind::Result { success: true }, Trust::Verified));
}

#[test]
fn who_has_no_secret_is_believed_only_where_that_is_wanted() {
    let mut bench = Bench::with_secret();
    bench.settings.believes_unknown = false;
    let start = accounted(&attribute(40, [0, 0, 0, 1]), SECRET);
    assert!(bench.see("203.0.113.5:1", SERVER, &start).is_none());
    let asked = access(1, "x");
    assert!(bench.see("203.0.113.5:1", SERVER, &asked).is_none());
    assert!(bench.see(SERVER, "203.0.113.5:1", &answered(&asked, ACCESS_ACCEPT, &[])).is_none());
    assert_eq!(
        bench.tally,
        Tally { radius_requests: 2, radius_unverified: 2, radius_unmatched: 1, ..Tally::default() }
    );
}

#[test]
fn a_request_that_is_put_in_anothers_place_takes_nobodys_answer() {
    let [genuine, put] = ["alice", "ceo"].map(|name| access(3, name));
    let mut bench = Bench::new();
    bench.ask(&genuine);
    bench.ask(&put);
    assert!(bench.reply(&answered(&genuine, ACCESS_ACCEPT, &[])).is_none(), "whose it is cannot be told");
    assert_eq!(bench.tally.radius_unverified, 1);
    let mut bench = Bench::with_secret();
    bench.ask(&genuine);
    bench.ask(&put);
    assert_eq!(name(&bench.reply(&answered(&genuine, ACCESS_ACCEPT, &[])).unwrap()), "alice");
}

#[test]
fn silence_is_a_result_once_it_was_asked_three_times_and_half_a_minute_passed() {
    let mut bench = Bench::new();
    let asked = access(1, "frank");
    bench.ask(&asked);
    assert!(bench.wait(40).is_empty(), "one request without an answer is none");
    let asked = access(2, "grace");
    bench.ask(&asked);
    for _ in 0..2 {
        assert!(bench.wait(10).is_empty());
        bench.ask(&asked);
    }
    assert!(bench.wait(9).is_empty());
    let told = bench.wait(1);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].code, told[0].kind, name(&told[0])),
        (ResultCode::Timeout, AccessKind::Result { success: false }, "grace")
    );
    assert!(bench.wait(2).is_empty());
    assert!(bench.ask(&asked).is_none());
    // Late is better than never.
    assert_eq!(bench.reply(&answered(&asked, ACCESS_ACCEPT, &[])).unwrap().code, ResultCode::Accepted);
    assert!(bench.wait(100).is_empty());
}

#[test]
fn silence_on_what_cannot_be_verified_is_only_counted() {
    let mut bench = Bench::with_secret();
    let signed = signed(ACCESS_REQUEST, &attribute(1, "heidi"), None, SECRET);
    for _ in 0..4 {
        bench.ask(&access(1, "ivan"));
        bench.ask(&signed);
        bench.wait(3);
    }
    let told = bench.wait(30);
    assert_eq!(told.iter().map(name).collect::<Vec<_>>(), ["heidi"]);
    assert_eq!((told[0].trust, bench.tally.radius_unverified), (Trust::Verified, 1));
}

#[test]
fn who_is_disconnected_is_gone_once_the_access_server_agrees() {
    let mut bench = Bench::with_secret();
    let (server, nas) = ("198.51.100.1:50000", "192.0.2.9:3799");
    let start = accounted(&[attribute(40, [0, 0, 0, 1]), attribute(44, "s1")].concat(), SECRET);
    let session = bench.ask(&start).unwrap().session;
    let ask = |id, attributes: &[u8]| request(DISCONNECT_REQUEST, id, attributes, SECRET);
    let agreed = ask(1, &attribute(44, "s1"));
    assert!(bench.see(server, nas, &agreed).is_none());
    let event = bench.see(nas, server, &answered(&agreed, DISCONNECT_ACK, &[])).unwrap();
    assert_eq!((event.kind, event.session, event.cause), (AccessKind::Logout, session, 6));
    assert_eq!(event.ports, (3, 2), "the access server's side first");
    let refused = ask(2, &attribute(44, "s1"));
    bench.see(server, nas, &refused);
    assert!(bench.see(nas, server, &answered(&refused, DISCONNECT_NAK, &[])).is_none());
    let nobody = ask(3, &attribute(6, [0, 0, 0, 17]));
    bench.see(server, nas, &nobody);
    assert!(bench.see(nas, server, &answered(&nobody, DISCONNECT_ACK, &[])).is_none());
    let forged = request(DISCONNECT_REQUEST, 4, &attribute(44, "s1"), b"wrong");
    assert_eq!(bench.see(server, nas, &forged).unwrap().kind, AccessKind::Forged);
}

#[test]
fn passwords_are_in_no_event() {
    let mut bench = Bench::new();
    let secrets =
        [attribute(2, "PASSWORDPASSWORD"), attribute(3, "\u{1}PASSWORDPASSWORD"), attribute(79, "PASSWORD")].concat();
    let asked = message(ACCESS_REQUEST, 1, &[attribute(1, "judy"), secrets.clone()].concat());
    bench.ask(&asked);
    let event = bench.reply(&answered(&asked, ACCESS_ACCEPT, &secrets)).unwrap();
    assert!(!format!("{event:?}").contains("PASSWORD"));
}

proptest! {
    /// Any octets, some of them nearly messages: nothing panics, and what contradicts itself tells nothing and leaves nothing.
    #[test]
    fn what_is_malformed_is_never_believed(
        datagrams in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..60), prop::sample::select(vec![1_u8, 2, 3, 4, 5, 11, 40, 41, 43, 44]),
             any::<prop::sample::Index>(), any::<u8>(), any::<bool>()),
            1..40,
        ),
    ) {
        let mut bench = Bench::new();
        for (rest, code, at, octet, asks) in datagrams {
            let attributes = [attribute(1, "name"), attribute(40, [0, 0, 0, 1]), rest].concat();
            let mut octets = message(code, 1, &attributes);
            let at = at.index(octets.len());
            octets[at] = octet;
            let is_well_formed = Message::parse(&octets).is_some();
            let before = bench.tally;
            let told = if asks { bench.ask(&octets) } else { bench.reply(&octets) };
            prop_assert!(is_well_formed || told.is_none());
            prop_assert_eq!(bench.tally.malformed - before.malformed, u64::from(!is_well_formed));
        }
    }

    /// Every sign-on of many that are mixed, repeated and lost is told once if its answer came, and never otherwise.
    #[test]
    fn each_answered_request_is_told_once(steps in prop::collection::vec((0..20_u8, any::<bool>(), 0..3_u8), 1..150), verified: bool) {
        let mut bench = if verified { Bench::with_secret() } else { Bench::new() };
        let (mut asked, mut told) = ([false; 20], [0; 20]);
        for (id, asks, times) in steps {
            let (who, id) = (format!("user{id}"), usize::from(id));
            let request = access(id as u8, &who);
            for _ in 0..times {
                if asks {
                    asked[id] = true;
                    prop_assert!(bench.ask(&request).is_none());
                } else if let Some(event) = bench.reply(&answered(&request, ACCESS_ACCEPT, &[])) {
                    prop_assert!(asked[id]);
                    prop_assert_eq!(name(&event), who.as_str());
                    told[id] += 1;
                }
            }
        }
        prop_assert!(told.iter().all(|count| *count <= 1));
        for id in 0..20_u8 {
            let request = access(id, &format!("user{id}"));
            let is_told = bench.reply(&answered(&request, ACCESS_ACCEPT, &[])).is_some();
            prop_assert_eq!(is_told, asked[usize::from(id)] && told[usize::from(id)] == 0);
        }
    }
}

#[test]
fn a_question_tells_how_many_proxies_it_passed() {
    let mut bench = Bench::new();
    for proxies in 0..3 {
        let state = attribute(33, "x").repeat(usize::from(proxies));
        let asked = message(ACCESS_REQUEST, proxies, &[attribute(1, "alice"), state.clone()].concat());
        bench.ask(&asked);
        let event = bench.reply(&answered(&asked, ACCESS_REJECT, &state)).unwrap();
        assert_eq!(event.proxies, proxies);
    }
}

/// Questions that nobody answers, each of another port: as many as there is room for are kept, and the others counted.
#[test]
fn a_flood_of_questions_is_bounded_and_counted() {
    let mut bench = Bench::new();
    for number in 0..100_000_u32 {
        let source = format!("192.0.2.{}:{}", number / 50_000, 10_000 + number % 50_000);
        assert!(bench.see(&source, SERVER, &access(number as u8, "flood")).is_none());
        let answer = message(ACCESS_ACCEPT, number as u8, &[]);
        assert!(bench.see(SERVER, &format!("198.51.100.9:{}", 10_000 + number % 50_000), &answer).is_none());
    }
    let expected = Tally {
        radius_requests: 100_000,
        radius_unmatched: 100_000,
        radius_evicted: 100_000 - crate::access::ROOM as u64,
        ..Tally::default()
    };
    assert_eq!(bench.tally, expected);
    // Each was sent once: that says nothing of the server.
    assert!(bench.wait(60).is_empty());
}
