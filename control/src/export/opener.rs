//! Sockets towards a host, made where making them can block nobody: a host's name is looked up, and another network
//! namespace is entered, in a thread of its own.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use rustix::net::netdevice::name_to_index;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

use super::diagnosis::Diagnosis;
use super::trouble::Trouble;
use super::{HostConfig, Target, Transport, Via};
use crate::confine;
use crate::record::Name;

/// A socket that is bound as the host's configuration wants it, and not connected.
#[derive(Debug)]
pub(super) struct Opened {
    /// Does not block.
    pub socket: Socket,
    /// Where to connect it to.
    pub address: SocketAddr,
    /// The index of the interface it is bound to, or 0.
    pub interface: u32,
    /// Of the socket's namespace; none where the kernel has none, and for datagrams.
    pub diagnosis: Option<Diagnosis>,
}

/// What is needed for a socket.
#[derive(Clone, Debug)]
struct Order {
    target: Target,
    stream: bool,
    via: Via,
    /// Which of the addresses of a name, modulo their number.
    turn: usize,
}

/// Opens one socket at a time for one host.
#[derive(Debug, Default)]
pub(super) struct Opener {
    running: Option<Receiver<Result<Opened, Trouble>>>,
    /// Grows with each attempt that came to nothing, so that each address of a name has its turn.
    turn: usize,
}

impl Opener {
    /// Begins an attempt; what can be done at once is done at once. Otherwise [`Self::poll`] tells. An attempt that is still
    /// under way goes on instead of another.
    pub(super) fn begin(&mut self, host: &HostConfig) -> Option<Result<Opened, Trouble>> {
        if self.running.is_some() {
            return self.poll();
        }
        let stream = !matches!(host.transport, Transport::Udp);
        let order = Order { target: host.target.clone(), stream, via: host.via.clone(), turn: self.turn };
        self.turn = self.turn.wrapping_add(1);
        if let (Target::Address(address), None) = (&order.target, &order.via.namespace) {
            return Some(open(*address, &order));
        }
        let (sender, receiver) = bounded(1);
        let work = move || {
            // Nobody waits any more if the process stops.
            let _ = sender.send(order.carry_out());
        };
        match confine::lookup_thread(format!("open-{}", host.name), work) {
            Ok(_) => {
                self.running = Some(receiver);
                None
            }
            Err(error) => Some(Err(Trouble::Socket(error))),
        }
    }

    /// What came of the attempt, once.
    pub(super) fn poll(&mut self) -> Option<Result<Opened, Trouble>> {
        let outcome = match self.running.as_ref()?.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(Trouble::Socket(io::Error::other("the attempt was cut short"))),
        };
        self.running = None;
        Some(outcome)
    }

    /// The last address was a good one: the next attempt begins with it.
    pub(super) fn worked(&mut self) {
        self.turn = self.turn.wrapping_sub(1);
    }
}

impl Order {
    /// In a thread that ends with it: it does not come back from the namespace.
    fn carry_out(&self) -> Result<Opened, Trouble> {
        if let Some(path) = &self.via.namespace {
            enter(path).map_err(|error| Trouble::Namespace(path.clone(), error))?;
        }
        let address = match &self.target {
            Target::Address(address) => *address,
            Target::Name { name, port } => self.choose(name, *port)?,
            Target::None => return Err(Trouble::Socket(io::ErrorKind::AddrNotAvailable.into())),
        };
        open(address, self)
    }

    /// One of the name's addresses; of the family of the source address, where there is one.
    fn choose(&self, name: &str, port: u16) -> Result<SocketAddr, Trouble> {
        let trouble = |error: io::Error| Trouble::Name(name.into(), error);
        let fits = |address: &SocketAddr| self.via.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
        let all: Vec<SocketAddr> = (name, port).to_socket_addrs().map_err(trouble)?.filter(fits).collect();
        match all.len() {
            0 => Err(trouble(io::Error::other("it has no address of the source address's family"))),
            many => Ok(all[self.turn % many]),
        }
    }
}

fn open(address: SocketAddr, order: &Order) -> Result<Opened, Trouble> {
    let via = &order.via;
    let (kind, protocol) = if order.stream { (Type::STREAM, Protocol::TCP) } else { (Type::DGRAM, Protocol::UDP) };
    let socket =
        Socket::new(Domain::for_address(address), kind.nonblocking(), Some(protocol)).map_err(Trouble::Socket)?;
    let mut interface = match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    if let Some(name) = &via.interface {
        interface = bind(&socket, name).map_err(|error| Trouble::Interface(name.to_string(), error))?;
    }
    if let Some(dscp) = via.dscp {
        let field = u32::from(dscp) << 2;
        let set = if address.is_ipv4() { socket.set_tos_v4(field) } else { socket.set_tclass_v6(field) };
        set.map_err(Trouble::Socket)?;
    }
    if let Some(source) = via.source {
        let from = SocketAddr::new(source, 0);
        socket.bind(&from.into()).map_err(|error| Trouble::Source(source, error))?;
    }
    let diagnosis = if order.stream { Diagnosis::new().ok() } else { None };
    Ok(Opened { socket, address, interface, diagnosis })
}

/// To an interface, or to the device of a VRF; gives its index.
fn bind(socket: &Socket, name: &Name) -> io::Result<u32> {
    socket.bind_device(Some(name.as_bytes()))?;
    Ok(name_to_index(socket.as_fd(), name)?)
}

fn enter(path: &Path) -> io::Result<()> {
    let namespace = File::open(path)?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Where `ip netns` keeps a namespace; a path stays one.
pub fn namespace_path(name: &str) -> PathBuf {
    if name.contains('/') { name.into() } else { Path::new("/run/netns").join(name) }
}
