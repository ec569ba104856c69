//! RADIUS messages (RFC 2865, 3): the header, and a walk along the attributes.

/// Access-Request.
pub const ACCESS_REQUEST: u8 = 1;
/// Access-Accept.
pub const ACCESS_ACCEPT: u8 = 2;
/// Access-Reject.
pub const ACCESS_REJECT: u8 = 3;
/// Accounting-Request (RFC 2866, 4.1).
pub const ACCOUNTING_REQUEST: u8 = 4;
/// Accounting-Response.
pub const ACCOUNTING_RESPONSE: u8 = 5;
/// Access-Challenge: more is asked of the user, and nothing decided.
pub const ACCESS_CHALLENGE: u8 = 11;
/// Status-Server (RFC 5997, 2): whether the server is there.
pub const STATUS_SERVER: u8 = 12;
/// Disconnect-Request (RFC 5176, 3): of the server, or who else manages sessions, to the access server.
pub const DISCONNECT_REQUEST: u8 = 40;
/// Disconnect-ACK.
pub const DISCONNECT_ACK: u8 = 41;
/// Disconnect-NAK.
pub const DISCONNECT_NAK: u8 = 42;
/// CoA-Request.
pub const COA_REQUEST: u8 = 43;
/// CoA-ACK.
pub const COA_ACK: u8 = 44;
/// CoA-NAK.
pub const COA_NAK: u8 = 45;

/// Numbers of the attributes that are read.
pub(super) mod attribute {
    pub const USER_NAME: u8 = 1;
    pub const NAS_IP_ADDRESS: u8 = 4;
    pub const NAS_PORT: u8 = 5;
    pub const SERVICE_TYPE: u8 = 6;
    pub const FRAMED_IP_ADDRESS: u8 = 8;
    pub const FILTER_ID: u8 = 11;
    pub const REPLY_MESSAGE: u8 = 18;
    pub const CLASS: u8 = 25;
    pub const VENDOR_SPECIFIC: u8 = 26;
    pub const SESSION_TIMEOUT: u8 = 27;
    pub const CALLED_STATION_ID: u8 = 30;
    pub const CALLING_STATION_ID: u8 = 31;
    pub const NAS_IDENTIFIER: u8 = 32;
    pub const PROXY_STATE: u8 = 33;
    pub const ACCT_STATUS_TYPE: u8 = 40;
    pub const ACCT_DELAY_TIME: u8 = 41;
    pub const ACCT_INPUT_OCTETS: u8 = 42;
    pub const ACCT_OUTPUT_OCTETS: u8 = 43;
    pub const ACCT_SESSION_ID: u8 = 44;
    pub const ACCT_INPUT_PACKETS: u8 = 47;
    pub const ACCT_OUTPUT_PACKETS: u8 = 48;
    pub const ACCT_TERMINATE_CAUSE: u8 = 49;
    pub const ACCT_INPUT_GIGAWORDS: u8 = 52;
    pub const ACCT_OUTPUT_GIGAWORDS: u8 = 53;
    pub const EAP_MESSAGE: u8 = 79;
    pub const MESSAGE_AUTHENTICATOR: u8 = 80;
    pub const ACCT_INTERIM_INTERVAL: u8 = 85;
    pub const NAS_PORT_ID: u8 = 87;
    pub const NAS_IPV6_ADDRESS: u8 = 95;
    pub const FRAMED_IPV6_PREFIX: u8 = 97;
    pub const DELEGATED_IPV6_PREFIX: u8 = 123;
    pub const FRAMED_IPV6_ADDRESS: u8 = 168;
}

use attribute::*;

/// Octets of the header.
pub const HEADER: usize = 20;
/// Octets of a message at most (RFC 2865, 3).
pub const LONGEST: usize = 4096;

/// A message whose attributes fill it exactly, and are each as long as their kind is.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    octets: &'a [u8],
    authenticator: &'a [u8; 16],
}

impl<'a> Message<'a> {
    /// Reads a datagram's payload, which may be longer than the message (RFC 2865, 3: the rest is padding). None where it
    /// contradicts itself: its length, an attribute that ends before it begins or past the end, one of numbers or addresses
    /// with another length than those have, and one twice that may be there once.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]));
        if !(HEADER..=LONGEST).contains(&length) {
            return None;
        }
        let octets = payload.get(..length)?;
        let authenticator = octets.get(4..HEADER)?.try_into().ok()?;
        let mut rest = octets.get(HEADER..)?;
        let mut once = 0_u128;
        while let [kind, length, ..] = *rest {
            let (attribute, after) = rest.split_at_checked(usize::from(length))?;
            let value = attribute.get(2..)?;
            if size(kind).is_some_and(|size| size != value.len()) {
                return None;
            }
            if matches!(kind, USER_NAME | ACCT_STATUS_TYPE | ACCT_SESSION_ID | MESSAGE_AUTHENTICATOR) {
                if once >> kind & 1 != 0 {
                    return None;
                }
                once |= 1 << kind;
            }
            rest = after;
        }
        rest.is_empty().then_some(Self { octets, authenticator })
    }

    /// What it is.
    pub fn code(&self) -> u8 {
        self.octets.first().copied().unwrap_or_default()
    }

    /// The number that an answer has from its request.
    pub fn id(&self) -> u8 {
        self.octets.get(1).copied().unwrap_or_default()
    }

    /// What it is verified by.
    pub const fn authenticator(&self) -> &'a [u8; 16] {
        self.authenticator
    }

    /// All of it, without padding.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Numbers and values, in order.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.octets.get(HEADER..).unwrap_or_default() }
    }

    /// The first value of a kind that is not empty.
    pub fn find(&self, kind: u8) -> Option<&'a [u8]> {
        self.attributes().find(|(other, value)| *other == kind && !value.is_empty()).map(|(_, value)| value)
    }

    /// The first number of a kind.
    pub fn number(&self, kind: u8) -> Option<u32> {
        self.find(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Where the value of the first attribute of a kind begins, in [`Self::octets`].
    pub(super) fn place(&self, kind: u8) -> Option<usize> {
        let mut at = HEADER;
        for (other, value) in self.attributes() {
            if other == kind {
                return Some(at + 2);
            }
            at += 2 + value.len();
        }
        None
    }
}

/// The attributes of a message.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, length, ..] = *self.rest else { return None };
        let (attribute, rest) = self.rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some((kind, attribute.get(2..)?))
    }
}

/// Octets of a value, where all of its kind are as long.
const fn size(kind: u8) -> Option<usize> {
    match kind {
        NAS_IP_ADDRESS | NAS_PORT | SERVICE_TYPE | FRAMED_IP_ADDRESS | SESSION_TIMEOUT => Some(4),
        ACCT_STATUS_TYPE..=ACCT_OUTPUT_OCTETS | 46..=ACCT_TERMINATE_CAUSE => Some(4),
        ACCT_INPUT_GIGAWORDS | ACCT_OUTPUT_GIGAWORDS | ACCT_INTERIM_INTERVAL => Some(4),
        MESSAGE_AUTHENTICATOR | NAS_IPV6_ADDRESS | FRAMED_IPV6_ADDRESS => Some(16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message of these attributes.
    fn message(attributes: &[u8]) -> Vec<u8> {
        let mut octets = vec![1, 7, 0, 20 + attributes.len() as u8];
        octets.extend([0xaa; 16]);
        octets.extend(attributes);
        octets
    }

    #[test]
    fn attributes_are_walked_to_the_end_and_padding_is_none() {
        let mut octets = message(&[1, 4, b'm', b'e', 26, 3, 9, 5, 6, 0, 0, 0, 3]);
        octets.extend([1, 1, 1]);
        let message = Message::parse(&octets).unwrap();
        let all: Vec<_> = message.attributes().collect();
        assert_eq!(all, [(1, &b"me"[..]), (26, &[9][..]), (5, &[0, 0, 0, 3][..])]);
        assert_eq!((message.code(), message.id(), message.authenticator()), (1, 7, &[0xaa; 16]));
        assert_eq!((message.find(1), message.number(NAS_PORT), message.find(44)), (Some(&b"me"[..]), Some(3), None));
        assert_eq!((message.place(NAS_PORT), message.octets().len()), (Some(29), 33));
    }

    #[test]
    fn what_contradicts_itself_is_no_message() {
        for attributes in [
            &[1, 0][..],
            &[1, 1],
            &[1],
            &[1, 5, b'm', b'e'],
            &[1, 3, b'a', 1, 3, b'b'],
            &[8, 5, 10, 0, 0],
            &[40, 7, 0, 0, 0, 1, 1],
            &[80, 6, 0, 0, 0, 0],
            &[26, 2, 0],
        ] {
            assert!(Message::parse(&message(attributes)).is_none(), "{attributes:?}");
        }
        let whole = message(&[1, 3, b'a']);
        for length in [0_u16, 19, 24, 4097, u16::MAX] {
            let mut octets = whole.clone();
            octets[2..4].copy_from_slice(&length.to_be_bytes());
            assert!(Message::parse(&octets).is_none(), "{length}");
        }
        assert!((0..whole.len()).all(|length| Message::parse(&whole[..length]).is_none()));
    }

    proptest! {
        /// Whatever comes: what is taken for a message is covered by its attributes without a gap.
        #[test]
        fn attributes_fill_a_message(
            mut octets in prop::collection::vec(any::<u8>(), 0..300),
            lengths in prop::collection::vec(2..40_usize, 0..12),
            right: bool,
        ) {
            if right && octets.len() >= HEADER {
                let mut at = HEADER;
                for length in &lengths {
                    if at + length > octets.len() {
                        break;
                    }
                    octets[at + 1] = *length as u8;
                    at += length;
                }
                octets[2..4].copy_from_slice(&(at as u16).to_be_bytes());
            }
            if let Some(message) = Message::parse(&octets) {
                let covered: usize = message.attributes().map(|(_, value)| 2 + value.len()).sum();
                prop_assert_eq!(HEADER + covered, message.octets().len());
                for (kind, value) in message.attributes() {
                    prop_assert!(size(kind).is_none_or(|size| size == value.len()));
                }
            }
        }
    }
}
