//! The operations, but those that make a stream of events.

use serde_json::{Value, json};
use toml::Table;

use super::config_xml;
use super::control::{Control, Fault, Refusal};
use super::edit::{self, Operation};
use super::error::{RpcError, Tag};
use super::filter as subtree;
use super::hello::Serves;
use super::monitoring;
use super::session::GONE;
use super::state;
use super::xml::Element;
use super::{BASE, MONITORING};

/// What an operation came to.
#[derive(Debug)]
pub enum Done {
    /// `<ok/>`.
    Ok,
    /// `<ok/>`, and the session is over.
    Close,
    /// `<data>` with these.
    Data(Vec<Element>),
    /// This.
    Content(Element),
}

/// A session's operations.
pub struct Operations<'a> {
    /// The firewall.
    pub control: &'a Control,
    /// What it serves.
    pub serves: &'a Serves,
    /// The session's number.
    pub id: u64,
}

type Outcome = Result<Done, Vec<RpcError>>;

/// What a `source` or `target` names.
enum Datastore<'a> {
    Running,
    Candidate,
    /// A configuration in the request itself.
    Inline(&'a Element),
}

impl Datastore<'_> {
    fn text(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate => "candidate",
            Self::Inline(_) => "config",
        }
    }
}

/// Seconds until an unconfirmed commit is taken back, unless the client says otherwise (RFC 6241, section 8.4).
const CONFIRM_TIMEOUT: u64 = 600;

impl Operations<'_> {
    /// Does what the request asks for.
    pub fn run(&self, operation: &Element) -> Outcome {
        match (operation.namespace.as_str(), operation.name.as_str()) {
            (MONITORING, "get-schema") => {
                let text = monitoring::schema(operation).map_err(|error| vec![error])?;
                Ok(Done::Content(Element::new(MONITORING, "data").with_text(&text)))
            }
            (BASE | "", name) => match name {
                "get" => self.get(operation),
                "get-config" => self.get_config(operation),
                "edit-config" => self.edit_config(operation),
                "copy-config" => self.copy_config(operation),
                "delete-config" => self.delete_config(operation),
                "validate" => self.validate(operation),
                "commit" => self.commit(operation),
                "cancel-commit" => self.cancel_commit(operation),
                "discard-changes" => {
                    only(operation, &[])?;
                    self.candidate()?;
                    self.act(&json!({ "do": "discard" }))
                }
                "lock" => self.lock(operation, "do lock"),
                "unlock" => self.lock(operation, "do unlock"),
                "kill-session" => self.kill_session(operation),
                "close-session" => only(operation, &[]).map(|()| Done::Close),
                _ => Err(unknown(operation)),
            },
            _ => Err(unknown(operation)),
        }
    }

    fn get(&self, operation: &Element) -> Outcome {
        only(operation, &["filter", "source"])?;
        let filter = filter(operation)?;
        // What the filter does not ask for is not gathered.
        let wants = |names: &[&str]| {
            filter.is_none_or(|filter| filter.elements().any(|wanted| names.contains(&wanted.name.as_str())))
        };
        let mut trees = Vec::new();
        if wants(&[config_xml::TOP]) && self.serves.has("show configuration") {
            match self.configuration("running") {
                Ok(document) => trees.push(config_xml::to_xml(&document)),
                // Who may not see the configuration still sees the rest.
                Err(errors) if errors.iter().all(|error| error.tag == Tag::AccessDenied) => {}
                Err(errors) => return Err(errors),
            }
        }
        if wants(&[state::TOP]) {
            trees.push(state::state(self.control).map_err(refused)?);
        }
        if wants(&["netconf-state", "netconf"]) {
            trees.extend(monitoring::trees(self.control, self.serves).map_err(refused)?);
        }
        Ok(Done::Data(match filter {
            Some(filter) => subtree::select(filter, trees),
            None => trees,
        }))
    }

    fn get_config(&self, operation: &Element) -> Outcome {
        only(operation, &["source", "filter"])?;
        let filter = filter(operation)?;
        let source = self.datastore(operation, "source")?;
        if let Datastore::Inline(config) = source {
            return Err(vec![RpcError::unknown(config)]);
        }
        let trees = vec![config_xml::to_xml(&self.configuration(source.text())?)];
        Ok(Done::Data(match filter {
            Some(filter) => subtree::select(filter, trees),
            None => trees,
        }))
    }

    fn edit_config(&self, operation: &Element) -> Outcome {
        only(operation, &["target", "default-operation", "test-option", "error-option", "config", "url"])?;
        self.target(operation)?;
        let option =
            |name: &str, default: &str| operation.child(name).map_or_else(|| default.to_owned(), Element::text);
        let wrong = |name: &str, text: &str, known: &str| {
            let message = format!("{name} {text:?}: {known} is expected");
            vec![RpcError::protocol(Tag::BadElement, message).about("bad-element", name)]
        };
        let default = match option("default-operation", "merge").as_str() {
            "merge" => Operation::Merge,
            "replace" => Operation::Replace,
            "none" => Operation::None,
            other => return Err(wrong("default-operation", other, "merge, replace or none")),
        };
        match option("test-option", "test-then-set").as_str() {
            // Types and names are tested before anything is set; whether the whole can be run, validate and commit say.
            "test-then-set" | "set" => {}
            "test-only" => return Err(vec![RpcError::unsupported("test-only is not implemented: use validate")]),
            other => return Err(wrong("test-option", other, "test-then-set or set")),
        }
        let error_option = match option("error-option", "stop-on-error").as_str() {
            word @ ("stop-on-error" | "rollback-on-error") => word.to_owned(),
            "continue-on-error" => {
                return Err(vec![RpcError::unsupported("continue-on-error is not implemented")]);
            }
            other => return Err(wrong("error-option", other, "stop-on-error or rollback-on-error")),
        };
        if operation.child("url").is_some() {
            return Err(vec![RpcError::unsupported("configurations are not fetched from URLs")]);
        }
        let config = operation.child("config").ok_or_else(|| vec![RpcError::missing("config")])?;
        let edits = edit::edits(config, default).map_err(|error| vec![error])?;
        if edits.is_empty() {
            return Ok(Done::Ok);
        }
        self.act(&json!({ "do": "edit", "operations": edits, "error-option": error_option }))
    }

    fn copy_config(&self, operation: &Element) -> Outcome {
        only(operation, &["target", "source"])?;
        self.target(operation)?;
        let text = match self.datastore(operation, "source")? {
            Datastore::Running => self.text("running")?,
            Datastore::Candidate => {
                let message = "source and target are the same";
                return Err(vec![RpcError::protocol(Tag::InvalidValue, message).about("bad-element", "source")]);
            }
            Datastore::Inline(config) => file(config)?,
        };
        self.act(&json!({ "do": "load", "target": "candidate", "text": text }))
    }

    fn delete_config(&self, operation: &Element) -> Outcome {
        only(operation, &["target"])?;
        let target = self.datastore(operation, "target")?.text();
        let message = format!("{target} cannot be deleted: discard-changes makes the candidate what is running");
        Err(vec![RpcError::unsupported(message)])
    }

    fn validate(&self, operation: &Element) -> Outcome {
        only(operation, &["source"])?;
        self.serve("do check", "does not validate")?;
        match self.datastore(operation, "source")? {
            Datastore::Inline(config) => self.act(&json!({ "do": "check", "text": file(config)? })),
            source => self.act(&json!({ "do": "check", "source": source.text() })),
        }
    }

    fn commit(&self, operation: &Element) -> Outcome {
        only(operation, &["confirmed", "confirm-timeout", "persist", "persist-id"])?;
        self.candidate()?;
        let text = |name: &str| operation.child(name).map(Element::text).filter(|text| !text.is_empty());
        let mut request = json!({ "do": "commit", "source": "candidate" });
        let confirmed = operation.child("confirmed").is_some();
        if let Some(id) = text("persist-id") {
            request["persist-id"] = Value::from(id);
        }
        if !confirmed {
            if let Some(name) = ["confirm-timeout", "persist"].into_iter().find(|name| operation.child(name).is_some())
            {
                let message = format!("{name} is of a confirmed commit only");
                return Err(vec![RpcError::protocol(Tag::BadElement, message).about("bad-element", name)]);
            }
            return self.act(&request);
        }
        self.serve("do confirm", "has no confirmed commit")?;
        let timeout = match text("confirm-timeout") {
            None => CONFIRM_TIMEOUT,
            Some(text) => text.parse::<u32>().ok().filter(|seconds| *seconds > 0).map(u64::from).ok_or_else(|| {
                let message = format!("confirm-timeout {text:?}: seconds from 1 are expected");
                vec![RpcError::protocol(Tag::InvalidValue, message).about("bad-element", "confirm-timeout")]
            })?,
        };
        request["confirm"] = Value::from(timeout);
        if let Some(token) = text("persist") {
            request["persist"] = Value::from(token);
        }
        self.act(&request)
    }

    fn cancel_commit(&self, operation: &Element) -> Outcome {
        only(operation, &["persist-id"])?;
        self.serve("do cancel", "has no confirmed commit")?;
        let mut request = json!({ "do": "cancel" });
        if let Some(id) = operation.child("persist-id").map(Element::text) {
            request["persist-id"] = Value::from(id);
        }
        self.act(&request)
    }

    /// `word`: `do lock` or `do unlock`.
    fn lock(&self, operation: &Element, word: &str) -> Outcome {
        only(operation, &["target"])?;
        self.serve(word, "has no locks")?;
        let target = self.datastore(operation, "target")?;
        if let Datastore::Inline(config) = target {
            return Err(vec![RpcError::unknown(config)]);
        }
        self.act(&json!({ "do": word.trim_start_matches("do "), "target": target.text() }))
    }

    fn kill_session(&self, operation: &Element) -> Outcome {
        only(operation, &["session-id"])?;
        self.serve("do kill-session", "does not end other sessions")?;
        let text = operation.child("session-id").ok_or_else(|| vec![RpcError::missing("session-id")])?.text();
        let wrong =
            |message: String| vec![RpcError::protocol(Tag::InvalidValue, message).about("bad-element", "session-id")];
        match text.parse::<u32>() {
            Ok(id) if u64::from(id) == self.id => {
                Err(wrong("this is session's own number: use close-session".to_owned()))
            }
            Ok(id) if id > 0 => self.act(&json!({ "do": "kill-session", "id": id })),
            _ => Err(wrong(format!("{text:?} is no session's number"))),
        }
    }

    /// A datastore that `operation` names within `role`.
    fn datastore<'a>(&self, operation: &'a Element, role: &str) -> Result<Datastore<'a>, Vec<RpcError>> {
        let element = operation.child(role).ok_or_else(|| vec![RpcError::missing(role)])?;
        let named = element.elements().next().ok_or_else(|| vec![RpcError::missing("running")])?;
        match named.name.as_str() {
            "running" => Ok(Datastore::Running),
            "candidate" => self.candidate().map(|()| Datastore::Candidate),
            "config" if role == "source" => Ok(Datastore::Inline(named)),
            "startup" => Err(vec![RpcError::unsupported(
                "there is no startup configuration: what is running is what the next start begins with",
            )]),
            "url" => Err(vec![RpcError::unsupported("configurations are not fetched from or sent to URLs")]),
            _ => Err(vec![RpcError::unknown(named)]),
        }
    }

    /// That the target is the candidate.
    fn target(&self, operation: &Element) -> Result<(), Vec<RpcError>> {
        match self.datastore(operation, "target")? {
            Datastore::Candidate => Ok(()),
            _ => Err(vec![RpcError::unsupported(
                "the running configuration is not written: edit the candidate (of netconf-console2: --db candidate) and commit",
            )]),
        }
    }

    fn candidate(&self) -> Result<(), Vec<RpcError>> {
        match self.serves.has_candidate() {
            true => Ok(()),
            false => Err(vec![RpcError::unsupported("this firewall has no candidate: edit its policy file")]),
        }
    }

    fn serve(&self, word: &str, otherwise: &str) -> Result<(), Vec<RpcError>> {
        match self.serves.has(word) {
            true => Ok(()),
            false => Err(vec![RpcError::unsupported(format!("this firewall {otherwise}"))]),
        }
    }

    fn act(&self, request: &Value) -> Outcome {
        self.control.ask(request).map(|_| Done::Ok).map_err(refused)
    }

    fn text(&self, source: &str) -> Result<String, Vec<RpcError>> {
        self.serve("show configuration", "does not show its configuration")?;
        let rows = self.control.ask(&json!({ "show": "configuration", "source": source })).map_err(refused)?;
        Ok(rows.iter().filter_map(|row| row.get("text").and_then(Value::as_str)).collect())
    }

    fn configuration(&self, source: &str) -> Result<Table, Vec<RpcError>> {
        self.text(source)?.parse().map_err(|error: toml::de::Error| {
            let message = format!("the {source} configuration is no TOML: {}", error.message());
            vec![RpcError::application(Tag::OperationFailed, message)]
        })
    }
}

/// A configuration of a request as a file.
fn file(config: &Element) -> Result<String, Vec<RpcError>> {
    let document = edit::document(config).map_err(|error| vec![error])?;
    toml::to_string(&document).map_err(|error| vec![RpcError::application(Tag::OperationFailed, error.to_string())])
}

fn unknown(operation: &Element) -> Vec<RpcError> {
    let message = format!("<{}> of namespace {:?} is not implemented", operation.name, operation.namespace);
    vec![RpcError::unsupported(message).about("bad-element", &operation.name)]
}

/// Refuses elements in `operation` that it does not have.
pub(super) fn only(operation: &Element, known: &[&str]) -> Result<(), Vec<RpcError>> {
    match operation.elements().find(|child| !known.contains(&child.name.as_str())) {
        None => Ok(()),
        Some(child) => Err(vec![RpcError::unknown(child)]),
    }
}

/// The subtree filter of a request.
pub(super) fn filter(operation: &Element) -> Result<Option<&Element>, Vec<RpcError>> {
    let Some(filter) = operation.child("filter") else { return Ok(None) };
    // Clients write the attribute with and without a prefix.
    let kind = filter.attribute("", "type").or_else(|| filter.attribute(BASE, "type")).unwrap_or("subtree");
    match kind {
        "subtree" => Ok(Some(filter)),
        "xpath" => Err(vec![RpcError::unsupported("filters are subtrees: there is no capability xpath")]),
        _ => Err(vec![
            RpcError::protocol(Tag::BadAttribute, format!("type={kind:?}: subtree is expected"))
                .about("bad-attribute", "type")
                .about("bad-element", "filter"),
        ]),
    }
}

/// What a client is told where the firewall says no.
pub(super) fn refused(refusal: Refusal) -> Vec<RpcError> {
    let (text, tag, path, session, faults) = match refusal {
        Refusal::Said { text, tag, path, session, faults } => (text, tag, path, session, faults),
        Refusal::Gone => {
            let mut error = RpcError::application(Tag::OperationFailed, "the firewall stopped, or ended this session");
            error.app_tag = Some(GONE.to_owned());
            return vec![error];
        }
    };
    let faults: Vec<Fault> = faults.into_iter().filter(|fault| fault.tag.as_deref() != Some("warning")).collect();
    if faults.is_empty() {
        let mut error = said(&text, tag.as_deref(), path.as_deref());
        if let Some(session) = session {
            error = error.about("session-id", &session.to_string());
        }
        return vec![error];
    }
    let one = |fault: &Fault| said(&fault.text, fault.tag.as_deref().or(tag.as_deref()), fault.path.as_deref());
    faults.iter().map(one).collect()
}

fn said(text: &str, tag: Option<&str>, path: Option<&str>) -> RpcError {
    let known = tag.and_then(Tag::read);
    let mut error = match known {
        Some(tag @ (Tag::AccessDenied | Tag::LockDenied | Tag::InUse | Tag::ResourceDenied)) => {
            RpcError::protocol(tag, text)
        }
        Some(tag) => RpcError::application(tag, text),
        // A request that an older firewall does not have.
        None if text.starts_with("not understood") => RpcError::unsupported(text),
        None => {
            let mut error = RpcError::application(Tag::OperationFailed, text);
            error.app_tag = tag.map(str::to_owned);
            error
        }
    };
    error.path = path.and_then(edit::xpath);
    error
}
