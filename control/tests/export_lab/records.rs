//! Records of every kind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::record::{Body, BootId, FlowContext, ImAction, ImReason, ImRecord, Record, SessionAction, SessionRecord};
use dataplane::endpoint::{Endpoint, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::nat::Translation;
use dataplane::time::Nanos;

pub const BOOT: BootId = BootId(0x00c0_ffee_00c0_ffee);

fn flow(client: &str, server: &str, protocol: u8, application: &str) -> FlowContext {
    let end = |text: &str| {
        let socket: SocketAddr = text.parse().unwrap();
        Endpoint { address: socket.ip().into(), port: socket.port() }
    };
    FlowContext {
        session: SessionId(1 << 48 | 3),
        tuple: Tuple { client: end(client), server: end(server), protocol, svlan: 101, cvlan: 0 },
        translation: None,
        rule: "staff-im".into(),
        application: application.into(),
        interfaces: ("inside".into(), "outside".into()),
        zones: ("trust".into(), "untrust".into()),
        user: None,
    }
}

pub fn flow_v4() -> FlowContext {
    flow("10.1.2.3:4001", "192.0.2.9:8000", 17, "qq")
}

/// [`flow_v4`] translated to 198.51.100.10:40123.
pub fn flow_translated() -> FlowContext {
    FlowContext { translation: Some(Translation { address: [198, 51, 100, 10], port: 40_123 }), ..flow_v4() }
}

pub fn flow_v6() -> FlowContext {
    flow("[2001:db8::1]:4002", "[2001:db8::2]:443", 6, "wechat")
}

/// 2026-03-01T08:15:30.000125Z.
pub const TIME: Nanos = Nanos::from_parts(1_772_352_930, 125_000);

fn record(sequence: u64, body: Body) -> Arc<Record> {
    Arc::new(Record { boot: BOOT, sequence, time: TIME, body })
}

pub fn login(sequence: u64, account: &str) -> Arc<Record> {
    sign_on(sequence, flow_v4(), ImAction::Login, Some(account))
}

pub fn sign_on(sequence: u64, flow: FlowContext, action: ImAction, account: Option<&str>) -> Arc<Record> {
    let online = (action == ImAction::Logout).then_some(Duration::from_millis(61_005));
    let reason = ImReason::Message;
    let account = account.map(Into::into);
    record(
        sequence,
        Body::Im(ImRecord {
            flow,
            action,
            reason,
            account,
            pseudonym_key: None,
            confidence: sigdb::Confidence::Likely,
            online,
            signatures: "2026.03.01".into(),
        }),
    )
}

pub fn create(sequence: u64, flow: FlowContext) -> Arc<Record> {
    record(sequence, Body::Session(SessionRecord { flow, action: SessionAction::Create }))
}

pub fn deny(sequence: u64, flow: FlowContext) -> Arc<Record> {
    record(sequence, Body::Session(SessionRecord { flow, action: SessionAction::Deny { packets: 1, first: TIME } }))
}

pub fn close(sequence: u64, flow: FlowContext) -> Arc<Record> {
    let action = SessionAction::Close {
        reason: CloseReason::Fin,
        start: TIME - Duration::from_secs(10),
        to_server: Volume { packets: 5, octets: 700 },
        to_client: Volume { packets: 6, octets: 6_000 },
    };
    record(sequence, Body::Session(SessionRecord { flow, action }))
}

/// One of each kind and family, numbered from 1.
pub fn one_of_each() -> Vec<Arc<Record>> {
    let (v4, v6) = (flow_v4, flow_v6);
    vec![
        create(1, v4()),
        create(2, v6()),
        close(3, v4()),
        close(4, v6()),
        deny(5, v4()),
        deny(6, v6()),
        login(7, "10001"),
        sign_on(8, v6(), ImAction::Logout, None),
        sign_on(9, v4(), ImAction::Result { success: false }, Some("10001")),
        sign_on(10, v4(), ImAction::Seen, Some("a\"b\\c]d\n企鹅")),
        create(11, flow_translated()),
        close(12, flow_translated()),
    ]
}
