//! A client's Initial packets of QUIC version 1, sealed (RFC 9001, 5.2 to 5.4).

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

/// RFC 9001, 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
/// The destination connection id of all of a client's packets.
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// A packet of this number with CRYPTO frames, each by its offset, padded to 1,200 octets and more.
pub(super) fn initial(number: u8, frames: &[(usize, &[u8])]) -> Vec<u8> {
    let mut plain = Vec::new();
    for (at, part) in frames {
        plain.push(0x06);
        plain.extend((*at as u16 | 0x4000).to_be_bytes());
        plain.extend((part.len() as u16 | 0x4000).to_be_bytes());
        plain.extend(*part);
    }
    plain.resize(plain.len().max(1_170), 0);
    let length = (plain.len() + 1 + 16) as u16 | 0x4000;
    let header = [&[0xc0, 0, 0, 0, 1, 8][..], &ID, &[0, 0], &length.to_be_bytes(), &[number]].concat();
    seal(header, plain)
}

/// `header` ends with a packet number of one octet.
fn seal(header: Vec<u8>, mut plain: Vec<u8>) -> Vec<u8> {
    let (_, initial) = Hkdf::<Sha256>::extract(Some(&SALT), &ID);
    let client = Hkdf::<Sha256>::from_prk(&expand::<32>(&initial, b"client in")).unwrap();
    let mut nonce = expand::<12>(&client, b"quic iv");
    let number_at = header.len() - 1;
    nonce[11] ^= header[number_at];
    let cipher = Aes128Gcm::new(&expand::<16>(&client, b"quic key").into());
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &header, InOutBuf::from(&mut plain[..])).unwrap();
    let mut packet = [&header[..], &plain, &tag].concat();
    let mut mask = <[u8; 16]>::try_from(&packet[number_at + 4..number_at + 20]).unwrap().into();
    Aes128::new(&expand::<16>(&client, b"quic hp").into()).encrypt_block(&mut mask);
    packet[0] ^= mask[0] & 0x0f;
    packet[number_at] ^= mask[1];
    packet
}

/// HKDF-Expand-Label (RFC 8446, 7.1) without a context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    let length = [0, N as u8, 6 + label.len() as u8];
    secret.expand_multi_info(&[&length, b"tls13 ", label, &[0]], &mut key).unwrap();
    key
}
