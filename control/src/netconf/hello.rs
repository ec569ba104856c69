//! The first message each way: who can what.

use std::collections::BTreeSet;

use super::xml::{DECLARATION, Element, Writer};
use super::yang::MODULES;
use super::{BASE, BASE_EVENTS, MONITORING};

/// NETCONF 1.0 and 1.1.
const BASE_1_0: &str = "urn:ietf:params:netconf:base:1.0";
const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";

/// Requests that the firewall serves, as `do commit` and `show configuration`. Whether this user may make them, the firewall
/// says where one is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serves(BTreeSet<String>);

/// The firewall sends subscribers what was recorded before they asked.
pub const REPLAY: &str = "do replay";

/// What a session asks for, with a request of each kind: what does not read as a request is not served.
pub const REQUESTS: &[(&str, &str)] = &[
    ("do session", r#"{"do":"session","via":"netconf"}"#),
    ("show configuration", r#"{"show":"configuration","source":"running"}"#),
    ("do edit", r#"{"do":"edit","operations":[{"path":"rule[a]","kind":"remove"}]}"#),
    ("do load", r#"{"do":"load","target":"candidate","text":""}"#),
    ("do discard", r#"{"do":"discard"}"#),
    ("do check", r#"{"do":"check","source":"candidate"}"#),
    ("do commit", r#"{"do":"commit","source":"candidate"}"#),
    ("do confirm", r#"{"do":"commit","source":"candidate","confirm":600,"persist":"a","persist-id":"b"}"#),
    ("do cancel", r#"{"do":"cancel"}"#),
    ("do lock", r#"{"do":"lock","target":"candidate"}"#),
    ("do unlock", r#"{"do":"unlock","target":"candidate"}"#),
    ("do kill-session", r#"{"do":"kill-session","id":1}"#),
    ("do subscribe", r#"{"do":"subscribe","stream":"NETCONF"}"#),
    ("show sessions-netconf", r#"{"show":"sessions-netconf"}"#),
];

impl Serves {
    /// Those of [`REQUESTS`] that `reads` takes.
    pub fn of(reads: impl Fn(&str) -> bool) -> Self {
        Self(REQUESTS.iter().filter(|(_, request)| reads(request)).map(|(word, _)| (*word).to_owned()).collect())
    }

    /// The firewall serves this too.
    pub(super) fn add(&mut self, word: &str) {
        self.0.insert(word.to_owned());
    }

    /// Whether the firewall serves such requests.
    pub fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// Whether there is a candidate that can be edited and committed.
    pub fn has_candidate(&self) -> bool {
        ["show configuration", "do edit", "do load", "do discard", "do commit"].iter().all(|word| self.has(word))
    }

    /// The capabilities that a hello lists.
    pub fn capabilities(&self) -> Vec<String> {
        let mut list = vec![BASE_1_0.to_owned(), BASE_1_1.to_owned()];
        let mut add = |name: &str, is_there: bool| {
            if is_there {
                list.push(format!("urn:ietf:params:netconf:capability:{name}"));
            }
        };
        let candidate = self.has_candidate();
        add("candidate:1.0", candidate);
        add("rollback-on-error:1.0", candidate);
        add("validate:1.1", self.has("do check"));
        add("confirmed-commit:1.1", candidate && self.has("do confirm") && self.has("do cancel"));
        add("notification:1.0", self.has("do subscribe"));
        add("interleave:1.0", self.has("do subscribe"));
        list.push(format!("{MONITORING}?module=ietf-netconf-monitoring&revision=2010-10-04"));
        if self.has("do subscribe") {
            list.push(format!("{BASE_EVENTS}?module=ietf-netconf-notifications&revision=2012-02-06"));
        }
        for module in MODULES {
            list.push(format!("{}?module={}&revision={}", module.namespace, module.name, module.revision));
        }
        list
    }
}

/// Our hello.
pub fn hello(serves: &Serves, session: u64) -> String {
    let mut writer = Writer::new();
    writer.start(BASE, "hello").start(BASE, "capabilities");
    for capability in serves.capabilities() {
        writer.leaf(BASE, "capability", &capability);
    }
    writer.end().leaf(BASE, "session-id", &session.to_string()).end();
    format!("{DECLARATION}{}", writer.finish())
}

/// Whether both sides can chunks, by the client's hello.
///
/// # Errors
/// Where it is none: the session ends (RFC 6241, section 8.1).
pub fn chunked(hello: &Element) -> Result<bool, &'static str> {
    if hello.child("session-id").is_some() {
        return Err("a client's hello has no session-id");
    }
    let list = hello.child("capabilities").ok_or("the hello has no capabilities")?;
    let has =
        |wanted: &str| list.elements().any(|capability| capability.name == "capability" && capability.text() == wanted);
    match (has(BASE_1_1), has(BASE_1_0)) {
        (true, _) => Ok(true),
        (false, true) => Ok(false),
        (false, false) => Err("the client has neither NETCONF 1.0 nor 1.1"),
    }
}
