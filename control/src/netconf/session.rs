//! A session: messages in, messages out, until one side ends it.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded, select};
use serde_json::{Value, json};

use super::control::{Control, Refusal};
use super::error::{RpcError, Tag};
use super::framing::{Decoder, Framing, FramingError, frame};
use super::hello::{self, Serves};
use super::rpc::{Done, Operations};
use super::subscription::{Subscription, SyslogEvents};
use super::xml::{self, DECLARATION, Element, Writer, XmlError};
use super::{BASE, NOTIFICATION, SYSLOG};

/// Octets read at once.
const READ: usize = 64 << 10;

/// Messages that wait to be answered: a client that sends more waits itself.
const QUEUE: usize = 8;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it.
    Closed,
    /// The client is gone.
    Dropped,
    /// The firewall ended it, or stopped.
    Killed,
    /// The client sent what is no NETCONF.
    Broken(String),
}

/// A session with a client.
#[derive(Debug)]
pub struct Session {
    control: Control,
    serves: Serves,
    id: u64,
}

/// Where messages go. They are written whole, one after the other, whoever sends them.
pub(super) struct Output {
    inner: Mutex<(Box<dyn Write + Send>, Framing)>,
}

/// What came from the client.
enum Input {
    Message(Vec<u8>),
    Broken(FramingError),
    End,
}

/// What an answered message leaves the session in.
enum Next {
    Go,
    End(End),
    /// The answer is a stream of events.
    Events(SyslogEvents),
}

impl Session {
    /// Opens a session at the firewall. `reads`: whether a request is one that this version has. `origin`: where the client
    /// says that it is.
    ///
    /// # Errors
    /// Where the firewall refuses it.
    pub fn begin(control: Control, reads: impl Fn(&str) -> bool, origin: Option<&str>) -> Result<Self, Refusal> {
        let mut serves = Serves::of(reads);
        let mut id = u64::from(std::process::id());
        if serves.has("do session") {
            let mut request = json!({ "do": "session", "via": "netconf" });
            if let Some(origin) = origin {
                request["origin"] = Value::from(origin);
            }
            for row in control.ask(&request)? {
                let Some(session) = row.get("session") else { continue };
                id = session.get("id").and_then(Value::as_u64).unwrap_or(id);
                let words = session.get("capabilities").and_then(Value::as_array);
                if words.is_some_and(|words| words.iter().any(|word| word == hello::REPLAY)) {
                    serves.add(hello::REPLAY);
                }
            }
        }
        Ok(Self { control, serves, id })
    }

    /// Talks with the client until the session is over.
    pub fn run(self, input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> End {
        let output = Arc::new(Output { inner: Mutex::new((Box::new(output), Framing::EndOfMessage)) });
        if output.send(&hello::hello(&self.serves, self.id)).is_err() {
            return End::Dropped;
        }
        let (sender, messages) = bounded(QUEUE);
        let (switch, switched) = bounded(1);
        // It ends with the process: a read of the client's cannot be called off.
        let reader = thread::Builder::new().name("input".to_owned()).spawn(move || read(input, &sender, &switched));
        if reader.is_err() {
            return End::Dropped;
        }
        let mut talk = Talk { session: self, output, switch, greeted: false, subscription: None };
        talk.run(&messages)
    }
}

/// A session while it goes on.
struct Talk {
    session: Session,
    output: Arc<Output>,
    /// Tells the reader how messages are told apart, once that is known.
    switch: Sender<Framing>,
    greeted: bool,
    subscription: Option<Subscription>,
}

impl Talk {
    fn run(&mut self, messages: &Receiver<Input>) -> End {
        loop {
            let next = select! {
                recv(messages) -> input => match input {
                    Ok(Input::Message(message)) => self.message(&message),
                    Ok(Input::Broken(error)) => Next::End(End::Broken(error.to_string())),
                    Ok(Input::End) | Err(_) => Next::End(self.finish()),
                },
                recv(self.session.control.lines()) -> line => match line {
                    // Nothing was asked.
                    Ok(_) => Next::Go,
                    Err(_) => Next::End(End::Killed),
                },
            };
            match next {
                Next::Go => {}
                Next::End(end) => return end,
                Next::Events(events) => return events.run(&self.output, self.session.control.lines()),
            }
        }
    }

    /// The client sends nothing more. A subscription with an end is brought to it; then the session is over.
    fn finish(&mut self) -> End {
        if let Some(subscription) = self.subscription.take().filter(Subscription::has_end) {
            let over = subscription.over().clone();
            select! {
                recv(over) -> _ => {}
                recv(self.session.control.lines()) -> _ => return End::Killed,
            }
        }
        End::Dropped
    }

    fn message(&mut self, message: &[u8]) -> Next {
        let is_first = !std::mem::replace(&mut self.greeted, true);
        let tree = match xml::read(message) {
            Ok(tree) => tree,
            Err(error) if is_first => return Next::End(End::Broken(error.to_string())),
            Err(error) => return self.malformed(&error),
        };
        if is_first {
            let is_hello = tree.name == "hello";
            let framing = match is_hello.then(|| hello::chunked(&tree)) {
                Some(Err(why)) => return Next::End(End::Broken(why.to_owned())),
                Some(Ok(true)) => Framing::Chunked,
                // A client that begins with a request speaks 1.0.
                Some(Ok(false)) | None => Framing::EndOfMessage,
            };
            self.output.switch(framing);
            if self.switch.send(framing).is_err() {
                return Next::End(End::Dropped);
            }
            if is_hello {
                return Next::Go;
            }
        }
        if tree.name != "rpc" || !(tree.namespace == BASE || tree.namespace.is_empty()) {
            return Next::End(End::Broken(format!("<{}> where a request is expected", tree.name)));
        }
        self.request(&tree)
    }

    /// A message that is no XML: under 1.1 that is said (RFC 6241, appendix A); under 1.0 nothing says so, and the session ends.
    fn malformed(&self, error: &XmlError) -> Next {
        let tag = match error {
            XmlError::TooMuch { .. } => Tag::TooBig,
            _ => Tag::MalformedMessage,
        };
        if !self.output.is_chunked() {
            return Next::End(End::Broken(error.to_string()));
        }
        let rpc = Element::new(BASE, "rpc");
        self.reply(&rpc, &Err(vec![RpcError::rpc(tag, error.to_string())]), End::Closed)
    }

    fn request(&mut self, rpc: &Element) -> Next {
        let mut operations = rpc.elements();
        let (operation, others) = (operations.next(), operations.next());
        // Collectors of syslog events send no number.
        let is_events = operation.is_some_and(|operation| operation.name == "get-syslog-events");
        let done = match (operation, others) {
            _ if rpc.attribute("", "message-id").is_none() && !is_events => Err(vec![
                RpcError::rpc(Tag::MissingAttribute, "message-id is missing")
                    .about("bad-attribute", "message-id")
                    .about("bad-element", "rpc"),
            ]),
            (None, _) => Err(vec![RpcError::rpc(Tag::MissingElement, "an operation is missing")]),
            (Some(_), Some(second)) => {
                let message = "a request has one operation";
                Err(vec![RpcError::rpc(Tag::BadElement, message).about("bad-element", &second.name)])
            }
            (Some(operation), None) => match (operation.namespace.as_str(), operation.name.as_str()) {
                (NOTIFICATION, "create-subscription") => return self.subscribe(rpc, operation),
                ("" | BASE | SYSLOG, "get-syslog-events") => return self.events(rpc, operation),
                _ => {
                    let session = &self.session;
                    Operations { control: &session.control, serves: &session.serves, id: session.id }.run(operation)
                }
            },
        };
        let end = if matches!(done, Ok(Done::Close)) { Some(End::Closed) } else { None };
        match (self.reply(rpc, &done, End::Dropped), end) {
            (Next::Go, Some(end)) => Next::End(end),
            (next, _) => next,
        }
    }

    fn subscribe(&mut self, rpc: &Element, operation: &Element) -> Next {
        if self.subscription.as_ref().is_some_and(|subscription| !subscription.is_over()) {
            let message = "this session has a subscription; it has to end first";
            return self.reply(rpc, &Err(vec![RpcError::application(Tag::OperationFailed, message)]), End::Dropped);
        }
        match Subscription::prepare(&self.session.control, &self.session.serves, operation) {
            Err(errors) => self.reply(rpc, &Err(errors), End::Dropped),
            Ok(prepared) => {
                let next = self.reply(rpc, &Ok(Done::Ok), End::Dropped);
                self.subscription = prepared.start(&self.output);
                next
            }
        }
    }

    fn events(&self, rpc: &Element, operation: &Element) -> Next {
        match SyslogEvents::prepare(&self.session.control, &self.session.serves, rpc, operation) {
            Ok(events) => Next::Events(events),
            Err(errors) => self.reply(rpc, &Err(errors), End::Dropped),
        }
    }

    /// `gone`: what the session ends with where nobody takes the reply.
    fn reply(&self, rpc: &Element, done: &Result<Done, Vec<RpcError>>, gone: End) -> Next {
        match self.output.send(&reply(rpc, done)) {
            Ok(()) => match done {
                Err(errors) if errors.iter().any(|error| error.app_tag.as_deref() == Some(GONE)) => {
                    Next::End(End::Killed)
                }
                _ => Next::Go,
            },
            Err(_) => Next::End(gone),
        }
    }
}

/// Our word for an error that ends the session: the firewall is not there any more.
pub(super) const GONE: &str = "firewall-gone";

/// The reply to a request, with all attributes of the request (RFC 6241, section 4.1).
fn reply(rpc: &Element, done: &Result<Done, Vec<RpcError>>) -> String {
    let mut writer = Writer::new();
    begin_reply(&mut writer, rpc);
    match done {
        Ok(Done::Ok | Done::Close) => {
            writer.start(BASE, "ok").end();
        }
        Ok(Done::Data(trees)) => {
            writer.start(BASE, "data");
            for tree in trees {
                writer.element(tree);
            }
            writer.end();
        }
        Ok(Done::Content(element)) => {
            writer.element(element);
        }
        Err(errors) => errors.iter().for_each(|error| error.write(&mut writer)),
    }
    writer.end();
    format!("{DECLARATION}{}", writer.finish())
}

/// Opens a reply.
pub(super) fn begin_reply(writer: &mut Writer, rpc: &Element) {
    writer.start(BASE, "rpc-reply");
    // The default namespace of a reply is ours, whatever the request's was.
    for declaration in rpc.declarations.iter().filter(|declaration| !declaration.prefix.is_empty()) {
        writer.attribute(&format!("xmlns:{}", declaration.prefix), &declaration.uri);
    }
    for attribute in &rpc.attributes {
        match attribute.prefix.as_str() {
            "" => writer.attribute(&attribute.name, &attribute.value),
            prefix => writer.attribute(&format!("{prefix}:{}", attribute.name), &attribute.value),
        };
    }
}

impl Output {
    /// Writes a message.
    pub(super) fn send(&self, message: &str) -> io::Result<()> {
        let mut inner = self.inner.lock().map_err(|_| io::ErrorKind::BrokenPipe)?;
        let framed = frame(inner.1, message);
        inner.0.write_all(&framed)?;
        inner.0.flush()
    }

    /// Writes a part of a message: its framing is that of 1.0, or a chunk.
    pub(super) fn part(&self, part: &str, is_last: bool) -> io::Result<()> {
        let mut inner = self.inner.lock().map_err(|_| io::ErrorKind::BrokenPipe)?;
        let mut octets = match inner.1 {
            Framing::EndOfMessage => part.as_bytes().to_vec(),
            Framing::Chunked => format!("\n#{}\n{part}", part.len()).into_bytes(),
        };
        if is_last {
            let end: &[u8] = if inner.1 == Framing::Chunked { b"\n##\n" } else { b"]]>]]>" };
            octets.extend_from_slice(end);
        }
        inner.0.write_all(&octets)?;
        inner.0.flush()
    }

    fn switch(&self, framing: Framing) {
        if let Ok(mut inner) = self.inner.lock() {
            inner.1 = framing;
        }
    }

    fn is_chunked(&self) -> bool {
        self.inner.lock().is_ok_and(|inner| inner.1 == Framing::Chunked)
    }
}

/// Reads what the client sends, message by message. Behind the first, it waits to be told how they are told apart.
fn read(mut input: impl Read, messages: &Sender<Input>, switched: &Receiver<Framing>) {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; READ];
    let mut is_first = true;
    loop {
        loop {
            let input = match decoder.message() {
                Ok(Some(message)) => Input::Message(message),
                Ok(None) => break,
                Err(error) => {
                    let _ = messages.send(Input::Broken(error));
                    return;
                }
            };
            if messages.send(input).is_err() {
                return;
            }
            if std::mem::take(&mut is_first) {
                let Ok(framing) = switched.recv() else { return };
                decoder.switch(framing);
            }
        }
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let _ = messages.send(Input::End);
}
