//! A connection to a log host, whatever its transport; never blocking.

mod relp;
mod stream;
mod tls;
mod udp;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mio::{Interest, Registry, Token};

use self::relp::Session;
use self::stream::Stream;
use self::udp::Datagrams;
use super::opener::Opened;
use super::outbox::Outbox;
use super::trouble::Trouble;
use super::{FileTarget, HostConfig, KafkaTarget, Transport, file, kafka};

/// A transport.
#[derive(Debug)]
pub(super) enum Link {
    /// Connected, so that ICMP errors come back.
    Udp(Datagrams),
    /// TCP, in clear or under TLS.
    Stream(Stream),
    /// RELP over such a stream.
    Relp(Session),
    /// A file.
    File(file::Link),
    /// A Kafka cluster.
    Kafka(kafka::Link),
}

/// What a turn of writing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// So many octets of the outbox are with the kernel.
    Octets(usize),
    /// The socket takes nothing now.
    Blocked,
}

/// What a RELP host says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Which.
    pub transaction: u32,
    /// Whether it has it. If not, it wants it again.
    pub ok: bool,
}

impl Link {
    /// Begins to connect; UDP is connected at once.
    pub(super) fn open(host: &HostConfig, opened: Opened, registry: &Registry, token: Token) -> Result<Self, Trouble> {
        let mut link = match &host.transport {
            Transport::Udp => Self::Udp(Datagrams::connect(opened)?),
            Transport::Tcp => Self::Stream(Stream::plain(opened, &host.patience)?),
            Transport::Tls(policy) => Self::Stream(Stream::tls(host, policy, opened)?),
            Transport::Relp => Self::Relp(Session::new(Stream::plain(opened, &host.patience)?)),
            Transport::RelpTls(policy) => Self::Relp(Session::new(Stream::tls(host, policy, opened)?)),
            other @ (Transport::File(_) | Transport::Kafka(_)) => return Err(Trouble::Unsupported(other.text())),
        };
        link.register(registry, token)?;
        Ok(link)
    }

    /// To a file, in lines or else in IPFIX messages.
    pub(super) fn to_file(file: &FileTarget, lines: bool, registry: &Registry, token: Token) -> Result<Self, Trouble> {
        let mut link = Self::File(file::Link::open(file, lines)?);
        link.register(registry, token)?;
        Ok(link)
    }

    /// To a Kafka cluster.
    pub(super) fn to_kafka(
        host: &HostConfig,
        target: &KafkaTarget,
        registry: &Registry,
        token: Token,
    ) -> Result<Self, Trouble> {
        let mut link = Self::Kafka(kafka::Link::open(host, target)?);
        link.register(registry, token)?;
        Ok(link)
    }

    fn register(&mut self, registry: &Registry, token: Token) -> Result<(), Trouble> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = match self {
            Self::Udp(datagrams) => registry.register(datagrams.source(), token, both),
            Self::Stream(stream) => registry.register(stream.source(), token, both),
            Self::Relp(session) => registry.register(session.stream.source(), token, both),
            Self::File(file) => registry.register(file.source(), token, both),
            Self::Kafka(cluster) => registry.register(cluster.source(), token, both),
        };
        registered.map_err(Trouble::Socket)
    }

    /// Whether the connection is there; asked once the socket is writable.
    pub(super) fn connected(&self) -> Result<bool, Trouble> {
        self.stream().map_or(Ok(true), Stream::connected)
    }

    /// Goes on with TLS's handshake, then with RELP's: whether they are over.
    pub(super) fn handshake(&mut self) -> Result<bool, Trouble> {
        match self {
            Self::Udp(_) => Ok(true),
            Self::Stream(stream) => stream.handshake(),
            Self::Relp(session) => session.handshake(),
            Self::File(_) => Ok(true),
            Self::Kafka(cluster) => cluster.handshake(),
        }
    }

    /// What is wrong where [`Self::handshake`] takes longer than `patience`.
    pub(super) fn overdue(&self, patience: Duration) -> Trouble {
        match self {
            Self::Relp(session) if session.is_opening() => Trouble::RelpTimeout(patience.as_secs()),
            Self::Kafka(cluster) => cluster.overdue(patience),
            _ => Trouble::HandshakeTimeout(patience.as_secs()),
        }
    }

    /// Writes once from the outbox, which is not empty.
    pub(super) fn write(&mut self, outbox: &Outbox) -> Result<Wrote, Trouble> {
        match self {
            Self::Udp(datagrams) => datagrams.write(outbox),
            Self::Stream(stream) => stream.write(outbox.stream()),
            Self::Relp(session) => session.write(outbox),
            Self::File(file) => file.write(outbox.stream()),
            Self::Kafka(cluster) => cluster.write(outbox.stream()),
        }
    }

    /// Reads what there is: answers of RELP and of Kafka; other hosts have nothing to say, but that they are gone, or why they refuse us.
    /// False where there may be more, which no event will tell of. An error comes only in a call that brought no answer.
    pub(super) fn read(&mut self, answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        match self {
            Self::Udp(datagrams) => datagrams.read(),
            Self::Stream(stream) => stream.read_nothing(),
            Self::Relp(session) => session.read(answers),
            Self::File(file) => file.read(),
            Self::Kafka(cluster) => cluster.read(answers),
        }
    }

    /// Octets that were handed to the socket, those of TLS and RELP included. 0 over UDP.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::File(file) => file.position(),
            Self::Kafka(cluster) => cluster.position(),
            _ => self.stream().map_or(0, Stream::position),
        }
    }

    /// Octets of [`Self::position`] that the host's TCP has not acknowledged; none where that cannot be known.
    pub(super) fn queued(&self) -> Option<u64> {
        match self {
            Self::File(file) => Some(file.queued()),
            _ => self.stream()?.queued(),
        }
    }

    /// Begins to say goodbye, all being written: RELP's `close`, TLS's close_notify, then no more from our side. What the
    /// host's TCP has not acknowledged yet is still the kernel's to deliver.
    pub(super) fn close(&mut self) {
        match self {
            Self::Udp(_) => {}
            Self::Stream(stream) => stream.close(),
            Self::Relp(session) => session.close(),
            Self::File(file) => file.close(),
            Self::Kafka(cluster) => cluster.close(),
        }
    }

    /// Goes on with that: whether both sides are closed. The caller bounds how long it waits for that.
    pub(super) fn closing(&mut self) -> Result<bool, Trouble> {
        match self {
            Self::Udp(_) => Ok(true),
            Self::Stream(stream) => stream.closing(),
            Self::Relp(session) => session.closing(),
            Self::File(file) => file.closing(),
            Self::Kafka(cluster) => cluster.closing(),
        }
    }

    /// Whether the socket has yet to take something of the goodbye.
    pub(super) fn wants_write(&self) -> bool {
        match self {
            Self::Udp(_) | Self::File(_) | Self::Kafka(_) => false,
            Self::Stream(stream) => stream.wants_write(),
            Self::Relp(session) => session.wants_write(),
        }
    }

    /// Whether the host closes its side after us, which tells that it read everything.
    pub(super) fn is_stream(&self) -> bool {
        !matches!(self, Self::Udp(_))
    }

    /// The TLS version and cipher suite agreed on, for the operator.
    pub(super) fn protection(&self) -> Option<String> {
        self.stream()?.protection()
    }

    /// What the host has to tell the operator, that is no trouble yet.
    pub(super) fn words(&mut self) -> Vec<String> {
        match self {
            Self::Kafka(cluster) => cluster.words(),
            Self::Udp(_) | Self::Stream(_) | Self::Relp(_) | Self::File(_) => Vec::new(),
        }
    }

    fn stream(&self) -> Option<&Stream> {
        match self {
            Self::Udp(_) | Self::File(_) | Self::Kafka(_) => None,
            Self::Stream(stream) | Self::Relp(Session { stream, .. }) => Some(stream),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(datagrams) => datagrams.as_fd(),
            Self::Stream(stream) | Self::Relp(Session { stream, .. }) => stream.as_fd(),
            Self::File(file) => file.as_fd(),
            Self::Kafka(cluster) => cluster.as_fd(),
        }
    }
}

/// Whether to try again later.
pub(super) fn passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
