//! What goes over the management socket, a line of JSON each way.

use serde::{Deserialize, Serialize};

use super::view::{
    ImRow, InterfaceRow, NatRow, NeighbourRow, PolicyRow, PortRow, ReloadRow, RouteRow, SessionRow, SigdbRow,
    Statistics, WorkerRow,
};

/// Octets of a request line at most, its LF included.
pub const REQUEST_LIMIT: usize = 4_096;

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
}

/// Something to do: `{"do":"reload"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Take the policy file up again, as at SIGHUP; the answer comes when all workers judge by it.
    Reload {},
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
    /// The one row of `sigdb`.
    Sigdb(SigdbRow),
    /// The one row of `reload`.
    Reload(ReloadRow),
    /// All rows were sent, or as many as the limit allows.
    End {
        /// How many.
        rows: usize,
        /// Whether there are others.
        more: bool,
    },
    /// The request cannot be answered; the text says why.
    Error(String),
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
        for wrong in [r#"{"show":"users"}"#, r#"{"show":"counters","limit":1}"#, r#"{"limit":1}"#, "[]", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ends_are_what_the_documentation_says() {
        let text = serde_json::to_string(&Answer::End { rows: 3, more: false }).unwrap();
        assert_eq!(text, r#"{"end":{"rows":3,"more":false}}"#);
        assert_eq!(serde_json::to_string(&Answer::Error("busy".into())).unwrap(), r#"{"error":"busy"}"#);
    }
}
