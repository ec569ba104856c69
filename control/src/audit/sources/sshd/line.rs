//! The texts of the server, one by one.

use super::end;
use crate::record::audit::Origin;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing that matters, or what another line says better.
    Nothing,
    /// A connection was taken.
    Connection(Origin),
    /// The user's own process.
    Child(i32),
    /// The user may not log in.
    Barred { user: &'a str, reason: &'a str },
    /// The user is in.
    Accepted { method: &'a str, user: &'a str, origin: Option<Origin>, key: Option<&'a str> },
    /// The user is not.
    Failed { method: &'a str, user: &'a str, origin: Option<Origin>, key: Option<&'a str> },
    /// Too many failures.
    Threshold,
    /// Nothing in common with the client.
    Negotiation { reason: &'a str, offer: Option<&'a str> },
    /// The connection broke before there was a user.
    Broken(&'a str),
    /// Something was started for the user.
    Session { what: &'a str, user: &'a str, number: &'a str },
    /// A subsystem was asked for that could not be started.
    NoSubsystem { what: &'a str, reason: &'a str },
    /// What was started has ended.
    SessionClosed(&'a str),
    /// What the client said at the end.
    Farewell(&'a str),
    /// The connection ended.
    Closed { user: Option<&'a str>, reason: &'static str },
    /// The server itself.
    Server { state: &'static str, reason: Option<&'a str> },
    /// A connection was not taken.
    Dropped { origin: Option<Origin>, reason: &'a str },
    /// Nobody logged in within the time, at this process.
    Grace(i32),
}

impl Line<'_> {
    /// Whether a user's process may say so.
    pub(super) fn is_of_session(&self) -> bool {
        matches!(
            self,
            Self::Nothing
                | Self::Session { .. }
                | Self::NoSubsystem { .. }
                | Self::SessionClosed(_)
                | Self::Farewell(_)
                | Self::Closed { .. }
        )
    }
}

/// Lines about which nothing is to be said: each belongs to one that says it better.
const SILENT: &[&str] = &[
    "Accepted key ",
    "Accepted certificate ",
    "Postponed ",
    "Partial ",
    "Failed none for ",
    "Transferred: ",
    "Closing connection to ",
    "banner exchange: ",
    "Disconnecting ",
    "Received SIGHUP",
    "error: send_error: ",
    "error: Could not get shadow information",
    "error: Received disconnect from ",
    "pam_",
    "PAM ",
    "Set /proc/self/oom_score_adj",
    "syslogin_perform_logout",
    "reverse mapping checking",
    "Authentication refused: ",
    "Authenticated ",
    "Environment ",
    "User is ",
    "Changed root directory",
    "Exiting on signal",
    "Found matching ",
    "rexec line ",
    "debug",
];

/// What a line says, of a connection from `origin` where that is known; none where it is not known what it says.
pub(super) fn parse(text: &str, origin: Option<Origin>) -> Option<Line<'_>> {
    let text = text.strip_suffix(" [preauth]").unwrap_or(text);
    let here = origin.map(|origin| format!("{} port {}", origin.address, origin.port.unwrap_or(0)));
    let here = here.as_deref();
    if let Some(rest) = text.strip_prefix("Connection from ") {
        let end_of = rest.split_once(" on ").map_or(rest, |(end, _)| end);
        return Some(Line::Connection(end(end_of)?));
    }
    if let Some(pid) = text.strip_prefix("User child is on pid ").and_then(|pid| pid.parse().ok()) {
        return Some(Line::Child(pid));
    }
    if let Some(rest) = text.strip_prefix("Server listening on ") {
        return Some(Line::Server { state: "listening", reason: Some(rest.trim_end_matches('.')) });
    }
    if let Some(reason) = text.strip_suffix("; terminating.").filter(|text| text.starts_with("Received signal ")) {
        return Some(Line::Server { state: "ended", reason: Some(reason) });
    }
    if SILENT.iter().any(|silent| text.starts_with(silent)) {
        return Some(Line::Nothing);
    }
    authentication(text, here)
        .or_else(|| negotiation(text))
        .or_else(|| session(text, here))
        .or_else(|| closing(text, here))
}

fn authentication<'a>(text: &'a str, here: Option<&str>) -> Option<Line<'a>> {
    for (prefix, accepted) in [("Accepted ", true), ("Failed ", false)] {
        let Some((method, rest)) = text.strip_prefix(prefix).and_then(|rest| rest.split_once(" for ")) else {
            continue;
        };
        let (user, origin, tail) = user_and_end(rest, " from ", here)?;
        let user = if accepted { user } else { user.strip_prefix("invalid user ").unwrap_or(user) };
        let key = tail.split_once(": ").map(|(_, key)| key);
        return Some(match accepted {
            true => Line::Accepted { method, user, origin, key },
            false => Line::Failed { method, user, origin, key },
        });
    }
    if let Some(rest) = text.strip_prefix("Invalid user ") {
        let user = user_and_end(rest, " from ", here).map_or(rest, |(user, ..)| user);
        return Some(Line::Barred { user, reason: "unknown user" });
    }
    if let Some(rest) = text.strip_prefix("User ")
        && let Some(at) = rest.rfind(" not allowed because ")
    {
        let (user, reason) = (&rest[..at], &rest[at + " not allowed because ".len()..]);
        // `User mon from HOST not allowed…`, where a host's name has no blank.
        let user = match user.rfind(" from ") {
            Some(at) if !user[at + 6..].contains(' ') => &user[..at],
            _ => user,
        };
        return Some(Line::Barred { user, reason });
    }
    let threshold = "error: maximum authentication attempts exceeded for ";
    text.starts_with(threshold).then_some(Line::Threshold)
}

fn negotiation(text: &str) -> Option<Line<'_>> {
    let text = text.strip_prefix("fatal: ").unwrap_or(text);
    if let Some(rest) = text.strip_prefix("Unable to negotiate with ") {
        let said = rest.split_once(": ").map_or(rest, |(_, said)| said);
        let (reason, offer) = match said.split_once(". Their offer: ") {
            Some((reason, offer)) => (reason, Some(offer)),
            None => (said, None),
        };
        return Some(Line::Negotiation { reason, offer });
    }
    if let Some(said) = text.strip_prefix("error: kex_exchange_identification: ") {
        return Some(match said.starts_with("client sent ") || said.starts_with("banner ") {
            true => Line::Negotiation { reason: said, offer: None },
            false => Line::Broken(said),
        });
    }
    if let Some(said) = text.strip_prefix("error: kex protocol error: ") {
        return Some(Line::Negotiation { reason: said, offer: None });
    }
    if text.starts_with("error: Protocol major versions differ") {
        return Some(Line::Negotiation { reason: "protocol major versions differ", offer: None });
    }
    if text.starts_with("Did not receive identification string from ") {
        return Some(Line::Broken("no identification string"));
    }
    if let Some(rest) = text.strip_prefix("ssh_dispatch_run_fatal: Connection from ") {
        let said = rest.split_once(": ").map_or("broken", |(_, said)| said);
        return Some(Line::Broken(said));
    }
    if let Some(rest) = text.strip_prefix("Timeout before authentication for connection from ") {
        return rest.rsplit_once("pid = ").and_then(|(_, pid)| pid.parse().ok()).map(Line::Grace);
    }
    if text.starts_with("Timeout before authentication for ") {
        return Some(Line::Broken("login-grace"));
    }
    if let Some(rest) = text.strip_prefix("drop connection #") {
        let origin = rest.split_once(" from [").and_then(|(_, rest)| rest.split_once(" on ")).and_then(|(from, _)| {
            let (address, port) = from.rsplit_once("]:")?;
            Some(Origin { address: address.parse().ok()?, port: Some(port.parse().ok()?) })
        });
        let reason = rest.rsplit_once("]:").map_or("dropped", |(_, reason)| reason);
        return Some(Line::Dropped {
            origin,
            reason: reason.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start(),
        });
    }
    None
}

fn session<'a>(text: &'a str, here: Option<&str>) -> Option<Line<'a>> {
    if let Some(rest) = text.strip_prefix("Starting session: ") {
        let (front, _, tail) = user_and_end(rest, " from ", here)?;
        let (what, user) = front.rsplit_once(" for ")?;
        let number = tail.strip_prefix(" id ").unwrap_or("");
        return Some(Line::Session { what, user, number });
    }
    if let Some(rest) = text.strip_prefix("subsystem request for ") {
        let (what, rest) = rest.split_once(" by user ")?;
        let reason = rest.rsplit_once("failed, ").map_or("failed", |(_, reason)| reason);
        return Some(Line::NoSubsystem { what, reason });
    }
    let rest = text.strip_prefix("Close session: user ")?;
    Some(Line::SessionClosed(rest.rsplit_once(" id ").map_or("", |(_, number)| number)))
}

fn closing<'a>(text: &'a str, here: Option<&str>) -> Option<Line<'a>> {
    if let Some(rest) = text.strip_prefix("Received disconnect from ") {
        // `ADDRESS port PORT:11: disconnected by user`; an address of IPv6 has colons too.
        let (_, said) = rest.split_once(" port ")?;
        let said = said.split_once(':')?.1;
        return Some(Line::Farewell(said.split_once(": ").map_or(said, |(_, text)| text)));
    }
    for (prefix, reason) in [
        ("Disconnected from ", "disconnected"),
        ("Connection closed by ", "connection closed"),
        ("Connection reset by ", "connection reset"),
        ("Timeout, client not responding from ", "client not responding"),
        ("Read error from remote host ", "read error"),
        ("Read error from ", "read error"),
    ] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        let user = ["authenticating user ", "invalid user ", "user "].iter().find_map(|kind| rest.strip_prefix(kind));
        let user = match user {
            Some(rest) => Some(user_and_end(rest, " ", here)?.0),
            None => None,
        };
        return Some(Line::Closed { user, reason });
    }
    None
}

/// Splits `USER from ADDRESS port PORT tail`: at the last place where the connection's own end stands, or, where that is
/// not known, at the last that is an end at all.
fn user_and_end<'a>(text: &'a str, between: &str, here: Option<&str>) -> Option<(&'a str, Option<Origin>, &'a str)> {
    if let Some(here) = here {
        let needle = format!("{between}{here}");
        let at = text.rmatch_indices(&needle).map(|(at, _)| at).find(|at| {
            let behind = &text[at + needle.len()..];
            !behind.starts_with(|c: char| c.is_ascii_digit())
        })?;
        return Some((&text[..at], end(here), &text[at + needle.len()..]));
    }
    for (at, _) in text.rmatch_indices(" port ") {
        let behind = &text[at + 6..];
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Some((front, address)) = text[..at].rsplit_once(' ') else { continue };
        let Some(origin) = end(&format!("{address} port {}", &behind[..digits])) else { continue };
        let user = match between {
            " from " => front.strip_suffix(" from"),
            _ => Some(front),
        };
        if let Some(user) = user {
            return Some((user, Some(origin), &behind[digits..]));
        }
    }
    None
}
