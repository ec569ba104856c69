//! The table and a slow twin of it, told the same: they tell the same.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What happens: numbers of sign-ons, names, hosts and addresses are few, so that they meet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Start { session: u64, name: usize, address: u8, back: u32 },
    Interim { session: u64, name: usize, address: u8, back: u32 },
    Stop { session: u64, back: u32 },
    Gone,
    Lease { host: u8, address: u8, seconds: u32 },
    Release { host: u8, address: u8 },
    Pass { seconds: u64 },
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let sign_on = || (1..6u64, 0..NAMES.len(), 0..4u8, prop_oneof![Just(0), 0..90u32]);
    prop_oneof![
        4 => sign_on().prop_map(|(session, name, address, back)| Step::Start { session, name, address, back }),
        2 => sign_on().prop_map(|(session, name, address, back)| Step::Interim { session, name, address, back }),
        3 => (1..6u64, prop_oneof![Just(0), 0..90u32]).prop_map(|(session, back)| Step::Stop { session, back }),
        1 => Just(Step::Gone),
        3 => (1..5u8, 1..5u8, 1..2_000u32).prop_map(|(host, address, seconds)| Step::Lease { host, address, seconds }),
        1 => (1..5u8, 0..5u8).prop_map(|(host, address)| Step::Release { host, address }),
        4 => prop_oneof![1..20u64, 1..2_000u64].prop_map(|seconds| Step::Pass { seconds }),
    ]
}

#[derive(Clone, Debug)]
struct User {
    is_lease: bool,
    session: u64,
    account: String,
    address: u8,
    since: u64,
    login: bool,
    last: u64,
    until: u64,
}

/// A list of users, searched from its beginning.
#[derive(Default)]
struct Twin {
    now: u64,
    users: Vec<User>,
    /// When it was told of the end of a sign-on, and when that was.
    ended: HashMap<u64, (u64, u64)>,
    told: Vec<String>,
}

impl Twin {
    fn tell(&mut self, what: &str, user: &User, online: Option<u64>) {
        let address = if user.address > 0 { format!(" 10.0.0.{}", user.address) } else { String::new() };
        let online = online.map_or(String::new(), |milliseconds| format!(" {}s", milliseconds / 1_000));
        self.told.push(format!("{what} {}{address}{online}", user.account));
    }

    fn leave(&mut self, place: usize, time: u64, reason: &str) {
        let user = self.users.remove(place);
        let online = user.login.then(|| time.saturating_sub(user.since));
        self.tell(&format!("logout {reason}"), &user, online);
    }

    fn vacate(&mut self, is_lease: bool, session: u64, address: u8, time: u64) {
        let is_other = |user: &User| user.is_lease == is_lease && user.session != session && user.address == address;
        if let Some(place) = self.users.iter().position(is_other).filter(|_| address > 0) {
            self.leave(place, time, "replaced");
        }
    }

    fn find(&self, is_lease: bool, session: u64) -> Option<usize> {
        self.users.iter().position(|user| user.is_lease == is_lease && user.session == session)
    }

    fn admit(&mut self, user: User) {
        self.vacate(user.is_lease, user.session, user.address, user.since);
        let what = match (user.login, user.is_lease) {
            (true, true) => "login lease",
            (true, false) => "login message",
            (false, _) => "seen mid-session",
        };
        self.tell(what, &user, None);
        self.users.push(user);
    }

    fn sign_on(&mut self, login: bool, session: u64, account: &str, address: u8, back: u32) {
        let happened = self.now - u64::from(back) * 1_000;
        if let Some(place) = self.find(false, session) {
            let user = &mut self.users[place];
            let is_same = user.account == account && (address == 0 || user.address == 0 || address == user.address);
            if is_same || !login {
                user.last = self.now;
                if address > 0 && address != user.address {
                    user.address = address;
                    self.vacate(false, session, address, self.now);
                }
                return;
            }
            self.leave(place, happened, "replaced");
        } else if self.ended.get(&session).is_some_and(|(told, end)| self.now - told < 60_000 && *end > happened) {
            return;
        }
        let account = account.to_owned();
        let (since, last, until) = (happened, self.now, u64::MAX);
        self.admit(User { is_lease: false, session, account, address, since, login, last, until });
    }

    fn take(&mut self, step: Step) -> Vec<String> {
        match step {
            Step::Start { session, name, address, back } => self.sign_on(true, session, NAMES[name], address, back),
            Step::Interim { session, name, address, back } => self.sign_on(false, session, NAMES[name], address, back),
            Step::Stop { session, back } => {
                let happened = self.now - u64::from(back) * 1_000;
                self.ended.insert(session, (self.now, happened));
                if let Some(place) = self.find(false, session) {
                    self.leave(place, happened, "user-request");
                }
            }
            Step::Gone => {
                while let Some(place) = self.users.iter().position(|user| !user.is_lease) {
                    self.leave(place, self.now, "nas-reboot");
                }
            }
            Step::Lease { host, address, seconds } => {
                let until = self.now + u64::from(seconds) * 1_000;
                let account = mac(host).to_string();
                match self.find(true, host.into()) {
                    Some(place) if self.users[place].address == address => {
                        self.users[place].until = until;
                        return Vec::new();
                    }
                    Some(place) => self.leave(place, self.now, "moved"),
                    None => {}
                }
                let (since, last, session) = (self.now, u64::MAX, host.into());
                self.admit(User { is_lease: true, session, account, address, since, login: true, last, until });
            }
            Step::Release { host, address } => {
                if let Some(place) = self.find(true, host.into())
                    && (address == 0 || self.users[place].address == address)
                {
                    self.leave(place, self.now, "release");
                }
            }
            Step::Pass { seconds } => {
                self.now += seconds * 1_000;
                let is_over = |now: u64| move |user: &User| user.last.saturating_add(900_000).min(user.until) <= now;
                while let Some(place) = self.users.iter().position(is_over(self.now)) {
                    let user = &self.users[place];
                    let (time, reason) = match user.is_lease {
                        true => (user.until, "expired"),
                        false => (user.last + 900_000, "silence"),
                    };
                    self.leave(place, time, reason);
                }
            }
        }
        std::mem::take(&mut self.told)
    }

    fn holder(&self, address: u8) -> String {
        let account = |is_lease| {
            let is_it = |user: &&User| user.is_lease == is_lease && user.address == address;
            self.users.iter().find(is_it).map_or("-", |user| &user.account)
        };
        format!("{} {}", account(false), account(true))
    }
}

pub(super) fn tell(story: &mut Story, number: u64, step: Step) -> Vec<String> {
    let known = |event: AccessEvent, back| AccessEvent { interim: Some(300), back, ..event };
    match step {
        Step::Start { session, name, address, back } => {
            story.observe(known(start(session, NAMES[name], address), back))
        }
        Step::Interim { session, name, address, back } => {
            story.observe(known(interim(session, NAMES[name], address), back))
        }
        Step::Stop { session, back } => story.observe(known(stop(session, "", 0), back)),
        Step::Gone => story.observe(accounting(AccessKind::NasGone, 0, "", 0)),
        Step::Lease { host, address, seconds } => story.observe(lease(number, host, address, seconds)),
        Step::Release { host, address } => story.observe(dhcp(AccessKind::Logout, number, host, address)),
        Step::Pass { seconds } => story.after(seconds * 1_000),
    }
}

/// Without the names that hosts are given: the twin knows nothing of them.
fn plain(mut lines: Vec<String>) -> Vec<String> {
    for line in &mut lines {
        if let (Some(begin), Some(end)) = (line.find(" ("), line.find(')')) {
            line.replace_range(begin..=end, "");
        }
    }
    lines.sort();
    lines
}

proptest! {
    #[test]
    fn it_tells_what_its_slow_twin_tells(steps in prop::collection::vec(step(), 1..120)) {
        let (mut story, mut twin) = (Story::new(), Twin::default());
        twin.take(Step::Pass { seconds: 100 });
        story.after(100_000);
        for (number, step) in steps.into_iter().enumerate() {
            let (told, expected) = (tell(&mut story, number as u64 + 1, step), twin.take(step));
            prop_assert_eq!(plain(told), plain(expected), "{:?}", step);
            prop_assert_eq!(story.table.len(), twin.users.len());
            for address in 1..5 {
                prop_assert_eq!(story.holder((7, 0), &format!("10.0.0.{address}")), twin.holder(address));
            }
        }
    }

    /// Whatever comes, lost, twice and in any order, and however small the table: nobody signs off who did not sign on, or was
    /// seen; nobody signs on twice; and the table stays as small as it has to be.
    #[test]
    fn who_signs_off_had_signed_on(steps in prop::collection::vec((step(), 0..3usize), 1..200), users in 1..6usize) {
        let mut story = Story::with(AccessLimits { users, ..LIMITS });
        story.after(100_000);
        let mut online: HashMap<String, i32> = HashMap::new();
        for (number, (step, times)) in steps.into_iter().enumerate() {
            for line in (0..times).flat_map(|_| tell(&mut story, number as u64 + 1, step)).collect::<Vec<_>>() {
                let mut words = line.split(' ');
                let (action, account) = (words.next().unwrap(), words.nth(1).unwrap());
                let count = online.entry(account.to_owned()).or_default();
                *count += if action == "logout" { -1 } else { 1 };
                prop_assert!(*count >= 0, "{}", line);
            }
            prop_assert!(story.table.len() <= users);
            prop_assert_eq!(online.values().sum::<i32>() as usize, story.table.len());
        }
    }
}
