//! A database file, with its checksum put right so that what is behind it is reached; what is taken must be safe to use.

use std::path::Path;

use sha2::{Digest, Sha256};
use sigdb::{Container, Findings, FlowState, Scratch, Sender, Start, Transport};

/// Loads it as it is, and as the program of a file that is whole.
pub fn run(data: &[u8]) {
    load(data.to_vec());
    let mut octets = b"OSTSIGDB".to_vec();
    octets.extend(sigdb::FORMAT_VERSION.to_le_bytes());
    octets.extend([0; 2]);
    octets.extend((data.len() as u32).to_le_bytes());
    octets.extend(Sha256::digest(data));
    octets.extend([0; 96]);
    octets.extend(data);
    load(octets);
}

fn load(octets: Vec<u8>) {
    let Ok(container) = Container::new(octets, Path::new("memory")) else { return };
    let _ = container.signature();
    let Ok(database) = container.database() else { return };
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut scratch = Scratch::new();
        for first in 0..=255 {
            let mut flow = FlowState::new(Start { transport, server_port: 443, from_start: true, resolved: None });
            let shown: Vec<u8> = (0..64).map(|place: u8| first ^ place.wrapping_mul(7)).collect();
            for from in [Sender::Client, Sender::Server] {
                let _ = flow.read(&database, &mut scratch, 0, from, &shown, &mut Findings::new());
            }
            let _ = flow.end(&database);
        }
    }
    let _ = database.diff(&database);
}
