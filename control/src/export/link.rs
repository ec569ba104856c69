//! A socket towards a log host: UDP, TCP, or TLS over TCP; never blocking.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use socket2::{SockRef, TcpKeepalive};

use super::outbox::Outbox;
use super::trouble::Trouble;
use super::{HostConfig, Target, Transport, tls};

/// Asked of the kernel, which doubles it for its own bookkeeping. It also bounds how much can be written and yet unknown to
/// the host's TCP.
const SEND_BUFFER: usize = 256 * 1024;

/// How much is given to TLS at once: a record of the TLS record protocol.
const TLS_CHUNK: usize = 16 * 1024;

/// A socket and what is above it.
#[derive(Debug)]
pub(super) enum Link {
    /// Connected, so that ICMP errors come back.
    Udp(UdpSocket),
    /// In clear.
    Tcp {
        /// Below.
        socket: TcpStream,
        /// Octets handed to the socket.
        position: u64,
    },
    /// Under TLS.
    Tls {
        /// Below.
        socket: TcpStream,
        /// Above.
        session: Box<ClientConnection>,
        /// Octets of the outbox that the session has and the socket has not wholly taken.
        inside: usize,
        /// Octets handed to the socket, as they go over the wire.
        position: u64,
    },
}

/// The host's answer to a record (RELP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// To the record with this number.
    pub transaction: u32,
    /// It took it.
    pub ok: bool,
}

/// What a turn of writing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// So many octets of the outbox are with the kernel.
    Octets(usize),
    /// The socket takes nothing now.
    Blocked,
}

impl Link {
    /// Begins to connect; UDP is connected at once.
    pub(super) fn open(host: &HostConfig, registry: &Registry, token: Token) -> Result<Self, Trouble> {
        let Target::Address(address) = host.target else {
            return Err(Trouble::Unsupported("a log host by its name"));
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        // Before the socket: files that cannot be read should cost the host nothing.
        let session = match &host.transport {
            Transport::Tls(policy) => Some(Box::new(tls::session(policy, address.ip())?)),
            Transport::Udp | Transport::Tcp => None,
            other => return Err(Trouble::Unsupported(other.text())),
        };
        if let Transport::Udp = host.transport {
            let any: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let mut socket = UdpSocket::bind(SocketAddr::new(any, 0)).map_err(Trouble::Socket)?;
            socket.connect(address).map_err(Trouble::Connect)?;
            registry.register(&mut socket, token, both).map_err(Trouble::Socket)?;
            return Ok(Self::Udp(socket));
        }
        let mut socket = TcpStream::connect(address).map_err(Trouble::Connect)?;
        prepare(&socket, host.patience.user_timeout).map_err(Trouble::Socket)?;
        registry.register(&mut socket, token, both).map_err(Trouble::Socket)?;
        Ok(match session {
            Some(session) => Self::Tls { socket, session, inside: 0, position: 0 },
            None => Self::Tcp { socket, position: 0 },
        })
    }

    /// Octets that were handed to the socket since it was opened; of streams only.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Udp(_) => 0,
            Self::Tcp { position, .. } | Self::Tls { position, .. } => *position,
        }
    }

    /// Whether the connection is there; asked once the socket is writable.
    pub(super) fn connected(&self) -> Result<bool, Trouble> {
        let socket = match self {
            Self::Udp(_) => return Ok(true),
            Self::Tcp { socket, .. } | Self::Tls { socket, .. } => socket,
        };
        if let Some(error) = socket.take_error().map_err(Trouble::Connect)? {
            return Err(Trouble::Connect(error));
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(Trouble::Connect(error)),
        }
    }

    /// Goes on with the handshake: whether it is over.
    pub(super) fn handshake(&mut self) -> Result<bool, Trouble> {
        let Self::Tls { socket, session, position, .. } = self else { return Ok(true) };
        while session.is_handshaking() {
            if session.wants_write() {
                match session.write_tls(socket) {
                    Ok(octets) => {
                        *position += octets as u64;
                        continue;
                    }
                    Err(error) if passing(&error) => {}
                    Err(error) => return Err(Trouble::Lost(error)),
                }
            }
            match session.read_tls(socket) {
                Ok(0) => return Err(Trouble::HandshakeClosed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(Trouble::HandshakeClosed),
                Err(error) => return Err(Trouble::Lost(error)),
            }
            process(session, socket)?;
        }
        Ok(true)
    }

    /// Writes once from the outbox, which is not empty.
    pub(super) fn write(&mut self, outbox: &Outbox) -> Result<Wrote, Trouble> {
        match self {
            Self::Udp(socket) => match socket.send(outbox.datagram()) {
                Ok(octets) => Ok(Wrote::Octets(octets)),
                Err(error) if passing(&error) => Ok(Wrote::Blocked),
                Err(error) => Err(datagram_trouble(error)),
            },
            Self::Tcp { socket, position } => match socket.write(outbox.stream()) {
                Ok(octets) => {
                    *position += octets as u64;
                    Ok(Wrote::Octets(octets))
                }
                Err(error) if passing(&error) => Ok(Wrote::Blocked),
                Err(error) => Err(Trouble::Lost(error)),
            },
            Self::Tls { socket, session, inside, position } => {
                if *inside == 0 {
                    let stream = outbox.stream();
                    let chunk = &stream[..stream.len().min(TLS_CHUNK)];
                    *inside = session.writer().write(chunk).map_err(Trouble::Lost)?;
                }
                while session.wants_write() {
                    match session.write_tls(socket) {
                        Ok(octets) => *position += octets as u64,
                        Err(error) if passing(&error) => return Ok(Wrote::Blocked),
                        Err(error) => return Err(Trouble::Lost(error)),
                    }
                }
                Ok(Wrote::Octets(std::mem::take(inside)))
            }
        }
    }

    /// Reads what there is: `answers` to what was written, where the transport has them; else log hosts have nothing to say,
    /// but that they are gone, or why they refuse us. False where there may be more, which no event will tell of.
    pub(super) fn read(&mut self, _answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        const TURNS: usize = 16;
        let mut nothing = [0; 4_096];
        for _ in 0..TURNS {
            let result = match self {
                Self::Udp(socket) => match socket.recv(&mut nothing) {
                    Err(error) if !passing(&error) => return Err(datagram_trouble(error)),
                    other => other.map(|octets| octets.max(1)),
                },
                Self::Tcp { socket, .. } => socket.read(&mut nothing),
                Self::Tls { socket, session, .. } => {
                    let result = session.read_tls(socket);
                    if let Ok(1..) = result {
                        let state = process(session, socket)?;
                        while let Ok(1..) = session.reader().read(&mut nothing) {}
                        if state.peer_has_closed() {
                            return Err(Trouble::Closed);
                        }
                    }
                    result
                }
            };
            match result {
                Ok(0) => return Err(Trouble::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(Trouble::Lost(error)),
            }
        }
        Ok(false)
    }

    /// Says goodbye: close_notify under TLS, then no more from our side. What the host's TCP has not acknowledged yet is
    /// still the kernel's to deliver.
    pub(super) fn close(&mut self) {
        match self {
            Self::Udp(_) => {}
            Self::Tcp { socket, .. } => drop(socket.shutdown(Shutdown::Write)),
            Self::Tls { socket, session, .. } => {
                session.send_close_notify();
                while session.wants_write() && session.write_tls(socket).is_ok() {}
                drop(socket.shutdown(Shutdown::Write));
            }
        }
    }

    /// Whether the host closes its side after us, which tells that it read everything.
    pub(super) fn is_stream(&self) -> bool {
        !matches!(self, Self::Udp(_))
    }

    /// The TLS version and cipher suite agreed on, for the operator.
    pub(super) fn protection(&self) -> Option<String> {
        let Self::Tls { session, .. } = self else { return None };
        let (version, suite) = (session.protocol_version()?, session.negotiated_cipher_suite()?);
        Some(format!("{version:?}, {:?}", suite.suite()))
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Tcp { socket, .. } | Self::Tls { socket, .. } => socket.as_fd(),
        }
    }
}

fn prepare(socket: &TcpStream, user_timeout: Duration) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // Without it Linux would try for a quarter of an hour (RFC 5482).
    socket.set_tcp_user_timeout(Some(user_timeout))?;
    // Finds a host that vanished while there was nothing to write.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5));
    socket.set_tcp_keepalive(&keepalive.with_retries(3))
}

/// Takes in what was read; where that fails, the alert that says why is still sent to the host.
fn process(session: &mut ClientConnection, socket: &mut TcpStream) -> Result<rustls::IoState, Trouble> {
    session.process_new_packets().map_err(|error| {
        drop(session.write_tls(socket));
        Trouble::Tls(error)
    })
}

/// An ICMP error about an earlier datagram is told in place of sending or receiving the next.
fn datagram_trouble(error: io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            Trouble::Icmp(error)
        }
        _ => Trouble::Lost(error),
    }
}

/// Whether to try again later.
fn passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
