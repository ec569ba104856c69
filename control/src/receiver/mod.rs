//! A RADIUS accounting server (RFC 2866): access servers send what they account to the firewall itself, which answers.
//!
//! For firewalls that RADIUS does not cross. Only access servers whose secret is known are heard and answered; to all others
//! nothing seems to listen here.

mod desk;
mod recent;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use dataplane::access::{AccessEvent, AccessSettings};
use dataplane::time::Nanos;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use self::desk::Desk;
pub use self::desk::ReceiverTally;

/// Datagrams taken in one turn of the loop.
const PER_TURN: usize = 256;
/// A datagram that is longer is no RADIUS (RFC 2866, 3), but for what follows the message as padding.
const LONGEST: usize = 8_192;

/// The server: its socket, and who behind it reads and answers.
#[derive(Debug)]
pub struct Receiver {
    socket: UdpSocket,
    local: SocketAddr,
    desk: Desk,
    /// There may be datagrams.
    is_ready: bool,
    room: Box<[u8]>,
}

impl Receiver {
    /// Listens.
    ///
    /// # Errors
    /// As the operating system refuses it: the address is not this machine's, or the port is taken.
    pub fn bind(
        listen: SocketAddr,
        settings: Arc<AccessSettings>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = UdpSocket::bind(listen)?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, desk: Desk::new(settings), is_ready: true, room: vec![0; LONGEST].into() })
    }

    /// Where it listens.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Goes on with other secrets.
    pub fn reconfigure(&mut self, settings: Arc<AccessSettings>) {
        self.desk.reconfigure(settings);
    }

    /// What was counted since the start.
    pub const fn tally(&self) -> &ReceiverTally {
        self.desk.tally()
    }

    /// The socket has something to read.
    pub const fn wake(&mut self) {
        self.is_ready = true;
    }

    /// Takes datagrams, a bounded number; says whether there may be more. `hear` takes what one says, and says whether it will be
    /// remembered: what will not is not answered, so that the access server keeps it and asks again.
    pub fn turn(&mut self, now: Nanos, mut hear: impl FnMut(AccessEvent) -> bool) -> bool {
        for _ in 0..PER_TURN {
            if !self.is_ready {
                return false;
            }
            match self.socket.recv_from(&mut self.room) {
                Ok((length, from)) => {
                    let datagram = self.room.get(..length).unwrap_or_default();
                    if let Some(answer) = self.desk.take(now, (from, self.local), datagram, &mut hear) {
                        // Where it is lost the access server asks again, and is answered again.
                        self.desk.sent(self.socket.send_to(&answer, from).is_ok());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                // What became of an answer before: its receiver is not there any more.
                Err(_) => {}
            }
        }
        self.is_ready
    }
}
