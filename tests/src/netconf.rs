//! Clients of NETCONF that are not ours, in the folder that `scripts/setup` made.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Output};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::Signal;

use crate::process::{PATIENCE, Running};
use crate::{program, skip};

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
const NOTIFICATION: &str = "urn:ietf:params:xml:ns:netconf:notification:1.0";

/// A program of the folder; none, and said, where it is not there.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = program::root().join("target/peers/netconf/bin").join(name);
    if !path.is_file() {
        skip::skip(&format!("no {name} here: run scripts/setup"));
        return None;
    }
    Some(path)
}

/// A file of `tests/data/netconf`.
pub fn data(name: &str) -> PathBuf {
    program::root().join("tests/data/netconf").join(name)
}

/// Runs a command to its end; what it said is told where it fails.
///
/// # Panics
/// Where it does.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}

/// A session by `ssh -s`, in the framing of NETCONF 1.0; its client is killed when dropped.
#[derive(Debug)]
pub struct Session {
    client: Running,
    input: ChildStdin,
    messages: Receiver<String>,
}

impl Session {
    /// Runs the client, and says nothing yet.
    pub fn connect(command: &mut Command) -> Self {
        let (client, input, output) = Running::start_with_pipes(command);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut part = Vec::new();
            while output.read_until(b'>', &mut part).is_ok_and(|count| count > 0) {
                let Some(message) = part.strip_suffix(b"]]>]]>") else { continue };
                if sender.send(String::from_utf8_lossy(message).into_owned()).is_err() {
                    return;
                }
                part.clear();
            }
        });
        Self { client, input, messages }
    }

    /// Runs the client, and waits until the session is open.
    pub fn open(command: &mut Command) -> Self {
        let mut session = Self::connect(command);
        let capability = "<capability>urn:ietf:params:netconf:base:1.0</capability>";
        session.send(&format!("<hello xmlns='{BASE}'><capabilities>{capability}</capabilities></hello>"));
        let hello = session.next();
        assert!(hello.contains("<session-id>"), "{hello}");
        session
    }

    /// Sends a message.
    pub fn send(&mut self, message: &str) {
        self.input.write_all(format!("{message}]]>]]>").as_bytes()).expect("the client reads");
    }

    /// The next message.
    ///
    /// # Panics
    /// Where none comes.
    #[track_caller]
    pub fn next(&self) -> String {
        self.messages.recv_timeout(PATIENCE).expect("the server says something")
    }

    /// Whether the server has ended it: waits until it has, whatever comes before.
    #[track_caller]
    pub fn wait_until_over(&self) {
        while self
            .messages
            .recv_timeout(PATIENCE)
            .map_err(|error| assert_eq!(error, RecvTimeoutError::Disconnected))
            .is_ok()
        {}
    }

    /// Asks, and gives the reply; no notification may come between.
    #[track_caller]
    pub fn ask(&mut self, operation: &str) -> String {
        self.send(&format!("<rpc xmlns='{BASE}' message-id='1'>{operation}</rpc>"));
        let reply = self.next();
        assert!(reply.contains("<rpc-reply"), "{reply}");
        reply
    }

    /// Subscribes to a stream; `span` are further elements.
    #[track_caller]
    pub fn subscribe(&mut self, stream: &str, span: &str) {
        let reply = self.ask(&format!(
            "<create-subscription xmlns='{NOTIFICATION}'><stream>{stream}</stream>{span}</create-subscription>"
        ));
        assert!(reply.contains("<ok/>"), "{reply}");
    }

    /// Kills the client: the connection is gone without a word.
    pub fn kill(self) {
        self.client.signal(Signal::KILL);
    }
}

/// What stands between the tags of the first element of that name, without attributes.
pub fn leaf<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
