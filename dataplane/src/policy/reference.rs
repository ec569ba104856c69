//! The classifier's slow and obvious twin, and the test that they agree.

use proptest::prelude::*;
use sigdb::AppId;

use super::random::Dice;
use super::*;

/// What [`Policy::decide`] must say.
fn decide(policy: &Policy, query: &Query) -> Decision {
    let first = policy.source().rules.iter().position(|rule| rule.misfits(query).is_empty());
    let Some(index) = first else {
        let session_logging = policy.source().implicit_deny_logging;
        let (rule, action) = (RuleId::IMPLICIT, Action::Deny);
        return Decision { rule, action, inspect: false, session_logging, tentative: false };
    };
    let rule = &policy.source().rules[index];
    let tentative = !rule.application.is_empty() && query.application == Application::Undecided;
    Decision {
        rule: RuleId(index as u16),
        action: if tentative { Action::Permit } else { rule.action },
        inspect: !rule.application.is_empty() || rule.profile || policy.source().full_identification,
        session_logging: rule.session_logging,
        tentative,
    }
}

/// Few values, so that rules and queries meet.
fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0u8..6).prop_map(|last| Address::v4([10, 0, 0, last])),
        (0u8..6).prop_map(|last| {
            let mut octets = [0; 16];
            (octets[0], octets[15]) = (0x20, last);
            Address(octets)
        }),
        Just(Address([0; 16])),
        Just(Address([0xff; 16])),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..8, Just(u16::MAX), Just(u16::MAX - 1)]
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop_oneof![Just(PortRange::ANY), (port(), port()).prop_map(|(first, last)| PortRange { first, last })]
}

fn service() -> impl Strategy<Value = ServiceMatch> {
    let protocol = prop::option::of(prop_oneof![Just(1u8), Just(6), Just(17), Just(255)]);
    (protocol, ports(), ports()).prop_map(|(protocol, source, destination)| ServiceMatch {
        protocol,
        source,
        destination,
    })
}

fn rule() -> impl Strategy<Value = RuleSource> {
    let zones = || prop::collection::vec((0u8..3).prop_map(ZoneId), 0..3);
    let range = || (address(), address()).prop_map(|(first, last)| AddressRange { first, last });
    let addresses = || prop::collection::vec(range(), 0..4);
    let action = prop_oneof![Just(Action::Permit), Just(Action::Deny), Just(Action::Reset)];
    let services = prop::collection::vec(service(), 0..4);
    let applications = prop::collection::vec((1u16..4).prop_map(AppId), 0..3);
    let others = (any::<(bool, bool)>(), labels());
    (zones(), zones(), addresses(), addresses(), services, applications, action, others).prop_map(
        |(from, to, source, destination, service, application, action, ((session_logging, profile), users))| {
            RuleSource {
                from,
                to,
                source,
                destination,
                service,
                application,
                users,
                action,
                session_logging,
                profile,
                source_nat: None,
            }
        },
    )
}

/// Of a rule mostly none, of an address too.
fn labels() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 2 => 0u64..8, 1 => Just(1 << 62)]
}

fn query() -> impl Strategy<Value = Query> {
    let application = prop_oneof![
        Just(Application::Undecided),
        Just(Application::Unknown),
        (1u16..4).prop_map(|number| Application::Named(AppId(number))),
    ];
    let protocol = prop_oneof![Just(1u8), Just(6), Just(17), Just(47), Just(255)];
    ((0u8..4, 0u8..4), address(), address(), protocol, (port(), port()), application, labels()).prop_map(
        |((from, to), source, destination, protocol, (source_port, destination_port), application, labels)| Query {
            from: ZoneId(from),
            to: ZoneId(to),
            source,
            destination,
            protocol,
            source_port,
            destination_port,
            application,
            labels,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_classifier_agrees_with_its_slow_twin(
        rules in prop::collection::vec(rule(), 0..80),
        queries in prop::collection::vec(query(), 1..60),
        implicit_deny_logging: bool,
        full_identification: bool,
    ) {
        let zones = Vec::new();
        let policy = Policy::compile(PolicySource { rules, implicit_deny_logging, full_identification, zones });
        for query in &queries {
            prop_assert_eq!(policy.decide(query), decide(&policy, query), "{:?}", query);
        }
    }
}

/// Of every size at which the tables change their shape: a word, a piece, a word of the summary.
#[test]
fn a_million_lookups_in_made_up_policies_agree() {
    const SIZES: [usize; 12] = [1, 5, 20, 63, 64, 65, 200, 511, 512, 513, 1_500, 4_200];
    const LOOKUPS: usize = 1_000_000;
    let mut matched = 0;
    for (seed, size) in SIZES.iter().cycle().take(2 * SIZES.len()).enumerate() {
        let mut dice = Dice::new(seed as u64);
        let policy = Policy::compile(dice.policy(*size));
        for _ in 0..LOOKUPS.div_ceil(2 * SIZES.len()) {
            let query = dice.query(&policy.source().rules);
            let expected = decide(&policy, &query);
            assert_eq!(policy.decide(&query), expected, "seed {seed}, {size} rules: {query:?}");
            matched += u64::from(expected.rule != RuleId::IMPLICIT);
        }
    }
    // Of the queries that match something, there are enough to mean something; and of the others.
    assert!((300_000..950_000).contains(&matched), "{matched}");
}

#[test]
fn a_policy_that_is_too_large_is_refused() {
    let source = |rules: Vec<RuleSource>| PolicySource {
        rules,
        implicit_deny_logging: false,
        full_identification: false,
        zones: vec![],
    };
    let rule = |source: Vec<AddressRange>| RuleSource { source, ..RuleSource::any(Action::Permit) };
    let (found, limit) = (Policy::RULE_LIMIT + 1, Policy::RULE_LIMIT);
    let refused = Policy::build(source(vec![rule(vec![]); found])).map(|_| ());
    assert_eq!(refused, Err(TooLarge::Rules { found, limit }));

    let address = |number: u32| Address::v4(number.to_be_bytes());
    let single = |number| AddressRange { first: address(number), last: address(number) };
    let many: Vec<AddressRange> = (0..1_001).map(single).collect();
    let refused = Policy::build(source(vec![rule(many); 2_000])).map(|_| ());
    assert_eq!(refused, Err(TooLarge::Items { found: 2_002_000, limit: Policy::ITEM_LIMIT }));

    // Ranges that all overlap and all end elsewhere make a set for each.
    let nested = |number| vec![AddressRange { first: address(number), last: address(u32::MAX - number) }];
    let rules: Vec<RuleSource> = (0..2_000).map(|number| rule(nested(number))).collect();
    let refused = Classifier::compile(&rules, 100_000).map(|_| ());
    assert_eq!(refused, Err(TooLarge::Memory { limit: 100_000 }));
    let taken = Classifier::compile(&rules, 5_000_000).map(|classifier| classifier.memory());
    assert!(taken.is_ok_and(|octets| (100_000..5_000_000).contains(&octets)));
}

#[test]
fn a_rule_may_have_another_number_than_its_place() {
    let mut policy = Policy::compile(Dice::new(5).policy(3));
    let query = Dice::new(9).query(&policy.source().rules);
    let (before, actions) = (policy.decide(&query), [0, 1, 2].map(|place| policy.source().rules[place].action));
    let numbers = [RuleId(7), RuleId(0), RuleId(3)];
    policy.renumber(numbers);
    let expected = numbers.get(usize::from(before.rule.0)).copied().unwrap_or(RuleId::IMPLICIT);
    assert_eq!(policy.decide(&query), Decision { rule: expected, ..before });
    assert_eq!(numbers.map(|number| policy.action(number)), actions);
    assert_eq!((policy.action(RuleId(1)), policy.action(RuleId(8))), (Action::Deny, Action::Deny));
    assert_eq!((policy.number(1), policy.number(3)), (RuleId(0), RuleId::IMPLICIT));
}
