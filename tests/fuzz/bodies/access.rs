//! All by which users sign on, one after the other, and what follows from it: who is signed on, and the records of that.

use std::collections::HashMap;
use std::time::Duration;

use control::presence::access::{AccessAction, AccessLimits, AccessTable, AccessTransition};
use dataplane::access::Source;
use dataplane::time::Nanos;

use super::records;
use super::users::{self, Kind};

/// Users at most: fewer than an input can have.
const USERS: usize = 6;

/// Shows it.
pub fn run(data: &[u8]) {
    let limits =
        AccessLimits { users: USERS, silence: Some(Duration::from_secs(600)), echo_timeout: Duration::from_secs(180) };
    let mut table = AccessTable::new(limits);
    let mut balance = Balance::default();
    let kinds = [Kind::Radius, Kind::Discovery, Kind::Session, Kind::Carried, Kind::Eapol, Kind::Dhcp, Kind::Dhcpv6];
    users::run(data, &kinds, |time, events| {
        let mut out = Vec::new();
        for event in events {
            let mut event = event.clone();
            event.header.time = time;
            table.observe(&event, &mut out);
        }
        table.heard(time);
        table.advance(time, &mut out);
        balance.take(&out, &table);
    });
    let mut out = Vec::new();
    table.finish(&mut out);
    balance.take(&out, &table);
    let told: usize = balance.online.values().sum();
    assert_eq!(told, table.users().filter(|user| user.source != Source::Dot1x).count(), "{:?}", balance.online);
}

/// Who was told to be signed on and not yet to have left, by what does not change of one while it lasts; a port of 802.1X is
/// told to be open by the verdict alone.
#[derive(Default)]
struct Balance {
    online: HashMap<(Source, u64, Nanos), usize>,
}

impl Balance {
    fn take(&mut self, transitions: &[AccessTransition], table: &AccessTable) {
        assert!(table.len() <= USERS);
        for told in transitions {
            let user = &told.user;
            assert!(told.time >= user.since, "{told:?}");
            records::check(told);
            if user.source == Source::Dot1x {
                continue;
            }
            let count = self.online.entry((user.source, user.session, user.since)).or_default();
            match told.action {
                AccessAction::Login | AccessAction::Seen => *count += 1,
                AccessAction::Logout => *count = count.checked_sub(1).expect("only who was signed on leaves"),
                AccessAction::Result { .. } => {}
            }
        }
    }
}
