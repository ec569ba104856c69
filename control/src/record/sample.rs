//! Records for tests.

use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, Source, Text};
use dataplane::endpoint::{Endpoint, Mac, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::guard::Phase;
use dataplane::time::Nanos;

use super::audit::{AuditEvent, AuditField, Occurrence, Origin, Subject, Via};
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

/// What is in the trail: a login that failed, and a change of configuration.
pub(crate) fn audit(event: AuditEvent) -> Record {
    let subject = Subject {
        user: Some("mon".into()),
        uid: Some(5_000),
        pid: Some(6_468),
        origin: Some(Origin { address: [127, 0, 0, 1].into(), port: Some(55_278) }),
        via: Some(Via::Ssh),
        ..Subject::default()
    };
    let occurrence = match event {
        AuditEvent::LoginFailed => Occurrence::new(event, TIME)
            .by(subject)
            .with(AuditField::Service, "sshd")
            .with(AuditField::Method, "password")
            .with(AuditField::Reason, "wrong password"),
        AuditEvent::ConfigChange => Occurrence::new(event, TIME)
            .by(Subject {
                role: Some(crate::manage::Role::Administrator),
                session: Some(4),
                via: Some(Via::Netconf),
                origin: Some(Origin { address: "2001:db8::7".parse().unwrap(), port: None }),
                ..subject
            })
            .with(AuditField::Generation, 8)
            .with(AuditField::Change, "modify")
            .with(AuditField::Path, "rule[a\"b\\c]d=e|f\n].action")
            .with(AuditField::Old, "permit")
            .with(AuditField::New, ""),
        _ => Occurrence::new(event, TIME).by(Subject::system()),
    };
    record(Body::Audit(occurrence.into_record()))
}

/// One of each kind, action and address family, numbered from 1.
pub(crate) fn all() -> Vec<Record> {
    let im = |action, reason, flow| {
        let mut record = login("10001");
        if let Body::Im(im) = &mut record.body {
            (im.action, im.reason, im.flow) = (action, reason, flow);
            im.online = (action == ImAction::Logout).then_some(Duration::from_millis(61_005));
        }
        record
    };
    let phase = |phase, flow| {
        let mut record = attack(flow);
        if let Body::Attack(attack) = &mut record.body {
            attack.phase = phase;
        }
        record
    };
    let of_user = FlowContext {
        user: Some(Arc::new(UserNote {
            name: Some(b"alice@example.net"[..].into()),
            mac: Some(Mac([0x02, 0, 0x5e, 0, 0x53, 1])),
            interface: Some("inside.200.101".into()),
        })),
        ..flow_v4()
    };
    let mut lost = loss(Class::Session, LossPlace::Host("siem".into()), 17);
    if let Body::Loss(loss) = &mut lost.body {
        (loss.reason, loss.sequences) = (LossReason::Host(Cause::QueueFull), Some((101, 140)));
    }
    let mut all = vec![
        create(flow_v4()),
        create(flow_v6()),
        create(flow_translated()),
        close(flow_v4()),
        close(flow_v6()),
        close(flow_translated()),
        close(of_user),
        deny(flow_v4()),
        deny(flow_v6()),
        login("a\"b\\c]d=e|f\n\u{202e}\u{4f01}"),
        im(ImAction::Logout, ImReason::Timeout, flow_v6()),
        im(ImAction::Result { success: false }, ImReason::Refused, flow_v4()),
        im(ImAction::Seen, ImReason::MidSession, flow_v4()),
        phase(Phase::Begin, flow_v4()),
        phase(Phase::Ongoing, flow_v6()),
        phase(Phase::End, flow_v4()),
        access(AccessAction::Login),
        access(AccessAction::Logout),
        access(AccessAction::Seen),
        access(AccessAction::Result { success: true }),
        access(AccessAction::Result { success: false }),
        audit(AuditEvent::LoginFailed),
        audit(AuditEvent::ConfigChange),
        audit(AuditEvent::Overload),
        lost,
        loss(Class::Im, LossPlace::Worker(3), 7),
    ];
    all.iter_mut().zip(1..).for_each(|(record, number)| record.sequence = number);
    all
}
