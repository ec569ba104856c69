//! Events as they occur: subscriptions (RFC 5277), and `get-syslog-events`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, bounded, select, tick};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::changes::Changes;
use super::control::{Control, Refusal};
use super::error::{RpcError, Tag};
use super::events;
use super::filter;
use super::hello::{REPLAY, Serves};
use super::monitoring::STREAM_LIST;
use super::rpc::{self, refused};
use super::session::{End, Output, begin_reply};
use super::xml::{DECLARATION, Element, Writer};
use super::{EVENTS, NOTIFICATION, SYSLOG};

/// How long the firewall may take to say whether it takes a subscription.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether the client of a stream of syslog events still reads.
const LOOK: Duration = Duration::from_secs(1);

/// A subscription that goes on.
pub(super) struct Subscription {
    has_end: bool,
    over: Receiver<()>,
    /// Whether its last notification is on its way, or was sent.
    ended: Arc<AtomicBool>,
}

/// One that the firewall took.
pub(super) struct Prepared {
    control: Control,
    filter: Option<Element>,
    standard: bool,
    has_end: bool,
}

impl Subscription {
    /// Asks the firewall for what `operation` subscribes to.
    pub(super) fn prepare(control: &Control, serves: &Serves, operation: &Element) -> Result<Prepared, Vec<RpcError>> {
        if !serves.has("do subscribe") {
            return Err(vec![RpcError::unsupported("this firewall serves no subscriptions")]);
        }
        rpc::only(operation, &["stream", "filter", "startTime", "stopTime"])?;
        let text = |name: &str| operation.child(name).map(Element::text);
        let stream = text("stream").unwrap_or_else(|| "NETCONF".to_owned());
        if !STREAM_LIST.iter().any(|(name, _, _)| *name == stream) {
            let names: Vec<&str> = STREAM_LIST.iter().map(|(name, _, _)| *name).collect();
            let message = format!("there is no stream {stream:?}; there are {}", names.join(", "));
            return Err(vec![RpcError::application(Tag::InvalidValue, message).about("bad-element", "stream")]);
        }
        let filter = rpc::filter(operation)?.cloned();
        let (from, to) = (time(operation, "startTime")?, time(operation, "stopTime")?);
        let bad =
            |name: &str, message: &str| vec![RpcError::protocol(Tag::BadElement, message).about("bad-element", name)];
        match (from, to) {
            (None, Some(_)) => return Err(vec![RpcError::missing("startTime")]),
            (Some(from), Some(to)) if to < from => return Err(bad("stopTime", "stopTime lies before startTime")),
            (Some(from), _) if from > Timestamp::now() => return Err(bad("startTime", "startTime lies in the future")),
            _ => {}
        }
        if from.is_some() && !serves.has(REPLAY) {
            let message = "this firewall does not send what was recorded before: subscribe without startTime";
            return Err(vec![RpcError::unsupported(message)]);
        }
        let mut request = json!({ "do": "subscribe", "stream": stream });
        for (name, time) in [("from", from), ("to", to)] {
            if let Some(time) = time {
                request[name] = Value::from(time.to_string());
            }
        }
        let control = ask(control, &request)?;
        Ok(Prepared { control, filter, standard: stream == "NETCONF", has_end: to.is_some() })
    }

    /// Whether it ends by itself.
    pub(super) fn has_end(&self) -> bool {
        self.has_end
    }

    /// Closed when it has ended.
    pub(super) fn over(&self) -> &Receiver<()> {
        &self.over
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Prepared {
    /// Sends what occurs to the client from now on.
    pub(super) fn start(self, output: &Arc<Output>) -> Option<Subscription> {
        let (alive, over) = bounded::<()>(0);
        let has_end = self.has_end;
        let ended = Arc::new(AtomicBool::new(false));
        let (output, ends) = (Arc::clone(output), Arc::clone(&ended));
        let started = thread::Builder::new().name("subscription".to_owned()).spawn(move || {
            self.forward(&output, &ends);
            ends.store(true, Ordering::Release);
            drop(alive);
        });
        started.ok().map(|_| Subscription { has_end, over, ended })
    }

    fn forward(self, output: &Output, ends: &AtomicBool) {
        let mut faults = Vec::new();
        let mut changes = Changes::default();
        for line in self.control.lines() {
            let sent = if let Some(Value::Object(record)) = line.get("event") {
                if self.standard {
                    changes.take(record).into_iter().try_for_each(|(time, content)| self.event(&time, content, output))
                } else {
                    self.event(events::time(record), events::content(record, false), output)
                }
            } else if line.get("replay-complete").is_some() {
                output.send(&events::notification(&now(), &Element::new(NOTIFICATION, "replayComplete")))
            } else if line.get("end").is_some() {
                for (time, content) in changes.rest() {
                    let _ = self.event(&time, content, output);
                }
                // Who is told so may subscribe again.
                ends.store(true, Ordering::Release);
                let _ = output.send(&events::notification(&now(), &Element::new(NOTIFICATION, "notificationComplete")));
                return;
            } else if let Some(refusal) = Refusal::read(&line, &mut faults) {
                ends.store(true, Ordering::Release);
                return self.ended(&refusal, output);
            } else {
                Ok(())
            };
            if sent.is_err() {
                return;
            }
        }
        // The firewall closed the connection. The session's own, if it goes on, learns of a stop by itself.
        self.ended(&Refusal::Gone, output);
    }

    fn event(&self, time: &str, content: Element, output: &Output) -> std::io::Result<()> {
        if let Some(filter) = &self.filter
            && filter::select(filter, vec![content.clone()]).is_empty()
        {
            return Ok(());
        }
        // A filter chooses events; what is chosen is sent whole (RFC 5277, section 3.6).
        output.send(&events::notification(time, &content))
    }

    fn ended(&self, refusal: &Refusal, output: &Output) {
        let reason = match refusal {
            Refusal::Said { text, .. } => text.as_str(),
            Refusal::Gone => "the firewall ended it",
        };
        let content = Element::new(EVENTS, "subscription-ended").with(Element::new(EVENTS, "reason").with_text(reason));
        let _ = output.send(&events::notification(&now(), &content));
    }
}

/// `get-syslog-events` that the firewall took. Its reply goes on until the session ends.
pub(super) struct SyslogEvents {
    control: Control,
    rpc: Element,
    wanted: Vec<String>,
}

impl SyslogEvents {
    /// Asks the firewall for what `operation` wants.
    pub(super) fn prepare(
        control: &Control,
        serves: &Serves,
        rpc: &Element,
        operation: &Element,
    ) -> Result<Self, Vec<RpcError>> {
        if !serves.has("do subscribe") {
            return Err(vec![RpcError::unsupported("this firewall serves no streams of events")]);
        }
        rpc::only(operation, &["stream", "event"])?;
        let stream = operation.child("stream").map_or_else(|| "messages".to_owned(), Element::text);
        let stream = if stream == "messages" { "audit" } else { stream.as_str() };
        let events = operation.elements().filter(|child| child.name == "event");
        let wanted = events.map(|event| event.text().to_ascii_uppercase().replace('-', "_")).collect();
        let control = ask(control, &json!({ "do": "subscribe", "stream": stream, "syslog": true }))?;
        Ok(Self { control, rpc: rpc.clone(), wanted })
    }

    /// Sends events until the client is gone, or the firewall.
    pub(super) fn run(self, output: &Output, session: &Receiver<Value>) -> End {
        // The reply is one message that never ends: its start stands open.
        let mut writer = Writer::new();
        begin_reply(&mut writer, &self.rpc);
        writer.start(SYSLOG, "syslog-events").text("\n").end().end();
        let whole = writer.finish();
        let (start, end) = whole.split_at(whole.find("\n</").map_or(whole.len(), |at| at + 1));
        if output.part(&format!("{DECLARATION}{start}"), false).is_err() {
            return End::Dropped;
        }
        let look = tick(LOOK);
        loop {
            let line = select! {
                recv(self.control.lines()) -> line => line.ok(),
                recv(session) -> line => match line {
                    Ok(_) => continue,
                    Err(_) => None,
                },
                recv(look) -> _ => match client_reads() {
                    true => continue,
                    false => return End::Dropped,
                },
            };
            let Some(line) = line else {
                let _ = output.part(end, true);
                return End::Killed;
            };
            let Some(Value::Object(record)) = line.get("event") else { continue };
            if !self.wanted.is_empty() && !self.wanted.contains(&events::message_id(record)) {
                continue;
            }
            let mut writer = Writer::new();
            writer.element(&events::syslog_event(record));
            if output.part(&format!("{}\n", writer.finish()), false).is_err() {
                return End::Dropped;
            }
        }
    }
}

/// Whether somebody still reads our standard output: of a closed one, nothing says so before the next event.
fn client_reads() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let output = std::io::stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    match poll(&mut polled, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(_) => !polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        Err(_) => true,
    }
}

/// Asks on a connection of its own, and waits until the firewall takes it.
fn ask(control: &Control, request: &Value) -> Result<Control, Vec<RpcError>> {
    let gone = || refused(Refusal::Gone);
    let control = control.again().map_err(|_| gone())?;
    control.send(request).map_err(refused)?;
    let mut faults = Vec::new();
    loop {
        let line = control.lines().recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Disconnected => gone(),
            RecvTimeoutError::Timeout => {
                vec![RpcError::application(Tag::OperationFailed, "the firewall does not answer")]
            }
        })?;
        if let Some(refusal) = Refusal::read(&line, &mut faults) {
            return Err(refused(refusal));
        }
        if line.get("subscribed").is_some() {
            return Ok(control);
        }
    }
}

fn time(operation: &Element, name: &str) -> Result<Option<Timestamp>, Vec<RpcError>> {
    let Some(element) = operation.child(name) else { return Ok(None) };
    element.text().parse().map(Some).map_err(|_| {
        let message = format!("{name} is no time with its offset, as 2026-11-22T00:00:00Z");
        vec![RpcError::protocol(Tag::BadElement, message).about("bad-element", name)]
    })
}

fn now() -> String {
    Timestamp::now().to_string()
}
