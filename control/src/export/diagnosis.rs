//! How many octets of a connection the host's TCP has not acknowledged yet.
//!
//! The kernel tells it of any socket that is named by its addresses and ports (`sock_diag(7)`, the source of `ss`), as it
//! would by `SIOCOUTQ` of our own; but that takes an `ioctl`, which safe code does not have.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` of `linux/netlink.h`.
const REQUEST_FLAG: u16 = 1;
/// `AF_INET` and `AF_INET6`.
const FAMILIES: (u8, u8) = (2, 10);
const TCP: u8 = 6;

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// `idiag_wqueue` in `struct inet_diag_msg`.
const QUEUE_AT: usize = 60;
/// `struct inet_diag_msg`.
const ANSWER: usize = 72;

/// Answers to earlier questions that may lie in the socket; never more than one in practice.
const STALE: usize = 8;

/// A way to ask the kernel about sockets of one network namespace.
#[derive(Debug)]
pub(super) struct Diagnosis {
    netlink: OwnedFd,
    sequence: Cell<u32>,
}

/// A TCP connection, as the kernel finds it. Kept from the beginning: a socket whose connection broke knows its peer no
/// longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// Our end.
    pub local: SocketAddr,
    /// The host's.
    pub remote: SocketAddr,
    /// The interface that the socket is bound to, 0 if to none: such a socket is found only by it.
    pub interface: u32,
}

impl Diagnosis {
    /// For the network namespace of the calling thread.
    ///
    /// # Errors
    /// If the kernel has no `sock_diag`.
    pub(super) fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let netlink = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
        connect(&netlink, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { netlink, sequence: Cell::new(0) })
    }

    /// Octets of a connection that were handed to its socket and that the other end's TCP has not acknowledged. None where the
    /// kernel cannot tell, or knows no such connection (any more).
    pub(super) fn queued(&self, connection: &Connection) -> Option<u64> {
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        send(&self.netlink, &question(connection, sequence)?, SendFlags::empty()).ok()?;
        // The kernel answers before `send` returns.
        for _ in 0..STALE {
            let mut buffer = [0_u8; 512];
            let (_, octets) = recv(&self.netlink, &mut buffer[..], RecvFlags::DONTWAIT).ok()?;
            if let Some(answer) = answer(buffer.get(..octets)?, sequence) {
                return answer;
            }
        }
        None
    }
}

/// The request: all integers in the machine's order but ports and addresses. None where the two ends are of two families.
fn question(connection: &Connection, sequence: u32) -> Option<[u8; HEADER + REQUEST]> {
    let Connection { local, remote, interface } = connection;
    let family = match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => FAMILIES.0,
        (IpAddr::V6(_), IpAddr::V6(_)) => FAMILIES.1,
        _ => return None,
    };
    let mut octets = Octets { at: 0, octets: [0; HEADER + REQUEST] };
    octets.put(&((HEADER + REQUEST) as u32).to_ne_bytes());
    octets.put(&BY_FAMILY.to_ne_bytes());
    octets.put(&REQUEST_FLAG.to_ne_bytes());
    octets.put(&sequence.to_ne_bytes());
    octets.put(&0_u32.to_ne_bytes());
    // Family, protocol, no extensions, padding; sockets in any state.
    octets.put(&[family, TCP, 0, 0]);
    octets.put(&u32::MAX.to_ne_bytes());
    octets.put(&local.port().to_be_bytes());
    octets.put(&remote.port().to_be_bytes());
    octets.put(&address(local.ip()));
    octets.put(&address(remote.ip()));
    octets.put(&interface.to_ne_bytes());
    // INET_DIAG_NOCOOKIE, twice.
    octets.put(&[0xff; 8]);
    Some(octets.octets)
}

struct Octets {
    at: usize,
    octets: [u8; HEADER + REQUEST],
}

impl Octets {
    fn put(&mut self, octets: &[u8]) {
        self.octets[self.at..self.at + octets.len()].copy_from_slice(octets);
        self.at += octets.len();
    }
}

fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// What an answer says: None if it is one to another question, `Some(None)` if it is an error.
fn answer(octets: &[u8], sequence: u32) -> Option<Option<u64>> {
    let word = |at: usize| octets.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_ne_bytes);
    if word(8)? != sequence {
        return None;
    }
    let kind = octets.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes)?;
    let whole = octets.len() >= HEADER + ANSWER;
    Some((kind == BY_FAMILY && whole).then(|| word(HEADER + QUEUE_AT)).flatten().map(u64::from))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    struct Pair {
        ours: TcpStream,
        theirs: TcpStream,
        connection: Connection,
    }

    fn pair(address: &str) -> Pair {
        let listener = TcpListener::bind(address).unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let theirs = listener.accept().unwrap().0;
        let connection =
            Connection { local: ours.local_addr().unwrap(), remote: ours.peer_addr().unwrap(), interface: 0 };
        Pair { ours, theirs, connection }
    }

    /// The twin: `tx_queue` of `/proc/net/tcp`.
    fn by_proc(connection: &Connection) -> Option<u64> {
        let file = if connection.local.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
        let ports = (format!(":{:04X}", connection.local.port()), format!(":{:04X}", connection.remote.port()));
        let table = fs::read_to_string(file).unwrap();
        let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = row.skip(1).find(|row| row[1].ends_with(&ports.0) && row[2].ends_with(&ports.1))?;
        u64::from_str_radix(row[4].split(':').next()?, 16).ok()
    }

    fn until(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_was_written_and_not_acknowledged_is_what_the_kernel_says_of_it() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Pair { mut ours, mut theirs, connection } = pair(address);
            let diagnosis = Diagnosis::new().unwrap();
            assert_eq!(diagnosis.queued(&connection), Some(0));
            ours.set_nonblocking(true).unwrap();
            let mut written = 0_u64;
            // Until neither kernel takes more, and the last acknowledgement is back.
            until(|| match ours.write(&[b'x'; 65_536]) {
                Ok(octets) => {
                    written += octets as u64;
                    false
                }
                Err(_) => {
                    let queued = diagnosis.queued(&connection);
                    thread::sleep(Duration::from_millis(20));
                    queued == diagnosis.queued(&connection) && queued > Some(0)
                }
            });
            let queued = diagnosis.queued(&connection).unwrap();
            assert_eq!(Some(queued), by_proc(&connection));
            // What is acknowledged lies with the other end: all that it can read before it makes room for more.
            assert!(queued < written);
            let mut read = 0;
            let mut buffer = vec![0; 65_536];
            until(|| {
                read += theirs.read(&mut buffer).unwrap() as u64;
                let now = diagnosis.queued(&connection).unwrap();
                assert!(written - now >= read, "{written} written, {now} queued, {read} read");
                read == written
            });
            until(|| diagnosis.queued(&connection) == Some(0));
        }
    }

    #[test]
    fn a_connection_that_is_not_there_is_unknown() {
        let Pair { ours, theirs, connection } = pair("127.0.0.1:0");
        let diagnosis = Diagnosis::new().unwrap();
        let other = Connection { remote: ([127, 0, 0, 9], 9).into(), ..connection };
        assert_eq!(diagnosis.queued(&other), None);
        let mixed = Connection { remote: "[::1]:9".parse().unwrap(), ..connection };
        assert_eq!(diagnosis.queued(&mixed), None);
        assert_eq!(diagnosis.queued(&connection), Some(0));
        drop((ours, theirs));
    }

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let mut octets = vec![0; HEADER + ANSWER];
        octets[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        octets[8..12].copy_from_slice(&7_u32.to_ne_bytes());
        octets[76..80].copy_from_slice(&99_u32.to_ne_bytes());
        assert_eq!(answer(&octets, 7), Some(Some(99)));
        assert_eq!(answer(&octets, 8), None);
        assert_eq!(answer(&octets[..80], 7), Some(None));
        // NLMSG_ERROR.
        octets[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(answer(&octets, 7), Some(None));
        for end in 0..12 {
            assert_eq!(answer(&octets[..end], 7), None);
        }
    }
}
