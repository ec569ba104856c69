//! Users who sign on by PPPoE with PAP, without VLANs.

use std::time::Duration;

use super::{Act, SERVERS, address, station};
use crate::pktgen::frames::Side;

const DISCOVERY: u16 = 0x8863;
const SESSION: u16 = 0x8864;
const LCP: u16 = 0xc021;
const PAP: u16 = 0xc023;
const IPCP: u16 = 0x8021;

/// Signs on, and signs off. A worker follows 262,144 sessions: of others it believes 2,048 ends a second, so these come more
/// slowly.
pub(super) fn acts() -> Vec<Act> {
    vec![
        Act {
            name: "sign-ons (16 frames, 2 records)",
            frames: sign_on,
            records: 2,
            stay: true,
            pause: Duration::from_micros(50),
        },
        Act {
            name: "sign-offs (1 frame, 1 record)",
            frames: |user| vec![discovery(user, Side::Client, 0xa7, number(user), &[])],
            records: 1,
            stay: false,
            pause: Duration::from_millis(40),
        },
    ]
}

/// Discovery, LCP, PAP, and IPCP, in which the user is told the address.
fn sign_on(user: usize) -> Vec<(Side, Vec<u8>)> {
    let (id, unique) = (number(user), [&[1, 1, 0, 0, 1, 3, 0, 4][..], &(user as u32).to_be_bytes()].concat());
    let mut frames = vec![
        discovery(user, Side::Client, 0x09, 0, &unique),
        discovery(user, Side::Server, 0x07, 0, &unique),
        discovery(user, Side::Client, 0x19, 0, &unique),
        discovery(user, Side::Server, 0x65, id, &unique),
    ];
    let mut say = |side, protocol, code, id, data: &[u8]| frames.push(session(user, side, protocol, code, id, data));
    let (authentication, magic) = ([3, 4, 0xc0, 0x23], [5, 6, 1, 2, 3, 4]);
    say(Side::Server, LCP, 1, 1, &authentication);
    say(Side::Client, LCP, 1, 1, &magic);
    say(Side::Client, LCP, 2, 1, &authentication);
    say(Side::Server, LCP, 2, 1, &magic);
    let name = format!("user{user:07}@isp.example");
    say(Side::Client, PAP, 1, 1, &[&[name.len() as u8], name.as_bytes(), &[8], b"password"].concat());
    say(Side::Server, PAP, 2, 1, b"\x08Login ok");
    let [ask, none, given] = [[10, 1, 0, 1], [0; 4], address(user)].map(|address| [&[3, 6][..], &address].concat());
    say(Side::Server, IPCP, 1, 1, &ask);
    say(Side::Client, IPCP, 1, 1, &none);
    say(Side::Client, IPCP, 2, 1, &ask);
    say(Side::Server, IPCP, 3, 1, &given);
    say(Side::Client, IPCP, 1, 2, &given);
    say(Side::Server, IPCP, 2, 2, &given);
    frames
}

/// The session at the user's concentrator.
fn number(user: usize) -> u16 {
    (user / SERVERS + 1) as u16
}

fn discovery(user: usize, side: Side, code: u8, id: u16, tags: &[u8]) -> (Side, Vec<u8>) {
    let octets = [&[0x11, code][..], &id.to_be_bytes(), &(tags.len() as u16).to_be_bytes(), tags].concat();
    (side, frame(user, side, if code == 0x09 { [0xff; 6] } else { concentrator(user) }, DISCOVERY, &octets))
}

fn session(user: usize, side: Side, protocol: u16, code: u8, id: u8, data: &[u8]) -> (Side, Vec<u8>) {
    let packet = [&[code, id][..], &(4 + data.len() as u16).to_be_bytes(), data].concat();
    let header = [[0x11, 0], number(user).to_be_bytes(), (2 + packet.len() as u16).to_be_bytes()].concat();
    (side, frame(user, side, concentrator(user), SESSION, &[&header[..], &protocol.to_be_bytes(), &packet].concat()))
}

fn concentrator(user: usize) -> [u8; 6] {
    [6, 0, 0, 0, 0, (user % SERVERS) as u8]
}

/// Padded to Ethernet's 60 octets.
fn frame(user: usize, side: Side, other: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let (from, to) = if side == Side::Client { (station(user), other) } else { (other, station(user)) };
    let mut octets = [&to[..], &from, &ether_type.to_be_bytes(), payload].concat();
    octets.resize(octets.len().max(60), 0);
    octets
}
