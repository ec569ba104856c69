//! Users who sign on by RADIUS.

use std::net::SocketAddr;
use std::time::Duration;

use dataplane::access::RadiusClient;
use dataplane::endpoint::Address;
use md5::{Digest, Md5};

use super::{Act, SERVERS, address, station};
use crate::pktgen::frames::{Ends, Link, Side, udp_packet};

/// What each access server shares with the RADIUS server.
const SECRET: &[u8] = b"a secret of 24 octets ..";

/// Signs on, is told of once more, and signs off.
pub(super) fn acts() -> Vec<Act> {
    let pause = Duration::from_micros(50);
    vec![
        Act { name: "sign-ons (4 frames, 2 records)", frames: sign_on, records: 2, stay: true, pause },
        Act {
            name: "interim messages (1 frame)",
            frames: |user| vec![frame(user, Side::Client, &accounting(user, 3))],
            records: 0,
            stay: true,
            pause,
        },
        Act {
            name: "sign-offs (1 frame, 1 record)",
            frames: |user| vec![frame(user, Side::Client, &accounting(user, 2))],
            records: 1,
            stay: false,
            pause,
        },
    ]
}

/// The access servers, with their secret.
pub(super) fn client() -> RadiusClient {
    let networks = vec![(Address::v4([10, 1, 0, 0]), 96 + 16)];
    RadiusClient { name: "bras".to_owned(), networks, secret: SECRET.into(), believes_unverified: false }
}

/// A datagram of a user's access server, or the answer; each server asks from 64 ports in turn, accounting from others.
fn frame(user: usize, side: Side, payload: &[u8]) -> (Side, Vec<u8>) {
    let is_accounting = matches!(payload.first(), Some(4 | 5));
    let server = user % SERVERS;
    let port = 20_000 + (user / SERVERS % 64) as u16 + if is_accounting { 1000 } else { 0 };
    let access_server = SocketAddr::from(([10, 1, 0, server as u8], port));
    let radius_server = SocketAddr::from(([192, 0, 2, 1], if is_accounting { 1813 } else { 1812 }));
    let (from, to) = Ends { client: access_server, server: radius_server }.of(side);
    (side, Link::plain().frame(side, &udp_packet(from, to, user as u16, payload)))
}

/// Asked and accepted, begun and acknowledged.
fn sign_on(user: usize) -> Vec<(Side, Vec<u8>)> {
    let asked = message(1, user, &[identity(user), attribute(2, &[7; 16])].concat(), None);
    let accept =
        [attribute(8, &address(user)), attribute(25, b"gold"), attribute(27, &86_400_u32.to_be_bytes())].concat();
    let accept = message(2, user, &accept, Some(&asked));
    let start = accounting(user, 1);
    let response = message(5, user, &[], Some(&start));
    [(Side::Client, asked), (Side::Server, accept), (Side::Client, start), (Side::Server, response)]
        .map(|(side, message)| frame(user, side, &message))
        .into()
}

/// An Accounting-Request of that status.
fn accounting(user: usize, status: u32) -> Vec<u8> {
    let mut attributes = identity(user);
    attributes.extend(attribute(40, &status.to_be_bytes()));
    attributes.extend(attribute(44, format!("{user:08x}").as_bytes()));
    attributes.extend(attribute(8, &address(user)));
    if status != 1 {
        attributes.extend([42, 43, 46, 47, 48].into_iter().flat_map(|kind| attribute(kind, &77_777_u32.to_be_bytes())));
    }
    if status == 2 {
        attributes.extend(attribute(49, &1_u32.to_be_bytes()));
    }
    message(4, user, &attributes, None)
}

/// Name, access server, its port, both stations.
fn identity(user: usize) -> Vec<u8> {
    let station = station(user).map(|octet| format!("{octet:02X}")).join("-");
    [
        attribute(1, format!("user{user:07}@isp.example").as_bytes()),
        attribute(4, &[10, 1, 0, (user % SERVERS) as u8]),
        attribute(5, &(user as u32).to_be_bytes()),
        attribute(6, &2_u32.to_be_bytes()),
        attribute(31, station.as_bytes()),
        attribute(32, format!("bras{}", user % SERVERS).as_bytes()),
        attribute(61, &15_u32.to_be_bytes()),
        attribute(87, format!("eth 0/{}:{}", user % 8, user % 4096).as_bytes()),
    ]
    .concat()
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, value.len() as u8 + 2], value].concat()
}

/// A message with its authenticator: of an Access-Request a digest, of what answers a request the one that follows from it.
fn message(code: u8, user: usize, attributes: &[u8], request: Option<&[u8]>) -> Vec<u8> {
    // Of a server's port, each number is used once in 256 messages.
    let id = (user / SERVERS / 64) as u8;
    let length = (20 + attributes.len()) as u16;
    let asked = request.and_then(|request| request.get(4..20)).unwrap_or(&[0; 16]);
    let mut octets = [&[code, id], &length.to_be_bytes()[..], asked, attributes].concat();
    let authenticator = Md5::digest([&octets, SECRET].concat());
    octets[4..20].copy_from_slice(&authenticator);
    octets
}
