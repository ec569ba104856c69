//! Users kept over a restart.

use std::sync::Arc;

use super::*;
use crate::config::{self, Compiled, ImLogging};
use crate::presence::im::Transition;
use crate::record::account::{Accounts, PseudonymKeys};
use crate::record::{ImAction, ImReason};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_000_000 * SECOND;

/// A run of the firewall: what it knows of its users.
struct Run {
    compiled: Compiled,
    presence: Presence,
}

fn at(second: u64) -> Nanos {
    Nanos(START + second * SECOND)
}

impl Run {
    fn new(accounts: AccountPolicy) -> Self {
        let mut compiled = config::replay_default(crate::signatures::shipped());
        compiled.im = ImLogging { accounts: Accounts { general: accounts, named: Vec::new() }, ..compiled.im };
        let presence = Presence::new(Arc::clone(&compiled.database), 100, &compiled.im);
        Self { compiled, presence }
    }

    /// What the next run finds, at this second.
    fn keep(&self, second: u64) -> Vec<u8> {
        let mut snapshot = Snapshot::begin(&self.presence);
        // In pieces, however small.
        while !snapshot.copy(&self.presence, &self.compiled.names, 1) {}
        snapshot.encode(at(second))
    }

    fn after(octets: &[u8], accounts: AccountPolicy, second: u64) -> Self {
        let mut run = Self::new(accounts);
        let Compiled { names, database, .. } = &run.compiled;
        run.presence.take_over(octets, names, database, at(second)).unwrap();
        run
    }

    fn sees(&mut self, second: u64, sighting: Sighting, account: &str) -> Vec<Transition> {
        let database = &self.compiled.database;
        let protocol = database.protocols().position(|one| (one.0, one.1) == ("qq", "oicq/udp")).unwrap();
        let end = |address, port| Endpoint { address: Address::v4(address), port };
        let event = SignOnEvent {
            header: Header::new(WorkerId(0), 1, at(second)),
            session: SessionId(5),
            start: at(second),
            tuple: Tuple {
                client: end([10, 0, 0, 1], 4000),
                server: end([192, 0, 2, 1], 8000),
                protocol: 17,
                svlan: 0,
                cvlan: 7,
            },
            rule: RuleId(0),
            ports: (0, 1),
            logged: true,
            sign_on: SignOn {
                application: database.by_name("qq").unwrap(),
                protocol: protocol as u16,
                database: database.generation(),
                confidence: Confidence::Certain,
                sighting,
                account: AccountText::from(account).unwrap(),
            },
        };
        let mut told = self.presence.advance(at(second));
        told.extend(self.presence.observe(&event));
        told
    }
}

fn pseudonym() -> AccountPolicy {
    AccountPolicy::Pseudonym(PseudonymKeys::read(b"0123456789abcdef").unwrap())
}

#[test]
fn who_is_still_there_neither_logs_in_again_nor_is_forgotten() {
    for policy in [AccountPolicy::Clear, pseudonym(), AccountPolicy::Omit] {
        let mut before = Run::new(policy.clone());
        assert_eq!(before.sees(0, Sighting::Login, "20001").len(), 1);
        let octets = before.keep(60);
        let mut after = Run::after(&octets, policy.clone(), 90);
        assert_eq!(after.presence.online().count(), 1);
        assert!(after.sees(100, Sighting::Online, "20001").is_empty(), "{policy:?}");
        assert!(after.sees(150, Sighting::Login, "20001").is_empty(), "a login again is none");
        let gone = after.sees(200, Sighting::Logout, "20001");
        let [logout] = &gone[..] else { panic!("{gone:?}") };
        assert_eq!((logout.action, logout.reason, &logout.account[..]), (ImAction::Logout, ImReason::Message, "20001"));
        assert_eq!(logout.online, Some(Duration::from_secs(200)), "since before the restart");
    }
}

#[test]
fn who_is_not_seen_again_is_logged_out_at_the_limit() {
    for (policy, account) in
        [(AccountPolicy::Clear, Some("20001")), (pseudonym(), None), (AccountPolicy::Omit, Some(""))]
    {
        let mut before = Run::new(policy.clone());
        before.sees(0, Sighting::Login, "20001");
        let octets = before.keep(60);
        let mut after = Run::after(&octets, policy.clone(), 2_000);
        let told = after.presence.advance(at(2_000));
        let [logout] = &told[..] else { panic!("{told:?}") };
        assert_eq!((logout.reason, logout.time), (ImReason::Timeout, at(320)));
        if let Some(account) = account {
            assert_eq!(&logout.account[..], account);
        }
        let written = after.compiled.im.accounts.write("qq", &logout.account, logout.kept);
        assert_eq!(written, policy.apply("20001"), "as a record before the restart had it");
        assert_eq!(&**after.compiled.names.rule(logout.context.rule), "replay");
        assert_eq!((logout.context.tuple.cvlan, logout.context.ports), (7, (0, 1)));
    }
}

#[test]
fn what_is_kept_shows_no_account_that_records_may_not_have() {
    for (policy, shown) in [(AccountPolicy::Clear, true), (pseudonym(), false), (AccountPolicy::Omit, false)] {
        let mut run = Run::new(policy.clone());
        run.sees(0, Sighting::Login, "20001");
        let found = run.keep(1).windows(5).any(|window| window == b"20001");
        assert_eq!(found, shown, "{policy:?}");
        // Nor after one more restart.
        let next = Run::after(&run.keep(1), policy, 2);
        assert_eq!(next.keep(3).windows(5).any(|window| window == b"20001"), shown);
    }
}

#[test]
fn who_was_not_reported_is_not_kept() {
    let mut run = Run::new(AccountPolicy::Clear);
    run.sees(0, Sighting::Attempt, "20001");
    run.sees(0, Sighting::Logout, "20002");
    let octets = run.keep(1);
    assert_eq!(Run::after(&octets, AccountPolicy::Clear, 2).presence.size().0, 0);
}

#[test]
fn what_is_damaged_or_lies_in_the_future_is_left_alone() {
    let mut run = Run::new(AccountPolicy::Clear);
    run.sees(0, Sighting::Login, "20001");
    let octets = run.keep(60);
    let mut next = Run::new(AccountPolicy::Clear);
    let mut take = |octets: &[u8], second| {
        let Compiled { names, database, .. } = &next.compiled;
        next.presence.take_over(octets, names, database, at(second))
    };
    assert_eq!(take(&octets, 30), Err(StoreError::Clock(30)));
    for end in 0..octets.len() {
        assert_eq!(take(&octets[..end], 60), Err(StoreError::Damaged), "cut at {end}");
    }
    for place in 0..octets.len() {
        let mut changed = octets.clone();
        changed[place] ^= 1;
        assert_eq!(take(&changed, 60), Err(StoreError::Damaged), "changed at {place}");
    }
    assert_eq!(take(&octets, 60), Ok(1));
}
