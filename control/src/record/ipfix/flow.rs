//! Data records of sessions, which are most of all: what [`super::values`] writes field by field, in a few copies of known
//! length. Tests compare the two.

use dataplane::endpoint::{Address, Endpoint};

use super::encoder::{variable, word};
use super::values::end_reason;
use super::{LONG_TEXT, SHORT_TEXT};
use crate::record::statics::{Made, Statics};
use crate::record::{FlowContext, Record, SessionAction, SessionRecord, UserNote, close_reason_text};

/// Appends the data record of a session, as its template has it.
pub(super) fn write(out: &mut Vec<u8>, record: &Record, session: &SessionRecord, statics: &mut Statics) {
    let flow = &session.flow;
    let tuple = &flow.tuple;
    out.extend_from_slice(longs([record.time.millis(), record.boot.0, record.sequence, flow.session.0]).as_flattened());
    let is_v4 = tuple.client.address.is_v4();
    if is_v4 {
        let mut ends = [0; 8];
        ends[..4].copy_from_slice(&v4(tuple.client));
        ends[4..].copy_from_slice(&v4(tuple.server));
        out.extend_from_slice(&ends);
    } else {
        out.extend_from_slice(&tuple.client.address.0);
        out.extend_from_slice(&tuple.server.address.0);
    }
    let mut rest = [0; 11];
    rest[..2].copy_from_slice(&tuple.client.port.to_be_bytes());
    rest[2..4].copy_from_slice(&tuple.server.port.to_be_bytes());
    rest[4] = tuple.protocol;
    rest[5..7].copy_from_slice(&tuple.svlan.to_be_bytes());
    rest[7..9].copy_from_slice(&tuple.svlan.to_be_bytes());
    rest[9..].copy_from_slice(&tuple.cvlan.to_be_bytes());
    out.extend_from_slice(&rest);
    variable(out, &flow.application, SHORT_TEXT);
    out.extend_from_slice(&statics.of(flow, made).fields);
    match flow.user.as_deref() {
        // Two empty texts, and a MAC address of zeros between them.
        None => out.extend_from_slice(&[0; 8]),
        Some(user) => write_user(out, user),
    }
    let translation = flow.translation.filter(|_| is_v4);
    match &session.action {
        SessionAction::Close { reason, start, to_server, to_client } => {
            if let Some(translation) = translation {
                out.push(5);
                out.extend_from_slice(&translation.address);
                word(out, translation.port);
            }
            out.push(2);
            out.extend_from_slice(longs([start.millis(), record.time.millis()]).as_flattened());
            out.push(end_reason(*reason));
            out.extend_from_slice(
                longs([to_server.octets, to_server.packets, to_client.octets, to_client.packets]).as_flattened(),
            );
            variable(out, close_reason_text(*reason), SHORT_TEXT);
        }
        SessionAction::Create => {
            if let Some(translation) = translation {
                out.push(4);
                out.extend_from_slice(&translation.address);
                word(out, translation.port);
            }
            out.push(1);
            out.extend_from_slice(longs([record.time.millis(), record.time.millis()]).as_flattened());
        }
        SessionAction::Deny { packets, first } => {
            out.push(3);
            out.extend_from_slice(longs([first.millis(), record.time.millis(), *packets]).as_flattened());
        }
    }
}

#[cold]
fn write_user(out: &mut Vec<u8>, user: &UserNote) {
    let name = user.name.as_deref().and_then(|name| std::str::from_utf8(name).ok());
    variable(out, name.unwrap_or(""), LONG_TEXT);
    out.extend_from_slice(&user.mac.unwrap_or_default().0);
    variable(out, user.interface.as_deref().unwrap_or(""), SHORT_TEXT);
}

/// What the names of a flow are in a data record.
fn made(flow: &FlowContext) -> Made {
    let mut fields = Vec::new();
    variable(&mut fields, &flow.rule, LONG_TEXT);
    for name in [&flow.interfaces.0, &flow.interfaces.1, &flow.zones.0, &flow.zones.1] {
        variable(&mut fields, name, SHORT_TEXT);
    }
    Made { fields, rule: Vec::new() }
}

/// Numbers one after the other, in network order.
#[inline]
fn longs<const M: usize>(values: [u64; M]) -> [[u8; 8]; M] {
    values.map(u64::to_be_bytes)
}

#[inline]
fn v4(Endpoint { address: Address(octets), .. }: Endpoint) -> [u8; 4] {
    let [.., a, b, c, d] = octets;
    [a, b, c, d]
}
