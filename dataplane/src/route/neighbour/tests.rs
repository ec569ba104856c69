//! What time and others' claims do to a neighbour.

use super::*;

const HOST: Address = Address::v4([192, 0, 2, 9]);
const PORT: PortId = PortId(1);
const OLD: Mac = Mac([2, 0, 0, 0, 0, 9]);
const HELD: Held = Held::new(PortId(0), true);
const NEW: Mac = Mac([2, 0, 0, 0, 0, 10]);

struct Lab {
    table: Neighbours,
    now: Nanos,
}

impl Lab {
    fn new(capacity: usize) -> Self {
        Self { table: Neighbours::new(capacity, 1514), now: Nanos::from_parts(1_800_000_000, 0) }
    }

    fn claim(&mut self, mac: Mac, answers: bool) -> Learned {
        let claim = Claim { port: PORT, address: HOST, mac: Some(mac), asks_us: false, answers, overrides: true };
        self.table.learn(self.now, &claim)
    }

    fn resolve(&mut self) -> Resolution {
        self.table.resolve(self.now, PORT, HOST)
    }

    /// What falls due within so many seconds, looked at every tenth of one.
    fn pass(&mut self, seconds: u64) -> Vec<Due> {
        let mut all = Vec::new();
        for _ in 0..seconds * 10 {
            self.now = self.now + Duration::from_millis(100);
            let mut budget = self.table.capacity();
            while let Some(due) = self.table.sweep(self.now, &mut budget) {
                all.push(due);
            }
        }
        all
    }

    fn known(&mut self, mac: Mac) {
        assert!(matches!(self.resolve(), Resolution::Wait { ask: true, .. }));
        assert!(matches!(self.claim(mac, true), Learned::Resolved(_)));
    }
}

const fn ask(to: Option<Mac>) -> Due {
    Due::Ask { port: PORT, address: HOST, to }
}

#[test]
fn what_waits_goes_when_the_answer_comes() {
    let mut lab = Lab::new(64);
    let Resolution::Wait { id, ask: true } = lab.resolve() else { panic!() };
    assert!((0..8).all(|number| lab.table.hold(id, HELD, &[number])) && !lab.table.hold(id, HELD, &[8]));
    assert_eq!(lab.resolve(), Resolution::Wait { id, ask: false });
    assert_eq!(lab.claim(OLD, true), Learned::Resolved(id));
    let mut out = Vec::new();
    while let Some((_, frame)) = lab.table.release(id) {
        out.extend_from_slice(frame);
    }
    assert_eq!(out, (0..8).collect::<Vec<u8>>());
    assert_eq!(lab.resolve(), Resolution::Ready(OLD));
}

#[test]
fn who_does_not_answer_is_asked_three_times_and_then_left_alone() {
    let mut lab = Lab::new(64);
    let Resolution::Wait { id, ask: true } = lab.resolve() else { panic!() };
    assert!(lab.table.hold(id, HELD, b"lost"));
    assert_eq!(lab.pass(3), [ask(None), ask(None), Due::Lost(id)]);
    assert!(lab.table.release(id).is_some());
    assert_eq!(lab.resolve(), Resolution::Unreachable);
    assert_eq!(lab.pass(2), []);
    assert_eq!(lab.resolve(), Resolution::Unreachable);
    assert_eq!(lab.pass(2), []);
    assert!(lab.table.is_empty());
    assert!(matches!(lab.resolve(), Resolution::Wait { ask: true, .. }));
}

#[test]
fn a_neighbour_in_use_is_confirmed_and_one_that_is_gone_forgotten() {
    let mut lab = Lab::new(64);
    lab.known(OLD);
    assert_eq!(lab.pass(31), []);
    assert_eq!(lab.resolve(), Resolution::Ready(OLD));
    assert_eq!(lab.pass(1), [ask(Some(OLD))]);
    lab.claim(OLD, true);
    assert_eq!(lab.pass(31), []);
    assert_eq!(lab.resolve(), Resolution::Ready(OLD));
    assert_eq!(lab.pass(4), [ask(Some(OLD)); 3]);
    assert!(lab.table.is_empty());
    // One that nothing is sent to goes without a word.
    lab.known(OLD);
    assert_eq!(lab.pass(700), []);
    assert!(lab.table.is_empty());
}

#[test]
fn another_that_claims_the_address_is_believed_only_if_it_answers() {
    let mut lab = Lab::new(64);
    lab.known(OLD);
    // Straight after the answer a second one is not heard.
    assert_eq!(lab.claim(NEW, true), Learned::Quiet);
    assert_eq!(lab.pass(2), []);
    assert_eq!(lab.claim(NEW, false), Learned::Contested);
    assert_eq!((lab.resolve(), lab.claim(NEW, false)), (Resolution::Ready(OLD), Learned::Quiet));
    lab.claim(OLD, true);
    assert_eq!((lab.resolve(), lab.pass(2)), (Resolution::Ready(OLD), vec![]));
    // The other way: the old one is gone.
    assert_eq!(lab.claim(NEW, false), Learned::Contested);
    lab.claim(NEW, true);
    assert_eq!((lab.resolve(), lab.pass(2)), (Resolution::Ready(NEW), vec![]));
    // Nobody answers: everybody is asked, then it is forgotten.
    assert_eq!(lab.claim(OLD, false), Learned::Contested);
    assert_eq!(lab.pass(4), [ask(None), ask(None)]);
    assert!(lab.table.is_empty());
}

#[test]
fn only_who_asks_us_is_remembered_unasked() {
    let mut lab = Lab::new(64);
    assert_eq!((lab.claim(OLD, true), lab.claim(OLD, false), lab.table.len()), (Learned::Quiet, Learned::Quiet, 0));
    let asks = Claim { port: PORT, address: HOST, mac: Some(OLD), asks_us: true, answers: false, overrides: true };
    assert_eq!((lab.table.learn(lab.now, &asks), lab.table.len()), (Learned::Quiet, 1));
    assert_eq!(lab.resolve(), Resolution::Ready(OLD));
    assert_eq!(lab.pass(1), [ask(Some(OLD))]);
}

#[test]
fn a_scan_takes_no_place_of_who_is_known() {
    let mut lab = Lab::new(8);
    lab.known(OLD);
    for last in 10..=255 {
        let (port, address) = (PORT, Address::v4([192, 0, 2, last]));
        let Resolution::Wait { id, ask: true } = lab.table.resolve(lab.now, port, address) else { panic!() };
        assert!(lab.table.hold(id, HELD, b"scan"));
    }
    assert_eq!((lab.resolve(), lab.table.len()), (Resolution::Ready(OLD), 8));
    // Where all are known there is no room.
    let mut lab = Lab::new(8);
    for last in 1..=8 {
        let (port, address) = (PORT, Address::v4([192, 0, 2, last]));
        lab.table.resolve(lab.now, port, address);
        let claim = Claim { port, address, mac: Some(OLD), asks_us: false, answers: true, overrides: true };
        assert!(matches!(lab.table.learn(lab.now, &claim), Learned::Resolved(_)));
    }
    assert_eq!(lab.resolve(), Resolution::Full);
    assert_eq!(Neighbours::new(0, 0).resolve(lab.now, PORT, HOST), Resolution::Full);
}
