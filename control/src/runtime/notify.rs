//! What the service manager is told: that it runs, that it takes a configuration up, that it stops, that it is alive.
//!
//! The protocol is sd_notify(3): lines in a datagram to the socket that `NOTIFY_SOCKET` names, `WATCHDOG_USEC` for how often it
//! wants to hear of us. Without the first there is nobody to tell, and nothing is done.

use std::collections::VecDeque;
use std::env;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Where the service manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// How many microseconds it waits for a sign of life, and whose.
const WATCHDOG: [&str; 2] = ["WATCHDOG_USEC", "WATCHDOG_PID"];
/// What programs that we start must not have: they are not the service.
pub(crate) const VARIABLES: [&str; 3] = [SOCKET, WATCHDOG[0], WATCHDOG[1]];
/// Messages that may wait for a service manager that does not read.
const WAITING: usize = 16;

/// The service manager, where there is one.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    socket: Option<UnixDatagram>,
    /// How long the service manager waits for a sign of life.
    watchdog: Option<Duration>,
    waiting: VecDeque<String>,
    fed: Option<Instant>,
    /// A configuration is being taken up.
    reloading: bool,
}

impl Notifier {
    /// Of this process's environment.
    ///
    /// # Errors
    /// Where `NOTIFY_SOCKET` names no socket that can be written to, or `WATCHDOG_USEC` is no number.
    pub(super) fn of_environment() -> io::Result<Self> {
        let text = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
        let Some(place) = text(SOCKET) else { return Ok(Self::default()) };
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{SOCKET}={place}: {error}"));
        let socket = connect(&place).map_err(failed)?;
        let watchdog = watchdog(text(WATCHDOG[0]).as_deref(), text(WATCHDOG[1]).as_deref(), std::process::id())?;
        Ok(Self { socket: Some(socket), watchdog, ..Self::default() })
    }

    /// How long the service manager waits for a sign of life; none where it does not.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// It forwards.
    pub(super) fn ready(&mut self, status: &str) {
        self.say(format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// Whether a configuration is being taken up; `status` says what is in force once none is any more.
    pub(super) fn reloading(&mut self, reloading: bool, status: impl FnOnce() -> String) {
        if self.socket.is_none() || reloading == std::mem::replace(&mut self.reloading, reloading) {
            return;
        }
        if reloading {
            let now = clock_gettime(ClockId::Monotonic);
            let micros = now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000;
            self.say(format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=a configuration is taken up"));
        } else {
            self.ready(&status());
        }
    }

    /// What is at fault, or is well again.
    pub(super) fn status(&mut self, status: &str) {
        self.say(format!("STATUS={}", one_line(status)));
    }

    /// It was told to stop.
    pub(super) fn stopping(&mut self) {
        self.say("STOPPING=1\nSTATUS=sessions end, log hosts are given what they are owed".to_owned());
    }

    /// Whether a sign of life is due: four in the time that the service manager waits.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let Some(within) = self.watchdog else { return false };
        self.fed.is_none_or(|fed| now.duration_since(fed) >= within / 4)
    }

    /// A sign of life. Only who has seen everything else live gives one.
    pub(super) fn feed(&mut self, now: Instant) {
        if self.watchdog.is_some() {
            self.fed = Some(now);
            self.say("WATCHDOG=1".to_owned());
        }
    }

    /// Sends what a full socket kept back; call it every turn.
    pub(super) fn turn(&mut self) {
        let Some(socket) = &self.socket else { return };
        while let Some(message) = self.waiting.front() {
            match socket.send(message.as_bytes()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // A service manager that is started anew listens at the same place again; until then nobody does.
                Ok(_) | Err(_) => self.waiting.pop_front(),
            };
        }
    }

    fn say(&mut self, message: String) {
        if self.socket.is_none() {
            return;
        }
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
        self.turn();
    }
}

/// A socket towards a path, or a name in the abstract namespace, which begins with an `@`.
fn connect(place: &str) -> io::Result<UnixDatagram> {
    let address = match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None if place.starts_with('/') => SocketAddr::from_pathname(place)?,
        None => return Err(io::Error::new(ErrorKind::Unsupported, "neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How long is waited for `own`, as the environment says it.
fn watchdog(micros: Option<&str>, whose: Option<&str>, own: u32) -> io::Result<Option<Duration>> {
    let Some(micros) = micros else { return Ok(None) };
    if whose.is_some_and(|whose| whose.parse() != Ok(own)) {
        return Ok(None);
    }
    match micros.parse() {
        Ok(micros) if micros > 0 => Ok(Some(Duration::from_micros(micros))),
        _ => {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("{}={micros}: no number of microseconds", WATCHDOG[0])))
        }
    }
}

/// A status is a line.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Notifier, UnixDatagram) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let socket = Some(connect(path.to_str().unwrap()).unwrap());
        (Notifier { socket, watchdog: Some(Duration::from_secs(8)), ..Notifier::default() }, listener)
    }

    fn heard(listener: &UnixDatagram) -> Option<String> {
        let mut octets = [0; 512];
        let length = listener.recv(&mut octets).ok()?;
        Some(String::from_utf8(octets[..length].to_vec()).unwrap())
    }

    #[test]
    fn without_a_service_manager_nothing_is_said() {
        let mut nobody = Notifier::default();
        nobody.ready("runs");
        nobody.reloading(true, || panic!("nobody asked"));
        nobody.stopping();
        assert!(!nobody.is_due(Instant::now()) && nobody.waiting.is_empty());
    }

    #[test]
    fn a_life_is_told_in_the_words_of_the_protocol() {
        let (mut notifier, listener) = pair();
        notifier.ready("2 ports\n1 worker");
        assert_eq!(heard(&listener).unwrap(), "READY=1\nSTATUS=2 ports 1 worker");
        notifier.reloading(false, || panic!("nothing changed"));
        notifier.reloading(true, || panic!("not yet"));
        let said = heard(&listener).unwrap();
        let micros: u64 = said.split(['=', '\n']).nth(3).unwrap().parse().unwrap();
        assert!(said.starts_with("RELOADING=1\nMONOTONIC_USEC=") && micros > 0, "{said}");
        notifier.reloading(false, || "policy 2".to_owned());
        assert_eq!(heard(&listener).unwrap(), "READY=1\nSTATUS=policy 2");
        notifier.stopping();
        assert!(heard(&listener).unwrap().starts_with("STOPPING=1\n"));
        assert_eq!(heard(&listener), None);
    }

    #[test]
    fn signs_of_life_are_due_four_times_in_the_time() {
        let (mut notifier, listener) = pair();
        let start = Instant::now();
        assert!(notifier.is_due(start));
        notifier.feed(start);
        assert_eq!(heard(&listener).unwrap(), "WATCHDOG=1");
        let later = |millis| start + Duration::from_millis(millis);
        assert!(!notifier.is_due(later(1_999)) && notifier.is_due(later(2_000)));
    }

    #[test]
    fn what_a_full_socket_keeps_back_comes_later_in_order() {
        let (mut notifier, listener) = pair();
        let mut said = 0;
        while notifier.waiting.len() < 3 {
            notifier.status(&said.to_string());
            said += 1;
            assert!(said < 10_000, "it is never full");
        }
        for expected in 0..said {
            assert_eq!(heard(&listener).unwrap(), format!("STATUS={expected}"));
            notifier.turn();
        }
        assert!(notifier.waiting.is_empty() && heard(&listener).is_none());
    }

    #[test]
    fn an_abstract_name_is_no_path() {
        let name = format!("ostiary-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        connect(&format!("@{name}")).unwrap().send(b"READY=1").unwrap();
        assert_eq!(heard(&listener).unwrap(), "READY=1");
        assert!(connect("vsock:2:1234").is_err() && connect("/nowhere/notify").is_err());
    }

    #[test]
    fn the_watchdog_is_of_one_process() {
        let of = |micros, whose| watchdog(micros, whose, 7).unwrap();
        assert_eq!([of(None, None), of(None, Some("7")), of(Some("5000000"), Some("8"))], [None; 3]);
        let five = Some(Duration::from_secs(5));
        assert_eq!([of(Some("5000000"), None), of(Some("5000000"), Some("7"))], [five; 2]);
        assert!(watchdog(Some("soon"), None, 7).is_err() && watchdog(Some("0"), None, 7).is_err());
    }
}
