//! Whatever comes in: no panic, one verdict a frame, every frame forwarded or dropped by name, every session that was
//! opened closed.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrayvec::ArrayVec;
use proptest::prelude::*;

use super::firewall::{Connection, Firewall, INSIDE, OUTSIDE, outbound, policy, rule, settings};
use crate::pipeline::Room;
use crate::pipeline::{BURST, Frame, Settings};
use crate::policy::{Action, PolicySource};
use crate::verdict::DropReason;
use crate::wire::build::{Shim, icmp, udp};
use crate::wire::tcp::{ACK, FIN, PSH, RST, SYN};

/// Good frames of every kind, to be spoiled.
fn frames() -> &'static [Vec<u8>] {
    static FRAMES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FRAMES.get_or_init(|| {
        let mut web = Connection::new("10.0.0.1:40000", "192.0.2.1:443");
        let mut web6 = Connection::new("[2001:db8::1]:40000", "[2001:db8:f::1]:80");
        let dns = udp("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:53".parse().unwrap(), &[9; 40]);
        let mut extended = udp("[2001:db8::1]:1".parse().unwrap(), "[2001:db8:f::1]:2".parse().unwrap(), &[1; 64]);
        extended.extensions = Some((0, vec![44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9]));
        let ip = |text: &str| text.parse().unwrap();
        let error = icmp(ip("198.51.100.1"), ip("10.0.0.1"), (3, 1), [0; 4], &dns.ip()[..28]);
        let echo = icmp(ip("2001:db8::1"), ip("2001:db8:f::1"), (128, 0), [1, 2, 3, 4], &[5; 32]);
        let discovery = icmp(ip("fe80::1"), ip("ff02::1"), (135, 0), [0; 4], &[0; 16]);
        let mut piece = dns.clone().fragment(7, true, 0);
        piece.transport.truncate(32);
        let mut rest = dns.clone().fragment(7, false, 32);
        rest.transport.drain(..32);
        let qinq = [Shim::Tag(0x88a8, 1), Shim::Tag(0x8100, 2), Shim::Pppoe(3)];
        [
            web.client(SYN, &[]),
            web.server(SYN | ACK, &[]),
            web.client(ACK | PSH, b"GET / HTTP/1.1\r\nHost: weixin.qq.com\r\n\r\n"),
            web.server(ACK | FIN, &[]),
            web.client(ACK | FIN, &[]),
            web.client(RST, &[]),
            web6.client(SYN, &[]),
            web6.client(ACK, &[0x16, 0xf1, 0x03, 0, 4, 1, 2, 3, 4]).within(&qinq),
            dns.clone().within(&qinq),
            dns.within(&[Shim::Snap]),
            extended,
            error,
            echo,
            discovery,
            piece,
            rest,
        ]
        .iter()
        .map(|packet| packet.frame())
        .collect()
    })
}

fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (any::<prop::sample::Index>(), changes, any::<prop::sample::Index>(), 0..4_u8).prop_map(
        |(which, changes, cut, whether)| {
            let mut frame = which.get(frames()).clone();
            for (at, octet) in changes {
                let at = at.index(frame.len());
                frame[at] = octet;
            }
            if whether == 0 {
                frame.truncate(cut.index(frame.len() + 1));
            }
            frame
        },
    )
}

pub(super) fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..200), 9 => spoiled()]
}

pub(super) fn signatures() -> Arc<sigdb::Database> {
    static DATABASE: OnceLock<Arc<sigdb::Database>> = OnceLock::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sigdb/signatures");
    Arc::clone(DATABASE.get_or_init(|| Arc::new(sigdb::compile_folder(&folder).expect("they are shipped"))))
}

/// One policy of each kind: naming applications, resetting, inspecting all.
pub(super) fn policies() -> [PolicySource; 3] {
    let application = vec![signatures().by_name("wechat").expect("it is shipped")];
    let naming = crate::policy::RuleSource { application, ..outbound() };
    let full = PolicySource { full_identification: true, ..policy(vec![rule(Action::Permit)]) };
    [policy(vec![naming]), policy(vec![rule(Action::Reset)]), full]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_nothing_is_lost(
        bursts in prop::collection::vec((prop::collection::vec((any_frame(), any::<bool>(), 0..50_u32), 1..BURST), 0..40_u64, 0..6_usize), 1..12),
        verify_checksums: bool,
    ) {
        let settings = Settings { max_sessions: 5, inspection_slots: 2, fragment_slots: 8, verify_checksums, ..settings() };
        let [first, ..] = policies();
        let mut firewall = Firewall::set_up_shared(settings, first, signatures());
        let (mut total, mut octets) = (0, 0);
        for (frames, seconds, commit) in &bursts {
            let mut frames = frames.clone();
            let mut frames: Vec<_> = frames
                .iter_mut()
                .map(|(bytes, inside, more)| {
                    let length = bytes.len() as u32 + *more;
                    Frame::new(if *inside { INSIDE } else { OUTSIDE }, bytes, length)
                })
                .collect();
            let mut verdicts = ArrayVec::new();
            firewall.pipeline.process(firewall.now, &mut frames, &mut verdicts);
            prop_assert_eq!(verdicts.len(), frames.len());
            total += frames.len() as u64;
            octets += frames.iter().map(|frame| u64::from(frame.length)).sum::<u64>();
            for reply in firewall.pipeline.replies() {
                prop_assert!(reply.bytes.len() >= 60);
            }
            firewall.wait(std::time::Duration::from_secs(*seconds));
            if let Some(policy) = policies().into_iter().nth(*commit) {
                firewall.commit(policy);
            }
            let counters = firewall.pipeline.counters();
            let value = |counter| counters.value(counter);
            use crate::counters::Counter::*;
            let dropped: u64 = DropReason::ALL.iter().map(|reason| counters.drops(*reason)).sum();
            prop_assert_eq!((value(PacketsReceived), value(OctetsReceived)), (total, octets));
            prop_assert_eq!(value(PacketsForwarded) + value(PacketsTaken) + dropped, total);
            prop_assert_eq!(value(SessionsOpened) - value(SessionsClosed), value(SessionsActive));
            prop_assert!(value(SessionsActive) <= value(TableEntries) && value(TableEntries) <= 5);
        }
        firewall.pipeline.shutdown(firewall.now, Room::Regardless);
        let value = |counter| firewall.pipeline.counters().value(counter);
        prop_assert_eq!(value(crate::counters::Counter::SessionsActive), 0);
        prop_assert_eq!(firewall.pipeline.inspector.in_use(), (0, 0));
    }
}
