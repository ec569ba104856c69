//! The records that are measured: 4,096 flows, mostly of sessions that begin and end, some denied, a few sign-ons.

use std::sync::Arc;
use std::time::Duration;

use control::presence::access::{AccessAction, AccessReason, AccessUser};
use control::record::access::AccessRecord;
use control::record::rfc5424::Formatter;
use control::record::{
    Body, BootId, FlowContext, ImAction, ImReason, ImRecord, Name, Record, SessionAction, SessionRecord,
};
use dataplane::access::{AccessEvent, AccessKind, Source, Text};
use dataplane::endpoint::{Address, Endpoint, Mac, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::time::Nanos;
use sigdb::Confidence;

/// Flows.
const FLOWS: usize = 4_096;
/// Rules and applications that occur.
const RULES: usize = 64;

/// Of 100: 55 closes, 35 creations, 5 denied, 3 sign-ons of messengers, 2 of access users.
pub(super) fn mix() -> Vec<Arc<Record>> {
    let names = |prefix: &str| -> Vec<Name> { (0..RULES).map(|number| format!("{prefix}-{number}").into()).collect() };
    let (rules, applications) = (names("rule"), names("app"));
    let (ports, zones): ((Name, Name), (Name, Name)) =
        (("inside".into(), "outside".into()), ("trust".into(), "untrust".into()));
    let signatures: Name = "2026.11.21".into();
    (0..FLOWS)
        .map(|number| {
            let [_, _, high, low] = (number as u32).to_be_bytes();
            let client = Endpoint { address: Address::v4([10, 20, high, low]), port: 20_000 + number as u16 };
            let server = Endpoint { address: Address::v4([198, 51, 100, low]), port: 443 };
            let time = Nanos::from_parts(1_790_000_000 + number as u64 / 1_024, number as u32 * 1_000);
            let flow = FlowContext {
                session: SessionId(1_000_000 + number as u64),
                tuple: Tuple { client, server, protocol: 6, svlan: 0, cvlan: 0 },
                translation: None,
                rule: Arc::clone(&rules[number % RULES]),
                application: Arc::clone(&applications[number / 7 % RULES]),
                interfaces: ports.clone(),
                zones: zones.clone(),
                user: None,
            };
            let session = |action| Body::Session(SessionRecord { flow: flow.clone(), action });
            // 37 and 100 have no common divisor, so that kinds alternate.
            let body = match number * 37 % 100 {
                0..55 => session(SessionAction::Close {
                    reason: CloseReason::Fin,
                    start: time - Duration::from_millis(number as u64 * 13),
                    to_server: Volume { packets: 12, octets: 1_800 + number as u64 },
                    to_client: Volume { packets: 15, octets: 14_000 + number as u64 },
                }),
                55..90 => session(SessionAction::Create),
                90..95 => session(SessionAction::Deny { packets: 1, first: time }),
                95..98 => Body::Im(ImRecord {
                    flow,
                    action: ImAction::Login,
                    reason: ImReason::Message,
                    account: Some(number.to_string().into()),
                    pseudonym_key: None,
                    confidence: Confidence::Certain,
                    online: None,
                    signatures: Arc::clone(&signatures),
                }),
                _ => access(number, low),
            };
            Arc::new(Record { boot: BootId(0x00c0_ffee_00c0_ffee), sequence: number as u64 + 1, time, body })
        })
        .collect()
}

fn access(number: usize, low: u8) -> Body {
    let mut event = AccessEvent::new(AccessKind::Login { more: false }, Source::Radius);
    (event.svlan, event.cvlan, event.ports) = (200, 101, (0, 1));
    event.mac = Some(Mac([2, 0, 0x5e, 0, 0x53, low]));
    event.ipv4 = Some([198, 51, 100, low]);
    event.texts.push(Text::User, format!("user{number}@example.net").as_bytes());
    Body::Access(AccessRecord {
        action: AccessAction::Login,
        reason: AccessReason::Accepted,
        user: Arc::new(AccessUser::of(&event)),
        online: None,
        port: Some("inside".into()),
        zone: Some("trust".into()),
    })
}

/// The same records as lines of RFC 5424.
pub(super) fn lines(records: u64) -> Vec<u8> {
    let (mix, mut formatter, mut lines) = (mix(), Formatter::new("fw1", 4711, None), Vec::new());
    for record in mix.iter().cycle().take(records as usize) {
        formatter.format(record, &mut lines);
        lines.push(b'\n');
    }
    lines
}
