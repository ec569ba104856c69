//! What the fields of a record hold.

use std::net::IpAddr;

use dataplane::access::Assigned;
use dataplane::endpoint::Address;
use dataplane::event::CloseReason;
use dataplane::nat::Translation;
use dataplane::time::Nanos;

use super::encoder::{int, long, octets, variable, word};
use super::field::Field;
use super::{LONG_TEXT, SHORT_TEXT};
use crate::presence::access::AccessReason;
use crate::record::access::{AccessRecord, trust_text};
use crate::record::audit::AuditRecord;
use crate::record::{
    AttackRecord, Body, FlowContext, ImRecord, LossRecord, Record, SessionAction, close_reason_text, confidence_text,
    phase_text,
};

/// Appends the value of a field.
pub(super) fn write_field(out: &mut Vec<u8>, field: Field, record: &Record) {
    match (field, &record.body) {
        (Field::Time, _) => long(out, record.time.millis()),
        (Field::Boot, _) => long(out, record.boot.0),
        (Field::Sequence, _) => long(out, record.sequence),
        (_, Body::Session(session)) => match &session.action {
            SessionAction::Create => write_moment(out, field, &session.flow, record, 1),
            SessionAction::Deny { packets, first } => match field {
                Field::Start => long(out, first.millis()),
                Field::Packets => long(out, *packets),
                other => write_moment(out, other, &session.flow, record, 3),
            },
            SessionAction::Close { reason, start, to_server, to_client } => match field {
                Field::NatEvent => out.push(5),
                Field::FirewallEvent => out.push(2),
                Field::Start => long(out, start.millis()),
                Field::End => long(out, record.time.millis()),
                Field::EndReason => out.push(end_reason(*reason)),
                Field::OctetsToServer => long(out, to_server.octets),
                Field::PacketsToServer => long(out, to_server.packets),
                Field::OctetsToClient => long(out, to_client.octets),
                Field::PacketsToClient => long(out, to_client.packets),
                Field::CloseReason => variable(out, close_reason_text(*reason), SHORT_TEXT),
                other => write_flow(out, other, &session.flow),
            },
        },
        (Field::Start | Field::End, Body::Im(_)) => long(out, record.time.millis()),
        (_, Body::Im(im)) => write_sign_on(out, field, im),
        (_, Body::Access(access)) => write_access(out, field, record.time, access),
        (_, Body::Attack(attack)) => write_attack(out, field, record.time, attack),
        (_, Body::Audit(audit)) => write_audit(out, field, audit),
        (_, Body::Loss(loss)) => write_loss(out, field, loss),
    }
}

/// A field of a session record that is about one moment.
fn write_moment(out: &mut Vec<u8>, field: Field, flow: &FlowContext, record: &Record, event: u8) {
    match field {
        Field::NatEvent => out.push(4),
        Field::FirewallEvent => out.push(event),
        Field::Start | Field::End => long(out, record.time.millis()),
        other => write_flow(out, other, flow),
    }
}

fn write_sign_on(out: &mut Vec<u8>, field: Field, im: &ImRecord) {
    match field {
        Field::Action => variable(out, im.action.text(), SHORT_TEXT),
        Field::Result => variable(out, im.action.result_text().unwrap_or(""), SHORT_TEXT),
        Field::Reason => variable(out, im.reason.text(), SHORT_TEXT),
        Field::Account => variable(out, im.account.as_deref().unwrap_or(""), LONG_TEXT),
        // 0 means not known, so a time that is known is 1 at least.
        Field::Online => long(out, im.online.map_or(0, |online| (online.as_millis() as u64).max(1))),
        Field::Signatures => variable(out, &im.signatures, SHORT_TEXT),
        Field::Confidence => variable(out, confidence_text(im.confidence), SHORT_TEXT),
        Field::PseudonymKey => {
            variable(out, &im.pseudonym_key.map_or_else(String::new, |key| key.to_string()), SHORT_TEXT);
        }
        other => write_flow(out, other, &im.flow),
    }
}

fn write_access(out: &mut Vec<u8>, field: Field, time: Nanos, access: &AccessRecord) {
    let user = &*access.user;
    let [from, to] = user.traffic.unwrap_or_default();
    let millis = |moment: Option<Nanos>| moment.map_or(0, |moment| moment.millis());
    match field {
        Field::Start | Field::End => long(out, time.millis()),
        Field::Action => variable(out, access.action.text(), SHORT_TEXT),
        Field::Result => variable(out, access.action.result_text().unwrap_or(""), SHORT_TEXT),
        Field::Reason => variable(out, access.reason.text(), SHORT_TEXT),
        Field::Cause => int(out, if let AccessReason::Other(cause) = access.reason { cause.into() } else { 0 }),
        Field::AccessSource => variable(out, user.source.name(), SHORT_TEXT),
        Field::UserText => {
            let name = user.user.as_deref().and_then(|name| std::str::from_utf8(name).ok());
            variable(out, name.unwrap_or(""), LONG_TEXT);
        }
        Field::UserName => octets(out, user.user.as_deref().unwrap_or_default(), 255),
        Field::UserMac => out.extend_from_slice(&user.mac.unwrap_or_default().0),
        Field::Vlan | Field::ServiceVlan => word(out, user.svlan),
        Field::CustomerVlan => word(out, user.cvlan),
        Field::UserV4 => out.extend_from_slice(&user.ipv4.unwrap_or_default()),
        Field::UserV6 => out.extend_from_slice(&user.ipv6.unwrap_or_default()),
        Field::UserPrefix => out.extend_from_slice(&user.prefix.unwrap_or_default().0),
        Field::UserPrefixLength => out.push(user.prefix.unwrap_or_default().1),
        Field::Assigned => out.push(match user.assigned {
            Assigned::Unknown => 0,
            Assigned::Router => 1,
            Assigned::Dhcpv6 => 2,
            Assigned::Delegated => 3,
            Assigned::Radius => 4,
        }),
        Field::AccessInterface => variable(out, &access.interface().unwrap_or_default(), SHORT_TEXT),
        Field::ClientZone => variable(out, access.zone.as_deref().unwrap_or(""), SHORT_TEXT),
        Field::NasV4 => {
            let nas = user.nas.filter(|nas| nas.is_v4()).unwrap_or_default();
            out.extend_from_slice(v4(&nas));
        }
        Field::NasV6 => out.extend_from_slice(&user.nas.filter(|nas| !nas.is_v4()).unwrap_or_default().0),
        Field::NasPort => int(out, user.nas_port.unwrap_or(0)),
        Field::AccessText(text) => octets(out, user.text(text), SHORT_TEXT),
        Field::LoginTime => long(out, millis(access.login_time(time))),
        Field::LogoutTime => long(out, millis(access.logout_time(time))),
        Field::Online => long(out, access.online.map_or(0, |online| (online.as_millis() as u64).max(1))),
        Field::FromUserOctets => long(out, from.octets),
        Field::FromUserPackets => long(out, from.packets),
        Field::ToUserOctets => long(out, to.octets),
        Field::ToUserPackets => long(out, to.packets),
        Field::Identifies => variable(out, user.identifies(), SHORT_TEXT),
        Field::Trust => variable(out, trust_text(user.trust).unwrap_or(""), SHORT_TEXT),
        other => debug_assert!(false, "no {other:?} in the templates of access users"),
    }
}

fn write_attack(out: &mut Vec<u8>, field: Field, time: Nanos, attack: &AttackRecord) {
    match field {
        Field::AttackKind => variable(out, attack.kind, SHORT_TEXT),
        Field::AttackPhase => variable(out, phase_text(attack.phase), SHORT_TEXT),
        Field::Packets => long(out, attack.recent.packets),
        Field::Octets => long(out, attack.recent.octets),
        Field::AttackTotal => long(out, attack.total.packets),
        Field::AttackRate => long(out, attack.rate(time)),
        Field::Start => long(out, attack.begin.millis()),
        Field::End => long(out, time.millis()),
        other => write_flow(out, other, &attack.flow),
    }
}

fn write_audit(out: &mut Vec<u8>, field: Field, audit: &AuditRecord) {
    let subject = &audit.subject;
    let origin = subject.origin.map(|origin| origin.address);
    match field {
        Field::AuditEvent => variable(out, audit.event.name(), SHORT_TEXT),
        Field::AuditOutcome => variable(out, audit.outcome.text().unwrap_or(""), SHORT_TEXT),
        Field::AuditSeverity => out.push(audit.severity),
        Field::UserText => variable(out, subject.user.as_deref().unwrap_or(""), LONG_TEXT),
        Field::AuditUid => int(out, subject.uid.unwrap_or(u32::MAX)),
        Field::AuditPid => int(out, subject.pid.map_or(0, i32::unsigned_abs)),
        Field::AuditRole => variable(out, subject.role.map_or("", |role| role.text()), SHORT_TEXT),
        Field::AuditOriginV4 => match origin {
            Some(IpAddr::V4(address)) => out.extend_from_slice(&address.octets()),
            _ => out.extend_from_slice(&[0; 4]),
        },
        Field::AuditOriginV6 => match origin {
            Some(IpAddr::V6(address)) => out.extend_from_slice(&address.octets()),
            _ => out.extend_from_slice(&[0; 16]),
        },
        Field::ClientPort => word(out, subject.origin.and_then(|origin| origin.port).unwrap_or(0)),
        Field::AuditVia => variable(out, subject.via.map_or("", |via| via.text()), SHORT_TEXT),
        Field::AuditSession => int(out, subject.session.unwrap_or(0)),
        Field::AuditDetail => variable(out, &audit.detail(), 254),
        other => debug_assert!(false, "no {other:?} in the template of the trail"),
    }
}

fn write_loss(out: &mut Vec<u8>, field: Field, loss: &LossRecord) {
    match field {
        Field::LossClass => variable(out, loss.class.text(), SHORT_TEXT),
        // Losses are rare enough for an allocation.
        Field::LossPlace => variable(out, &loss.place.to_string(), SHORT_TEXT),
        Field::LossCount => long(out, loss.count),
        Field::LossFirst => long(out, loss.span.0.millis()),
        Field::LossLast => long(out, loss.span.1.millis()),
        Field::LossReason => variable(out, loss.reason.text(), SHORT_TEXT),
        // Records are numbered from 1.
        Field::LossFirstSequence => long(out, loss.sequences.unwrap_or_default().0),
        Field::LossLastSequence => long(out, loss.sequences.unwrap_or_default().1),
        other => debug_assert!(false, "no {other:?} in the template of losses"),
    }
}

fn write_flow(out: &mut Vec<u8>, field: Field, flow: &FlowContext) {
    let tuple = &flow.tuple;
    match field {
        Field::Session => long(out, flow.session.0),
        Field::ClientV4 => out.extend_from_slice(v4(&tuple.client.address)),
        Field::ServerV4 => out.extend_from_slice(v4(&tuple.server.address)),
        Field::ClientV6 => out.extend_from_slice(&tuple.client.address.0),
        Field::ServerV6 => out.extend_from_slice(&tuple.server.address.0),
        Field::ClientPort => word(out, tuple.client.port),
        Field::ServerPort => word(out, tuple.server.port),
        Field::Protocol => out.push(tuple.protocol),
        Field::NatSource => out.extend_from_slice(&flow.translation.unwrap_or(NOT_TRANSLATED).address),
        Field::NatSourcePort => word(out, flow.translation.unwrap_or(NOT_TRANSLATED).port),
        Field::Vlan | Field::ServiceVlan => word(out, tuple.svlan),
        Field::CustomerVlan => word(out, tuple.cvlan),
        Field::Application => variable(out, &flow.application, SHORT_TEXT),
        Field::Rule => variable(out, &flow.rule, LONG_TEXT),
        Field::ClientInterface => variable(out, &flow.interfaces.0, SHORT_TEXT),
        Field::ServerInterface => variable(out, &flow.interfaces.1, SHORT_TEXT),
        Field::ClientZone => variable(out, &flow.zones.0, SHORT_TEXT),
        Field::ServerZone => variable(out, &flow.zones.1, SHORT_TEXT),
        Field::UserText => {
            let name = flow.user.as_ref().and_then(|user| std::str::from_utf8(user.name.as_deref()?).ok());
            variable(out, name.unwrap_or(""), LONG_TEXT);
        }
        Field::UserMac => {
            let mac = flow.user.as_ref().and_then(|user| user.mac);
            out.extend_from_slice(&mac.unwrap_or_default().0);
        }
        Field::AccessInterface => {
            let interface = flow.user.as_ref().and_then(|user| user.interface.as_deref());
            variable(out, interface.unwrap_or(""), SHORT_TEXT);
        }
        other => debug_assert!(false, "no {other:?} in the templates of flows"),
    }
}

/// Stands in no record: only what is translated has these fields.
const NOT_TRANSLATED: Translation = Translation { address: [0; 4], port: 0 };

/// The four octets of an IPv4 address in mapped form.
fn v4(address: &Address) -> &[u8] {
    &address.0[12..]
}

/// IANA's registry `flowEndReason`: 1 idle timeout, 3 end of flow detected, 4 forced end, 5 lack of resources.
pub(super) fn end_reason(reason: CloseReason) -> u8 {
    match reason {
        CloseReason::Timeout => 1,
        CloseReason::Fin | CloseReason::Reset => 3,
        CloseReason::Policy | CloseReason::Logout | CloseReason::Shutdown => 4,
        CloseReason::Evicted => 5,
    }
}
