//! Hosts that get their address by DHCP, of a server on their link that answers them directly.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Act, address, station};
use crate::pktgen::frames::{Ends, Link, Side, udp_packet};

const SERVER: [u8; 4] = [100, 127, 0, 1];
const NOBODY: [u8; 4] = [0; 4];
const ALL: [u8; 4] = [255; 4];

/// Gets an address, renews it, and gives it back.
pub(super) fn acts() -> Vec<Act> {
    let pause = Duration::from_micros(50);
    vec![
        Act { name: "sign-ons (4 frames, 1 record)", frames: sign_on, records: 1, stay: true, pause },
        Act { name: "renewals (2 frames)", frames: renew, records: 0, stay: true, pause },
        Act {
            name: "sign-offs (1 frame, 1 record)",
            frames: |user| vec![frame(user, Side::Client, (address(user), SERVER), 7, &[])],
            records: 1,
            stay: false,
            pause,
        },
    ]
}

/// DISCOVER, OFFER, REQUEST, ACK.
fn sign_on(user: usize) -> Vec<(Side, Vec<u8>)> {
    let name = format!("host-{user:07}");
    let names = [&[12, name.len() as u8], name.as_bytes()].concat();
    let wanted = [&[50, 4][..], &address(user), &[54, 4], &SERVER, &names].concat();
    vec![
        frame(user, Side::Client, (NOBODY, ALL), 1, &names),
        frame(user, Side::Server, (SERVER, address(user)), 2, &lease()),
        frame(user, Side::Client, (NOBODY, ALL), 3, &wanted),
        frame(user, Side::Server, (SERVER, address(user)), 5, &lease()),
    ]
}

/// REQUEST and ACK, from host to host.
fn renew(user: usize) -> Vec<(Side, Vec<u8>)> {
    vec![
        frame(user, Side::Client, (address(user), SERVER), 3, &[]),
        frame(user, Side::Server, (SERVER, address(user)), 5, &lease()),
    ]
}

fn lease() -> Vec<u8> {
    [&[54, 4][..], &SERVER, &[51, 4, 0, 1, 0x51, 0x80]].concat()
}

/// A message between two addresses.
fn frame(user: usize, side: Side, (from, to): ([u8; 4], [u8; 4]), kind: u8, options: &[u8]) -> (Side, Vec<u8>) {
    let is_request = side == Side::Client;
    let mut message = vec![0; 236];
    message[..4].copy_from_slice(&[if is_request { 1 } else { 2 }, 1, 6, 0]);
    message[4..8].copy_from_slice(&(user as u32).to_be_bytes());
    if from == address(user) {
        message[12..16].copy_from_slice(&from);
    }
    if !is_request {
        message[16..20].copy_from_slice(&to);
    }
    message[28..34].copy_from_slice(&station(user));
    message.extend([99, 130, 83, 99, 53, 1, kind]);
    message.extend(options);
    message.push(255);
    // RFC 1542, 2.1: no shorter.
    message.resize(message.len().max(300), 0);
    let (client, server) = if is_request { (from, to) } else { (to, from) };
    let ends = Ends { client: SocketAddr::from((client, 68)), server: SocketAddr::from((server, 67)) };
    let (from, to) = ends.of(side);
    let gateway = if server == ALL { [0xff; 6] } else { [2, 0xff, 0, 0, 0, 1] };
    let link = Link { client: station(user), server: gateway, ..Link::plain() };
    (side, link.frame(side, &udp_packet(from, to, user as u16, &message)))
}
