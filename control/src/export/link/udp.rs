//! Datagrams: one message each, and no word from the host but ICMP errors.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};

use mio::net::UdpSocket;

use super::super::opener::Opened;
use super::super::outbox::Outbox;
use super::super::trouble::Trouble;
use super::{Wrote, passing};

/// A connected socket.
#[derive(Debug)]
pub(in crate::export) struct Datagrams {
    socket: UdpSocket,
}

impl Datagrams {
    /// Towards the address; nothing is sent by that.
    pub(super) fn connect(opened: Opened) -> Result<Self, Trouble> {
        opened.socket.connect(&opened.address.into()).map_err(Trouble::Connect)?;
        Ok(Self { socket: UdpSocket::from_std(opened.socket.into()) })
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Sends the first message, in a datagram of its own. Not several in one system call (`sendmmsg`): that swallows an ICMP
    /// error which comes between two of them.
    pub(super) fn write(&mut self, outbox: &Outbox) -> Result<Wrote, Trouble> {
        match self.socket.send(outbox.datagram()) {
            Ok(octets) => Ok(Wrote::Octets(octets)),
            Err(error) if passing(&error) => Ok(Wrote::Blocked),
            Err(error) => Err(trouble(error)),
        }
    }

    /// Finds ICMP errors; what a host may say is not for us.
    pub(super) fn read(&mut self) -> Result<bool, Trouble> {
        const TURNS: usize = 16;
        let mut nothing = [0; 64];
        for _ in 0..TURNS {
            match self.socket.recv(&mut nothing) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(trouble(error)),
            }
        }
        Ok(false)
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An ICMP error about an earlier datagram is told in place of sending or receiving the next.
fn trouble(error: io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Trouble::Icmp(error)
        }
        _ => Trouble::Lost(error),
    }
}
