//! What goes over the management socket, a line of JSON each way.

mod asked;

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize};

#[cfg(test)]
pub(super) use self::asked::SAMPLES;
pub use self::asked::{Asked, capabilities};
use super::configure::{ChangeRow, CommitRow, DoneRow, FaultRow, GenerationRow, Refusal};
use super::role::Right;
use super::session::{NetconfSessionRow, SessionOpened};
use super::view::{
    AccessBufferRow, AccessConfigRow, AccessStatisticsRow, ImRow, InterfaceRow, LogBufferRow, LogHostRow,
    LogStatisticsRow, LogWaitingRow, NatRow, NeighbourRow, PolicyRow, PortRow, ReloadRow, ResetRow, RouteRow,
    SessionRow, SigdbRow, Statistics, UserRow, WaitingRow, WorkerRow,
};
use crate::audit::TRAIL;
use crate::record::Class;
use crate::trace::{Question, TraceRow};

/// Octets of a request line at most, its LF included.
pub const REQUEST_LIMIT: usize = 4_096;

/// Octets of a request that has a configuration in it.
pub const LONG_REQUEST_LIMIT: usize = 4 << 20;

/// Rows of an answer, unless the request says otherwise.
pub const DEFAULT_LIMIT: usize = 1_000;

/// Rows of `show im` at most: they are gathered in one turn of the control core.
pub const IM_LIMIT: usize = 10_000;

/// A request: `{"show":"counters"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What the workers' tables hold.
    Sessions {
        /// Rows at most; default [`DEFAULT_LIMIT`].
        #[serde(default = "default_limit")]
        limit: usize,
    },
    /// Who is online.
    Im {
        /// Rows at most, and at most [`IM_LIMIT`]; default [`DEFAULT_LIMIT`].
        #[serde(default = "default_limit")]
        limit: usize,
    },
    /// Records of access users.
    Access {
        /// What of them.
        view: AccessView,
        /// Of the buffer: the packet whose waiting records are shown; default: only where the buffer is read and written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        packet: Option<u64>,
        /// And only this one of its records, 0 to 6.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<u8>,
    },
    /// Records of results of logins.
    CallStatus {
        /// What of them.
        view: AccessView,
        /// As [`Request::Access`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        packet: Option<u64>,
        /// As [`Request::Access`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<u8>,
    },
    /// Users who are signed on at the access network; those for whom everything that is given holds.
    Users {
        /// Rows at most; default [`DEFAULT_LIMIT`].
        #[serde(default = "default_limit")]
        limit: usize,
        /// The name, or the account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// An address or a prefix.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// The MAC address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<String>,
        /// The access interface: a port, or with VLANs `inside.101`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// `radius`, `pppoe`, `8021x`, `dhcp`, `dhcpv6`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// The access server's address or name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nas: Option<String>,
    },
    /// Log hosts and how they are doing.
    LogHosts {},
    /// What became of the records for log hosts.
    LogStatistics {
        /// Of this host only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Of this class only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<String>,
    },
    /// What waits for log hosts.
    LogBuffer {
        /// The records that wait for this host; default: only how many, for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// Records at most; default [`DEFAULT_LIMIT`].
        #[serde(default = "default_limit")]
        limit: usize,
    },
    /// Records and log hosts.
    Statistics {},
    /// The workers' counters.
    Counters {},
    /// Ports, their links and their counters.
    Ports {},
    /// Interfaces and their addresses.
    Interfaces {},
    /// Routes, connected networks among them.
    Routes {},
    /// Who is known on those networks.
    Neighbours {
        /// Rows at most; default [`DEFAULT_LIMIT`].
        #[serde(default = "default_limit")]
        limit: usize,
    },
    /// The rules in force.
    Policy {},
    /// Pools of source NAT.
    Nat {},
    /// The signature database in use.
    Sigdb {},
    /// Sessions of NETCONF.
    SessionsNetconf {},
    /// What would become of a packet.
    Trace(Question),
}

/// What of a class of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessView {
    /// How they are made and sent.
    Config,
    /// What became of them.
    Statistics,
    /// Those that wait.
    Buffer,
}

/// A class whose counts can begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// Logins and logouts.
    Access,
    /// Results of logins.
    CallStatus,
}

impl Counted {
    /// The class of the records.
    pub fn class(self) -> Class {
        match self {
            Self::Access => Class::Access,
            Self::CallStatus => Class::CallStatus,
        }
    }
}

fn trail() -> String {
    TRAIL.to_owned()
}

/// Something to do: `{"do":"reload"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Take the policy file up again, as at SIGHUP; the answer comes when all workers judge by it.
    Reload {},
    /// Close a file of the audit trail, and begin the next.
    AuditRotate {
        /// Its name.
        #[serde(default = "trail")]
        file: String,
    },
    /// Send at once what is to be sent of a file of the audit trail.
    AuditUpload {
        /// Its name.
        #[serde(default = "trail")]
        file: String,
    },
    /// Have the counts of log hosts begin again, as [`Action::ResetStatistics`].
    ResetLogStatistics {
        /// Of this host only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// Have the counts of a class begin again: what was counted cannot be had back. Who asked is audited.
    ResetStatistics {
        /// Which.
        class: Counted,
    },
    /// Make the connection a session, which has a number, may lock and may be killed, and lasts as long as it does.
    Session {
        /// By which way the user came.
        via: SessionWay,
        /// From where, as the client says: `address:port`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<SocketAddr>,
    },
    /// End another session.
    KillSession {
        /// Its number.
        id: u32,
    },
    /// Have records sent as they are made, until the connection ends.
    Subscribe {
        /// Which of them.
        stream: Stream,
        /// Those from this time on, of RFC 3339, first, out of what is kept of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Until this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// Each with its line of RFC 5424, as `rfc5424`. Not of what is kept: without `from`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        syslog: bool,
    },
}

/// By which way the user of a session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionWay {
    /// NETCONF.
    Netconf,
    /// A command.
    Cli,
}

/// Some of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// What RFC 6470 has notifications for: changes of the configuration, and sessions.
    #[serde(rename = "NETCONF")]
    Netconf,
    /// The audit trail.
    Audit,
    /// Records of all classes that the role may see.
    Records,
}

impl Request {
    /// What it needs.
    pub fn right(&self) -> Right {
        match self {
            Self::Sessions { .. } | Self::Im { .. } | Self::Users { .. } | Self::Trace(_) => Right::ShowUsers,
            Self::Access { packet: Some(_), .. }
            | Self::CallStatus { packet: Some(_), .. }
            | Self::LogBuffer { host: Some(_), .. } => Right::ShowUsers,
            Self::Access { .. }
            | Self::CallStatus { .. }
            | Self::LogHosts {}
            | Self::LogStatistics { .. }
            | Self::LogBuffer { .. }
            | Self::Statistics {}
            | Self::Counters {}
            | Self::Ports {}
            | Self::Interfaces {}
            | Self::Routes {}
            | Self::Neighbours { .. }
            | Self::Policy {}
            | Self::Nat {}
            | Self::Sigdb {}
            | Self::SessionsNetconf {} => Right::Show,
        }
    }

    /// What of it the trail names, where it is a view of users: the view, and what it was narrowed to.
    pub fn sensitive(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Sessions { .. } => Some(("sessions", String::new())),
            Self::Im { .. } => Some(("im", String::new())),
            Self::Trace(question) => Some(("trace", question.filter())),
            Self::Users { user, address, mac, interface, source, nas, .. } => {
                let named = [
                    ("user", user),
                    ("address", address),
                    ("mac", mac),
                    ("interface", interface),
                    ("source", source),
                    ("nas", nas),
                ];
                let given = named.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
                Some(("users", given.collect::<Vec<_>>().join(" ")))
            }
            Self::Access { packet: Some(packet), .. } => Some(("access buffer", format!("packet={packet}"))),
            Self::CallStatus { packet: Some(packet), .. } => Some(("call-status buffer", format!("packet={packet}"))),
            Self::LogBuffer { host: Some(host), .. } => Some(("log buffer", format!("host={host}"))),
            _ => None,
        }
    }
}

impl Action {
    /// What it needs.
    pub fn right(&self) -> Right {
        match self {
            Self::Reload {} => Right::Commit,
            Self::ResetLogStatistics { .. } | Self::ResetStatistics { .. } => Right::Reset,
            Self::AuditRotate { .. } | Self::AuditUpload { .. } => Right::Audit,
            Self::Session { .. } => Right::Show,
            Self::KillSession { .. } => Right::KillSession,
            Self::Subscribe { stream, .. } => stream.right(),
        }
    }
}

impl Stream {
    /// What it needs.
    pub fn right(self) -> Right {
        match self {
            Self::Netconf => Right::Show,
            Self::Audit => Right::ShowAudit,
            Self::Records => Right::ShowRecords,
        }
    }

    /// In the words of the trail.
    pub fn text(self) -> &'static str {
        match self {
            Self::Netconf => "NETCONF",
            Self::Audit => "audit",
            Self::Records => "records",
        }
    }
}

fn default_limit() -> usize {
    DEFAULT_LIMIT
}

/// A line of an answer: a row, or its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Of `sessions`.
    Session(SessionRow),
    /// Of `im`.
    Im(ImRow),
    /// The one row of `statistics`.
    Statistics(Box<Statistics>),
    /// Of `counters`: one a worker.
    Worker(WorkerRow),
    /// Of `ports`.
    Port(PortRow),
    /// Of `interfaces`.
    Interface(InterfaceRow),
    /// Of `routes`.
    Route(RouteRow),
    /// Of `neighbours`.
    Neighbour(NeighbourRow),
    /// Of `policy`: one a rule, the implicit deny last.
    Rule(PolicyRow),
    /// Of `nat`: one a pool.
    Nat(NatRow),
    /// Of `access` and `call-status`: the one row of `config`.
    AccessConfig(AccessConfigRow),
    /// Of `access` and `call-status`: the one row of `statistics`.
    AccessStatistics(AccessStatisticsRow),
    /// Of `access` and `call-status`: one a log host, of `buffer`.
    AccessBuffer(AccessBufferRow),
    /// Of `access` and `call-status`: a record that waits, of `buffer` with a packet.
    Waiting(WaitingRow),
    /// Of `log-hosts`.
    LogHost(Box<LogHostRow>),
    /// Of `log-statistics`: one a host and class.
    LogStatistics(Box<LogStatisticsRow>),
    /// Of `log-buffer` without a host: one a host and class.
    LogBuffer(LogBufferRow),
    /// Of `log-buffer` with a host: a record that waits.
    LogWaiting(LogWaitingRow),
    /// Of `users`.
    User(Box<UserRow>),
    /// The one row of `reset-statistics` and `reset-log-statistics`.
    Reset(ResetRow),
    /// The one row of `sigdb`.
    Sigdb(SigdbRow),
    /// The one row of `reload`.
    Reload(ReloadRow),
    /// Of `trace`: one a step, the verdict last.
    Trace(Box<TraceRow>),
    /// Of `sessions-netconf`.
    NetconfSession(NetconfSessionRow),
    /// The one row of `session`. Only programs ask for it, and they know what they asked for.
    #[serde(rename(serialize = "session", deserialize = "session-opened"))]
    Opened(SessionOpened),
    /// A part of a long text, of `configuration`: all of them, one behind the other, are the text.
    Text(String),
    /// Of `diff`.
    Change(ChangeRow),
    /// Of `generations`, the newest first.
    Generation(GenerationRow),
    /// The one row of `commit`, `confirm`, `cancel`, `rollback`, and of `rescue` where that is loaded.
    Commit(Box<CommitRow>),
    /// The last row of what else is done with the configuration.
    Done(DoneRow),
    /// Of `check`: a doubt; and before an error: a fault.
    Fault(FaultRow),
    /// The subscription holds; events follow.
    Subscribed {},
    /// What was kept has been sent: from here on events come as they happen.
    ReplayComplete {},
    /// All rows were sent, or as many as the limit allows.
    End {
        /// How many.
        rows: usize,
        /// Whether there are others.
        more: bool,
    },
    /// The request cannot be answered; the text says why.
    Error(#[serde(deserialize_with = "error_text")] String),
    /// Likewise, with what programs need to know; [`Answer::Error`] to who reads it.
    #[serde(rename = "error", skip_deserializing)]
    Refused(Refusal),
}

/// Of an error with a tag, the text.
fn error_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Error {
        Plain(String),
        Tagged { text: String },
    }
    Ok(match Error::deserialize(from)? {
        Error::Plain(text) | Error::Tagged { text } => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_documentation_says() {
        let read = |text| serde_json::from_str::<Request>(text);
        assert_eq!(read(r#"{"show":"sessions","limit":5}"#).unwrap(), Request::Sessions { limit: 5 });
        assert_eq!(read(r#"{"show":"sessions"}"#).unwrap(), Request::Sessions { limit: 1_000 });
        assert_eq!(read(r#"{"show":"counters"}"#).unwrap(), Request::Counters {});
        assert_eq!(serde_json::from_str::<Action>(r#"{"do":"reload"}"#).unwrap(), Action::Reload {});
        let buffer = Request::Access { view: AccessView::Buffer, packet: Some(3), record: None };
        assert_eq!(read(r#"{"show":"access","view":"buffer","packet":3}"#).unwrap(), buffer);
        assert_eq!(serde_json::to_string(&buffer).unwrap(), r#"{"show":"access","view":"buffer","packet":3}"#);
        let results = Request::CallStatus { view: AccessView::Config, packet: None, record: None };
        assert_eq!(read(r#"{"show":"call-status","view":"config"}"#).unwrap(), results);
        assert!(matches!(
            read(r#"{"show":"users","user":"a"}"#).unwrap(),
            Request::Users { limit: 1_000, user: Some(_), .. }
        ));
        let reset = serde_json::from_str::<Action>(r#"{"do":"reset-statistics","class":"call-status"}"#).unwrap();
        assert_eq!(reset, Action::ResetStatistics { class: Counted::CallStatus });
        assert!(serde_json::from_str::<Action>(r#"{"do":"reset-statistics","class":"session"}"#).is_err());
        let log = serde_json::from_str::<Action>(r#"{"do":"reset-log-statistics"}"#).unwrap();
        assert_eq!(log, Action::ResetLogStatistics { host: None });
        assert_eq!(
            read(r#"{"show":"log-buffer","host":"siem"}"#).unwrap(),
            Request::LogBuffer { host: Some("siem".to_owned()), limit: 1_000 }
        );
        for wrong in [
            r#"{"show":"users","name":"a"}"#,
            r#"{"show":"access"}"#,
            r#"{"show":"counters","limit":1}"#,
            r#"{"limit":1}"#,
            "[]",
            "",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ends_are_what_the_documentation_says() {
        let text = serde_json::to_string(&Answer::End { rows: 3, more: false }).unwrap();
        assert_eq!(text, r#"{"end":{"rows":3,"more":false}}"#);
        assert_eq!(serde_json::to_string(&Answer::Error("busy".into())).unwrap(), r#"{"error":"busy"}"#);
        let refused = Answer::Refused(Refusal { session: Some(4), ..Refusal::new("lock-denied", "locked") });
        let text = serde_json::to_string(&refused).unwrap();
        assert_eq!(text, r#"{"error":{"text":"locked","tag":"lock-denied","session":4}}"#);
        for text in [text.as_str(), r#"{"error":"locked"}"#] {
            assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), Answer::Error("locked".into()));
        }
    }
}
