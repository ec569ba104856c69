//! RADIUS messages for tests.

use md5::{Digest, Md5};

use super::packet::{ACCOUNTING_REQUEST, HEADER, Message};
use crate::access::Sight;
use crate::endpoint::Endpoint;
use crate::flow::Realm;

/// What the examples of RFC 2865, 7 share.
pub const SECRET: &[u8] = b"xyzzy5461";

pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// RFC 2865, 7.1: nemo by Telnet, asked and accepted.
pub fn telnet() -> (Vec<u8>, Vec<u8>) {
    let request =
        "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4
        13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
    let accept = "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 0e 06
        c0 a8 01 03";
    (hex(request), hex(accept))
}

/// RFC 2865, 7.2: flopsy by PPP with CHAP, asked and accepted.
pub fn framed() -> (Vec<u8>, Vec<u8>) {
    let request =
        "01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9 75 57
        c3 16 18 58 95 f2 93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00 02 07 06 00 00 00 01";
    let accept = "02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01 08 06
        ff ff ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc";
    (hex(request), hex(accept))
}

/// An attribute.
pub fn attribute(kind: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&[kind, value.len() as u8 + 2], value].concat()
}

/// A message whose authenticator says nothing.
pub fn message(code: u8, id: u8, attributes: &[u8]) -> Vec<u8> {
    let length = (HEADER + attributes.len()) as u16;
    let authenticator = Md5::digest(attributes);
    [&[code, id], &length.to_be_bytes()[..], &authenticator, attributes].concat()
}

fn seal(mut octets: Vec<u8>, asked: &[u8; 16], secret: &[u8]) -> Vec<u8> {
    octets[4..HEADER].copy_from_slice(asked);
    let digest = Md5::digest([&octets, secret].concat());
    octets[4..HEADER].copy_from_slice(&digest);
    octets
}

/// An Accounting-Request with a right authenticator.
pub fn accounting(attributes: &[u8], secret: &[u8]) -> Vec<u8> {
    request(ACCOUNTING_REQUEST, 9, attributes, secret)
}

/// A request whose authenticator is a digest.
pub fn request(code: u8, id: u8, attributes: &[u8], secret: &[u8]) -> Vec<u8> {
    seal(message(code, id, attributes), &[0; 16], secret)
}

/// The answer to a request.
pub fn answer_to(request: &Message<'_>, code: u8, attributes: &[u8], secret: &[u8]) -> Vec<u8> {
    seal(message(code, request.id(), attributes), request.authenticator(), secret)
}

/// A message with Message-Authenticator behind the attributes; the answer to a request that had the authenticator `asked`.
pub fn signed(code: u8, attributes: &[u8], asked: Option<&[u8; 16]>, secret: &[u8]) -> Vec<u8> {
    let mut octets = message(code, 3, &[attributes, &attribute(80, [0; 16])].concat());
    if let Some(asked) = asked {
        octets[4..HEADER].copy_from_slice(asked);
    }
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(secret).for_each(|(octet, secret)| *octet ^= secret);
        block.to_vec()
    };
    let inner = Md5::digest([pad(0x36), octets.clone()].concat());
    let digest = Md5::digest([pad(0x5c), inner.to_vec()].concat());
    let at = octets.len() - 16;
    octets[at..].copy_from_slice(&digest);
    match asked {
        Some(asked) => seal(octets, asked, secret),
        None => octets,
    }
}

/// Where a datagram between two hosts is seen.
pub fn sight(source: &str, destination: &str) -> Sight {
    let [source, destination] = [source, destination].map(|end| {
        let end: std::net::SocketAddr = end.parse().unwrap();
        Endpoint { address: end.ip().into(), port: end.port() }
    });
    Sight { source, destination, macs: Default::default(), realm: Realm::default(), ports: (2, 3), pppoe: None }
}
