//! `ostiary trace`: what happens to a packet, step by step. The steps and the verdict are the pipeline's own
//! ([`dataplane::pipeline::Pipeline::trace`]); here they get their names, and each rule says why it does not match.

mod answer;
mod frame;
mod offline;
mod story;

use dataplane::endpoint::Mac;
use dataplane::pipeline::{Assumed, Example};
use dataplane::policy::PortId;
use serde::{Deserialize, Serialize};
use sigdb::AppId;

pub use self::answer::{Next, Tracing};
pub use self::frame::{Flow, FrameError, from_hex, to_hex};
pub use self::offline::trace;
pub use self::story::{Story, TraceRow};
use crate::config::Compiled;

/// Octets of a frame that a question holds at most: what the headers and the beginning of the payload take. Of a longer one
/// its length is told besides.
pub const FRAME_LIMIT: usize = 1_600;

/// What is asked: `{"show":"trace","port":"inside","flow":{…}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Question {
    /// The port where it comes in.
    pub port: String,
    /// The packet by its ends; this or `frame`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The Ethernet frame, or its beginning, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// The whole frame's length on the wire, where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// As if this user were at the client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// As if its application were known to be this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
}

impl Question {
    /// Looks up its names, and makes the frame where it has none. `mac` is a port's own address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn prepare(&self, compiled: &Compiled, mac: impl Fn(PortId) -> Option<Mac>) -> Result<Example, String> {
        let names = &compiled.names;
        let port = PortId(names.port_of(&self.port));
        if port.0 == u16::MAX {
            let ports: Vec<&str> = names.ports.iter().map(|name| &**name).collect();
            return Err(format!("\"{}\": no port has that name; there are {}", self.port, ports.join(", ")));
        }
        let bytes = match (&self.flow, &self.frame) {
            (Some(flow), None) => flow.frame(mac(port).unwrap_or_default()).map_err(|error| error.to_string())?,
            (None, Some(digits)) => from_hex(digits).map_err(|error| error.to_string())?,
            _ => return Err("a trace is of a \"flow\" or of a \"frame\"".to_owned()),
        };
        if bytes.len() > FRAME_LIMIT {
            return Err(format!(
                "{} octets: of a frame the first {FRAME_LIMIT} at most, and its \"length\"",
                bytes.len()
            ));
        }
        let length = self.length.unwrap_or(0).max(bytes.len() as u32);
        let application = self.application.as_deref().map(|name| application(compiled, name)).transpose()?;
        let labels = self.user.as_deref().map(|name| compiled.users.of_name(name));
        Ok(Example { port, bytes: bytes.into(), length, assumed: Assumed { application, labels } })
    }

    /// What of it the trail names: whom it was about.
    pub fn filter(&self) -> String {
        let user = self.user.as_ref().map(|user| format!(" user={user}")).unwrap_or_default();
        match &self.flow {
            Some(flow) => format!("port={} {flow}{user}", self.port),
            None => format!("port={} frame{user}", self.port),
        }
    }
}

fn application(compiled: &Compiled, name: &str) -> Result<AppId, String> {
    compiled
        .database
        .by_name(name)
        .ok_or_else(|| format!("\"{name}\": the signatures know no application of that name"))
}
