//! Records for tests.

use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, Source, Text};
use dataplane::endpoint::{Endpoint, Mac, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::guard::Phase;
use dataplane::time::Nanos;

use super::*;
use crate::presence::access::{AccessAction, AccessReason, AccessUser};

/// 2026-03-01T08:15:30.000125Z.
pub(crate) const TIME: Nanos = Nanos::from_parts(1_772_352_930, 125_000);

/// A flow from 10.1.2.3:4001 to 192.0.2.9:8000 over UDP in VLAN 101.
pub(crate) fn flow_v4() -> FlowContext {
    flow("10.1.2.3:4001", "192.0.2.9:8000", 17, 101, "qq")
}

/// The same, translated to 198.51.100.10:40123.
pub(crate) fn flow_translated() -> FlowContext {
    FlowContext { translation: Some(Translation { address: [198, 51, 100, 10], port: 40_123 }), ..flow_v4() }
}

/// A flow from [2001:db8::1]:4001 to [2001:db8::2]:443 over TCP.
pub(crate) fn flow_v6() -> FlowContext {
    flow("[2001:db8::1]:4001", "[2001:db8::2]:443", 6, 0, "unknown")
}

fn flow(client: &str, server: &str, protocol: u8, svlan: u16, application: &str) -> FlowContext {
    let end = |text: &str| {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { address: socket.ip().into(), port: socket.port() }
    };
    FlowContext {
        session: SessionId(1 << 48 | 3),
        tuple: Tuple { client: end(client), server: end(server), protocol, svlan, cvlan: 0 },
        translation: None,
        rule: "staff-im".into(),
        application: application.into(),
        interfaces: ("inside".into(), "outside".into()),
        zones: ("trust".into(), "untrust".into()),
        user: None,
    }
}

fn record(body: Body) -> Record {
    Record { boot: BootId(0x00c0_ffee_00c0_ffee), sequence: 48_121, time: TIME, body }
}

/// A QQ login.
pub(crate) fn login(account: &str) -> Record {
    record(Body::Im(ImRecord {
        flow: flow_v4(),
        action: ImAction::Login,
        reason: ImReason::Message,
        account: Some(account.into()),
        pseudonym_key: None,
        confidence: Confidence::Certain,
        online: None,
        signatures: "2026.03.01".into(),
    }))
}

/// What an access user did: alice@example.net, with two VLANs, over RADIUS.
pub(crate) fn access(action: AccessAction) -> Record {
    let mut event = AccessEvent::new(AccessKind::Login { more: false }, Source::Radius);
    (event.svlan, event.cvlan, event.ports) = (200, 101, (0, 1));
    event.mac = Some(Mac([0x02, 0, 0x5e, 0, 0x53, 1]));
    event.ipv4 = Some([198, 51, 100, 7]);
    event.texts.push(Text::User, b"alice@example.net");
    event.texts.push(Text::NasId, b"bras1");
    record(Body::Access(AccessRecord {
        action,
        reason: AccessReason::Message,
        user: Arc::new(AccessUser::of(&event)),
        online: None,
        port: Some("inside".into()),
        zone: Some("trust".into()),
    }))
}

/// A session's creation.
pub(crate) fn create(flow: FlowContext) -> Record {
    record(Body::Session(SessionRecord { flow, action: SessionAction::Create }))
}

/// A denied packet.
pub(crate) fn deny(flow: FlowContext) -> Record {
    record(Body::Session(SessionRecord {
        flow,
        action: SessionAction::Deny { packets: 3, first: TIME - Duration::from_secs(1) },
    }))
}

/// An attack that goes on, at 3,000 packets a second.
pub(crate) fn attack(flow: FlowContext) -> Record {
    record(Body::Attack(AttackRecord {
        flow,
        kind: "syn_flood",
        phase: Phase::Ongoing,
        recent: Volume { packets: 3_000, octets: 180_000 },
        span: Duration::from_secs(1),
        total: Volume { packets: 9_000, octets: 540_000 },
        begin: TIME - Duration::from_secs(3),
    }))
}

/// A session that lasted ten seconds.
pub(crate) fn close(flow: FlowContext) -> Record {
    record(Body::Session(SessionRecord {
        flow,
        action: SessionAction::Close {
            reason: CloseReason::Fin,
            start: TIME - Duration::from_secs(10),
            to_server: Volume { packets: 5, octets: 700 },
            to_client: Volume { packets: 6, octets: 6_000 },
        },
    }))
}

/// [`close`] of [`flow_v6`].
pub(crate) fn close_v6() -> Record {
    close(flow_v6())
}

/// A loss that took ten seconds.
pub(crate) fn loss(class: Class, place: LossPlace, count: u64) -> Record {
    record(Body::Loss(LossRecord {
        class,
        place,
        reason: LossReason::Events,
        count,
        sequences: None,
        span: (TIME - Duration::from_secs(10), TIME),
    }))
}
