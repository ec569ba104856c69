//! Whether a RADIUS message comes from who knows the secret (RFC 2865, 3; RFC 2866, 3; RFC 3579, 3.2; RFC 5176, 3.4).

use md5::{Digest, Md5};

use super::packet::attribute::{EAP_MESSAGE, MESSAGE_AUTHENTICATOR, PROXY_STATE};
use super::packet::{
    ACCESS_ACCEPT, ACCESS_CHALLENGE, ACCESS_REJECT, ACCESS_REQUEST, ACCOUNTING_REQUEST, COA_REQUEST,
    DISCONNECT_REQUEST, HEADER, Message, STATUS_SERVER,
};

/// What a look at a message's authenticators showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All that are there are right.
    Good,
    /// One is wrong, or the one is missing that must be there.
    Bad,
    /// There is none: an Access-Request or Status-Server without Message-Authenticator has only a random number.
    Nothing,
}

/// Looks at a request.
pub fn verify_request(message: &Message<'_>, secret: &[u8]) -> Check {
    const NONE: [u8; 16] = [0; 16];
    match message.code() {
        // Of Status-Server too (RFC 5997, 3) the header's authenticator is a random number.
        ACCESS_REQUEST | STATUS_SERVER => check_signature(message, message.authenticator(), secret),
        ACCOUNTING_REQUEST | DISCONNECT_REQUEST | COA_REQUEST => {
            if !is_equal(&authenticator(message, &NONE, secret), message.authenticator()) {
                return Check::Bad;
            }
            match check_signature(message, &NONE, secret) {
                Check::Bad => Check::Bad,
                Check::Good | Check::Nothing => Check::Good,
            }
        }
        _ => Check::Bad,
    }
}

/// Looks at the answer to a request that had the authenticator `asked`.
pub fn verify_answer(message: &Message<'_>, asked: &[u8; 16], secret: &[u8]) -> Check {
    if !is_equal(&authenticator(message, asked, secret), message.authenticator()) {
        return Check::Bad;
    }
    // What a Message-Authenticator of other answers covers, implementations do not agree on.
    let is_signed = matches!(message.code(), ACCESS_ACCEPT | ACCESS_REJECT | ACCESS_CHALLENGE);
    match if is_signed { check_signature(message, asked, secret) } else { Check::Good } {
        Check::Bad => Check::Bad,
        Check::Good | Check::Nothing => Check::Good,
    }
}

/// Writes the answer to a request into `room`: its code, the request's Proxy-State (RFC 2866, 4.2; RFC 2865, 5.33), nothing
/// else, and the authenticator. Returns its octets; none where there is no room.
pub fn answer<'a>(request: &Message<'_>, code: u8, secret: &[u8], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut length = HEADER;
    for (kind, value) in request.attributes().filter(|(kind, _)| *kind == PROXY_STATE) {
        let place = room.get_mut(length..length + 2 + value.len())?;
        let (head, rest) = place.split_at_mut_checked(2)?;
        head.copy_from_slice(&[kind, (2 + value.len()) as u8]);
        rest.copy_from_slice(value);
        length += 2 + value.len();
    }
    let octets = room.get_mut(..length)?;
    let (header, attributes) = octets.split_first_chunk_mut::<HEADER>()?;
    let [high, low] = (length as u16).to_be_bytes();
    header[..4].copy_from_slice(&[code, request.id(), high, low]);
    let digest = Md5::new()
        .chain_update(&header[..4])
        .chain_update(request.authenticator())
        .chain_update(&*attributes)
        .chain_update(secret);
    header[4..].copy_from_slice(&digest.finalize());
    Some(octets)
}

/// The authenticator that a message has if the request's was `asked`, or if it is a request and `asked` zero.
fn authenticator(message: &Message<'_>, asked: &[u8; 16], secret: &[u8]) -> [u8; 16] {
    let (header, attributes) = message.octets().split_at_checked(HEADER).unwrap_or_default();
    let digest = Md5::new()
        .chain_update(header.get(..4).unwrap_or_default())
        .chain_update(asked)
        .chain_update(attributes)
        .chain_update(secret);
    digest.finalize().into()
}

/// Looks at the Message-Authenticator, which what carries EAP must have (RFC 3579, 3.2). In the header's place of the
/// authenticator it covers `authenticator`.
fn check_signature(message: &Message<'_>, authenticator: &[u8; 16], secret: &[u8]) -> Check {
    let octets = message.octets();
    let Some(place) = message.place(MESSAGE_AUTHENTICATOR) else {
        return if message.place(EAP_MESSAGE).is_some() { Check::Bad } else { Check::Nothing };
    };
    let (Some(head), Some(before), Some(signature), Some(after)) =
        (octets.get(..4), octets.get(HEADER..place), octets.get(place..place + 16), octets.get(place + 16..))
    else {
        return Check::Bad;
    };
    let signed = hmac_md5(secret, &[head, authenticator, before, &[0; 16], after]);
    if is_equal(&signed, signature) { Check::Good } else { Check::Bad }
}

/// HMAC-MD5 of all parts (RFC 2104, 2).
fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..16].copy_from_slice(&Md5::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Md5::new().chain_update(block.map(|octet| octet ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    Md5::new().chain_update(block.map(|octet| octet ^ 0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// Compares without telling by its time where they differ.
fn is_equal(one: &[u8; 16], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)));
    other.len() == one.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packet::ACCOUNTING_RESPONSE;
    use super::super::samples::{self, SECRET, hex};
    use super::*;

    fn parse(octets: &[u8]) -> Message<'_> {
        Message::parse(octets).unwrap()
    }

    #[test]
    fn hmac_is_that_of_rfc_2202() {
        let known = [
            (vec![0x0b; 16], b"Hi There".to_vec(), "9294727a3638bb1c13f48ef8158bfc9d"),
            (b"Jefe".to_vec(), b"what do ya want for nothing?".to_vec(), "750c783e6ab0b503eaa86e310a5db738"),
            (vec![0xaa; 16], vec![0xdd; 50], "56be34521d144c88dbb8c733f0e8b3f6"),
            (
                vec![0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
            ),
        ];
        for (key, data, digest) in known {
            let (one, other) = data.split_at(data.len() / 2);
            assert_eq!(hmac_md5(&key, &[one, other]).to_vec(), hex(digest));
        }
    }

    #[test]
    fn answers_of_rfc_2865_are_right_and_no_octet_of_them_may_differ() {
        for (request, answer) in [samples::telnet(), samples::framed()] {
            let asked = *parse(&request).authenticator();
            assert_eq!(verify_request(&parse(&request), SECRET), Check::Nothing);
            assert_eq!(verify_answer(&parse(&answer), &asked, SECRET), Check::Good);
            assert_eq!(verify_answer(&parse(&answer), &asked, b"xyzzy5462"), Check::Bad);
            assert_eq!(verify_answer(&parse(&answer), &[0; 16], SECRET), Check::Bad);
            for at in 0..answer.len() {
                let mut other = answer.clone();
                other[at] ^= 1;
                let is_taken = Message::parse(&other).map(|other| verify_answer(&other, &asked, SECRET));
                assert_ne!(is_taken, Some(Check::Good), "octet {at}");
            }
        }
    }

    #[test]
    fn what_carries_eap_has_to_be_signed() {
        let request = samples::signed(ACCESS_REQUEST, &[1, 5, b'b', b'o', b'b', 79, 4, 2, 1], None, SECRET);
        assert_eq!(verify_request(&parse(&request), SECRET), Check::Good);
        assert_eq!(verify_request(&parse(&request), b"other"), Check::Bad);
        let asked = *parse(&request).authenticator();
        let answer = samples::signed(ACCESS_ACCEPT, &[79, 6, 3, 1, 0, 4], Some(&asked), SECRET);
        assert_eq!(verify_answer(&parse(&answer), &asked, SECRET), Check::Good);
        let bare = samples::message(ACCESS_REQUEST, 1, &[79, 4, 2, 1]);
        assert_eq!(verify_request(&parse(&bare), SECRET), Check::Bad);
        let bare = samples::answer_to(&parse(&request), ACCESS_ACCEPT, &[79, 6, 3, 1, 0, 4], SECRET);
        assert_eq!(verify_answer(&parse(&bare), &asked, SECRET), Check::Bad);
    }

    #[test]
    fn accounting_is_verified_and_answered() {
        let request = samples::accounting(&[40, 6, 0, 0, 0, 1, 33, 4, 8, 9, 44, 3, b's', 33, 3, 7], SECRET);
        assert_eq!(verify_request(&parse(&request), SECRET), Check::Good);
        assert_eq!(verify_request(&parse(&request), b"wrong"), Check::Bad);
        let mut room = [0xff; 64];
        let octets = answer(&parse(&request), ACCOUNTING_RESPONSE, SECRET, &mut room).unwrap();
        let answer = parse(octets);
        assert_eq!((answer.code(), answer.id()), (5, parse(&request).id()));
        assert_eq!(answer.attributes().collect::<Vec<_>>(), [(33, &[8, 9][..]), (33, &[7][..])]);
        assert_eq!(verify_answer(&answer, parse(&request).authenticator(), SECRET), Check::Good);
        assert!(super::answer(&parse(&request), ACCOUNTING_RESPONSE, SECRET, &mut [0; 26]).is_none());
    }

    proptest! {
        /// Whoever does not know the secret has nothing believed, whatever they write.
        #[test]
        fn nothing_is_good_by_chance(payload in prop::collection::vec(any::<u8>(), 20..80), code in 1..46_u8) {
            let mut octets = payload;
            let length = octets.len() as u16;
            octets[0] = code;
            octets[2..4].copy_from_slice(&length.to_be_bytes());
            octets.truncate(20);
            octets[2..4].copy_from_slice(&20_u16.to_be_bytes());
            let message = parse(&octets);
            prop_assert_ne!(verify_request(&message, SECRET), Check::Good);
            prop_assert_eq!(verify_answer(&message, &[3; 16], SECRET), Check::Bad);
        }
    }
}
