//! Policies to measure with.

use dataplane::endpoint::Address;
use dataplane::policy::{Action, AddressRange, Policy, PolicySource, PortRange, RuleSource, ServiceMatch, ZoneId};
use sigdb::Database;

/// A policy's size and kind.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How many, at least 1.
    pub count: u16,
    /// Whether they log sessions.
    pub logging: bool,
}

impl Rules {
    /// So many, all logging sessions.
    pub const fn logging(count: u16) -> Self {
        Self { count, logging: true }
    }
}

/// A policy of so many rules between two ports: the first asks for instant messengers in all that the clients
/// send, so that sessions are shown to the engine on demand; the last permits everything from the clients' side; those
/// between permit clients single services of single networks, and the measured flows match none of them.
///
/// With one rule it permits everything.
pub fn policy(Rules { count, logging }: Rules, signatures: &Database) -> Policy {
    let between = (0..count.saturating_sub(2)).map(narrow);
    let first = (count > 1).then(|| messengers(signatures));
    let rules = first.into_iter().chain(between).chain([permit_all()]);
    let rules = rules.map(|rule| RuleSource { session_logging: logging, ..rule }).collect();
    Policy::compile(PolicySource {
        rules,
        implicit_deny_logging: true,
        full_identification: false,
        zones: vec![CLIENTS, SERVERS],
    })
}

/// A made-up policy of `count` rules (at least 1) none of which refuses anything, the first of them for instant messengers:
/// the measured flows are judged by whichever of them comes first, and pass.
pub fn permits(seed: u64, count: usize, signatures: &Database) -> PolicySource {
    let made_up = crate::rules::Rules::new(seed, count.saturating_sub(1)).source();
    let permitted = made_up.rules.into_iter().map(|rule| RuleSource { action: Action::Permit, ..rule });
    PolicySource { rules: [messengers(signatures)].into_iter().chain(permitted).collect(), ..made_up }
}

/// A rule for instant messengers.
fn messengers(signatures: &Database) -> RuleSource {
    let application = ["qq", "wechat"].iter().filter_map(|name| signatures.by_name(name)).collect();
    RuleSource { application, ..permit_all() }
}

fn narrow(number: u16) -> RuleSource {
    let [high, low] = number.to_be_bytes();
    let range = |first: [u8; 4], last: [u8; 4]| AddressRange { first: Address::v4(first), last: Address::v4(last) };
    let port = 1024 + number % 4000;
    let service = ServiceMatch {
        protocol: Some(if number.is_multiple_of(3) { 17 } else { 6 }),
        source: PortRange::ANY,
        destination: PortRange { first: port, last: port + number % 7 },
    };
    RuleSource {
        source: vec![range([10, high, low, 0], [10, high, low, 255])],
        destination: vec![range([203, 0, high, low], [203, 0, high, low])],
        service: vec![service],
        ..permit_all()
    }
}

fn permit_all() -> RuleSource {
    RuleSource {
        from: vec![CLIENTS],
        to: vec![SERVERS],
        source: vec![],
        destination: vec![],
        service: vec![],
        application: vec![],
        users: 0,
        action: Action::Permit,
        session_logging: true,
        profile: false,
        source_nat: None,
    }
}

const CLIENTS: ZoneId = ZoneId(0);
const SERVERS: ZoneId = ZoneId(1);
