//! A TCP connection, in clear or under TLS, as a way for octets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::TcpKeepalive;

use super::super::diagnosis::{Connection, Diagnosis};
use super::super::opener::Opened;
use super::super::trouble::Trouble;
use super::super::{HostConfig, Patience, TlsPolicy};
use super::tls::Secure;
use super::{Wrote, passing};

/// Asked of the kernel, which doubles it for its own bookkeeping. Where the kernel does not tell what the host's TCP has
/// acknowledged, what is older than so many octets is taken to be.
pub(in crate::export) const SEND_BUFFER: usize = 256 * 1024;

/// Reads in one turn; then it is another host's.
const READS: usize = 16;

/// See the module.
#[derive(Debug)]
pub(in crate::export) struct Stream {
    below: Below,
    above: Above,
    shut: bool,
}

/// What is between TLS, if any, and the kernel.
#[derive(Debug)]
pub(super) struct Below {
    pub(super) socket: TcpStream,
    /// Octets that the kernel took.
    position: u64,
    /// How to ask for what of them is not acknowledged.
    diagnosis: Option<(Diagnosis, Connection)>,
}

#[derive(Debug)]
enum Above {
    Plain,
    Tls(Box<Secure>),
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many octets; never 0.
    Octets(usize),
    /// Nothing is there now.
    Nothing,
    /// The host closed its side.
    End,
}

impl Stream {
    /// Begins to connect.
    pub(super) fn plain(opened: Opened, patience: &Patience) -> Result<Self, Trouble> {
        Ok(Self { below: Below::connect(opened, patience)?, above: Above::Plain, shut: false })
    }

    /// Begins to connect, for TLS by that policy.
    pub(super) fn tls(host: &HostConfig, policy: &TlsPolicy, opened: Opened) -> Result<Self, Trouble> {
        // Before the socket: files that cannot be read should cost the host nothing.
        let secure = Secure::new(policy, &host.target, opened.address.ip())?;
        Ok(Self { below: Below::connect(opened, &host.patience)?, above: Above::Tls(Box::new(secure)), shut: false })
    }

    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.below.socket
    }

    pub(super) fn connected(&self) -> Result<bool, Trouble> {
        let socket = &self.below.socket;
        if let Some(error) = socket.take_error().map_err(Trouble::Connect)? {
            return Err(Trouble::Connect(error));
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(Trouble::Connect(error)),
        }
    }

    /// Of TLS: whether it is over.
    pub(super) fn handshake(&mut self) -> Result<bool, Trouble> {
        match &mut self.above {
            Above::Plain => Ok(true),
            Above::Tls(secure) => secure.handshake(&mut self.below),
        }
    }

    /// Writes once; the octets that it blocked on must be offered again.
    pub(super) fn write(&mut self, octets: &[u8]) -> Result<Wrote, Trouble> {
        match &mut self.above {
            Above::Plain => match self.below.write(octets) {
                Ok(octets) => Ok(Wrote::Octets(octets)),
                Err(error) if passing(&error) => Ok(Wrote::Blocked),
                Err(error) => Err(Trouble::Lost(error)),
            },
            Above::Tls(secure) => secure.write(&mut self.below, octets),
        }
    }

    /// Reads once.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Trouble> {
        match &mut self.above {
            Above::Plain => loop {
                match self.below.socket.read(buffer) {
                    Ok(0) => return Ok(Got::End),
                    Ok(octets) => return Ok(Got::Octets(octets)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Nothing),
                    Err(error) => return Err(Trouble::Lost(error)),
                }
            },
            Above::Tls(secure) => secure.read(&mut self.below, buffer),
        }
    }

    /// Reads what a host says that has nothing to say: false where there may be more.
    pub(super) fn read_nothing(&mut self) -> Result<bool, Trouble> {
        let mut nothing = [0; 4_096];
        for _ in 0..READS {
            match self.read(&mut nothing)? {
                Got::Octets(_) => {}
                Got::Nothing => return Ok(true),
                Got::End => return Err(Trouble::Closed),
            }
        }
        Ok(false)
    }

    pub(super) fn position(&self) -> u64 {
        self.below.position
    }

    pub(super) fn queued(&self) -> Option<u64> {
        let (diagnosis, connection) = self.below.diagnosis.as_ref()?;
        diagnosis.queued(connection)
    }

    /// Begins to end: close_notify under TLS, then no more from our side.
    pub(super) fn close(&mut self) {
        if let Above::Tls(secure) = &mut self.above {
            secure.say_close();
        }
        // An error is found by [`Self::closing`].
        drop(self.shut());
    }

    /// Goes on with that: whether the host closed its side too.
    pub(super) fn closing(&mut self) -> Result<bool, Trouble> {
        if !self.shut()? {
            return Ok(false);
        }
        match self.read_nothing() {
            Ok(_) => Ok(false),
            Err(Trouble::Closed) => Ok(true),
            Err(trouble) => Err(trouble),
        }
    }

    /// Closes our side as soon as the kernel has all; whether it is closed.
    fn shut(&mut self) -> Result<bool, Trouble> {
        if self.shut {
            return Ok(true);
        }
        if let Above::Tls(secure) = &mut self.above
            && !secure.flush(&mut self.below)?
        {
            return Ok(false);
        }
        self.below.socket.shutdown(Shutdown::Write).map_err(Trouble::Lost)?;
        self.shut = true;
        Ok(true)
    }

    /// Whether TLS has something for the socket, of the goodbye or of its own.
    pub(super) fn wants_write(&self) -> bool {
        matches!(&self.above, Above::Tls(secure) if secure.wants_write())
    }

    pub(super) fn protection(&self) -> Option<String> {
        match &self.above {
            Above::Plain => None,
            Above::Tls(secure) => secure.protection(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.below.socket.as_fd()
    }
}

impl Below {
    fn connect(opened: Opened, patience: &Patience) -> Result<Self, Trouble> {
        let Opened { socket, address, interface, diagnosis } = opened;
        prepare(&socket, patience).map_err(Trouble::Socket)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(Trouble::Connect(error)),
        }
        let local = socket.local_addr().ok().and_then(|local| local.as_socket());
        let connection = local.map(|local| Connection { local, remote: address, interface });
        Ok(Self { socket: TcpStream::from_std(socket.into()), position: 0, diagnosis: diagnosis.zip(connection) })
    }
}

/// What is written below is counted.
impl Write for Below {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.socket.write(octets)?;
        self.position += written as u64;
        Ok(written)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let written = self.socket.write_vectored(slices)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Below {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

fn prepare(socket: &socket2::Socket, patience: &Patience) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // A host that acknowledges nothing for so long is lost (RFC 5482); without it Linux would try for a quarter of an hour.
    socket.set_tcp_user_timeout(Some(patience.user_timeout))?;
    // Finds a host that vanished while there was nothing to write.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    socket.set_tcp_keepalive(&keepalive.with_retries(3))
}
