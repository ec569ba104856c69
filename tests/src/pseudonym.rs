//! Pseudonyms of accounts as OpenSSL makes them, by the command that the manual names.

use std::io::Write;
use std::process::{Command, Stdio};

/// The first 32 digits of HMAC-SHA-256 under a key.
pub fn pseudonym(key: &str, account: &str) -> String {
    let hex: String = key.bytes().map(|octet| format!("{octet:02x}")).collect();
    let mut digits = digest(&["-mac", "HMAC", "-macopt", &format!("hexkey:{hex}")], account);
    digits.truncate(32);
    digits
}

/// What records call a key: the first eight digits of its SHA-256.
pub fn key_name(key: &str) -> String {
    let mut digits = digest(&[], key);
    digits.truncate(8);
    digits
}

fn digest(arguments: &[&str], text: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("openssl runs");
    child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("openssl reads");
    let output = child.wait_with_output().expect("openssl ends");
    let said = String::from_utf8(output.stdout).expect("openssl writes ASCII");
    said.split_whitespace().last().expect("openssl writes digits").to_owned()
}
