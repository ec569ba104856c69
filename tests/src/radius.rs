//! RADIUS as access servers and their servers send it, in captures: what a tester needs to have users sign on.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// The access server.
pub const NAS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The RADIUS server.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// Codes of RFC 2865 and 2866.
pub const ACCESS_REQUEST: u8 = 1;
/// Likewise.
pub const ACCESS_ACCEPT: u8 = 2;
/// Likewise.
pub const ACCESS_REJECT: u8 = 3;
/// Likewise.
pub const ACCOUNTING_REQUEST: u8 = 4;

/// Acct-Status-Type of a login.
pub const START: u8 = 1;
/// Of a logout.
pub const STOP: u8 = 2;

/// A message: code, identifier, attributes; the authenticator is made up, so that it holds under no secret.
pub fn message(code: u8, identifier: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = vec![code, identifier, 0, 0];
    message.extend([identifier ^ 0x5a; 16]);
    for (kind, value) in attributes {
        message.extend([*kind, value.len() as u8 + 2]);
        message.extend_from_slice(value);
    }
    let length = (message.len() as u16).to_be_bytes();
    message[2..4].copy_from_slice(&length);
    message
}

/// An accounting message about a user with an address, in the session of that name.
pub fn accounting(identifier: u8, status: u8, user: &[u8], address: Ipv4Addr, session: &str) -> Vec<u8> {
    let attributes: [(u8, &[u8]); 6] = [
        (1, user),
        (4, &NAS.octets()),
        (8, &address.octets()),
        (31, b"02-00-5E-00-53-01"),
        (40, &[0, 0, 0, status]),
        (44, session.as_bytes()),
    ];
    message(ACCOUNTING_REQUEST, identifier, &attributes)
}

/// An Ethernet frame from the access server to the server, or back where `is_answer`.
pub fn frame(payload: &[u8], port: u16, is_answer: bool) -> Vec<u8> {
    let (from, to) = if is_answer { ((SERVER, port), (NAS, 40_000)) } else { ((NAS, 40_000), (SERVER, port)) };
    let mut udp = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    udp.extend((payload.len() as u16 + 8).to_be_bytes());
    // No checksum, as IPv4 allows (RFC 768).
    udp.extend([0, 0]);
    udp.extend_from_slice(payload);
    let mut ip = vec![0x45, 0];
    ip.extend((udp.len() as u16 + 20).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    ip.extend(from.0.octets());
    ip.extend(to.0.octets());
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend(ip);
    frame.extend(udp);
    frame
}

/// Writes a capture, its frames a second apart.
pub fn capture(folder: &Path, name: &str, frames: &[Vec<u8>]) -> PathBuf {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 1] {
        file.extend(word.to_be_bytes());
    }
    for (second, frame) in frames.iter().enumerate() {
        let length = frame.len() as u32;
        for word in [1_772_352_930 + second as u32, 0, length, length] {
            file.extend(word.to_be_bytes());
        }
        file.extend_from_slice(frame);
    }
    let path = folder.join(name);
    std::fs::write(&path, file).expect("a file can be made in a temporary folder");
    path
}
