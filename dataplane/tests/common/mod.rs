//! What the tests that start DPDK share. DPDK starts once a process, so each of them is a test binary with one test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

pub mod lab;
pub mod packet;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, process};

use dataplane::dpdk::{Eal, EalConfig, Memory, Pool, PoolConfig};

/// EAL without hugepages, NICs or privileges.
pub fn eal(mib: u32) -> Arc<Eal> {
    let config =
        EalConfig { file_prefix: "ostiary-test".to_owned(), memory: Memory::Ordinary { mib }, nics: Vec::new() };
    Eal::start(&config).expect("EAL starts without hugepages")
}

pub fn pool(eal: &Arc<Eal>, mbufs: u32, data_room: u16) -> Arc<Pool> {
    let config = PoolConfig { name: "frames".to_owned(), mbufs, data_room, node: None };
    Pool::create(eal, &config).expect("the pool fits in EAL's memory")
}

/// A folder that is removed with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("ostiary-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a capture file: Ethernet, microseconds, one frame a millisecond.
pub fn write_pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (index, frame) in frames.iter().enumerate() {
        let length = frame.len() as u32;
        for word in [1_700_000_000, 1000 * index as u32, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    fs::write(path, file).unwrap();
}

/// The frames of a capture file in this machine's byte order.
pub fn read_pcap(path: &Path) -> Vec<Vec<u8>> {
    let file = fs::read(path).unwrap();
    let mut rest = &file[24..];
    let mut frames = Vec::new();
    while let Some((header, behind)) = rest.split_at_checked(16) {
        let length = u32::from_ne_bytes(header[8..12].try_into().unwrap()) as usize;
        frames.push(behind[..length].to_vec());
        rest = &behind[length..];
    }
    frames
}

/// Frames of all sizes: an Ethernet header of an unassigned type, then octets that differ.
pub fn frames(sizes: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let header = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];
    let frame = |(index, size): (usize, usize)| {
        let body = (0..size - header.len()).map(|octet| (octet * 7 + index) as u8);
        header.into_iter().chain(body).collect()
    };
    sizes.into_iter().enumerate().map(frame).collect()
}

/// A UDP datagram of IPv4 in Ethernet, its header checksum right.
pub fn udp(source: [u8; 4], destination: [u8; 4], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut segment = Vec::new();
    for field in [ports.0, ports.1, length, 0] {
        segment.extend(field.to_be_bytes());
    }
    segment.extend(payload);
    ipv4(source, destination, 17, &segment)
}

/// A packet of IPv4 in Ethernet, its header checksum right.
pub fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    header.extend(source);
    header.extend(destination);
    let sum: u32 = header.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
    ethernet.into_iter().chain(header).chain(payload.iter().copied()).collect()
}
