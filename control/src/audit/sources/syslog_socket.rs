//! The system's log socket, where this process takes its place: what programs say with syslog(3), and who says it.
//!
//! Programs wait while nobody reads here, sshd with logins among them: so it is read first, and never left full.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use socket2::SockRef;

/// Lines taken in one turn of the loop.
const LINES_PER_TURN: usize = 256;
/// A line is cut at so many octets: glibc's limit.
const LINE: usize = 8_192;
/// What the kernel may hold of lines that were not read yet, in octets.
const BUFFER: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct SyslogSocket {
    socket: UnixDatagram,
    path: PathBuf,
    /// There may be something to read.
    ready: bool,
}

/// A line, and what the kernel says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The process.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// The program's name for itself.
    pub tag: String,
    /// What it says.
    pub text: String,
}

impl SyslogSocket {
    /// Takes the socket at `path`, where nobody has it: a socket that nobody reads any more is replaced.
    ///
    /// # Errors
    /// Where it cannot be made, something else is there, or somebody reads it.
    pub fn bind(path: &Path, registry: &Registry, token: Token) -> io::Result<Self> {
        if let Ok(there) = std::fs::symlink_metadata(path) {
            if !there.file_type().is_socket() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"));
            }
            if UnixDatagram::unbound()?.connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program reads it"));
            }
            std::fs::remove_file(path)?;
        }
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        set_socket_passcred(&socket, true)?;
        SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
        // Everybody may speak, as at /dev/log: who speaks is told by the kernel.
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666))?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { socket, path: path.to_owned(), ready: true })
    }

    /// There is something to read.
    pub fn wake(&mut self) {
        self.ready = true;
    }

    /// Takes lines, a bounded number; says whether there may be more.
    pub fn turn(&mut self, mut take: impl FnMut(Heard)) -> bool {
        for _ in 0..LINES_PER_TURN {
            if !self.ready {
                return false;
            }
            match self.receive() {
                Ok(Some(heard)) => take(heard),
                Ok(None) => {}
                Err(error) if error == rustix::io::Errno::INTR => {}
                Err(_) => self.ready = false,
            }
        }
        self.ready
    }

    /// One datagram; none where it says nothing, or nobody.
    fn receive(&self) -> rustix::io::Result<Option<Heard>> {
        let mut line = [0; LINE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(self.socket.as_fd(), &mut [IoSliceMut::new(&mut line)], &mut control, flags)?;
        let mut sender = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                sender = Some((credentials.pid.as_raw_nonzero().get(), credentials.uid.as_raw()));
            }
        }
        let Some((pid, uid)) = sender else { return Ok(None) };
        let text = String::from_utf8_lossy(line.get(..got.bytes).unwrap_or_default());
        Ok(split(&text).map(|(tag, text)| Heard { pid, uid, tag: tag.to_owned(), text: text.to_owned() }))
    }
}

impl Drop for SyslogSocket {
    fn drop(&mut self) {
        // Whoever speaks from now on is told that nobody listens.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Tag and text of `<38>Nov 22 01:12:02 sshd[6468]: text`, as syslog(3) writes it: date and process number may be missing.
pub fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end_matches(['\n', '\0']);
    let rest = line.strip_prefix('<').and_then(|line| line.split_once('>')).map_or(line, |(_, rest)| rest);
    // `Nov 22 01:12:02 `: what stands where colons and blanks stand says that it is one.
    let stamped = rest.as_bytes();
    let is_date = matches!(stamped, [_, _, _, b' ', _, _, b' ', _, _, b':', _, _, b':', _, _, b' ', ..]);
    let rest = if is_date { rest.get(16..)? } else { rest };
    let end = rest.find([':', '[', ' '])?;
    let (tag, behind) = rest.split_at(end);
    let text = match behind.strip_prefix('[') {
        Some(numbered) => numbered.split_once("]:")?.1,
        None => behind.strip_prefix(':')?,
    };
    (!tag.is_empty()).then(|| (tag, text.strip_prefix(' ').unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_split() {
        for (line, expected) in [
            ("<38>Nov 22 01:12:02 sshd[6468]: Failed password", Some(("sshd", "Failed password"))),
            ("<38>Nov  2 01:12:02 sshd-session[1]: x", Some(("sshd-session", "x"))),
            ("<30>Nov 22 01:12:02 chronyd: stepped\n", Some(("chronyd", "stepped"))),
            ("sudo[7]: mon : TTY=pts/0", Some(("sudo", "mon : TTY=pts/0"))),
            ("<38>no tag here", None),
            ("<38>Nov 22 01:12:02 ", None),
            ("", None),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_is_heard_with_its_sender_and_all_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let poll = mio::Poll::new().unwrap();
        let mut socket = SyslogSocket::bind(&path, poll.registry(), Token(0)).unwrap();
        assert!(SyslogSocket::bind(&path, poll.registry(), Token(1)).is_err(), "somebody reads it");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let sender = UnixDatagram::unbound().unwrap();
        let mut heard = Vec::new();
        for number in 0..3 {
            sender.send_to(format!("<38>Nov 22 01:12:02 sshd[9]: line {number}").as_bytes(), &path).unwrap();
        }
        sender.send_to(&[0xff, 0, 0xfe], &path).unwrap();
        assert!(!socket.turn(|line| heard.push(line)));
        let pid = std::process::id() as i32;
        let uid = rustix::process::getuid().as_raw();
        assert!(heard.iter().all(|line| (line.pid, line.uid, line.tag.as_str()) == (pid, uid, "sshd")), "{heard:?}");
        assert_eq!(heard.len(), 3);
        drop(socket);
        assert!(!path.exists());
        // What a run left that was killed is replaced; what is no socket stays.
        drop(UnixDatagram::bind(&path).unwrap());
        drop(SyslogSocket::bind(&path, poll.registry(), Token(2)).unwrap());
        std::fs::write(&path, "x").unwrap();
        assert!(SyslogSocket::bind(&path, poll.registry(), Token(3)).is_err() && path.exists());
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in "\\PC{0,80}") {
            let _ = split(&line);
        }
    }
}
