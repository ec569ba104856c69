//! What a record is keyed by: records of one key are in one partition, and so in order.

use std::io::Write as _;

use crate::record::{Body, FlowContext, Record};

/// Keys are no longer than this; longer ones are cut.
const LONGEST: usize = u8::MAX as usize;

/// Appends how many octets the key has, and the key: the account or the access user as they came, or else the client's
/// address. The audit trail has one key; records of losses have none.
pub(in crate::export) fn write(record: &Record, out: &mut Vec<u8>) {
    let place = out.len();
    out.push(0);
    match &record.body {
        Body::Session(session) => flow(&session.flow, out),
        Body::Attack(attack) => flow(&attack.flow, out),
        Body::Im(im) => match &im.account {
            Some(account) => out.extend_from_slice(account.as_bytes()),
            None => flow(&im.flow, out),
        },
        Body::Access(access) => out.extend_from_slice(access.user.user.as_deref().unwrap_or(&access.user.account)),
        // A trail is read in its order.
        Body::Audit(_) => out.extend_from_slice(b"audit"),
        Body::Loss(_) => {}
    }
    out.truncate(place + 1 + LONGEST);
    out[place] = (out.len() - place - 1) as u8;
}

fn flow(flow: &FlowContext, out: &mut Vec<u8>) {
    match flow.user.as_ref().and_then(|user| user.name.as_deref()) {
        Some(name) => out.extend_from_slice(name),
        // A vector takes all that is written to it.
        None => drop(write!(out, "{}", flow.tuple.client.address.ip())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::audit::AuditEvent;
    use crate::record::{Class, LossPlace, UserNote, sample};

    fn key(record: &Record) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(record, &mut out);
        assert_eq!(usize::from(out[6]), out.len() - 7);
        out.split_off(7)
    }

    #[test]
    fn an_account_a_user_and_an_address_are_keys_in_that_order() {
        assert_eq!(key(&sample::login("10001")), b"10001");
        assert_eq!(key(&sample::audit(AuditEvent::LoginFailed)), b"audit");
        assert_eq!(key(&sample::loss(Class::Im, LossPlace::Worker(1), 3)), b"");
        let mut record = sample::close_v6();
        let Body::Session(session) = &mut record.body else { panic!("a session") };
        session.flow.user = None;
        let address = session.flow.tuple.client.address.ip().to_string();
        assert_eq!(key(&record), address.as_bytes());
        let Body::Session(session) = &mut record.body else { panic!("a session") };
        let name = Some(vec![0xff; 300].into());
        session.flow.user = Some(Arc::new(UserNote { name, mac: None, interface: None }));
        assert_eq!(key(&record), [0xff; 255], "a name is octets, and no longer than a key");
    }
}
