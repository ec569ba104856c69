//! Stories of users, told by sightings.

use std::fmt::Write;

use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{Header, SessionId, WorkerId};
use dataplane::policy::RuleId;
use sigdb::{Confidence, Generation, Sighting, SignOn};

use super::*;

/// A table and what it has reported.
struct Story {
    presence: Presence,
    database: Arc<Database>,
    told: String,
    /// Where the client is.
    client: [u8; 4],
}

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_000_000 * SECOND;

impl Story {
    fn new() -> Self {
        Self::of(100)
    }

    fn of(most: usize) -> Self {
        let database = crate::signatures::shipped();
        let presence = Presence::new(Arc::clone(&database), most, &ImLogging::default());
        Self { presence, database, told: String::new(), client: [10, 0, 0, 1] }
    }

    /// A sighting at a second of the story, in a session; `protocol` as `application:name/transport`.
    fn sees(&mut self, at: u64, session: u64, protocol: &str, sighting: Sighting, account: &str) -> &mut Self {
        let now = self.pass(at);
        let (application, name) = protocol.split_once(':').unwrap();
        let index = self.database.protocols().position(|one| (one.0, one.1) == (application, name)).unwrap();
        let transport = if name.ends_with("udp") { 17 } else { 6 };
        let event = SignOnEvent {
            header: Header::new(WorkerId(0), 1, now),
            session: SessionId(session),
            start: now,
            tuple: Tuple {
                client: Endpoint { address: Address::v4(self.client), port: 4000 },
                server: Endpoint { address: Address::v4([192, 0, 2, 1]), port: 8000 },
                protocol: transport,
                svlan: 0,
                cvlan: 0,
            },
            rule: RuleId(0),
            ports: (0, 1),
            logged: true,
            sign_on: SignOn {
                application: self.database.by_name(application).unwrap(),
                protocol: index as u16,
                database: Generation::default(),
                confidence: Confidence::Certain,
                sighting,
                account: AccountText::from(account).unwrap(),
            },
        };
        let transitions = self.presence.observe(&event);
        self.tell(&transitions);
        self
    }

    /// From now on the client is there.
    fn at(&mut self, client: [u8; 4]) -> &mut Self {
        self.client = client;
        self
    }

    fn pass(&mut self, at: u64) -> Nanos {
        let now = Nanos(START + at * SECOND);
        let transitions = self.presence.advance(now);
        self.tell(&transitions);
        now
    }

    fn tell(&mut self, transitions: &[Transition]) {
        for one in transitions {
            let action = match one.action {
                ImAction::Login => "login",
                ImAction::Logout => "logout",
                ImAction::Seen => "seen",
                ImAction::Result { .. } => "result",
            };
            let at = (one.time.0 - START) / SECOND;
            let account = if one.account.is_empty() { "-" } else { &one.account };
            write!(self.told, "{at} {action} {account} {}", one.reason.text()).unwrap();
            match one.online {
                Some(online) => writeln!(self.told, " {}", online.as_secs()).unwrap(),
                None => writeln!(self.told).unwrap(),
            }
        }
    }

    fn is(&self, expected: &[&str]) {
        assert_eq!(self.told.lines().collect::<Vec<_>>(), expected);
    }
}

const OICQ: &str = "qq:oicq/udp";
const MSF: &str = "qq:msf/tcp";
const LONG: &str = "wechat:long-link/tcp";
const HTTP: &str = "wechat:http/tcp";
use Sighting::{Attempt, Closed, Failure, Identity as Named, KeepAlive, Login, Logout, Mention, Online, Opened};

#[test]
fn one_login_and_one_logout_for_many_of_each() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Attempt, "20001").sees(1, 1, OICQ, Login, "20001").sees(1, 1, OICQ, Login, "20001");
    story.sees(60, 1, OICQ, Online, "20001").sees(120, 1, OICQ, Online, "20001");
    for _ in 0..4 {
        story.sees(130, 1, OICQ, Logout, "20001");
    }
    story.sees(131, 1, OICQ, Online, "20001").pass(2000);
    story.is(&["1 login 20001 message", "130 logout 20001 message 129"]);
}

#[test]
fn a_session_met_in_its_middle_is_seen_and_times_out() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Online, "20001").sees(170, 1, OICQ, Online, "20001").pass(489);
    story.is(&["0 seen 20001 mid-session"]);
    story.pass(491);
    story.is(&["0 seen 20001 mid-session", "490 logout 20001 timeout"]);
    story.sees(600, 1, OICQ, Online, "20001");
    assert!(story.told.ends_with("600 seen 20001 mid-session\n"));
}

#[test]
fn reports_are_one_sighting_and_never_a_logout() {
    let mut story = Story::new();
    for n in 0..29 {
        story.sees(n * 700, n, OICQ, Mention, "20001");
    }
    story.pass(40_000);
    story.is(&["0 seen 20001 mention"]);
    story.sees(40_100, 99, OICQ, Login, "20001");
    assert!(story.told.ends_with("40100 login 20001 message\n"));
}

#[test]
fn an_attempt_alone_is_nothing_and_followed_by_traffic_a_login() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Attempt, "20001").pass(1000);
    story.is(&[]);
    story.sees(1000, 1, OICQ, Attempt, "20001").sees(1030, 2, OICQ, Online, "20001");
    story.is(&["1030 login 20001 message"]);
}

#[test]
fn a_refusal_is_a_result() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Failure, "20001");
    story.is(&["0 result 20001 refused"]);
}

#[test]
fn a_reconnect_within_the_grace_time_is_no_logout() {
    let mut story = Story::new();
    story.sees(0, 1, MSF, Login, "20001").sees(100, 1, MSF, Closed, "20001");
    story.sees(104, 2, MSF, Login, "20001").pass(300);
    story.is(&["0 login 20001 message"]);
    story.sees(400, 2, MSF, Closed, "20001").pass(429);
    story.is(&["0 login 20001 message"]);
    story.pass(431);
    story.is(&["0 login 20001 message", "400 logout 20001 connection-closed 400"]);
}

#[test]
fn lines_of_one_gateway_do_not_replace_each_other() {
    const SIP: &str = "sip:sip/udp";
    let mut story = Story::new();
    story.sees(0, 1, SIP, Attempt, "ada@a.example").sees(0, 1, SIP, Login, "ada@a.example");
    story.sees(1, 1, SIP, Login, "bob@a.example").sees(60, 1, SIP, Login, "ada@a.example");
    story.sees(90, 1, SIP, Logout, "ada@a.example").pass(200);
    story.is(&["0 login ada@a.example message", "1 login bob@a.example message", "90 logout ada@a.example message 90"]);
}

#[test]
fn of_several_connections_the_last_counts() {
    let mut story = Story::new();
    story.sees(0, 1, MSF, Login, "20001").sees(1, 2, MSF, Login, "20001").sees(10, 1, MSF, Closed, "20001").pass(300);
    story.is(&["0 login 20001 message"]);
}

#[test]
fn datagrams_outlive_the_connection() {
    let mut story = Story::new();
    story.sees(0, 1, MSF, Login, "20001").sees(5, 2, OICQ, Online, "20001").sees(10, 1, MSF, Closed, "20001").pass(100);
    story.is(&["0 login 20001 message"]);
}

#[test]
fn another_account_in_the_same_session_replaces_the_first() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Login, "20001").sees(50, 1, OICQ, Login, "20002");
    story.is(&["0 login 20001 message", "50 logout 20001 replaced 50", "50 login 20002 message"]);
}

#[test]
fn two_users_at_one_address_are_two() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Login, "20001").sees(50, 2, OICQ, Login, "20002").sees(60, 1, OICQ, Logout, "20001");
    story.is(&["0 login 20001 message", "50 login 20002 message", "60 logout 20001 message 60"]);
}

#[test]
fn a_logout_without_a_session_is_reported_once() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Logout, "20001").sees(1, 1, OICQ, Logout, "20001").pass(1000);
    story.is(&["0 logout 20001 message"]);
}

#[test]
fn wechat_is_named_beside_its_session() {
    let mut story = Story::new();
    story.sees(0, 1, HTTP, Named, "20001").sees(1, 2, LONG, Opened, "").sees(2, 3, HTTP, Login, "");
    story.sees(300, 2, LONG, KeepAlive, "").sees(400, 4, HTTP, Named, "20001");
    story.sees(500, 2, LONG, Closed, "").sees(503, 5, LONG, Opened, "").pass(600);
    story.is(&["0 login 20001 connection-opened"]);
    story.sees(700, 5, LONG, Closed, "").pass(761);
    story.is(&["0 login 20001 connection-opened", "700 logout 20001 connection-closed 700"]);
}

#[test]
fn wechat_named_after_its_session_began() {
    let mut story = Story::new();
    story.sees(0, 1, LONG, Opened, "").sees(3, 2, HTTP, Named, "20001").pass(60);
    story.is(&["0 login 20001 connection-opened"]);
}

#[test]
fn an_account_named_by_its_login_takes_the_session_without_one() {
    let mut story = Story::new();
    story.sees(0, 1, LONG, Opened, "").sees(1, 2, HTTP, Login, "20001").sees(300, 1, LONG, Closed, "").pass(400);
    story.is(&["1 login 20001 message", "300 logout 20001 connection-closed 299"]);
    let mut story = Story::new();
    story.sees(0, 2, HTTP, Login, "20001").sees(1, 1, LONG, Opened, "").sees(300, 1, LONG, Closed, "").pass(400);
    story.is(&["0 login 20001 message", "300 logout 20001 connection-closed 300"]);
}

#[test]
fn wechat_that_is_only_named_is_seen_after_a_while() {
    let mut story = Story::new();
    story.sees(0, 1, HTTP, Named, "20001").pass(9);
    story.is(&[]);
    story.pass(11);
    story.is(&["0 seen 20001 mid-session"]);
}

#[test]
fn wechat_without_a_name_is_reported_without_one() {
    let mut story = Story::new();
    story.sees(0, 1, LONG, Opened, "").pass(11);
    story.is(&["0 login - connection-opened"]);
    story.sees(20, 2, HTTP, Named, "20001");
    story.is(&["0 login - connection-opened", "20 seen 20001 mid-session"]);
}

#[test]
fn wechat_says_that_nobody_is_signed_in() {
    let mut story = Story::new();
    story.sees(0, 1, HTTP, Named, "").sees(1, 2, LONG, Opened, "").pass(30);
    story.is(&[]);
    story.sees(40, 3, HTTP, Named, "20001").sees(41, 4, LONG, Opened, "").sees(50, 4, LONG, Closed, "");
    story.sees(55, 5, HTTP, Named, "");
    story.is(&["40 login 20001 connection-opened", "55 logout 20001 message 15"]);
}

#[test]
fn silence_on_a_long_link_ends_after_its_limit() {
    let mut story = Story::new();
    story.sees(0, 1, HTTP, Named, "20001").sees(1, 2, LONG, Opened, "").sees(290, 2, LONG, KeepAlive, "").pass(889);
    story.is(&["0 login 20001 connection-opened"]);
    story.pass(891);
    story.is(&["0 login 20001 connection-opened", "890 logout 20001 timeout 890"]);
}

#[test]
fn a_full_table_refuses_and_says_so() {
    let mut story = Story::of(1);
    story.sees(0, 1, OICQ, Login, "20001").sees(0, 2, OICQ, Login, "20002");
    story.is(&["0 login 20001 message"]);
    assert_eq!(story.presence.size(), (1, 1));
    story.pass(10_000);
    assert_eq!(story.presence.size(), (0, 1));
    assert_eq!(story.presence.next_deadline(), None);
}

#[test]
fn what_waits_at_the_end_of_a_capture_is_told() {
    let mut story = Story::new();
    story.sees(0, 1, HTTP, Named, "20001").sees(1, 9, OICQ, Login, "20002");
    let rest = story.presence.finish();
    story.tell(&rest);
    story.is(&["1 login 20002 message", "0 seen 20001 mid-session"]);
    assert_eq!(story.presence.online().count(), 2);
}

#[test]
fn a_connection_that_ends_leaves_the_user_to_the_datagrams_limit() {
    let mut story = Story::new();
    story.sees(0, 1, MSF, Login, "20001").sees(10, 2, OICQ, Online, "20001").sees(20, 1, MSF, Closed, "").pass(329);
    story.is(&["0 login 20001 message"]);
    story.pass(331);
    story.is(&["0 login 20001 message", "330 logout 20001 timeout 330"]);
}

#[test]
fn an_opened_connection_that_names_its_account_later_is_a_login() {
    let mut story = Story::new();
    story.sees(0, 1, "wechat:legacy-long-link/tcp", Opened, "");
    story.sees(1, 1, "wechat:legacy-long-link/tcp", Online, "20001").pass(300);
    story.is(&["1 login 20001 connection-opened"]);
}

const HOME: [u8; 4] = [10, 0, 0, 1];
const AWAY: [u8; 4] = [10, 9, 0, 1];

#[test]
fn who_appears_elsewhere_after_silence_has_moved() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Login, "20001").sees(60, 1, OICQ, Online, "20001");
    story.at(AWAY).sees(200, 2, OICQ, Login, "20001").pass(300);
    story.is(&["0 login 20001 message", "200 logout 20001 moved 200", "200 login 20001 message"]);
    // And back, before the first place is forgotten.
    story.at(HOME).sees(400, 3, OICQ, Login, "20001");
    assert!(story.told.ends_with("400 logout 20001 moved 200\n400 login 20001 message\n"), "{}", story.told);
}

#[test]
fn who_appears_elsewhere_within_the_grace_time_moved_when_the_connection_ended() {
    let mut story = Story::new();
    story.sees(0, 1, MSF, Login, "20001").sees(100, 1, MSF, Closed, "");
    story.at(AWAY).sees(110, 2, MSF, Login, "20001").pass(200);
    story.is(&["0 login 20001 message", "100 logout 20001 moved 100", "110 login 20001 message"]);
}

#[test]
fn an_account_that_lives_at_two_addresses_is_two_users() {
    let mut story = Story::new();
    story.sees(0, 1, OICQ, Login, "20001").sees(60, 1, OICQ, Online, "20001");
    story.at(AWAY).sees(90, 2, OICQ, Login, "20001");
    story.at(HOME).sees(120, 1, OICQ, Online, "20001").sees(130, 1, OICQ, Logout, "20001");
    story.is(&["0 login 20001 message", "90 login 20001 message", "130 logout 20001 message 130"]);
    assert_eq!(story.presence.online().count(), 1);
}

#[test]
fn an_address_has_so_many_users_and_whoever_left_gives_way() {
    let mut story = Story::new();
    let im = ImLogging { users_per_address: 2, ..ImLogging::default() };
    story.presence = Presence::new(Arc::clone(&story.database), 100, &im);
    story.sees(0, 1, OICQ, Login, "20001").sees(1, 2, OICQ, Login, "20002").sees(2, 3, OICQ, Login, "20003");
    story.is(&["0 login 20001 message", "1 login 20002 message"]);
    assert_eq!(story.presence.size(), (2, 1));
    story.sees(3, 1, OICQ, Logout, "20001").sees(4, 3, OICQ, Login, "20003");
    assert!(story.told.ends_with("3 logout 20001 message 3\n4 login 20003 message\n"), "{}", story.told);
    assert_eq!(story.presence.size(), (2, 1));
    // Another address has room of its own.
    story.at(AWAY).sees(5, 4, OICQ, Login, "20004");
    assert_eq!(story.presence.online().count(), 3);
}

#[test]
fn what_only_a_connection_shows_is_said_to_be_so() {
    let mut story = Story::new();
    story.sees(0, 1, LONG, Opened, "").sees(3, 2, HTTP, Named, "20001").pass(60);
    story.is(&["0 login 20001 connection-opened"]);
    let mut story = Story::new();
    story.sees(0, 1, LONG, Opened, "").sees(3, 2, HTTP, Login, "20001").pass(60);
    story.is(&["3 login 20001 message"]);
}
