//! The server's side of the management socket, driven by the control core's poll.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender};
use dataplane::command::SessionView;
use dataplane::route::NeighbourView;
use dataplane::time::Nanos;
use mio::event::Event;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, Socket, Type};

use super::configure::{Configure, Configured, Refusal};
use super::connection::{Common, Connection, Ending, State};
use super::peer::{Asker, Peer};
use super::protocol::Answer;
use super::role::{Right, Role};
use super::subscription::Wanted;
use super::view::{
    AccessBufferRow, AccessStatisticsRow, ImTable, InterfaceRow, LogBufferRow, LogHostRow, LogStatisticsRow,
    LogWaitingRow, NatRow, PortRow, ReloadRow, ResetRow, Statistics, UserFilter, UserPage, WaitingRow, WorkerRow,
};
use crate::audit::Query;
use crate::config::Compiled;
use crate::record::audit::{Occurrence, Origin, Via};
use crate::record::{Class, Record};
use crate::trace::{Question, Tracing};

/// Clients at once; others are closed at once. The manager's tokens are the listener's and one for each.
pub const CLIENTS: usize = 64;
/// Of one user at once, and of all that are not ourselves: root always finds a place.
const CLIENTS_OF_A_USER: usize = 32;
const CLIENTS_OF_OTHERS: usize = CLIENTS - 8;

/// What the management socket shows; the control core implements it. Nothing here may wait.
pub trait Source {
    /// The configuration in force.
    fn compiled(&self) -> &Compiled;
    /// Takes the policy file up again; the outcome, or why there is none, comes through the channel.
    fn reload(&mut self, asker: &Asker) -> Receiver<Result<ReloadRow, String>>;
    /// Asks every worker to send what its table holds ([`dataplane::command::Command::Dump`], each with a clone of the
    /// sender). Where the receiver is gone, the dump is over.
    fn dump(&mut self, into: Sender<SessionView>);
    /// Asks every worker what would become of a frame.
    ///
    /// # Errors
    /// What is wrong with the question.
    fn trace(&mut self, question: &Question) -> Result<Tracing, String>;
    /// Who is online, `limit` rows at most.
    fn im(&self, limit: usize) -> ImTable;
    /// What the process did.
    fn statistics(&self) -> Statistics;
    /// What became of the records of `access` or `call-status`.
    fn access_statistics(&self, class: Class) -> AccessStatisticsRow;
    /// Where the buffers of that class are read and written, by log host.
    fn access_buffer(&self, class: Class) -> Vec<AccessBufferRow>;
    /// The records of that class that wait for log hosts, at these places ([`crate::export::Exporters::waiting`]).
    fn access_waiting(&self, class: Class, places: Range<u64>) -> Vec<WaitingRow>;
    /// Log hosts and how they are doing.
    fn log_hosts(&self) -> Vec<LogHostRow>;
    /// Whether there is a log host of that name.
    fn has_log_host(&self, host: &str) -> bool;
    /// What became of the records for log hosts, since start or the last reset; of one host or class, if one is given.
    fn log_statistics(&self, host: Option<&str>, class: Option<Class>) -> Vec<LogStatisticsRow>;
    /// What waits for log hosts, by class.
    fn log_buffer(&self, host: Option<&str>) -> Vec<LogBufferRow>;
    /// The first records that wait for a log host, `limit` at most, and whether there are others.
    fn log_waiting(&self, host: &str, limit: usize) -> (Vec<LogWaitingRow>, bool);
    /// Looks at `most` access users behind the first `from`, and shows those that the filter takes.
    fn users(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage;
    /// Closes a file of the audit trail, and begins the next.
    ///
    /// # Errors
    /// Where there is no such file.
    fn rotate_trail(&mut self, file: &str) -> Result<(), String>;
    /// Sends at once what is to be sent of a file of the audit trail.
    ///
    /// # Errors
    /// Where there is no such file, or no site for it.
    fn upload_trail(&mut self, file: &str) -> Result<(), String>;
    /// Has the counts of `access` or `call-status` begin again; who asks is audited.
    ///
    /// # Errors
    /// Where that cannot be; then nothing was reset.
    fn reset_statistics(&mut self, class: Class, asker: &Asker) -> Result<ResetRow, String>;
    /// Has the counts of one log host, or all, begin again; who asks is audited.
    ///
    /// # Errors
    /// As [`Source::reset_statistics`], or where no host has that name.
    fn reset_log_statistics(&mut self, host: Option<&str>, asker: &Asker) -> Result<ResetRow, String>;
    /// The workers' counters.
    fn workers(&self) -> Vec<WorkerRow>;
    /// Ports and their counters.
    fn ports(&self) -> Vec<PortRow>;
    /// Pools of source NAT.
    fn nat(&self) -> Vec<NatRow>;
    /// Interfaces.
    fn interfaces(&self) -> Vec<InterfaceRow>;
    /// Asks the workers for their neighbours, like [`Source::dump`].
    fn neighbours(&mut self, into: Sender<NeighbourView>);
    /// The time of records.
    fn now(&self) -> Nanos;
    /// This run, as records name it.
    fn boot(&self) -> String;
    /// Records what happened at the socket; the record's number.
    fn audit(&mut self, occurrence: Occurrence) -> u64;
    /// Has these records set aside too from now on, until it is said again which are [wanted](Manager::wanted).
    fn want(&mut self, wanted: Wanted);
    /// From where somebody is logged in by SSH of whom one of these processes is, as sshd said.
    fn login(&mut self, processes: &[i32]) -> Option<Origin>;
    /// Whether the record of the trail of that number, and all before it, are on disk; none: not yet.
    fn kept(&self, sequence: u64) -> Option<Result<(), String>>;
    /// Looks for what is kept. The channel ends when all was said.
    ///
    /// # Errors
    /// Where it cannot be looked for now.
    fn replay(&mut self, query: Query) -> Result<Receiver<Box<str>>, String>;
    /// The file that has records of all classes.
    ///
    /// # Errors
    /// Where none has.
    fn widest_file(&self) -> Result<String, String>;
    /// Edits, commits and shows the configuration, for somebody who may; likewise through a channel.
    fn configure(&mut self, request: Configure, asker: &Asker) -> Receiver<Configured>;
    /// A session is over: what it had locked or left unconfirmed is nobody's now.
    fn session_ended(&mut self, session: u32);
}

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody answers there.
    #[error("{0}: another ostiary is running and listens here; stop it, or set another [management] socket")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0}: is there and is no socket; remove it, or set another [management] socket")]
    NotASocket(PathBuf),
    /// It cannot be made.
    #[error("{path}: cannot {action}: {error}; set another [management] socket, or mend the folder's mode")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// Why.
        error: io::Error,
    },
}

/// The management socket and its clients. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Manager {
    path: PathBuf,
    listener: UnixListener,
    registry: Registry,
    token_base: usize,
    clients: Box<[Option<Connection>; CLIENTS]>,
    common: Common,
    /// Whether everybody may connect, because roles say who may what.
    open: bool,
    refused: u64,
}

impl Manager {
    /// Listens at `path` with mode 0660, which [`Self::turn`] changes where roles say who may what. Its folder is made where it
    /// is missing; a socket that nobody listens on is replaced. Events come with the tokens from `token_base` to `token_base + CLIENTS`.
    ///
    /// # Errors
    /// Where somebody listens already, something else is in the way, or the file cannot be made.
    pub fn bind(path: &Path, registry: &Registry, token_base: usize) -> Result<Self, BindError> {
        let failed = |action| move |error| BindError::Io { path: path.to_owned(), action, error };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed("make its folder"))?;
        }
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("make a socket"))?;
        let address = SockAddr::unix(path).map_err(failed("bind"))?;
        socket.bind(&address).map_err(failed("bind"))?;
        // Before it listens: nobody can connect while the mode is the umask's.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed("set its mode"))?;
        socket.listen(64).map_err(failed("listen"))?;
        socket.set_nonblocking(true).map_err(failed("listen"))?;
        let mut listener = UnixListener::from_std(socket.into());
        let registry = registry.try_clone().map_err(failed("poll"))?;
        registry.register(&mut listener, Token(token_base), Interest::READABLE).map_err(failed("poll"))?;
        let clients = Box::new(std::array::from_fn(|_| None));
        let common = Common::default();
        Ok(Self { path: path.to_owned(), listener, registry, token_base, clients, common, open: false, refused: 0 })
    }

    /// Whether events with this token are for the manager.
    pub fn owns(&self, token: Token) -> bool {
        (self.token_base..=self.token_base + CLIENTS).contains(&token.0)
    }

    /// Handles an event whose token it [owns](Self::owns).
    pub fn handle(&mut self, event: &Event, now: Instant, source: &mut dyn Source) {
        match event.token().0 - self.token_base {
            0 => self.accept(now, source),
            slot => self.serve(slot - 1, now, source),
        }
    }

    /// Carries on with what was left over, and cuts off clients that are stuck. Call it in every turn of the loop.
    pub fn turn(&mut self, now: Instant, source: &mut dyn Source) {
        self.follow_roles(source);
        self.common.denials.turn(now, source);
        let time = source.now();
        for slot in 0..CLIENTS {
            let Some(client) = &mut self.clients[slot] else { continue };
            if client.is_stuck(now) {
                client.finish(Ending::Dropped);
                self.close(slot, source);
            } else if client.state == State::Ready || client.is_due(time) {
                self.serve(slot, now, source);
            }
        }
    }

    /// Which records are to be [shown](Self::publish).
    pub fn wanted(&self) -> Wanted {
        self.clients.iter().flatten().map(Connection::wanted).fold(Wanted::default(), |all, one| Wanted {
            audit: all.audit || one.audit,
            others: all.others || one.others,
        })
    }

    /// Shows a record to those who subscribed to such.
    pub fn publish(&mut self, record: &Arc<Record>) {
        self.clients.iter_mut().flatten().for_each(|client| client.push(record));
    }

    /// Ends all sessions, as the firewall stops.
    pub fn stop(&mut self, source: &mut dyn Source) {
        for slot in 0..CLIENTS {
            if let Some(client) = &mut self.clients[slot] {
                client.finish(Ending::Stopped);
                self.close(slot, source);
            }
        }
    }

    /// Where roles say who may what, everybody may connect and be told so; else those whom the file's mode lets.
    fn follow_roles(&mut self, source: &dyn Source) {
        let open = source.compiled().roles.is_some();
        if open != self.open {
            let mode = std::fs::Permissions::from_mode(if open { 0o666 } else { 0o660 });
            // A socket that somebody removed has no mode; whoever is connected stays so.
            let _ = std::fs::set_permissions(&self.path, mode);
            self.open = open;
        }
    }

    /// How long the loop may sleep on the manager's account; none: until an event.
    pub fn timeout(&self) -> Option<Duration> {
        let mut clients = self.clients.iter().flatten().peekable();
        clients.peek()?;
        // Workers send sessions without waking the loop, so it looks again.
        let ready = clients.any(|client| client.state == State::Ready);
        Some(if ready { Duration::from_millis(1) } else { Duration::from_secs(1) })
    }

    /// Clients now, those that have sessions sent to them, and those refused since start because there were too many.
    pub fn clients(&self) -> (usize, usize, u64) {
        let clients = || self.clients.iter().flatten();
        (clients().count(), clients().filter(|client| client.dumps()).count(), self.refused)
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.common.sessions.count()
    }

    fn accept(&mut self, now: Instant, source: &mut dyn Source) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream, now, source),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // WouldBlock: all are in. Anything else (no descriptors left) is tried again at the next client.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: UnixStream, now: Instant, source: &mut dyn Source) {
        let refuse = |mut stream: UnixStream, answer: Answer| {
            use std::io::Write;
            let mut line = serde_json::to_vec(&answer).unwrap_or_default();
            line.push(b'\n');
            // A courtesy: where it does not get through, the closed connection tells as much.
            let _ = stream.write(&line);
        };
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => return refuse(stream, Answer::Error(format!("the kernel does not say who asks: {error}"))),
        };
        let role = peer.role(source.compiled().roles.as_ref());
        if role == Role::None {
            let asker = Asker { peer, role, session: None, via: Via::Cli, origin: None };
            self.common.denials.note(&asker, "connect".to_owned(), Right::Show, now, source);
            let text = "you have no role here: see [management.roles], and the groups of this process";
            return refuse(stream, Answer::Refused(Refusal::new("access-denied", text)));
        }
        let others = || self.clients.iter().flatten();
        let of_user = others().filter(|client| client.uid() == peer.uid).count();
        let is_crowded =
            !peer.is_ourselves() && (of_user >= CLIENTS_OF_A_USER || others().count() >= CLIENTS_OF_OTHERS);
        let free = self.clients.iter().position(Option::is_none).filter(|_| !is_crowded);
        let Some(slot) = free else {
            self.refused += 1;
            return refuse(stream, Answer::Error("too many clients: try again".to_owned()));
        };
        let token = Token(self.token_base + 1 + slot);
        if self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).is_ok() {
            self.clients[slot] = Some(Connection::new(stream, peer, role, now));
            self.serve(slot, now, source);
        }
    }

    fn serve(&mut self, slot: usize, now: Instant, source: &mut dyn Source) {
        let Some(Some(client)) = self.clients.get_mut(slot) else { return };
        client.turn(now, source, &mut self.common);
        if client.state == State::Closed {
            self.close(slot, source);
        }
        for (session, by) in self.common.sessions.take_killed() {
            let of = |client: &Option<Connection>| client.as_ref().is_some_and(|own| own.session() == Some(session));
            let Some(slot) = self.clients.iter().position(of) else { continue };
            if let Some(client) = &mut self.clients[slot] {
                client.finish(Ending::Killed(by));
            }
            self.close(slot, source);
        }
    }

    fn close(&mut self, slot: usize, source: &mut dyn Source) {
        if let Some(mut client) = self.clients[slot].take() {
            client.farewell(source, &mut self.common.sessions);
            // Closing the descriptor does it too; this only keeps the registry's books.
            let _ = self.registry.deregister(&mut client.pipe.stream);
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // The next start would replace it anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes what a process that ended without ceremony left behind.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let failed = |action| move |error| BindError::Io { path: path.to_owned(), action, error };
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at it")(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed("remove the old one"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("see who listens")(error)),
        Ok(_) => Err(BindError::InUse(path.to_owned())),
    }
}
