//! EAP (RFC 3748): who is asked, who answers, and how it ends; the methods themselves stay closed.

use crate::wire::be16;

/// What an EAP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eap<'a> {
    /// A request of the authenticator.
    Request,
    /// An answer of the peer: its name, where the answer is the identity (RFC 3748, 5.1).
    Response {
        /// By which the verdict names it.
        id: u8,
        /// Octets up to the first NUL, behind which options may stand.
        identity: Option<&'a [u8]>,
    },
    /// The end.
    Verdict {
        /// That of the response that it follows.
        id: u8,
        /// Whether the peer was let in.
        success: bool,
    },
}

impl<'a> Eap<'a> {
    /// Reads a packet; none where it is cut off or has a code that there is not.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let &[code, id] = payload.first_chunk()?;
        let data = payload.get(4..usize::from(be16(payload, 2)?))?;
        match (code, data) {
            (1, [_, ..]) => Some(Self::Request),
            (2, [IDENTITY, name @ ..]) => Some(Self::Response { id, identity: name.split(|octet| *octet == 0).next() }),
            (2, [_, ..]) => Some(Self::Response { id, identity: None }),
            (3 | 4, []) => Some(Self::Verdict { id, success: code == 3 }),
            _ => None,
        }
    }
}

/// Whether a verdict's id is that of a response. It must be (RFC 3748, 4.2); some authenticators send that of the request that
/// would have come next, and peers take it.
pub const fn is_answer(verdict: u8, response: u8) -> bool {
    verdict == response || verdict == response.wrapping_add(1)
}

/// The type of an identity.
const IDENTITY: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read() {
        assert_eq!(Eap::read(&[1, 9, 0, 5, 1]), Some(Eap::Request));
        let identity = Some(&b"bob"[..]);
        assert_eq!(Eap::read(b"\x02\x09\x00\x08\x01bob\x00\x00"), Some(Eap::Response { id: 9, identity }));
        assert_eq!(Eap::read(b"\x02\x09\x00\x0c\x01bob\x00a=b"), Some(Eap::Response { id: 9, identity }));
        assert_eq!(Eap::read(&[2, 9, 0, 5, 1]), Some(Eap::Response { id: 9, identity: Some(&[]) }));
        assert_eq!(Eap::read(&[2, 9, 0, 6, 25, 0]), Some(Eap::Response { id: 9, identity: None }));
        assert_eq!(Eap::read(&[3, 9, 0, 4, 0, 0]), Some(Eap::Verdict { id: 9, success: true }));
        assert_eq!(Eap::read(&[4, 9, 0, 4]), Some(Eap::Verdict { id: 9, success: false }));
    }

    #[test]
    fn what_is_cut_or_of_no_kind_is_none() {
        for bad in [
            &[][..],
            &[3, 1, 0],
            &[3, 1, 0, 3],
            &[3, 1, 0, 5],
            &[3, 1, 0, 5, 0],
            &[2, 1, 0, 4],
            &[1, 1, 0, 4],
            &[5, 1, 0, 4],
        ] {
            assert_eq!(Eap::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ids_go_round() {
        assert!(is_answer(0, 255) && is_answer(7, 7) && is_answer(8, 7));
        assert!(!is_answer(6, 7) && !is_answer(9, 7));
    }
}
