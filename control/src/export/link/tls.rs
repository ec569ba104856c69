//! TLS over a socket that does not block.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::IpAddr;

use rustls::{ClientConnection, IoState};

use super::super::trouble::Trouble;
use super::super::{Target, TlsPolicy, tls};
use super::stream::{Below, Got};
use super::{Wrote, passing};

/// How much is given to TLS at once: a record of the TLS record protocol.
const CHUNK: usize = 16 * 1024;

/// A session.
#[derive(Debug)]
pub(super) struct Secure {
    session: ClientConnection,
    /// Octets that the session has and the socket has not wholly taken.
    inside: usize,
}

impl Secure {
    /// With the host at `address`, by a policy's files as they are now.
    pub(super) fn new(policy: &TlsPolicy, target: &Target, address: IpAddr) -> Result<Self, Trouble> {
        Ok(Self { session: tls::session(policy, target, address)?, inside: 0 })
    }

    pub(super) fn handshake(&mut self, below: &mut Below) -> Result<bool, Trouble> {
        while self.session.is_handshaking() {
            if self.session.wants_write() {
                match self.session.write_tls(below) {
                    Ok(_) => continue,
                    Err(error) if passing(&error) => {}
                    Err(error) => return Err(Trouble::Lost(error)),
                }
            }
            match self.session.read_tls(below) {
                Ok(0) => return Err(Trouble::HandshakeClosed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(Trouble::HandshakeClosed),
                Err(error) => return Err(Trouble::Lost(error)),
            }
            self.process(below)?;
        }
        Ok(true)
    }

    /// Octets count as written once the last octet of ciphertext is with the kernel.
    pub(super) fn write(&mut self, below: &mut Below, octets: &[u8]) -> Result<Wrote, Trouble> {
        if self.inside == 0 {
            let chunk = &octets[..octets.len().min(CHUNK)];
            self.inside = self.session.writer().write(chunk).map_err(Trouble::Lost)?;
        }
        match self.flush(below)? {
            true => Ok(Wrote::Octets(std::mem::take(&mut self.inside))),
            false => Ok(Wrote::Blocked),
        }
    }

    /// Gives the socket what the session has for it: whether it took all.
    pub(super) fn flush(&mut self, below: &mut Below) -> Result<bool, Trouble> {
        while self.session.wants_write() {
            match self.session.write_tls(below) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if passing(&error) => return Ok(false),
                Err(error) => return Err(Trouble::Lost(error)),
            }
        }
        Ok(true)
    }

    pub(super) fn read(&mut self, below: &mut Below, buffer: &mut [u8]) -> Result<Got, Trouble> {
        loop {
            match self.session.reader().read(buffer) {
                Ok(0) => return Ok(Got::End),
                Ok(octets) => return Ok(Got::Octets(octets)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The host ended without close_notify: all that it said before was read.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Got::End),
                Err(error) => return Err(Trouble::Lost(error)),
            }
            match self.session.read_tls(below) {
                Ok(0) => return Ok(Got::End),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Nothing),
                Err(error) => return Err(Trouble::Lost(error)),
            }
            self.process(below)?;
            // A new key that the host asked for.
            self.flush(below)?;
        }
    }

    pub(super) fn say_close(&mut self) {
        self.session.send_close_notify();
    }

    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    pub(super) fn protection(&self) -> Option<String> {
        let (version, suite) = (self.session.protocol_version()?, self.session.negotiated_cipher_suite()?);
        Some(format!("{version:?}, {:?}", suite.suite()))
    }

    /// Takes in what was read; where that fails, the alert that says why is still sent to the host.
    fn process(&mut self, below: &mut Below) -> Result<IoState, Trouble> {
        self.session.process_new_packets().map_err(|error| {
            drop(self.session.write_tls(below));
            Trouble::Tls(error)
        })
    }
}
