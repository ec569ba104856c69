//! A line that was read: which of the requests it is, and what that needs.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::configure::Configure;
use super::super::role::Right;
use super::{Action, Request};

/// A request of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// To look.
    Show(Request),
    /// To do.
    Do(Action),
    /// About the configuration.
    Configure(Configure),
}

/// What a line is about.
#[derive(Deserialize)]
struct Head {
    show: Option<IgnoredAny>,
    r#do: Option<IgnoredAny>,
}

impl Asked {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let failed = |error: serde_json::Error| format!("not understood: {error}");
        let head: Head = serde_json::from_slice(line).map_err(failed)?;
        if let Some(about) = Configure::read(line) {
            return about.map(Self::Configure).map_err(failed);
        }
        match (head.show.is_some(), head.r#do.is_some()) {
            (true, false) => serde_json::from_slice(line).map(Self::Show).map_err(failed),
            (false, true) => serde_json::from_slice(line).map(Self::Do).map_err(failed),
            (false, false) => Err("not understood: a request has \"show\" or \"do\"".to_owned()),
            (true, true) => Err("not understood: a request has one of \"show\" and \"do\"".to_owned()),
        }
    }

    /// What it needs.
    pub fn right(&self) -> Right {
        match self {
            Self::Show(request) => request.right(),
            Self::Do(action) => action.right(),
            Self::Configure(about) => about.right(),
        }
    }

    /// In a word, as capabilities and the trail have it.
    pub fn word(&self) -> String {
        let (kind, value) = match self {
            Self::Show(request) => ("show", serde_json::to_value(request)),
            Self::Do(action) => ("do", serde_json::to_value(action)),
            Self::Configure(Configure::Show(view)) => ("show", serde_json::to_value(view)),
            Self::Configure(Configure::Do(action)) => ("do", serde_json::to_value(action)),
        };
        let word = value.ok().and_then(|value| Some(value.get(kind)?.as_str()?.to_owned()));
        format!("{kind} {}", word.unwrap_or_default())
    }
}

/// The words of the requests that are served to whoever has the rights that `may` tells.
pub fn capabilities(may: impl Fn(Right) -> bool) -> Vec<String> {
    let read = SAMPLES.iter().filter_map(|line| Asked::read(line.as_bytes()).ok());
    let mut words: Vec<String> = read.filter(|asked| may(asked.right())).map(|asked| asked.word()).collect();
    words.dedup();
    words
}

/// Requests as they are written shortest: one of each, those of one word next to each other.
pub(in super::super) const SAMPLES: &[&str] = &[
    r#"{"show":"sessions"}"#,
    r#"{"show":"im"}"#,
    r#"{"show":"access","view":"config"}"#,
    r#"{"show":"access","view":"buffer","packet":0}"#,
    r#"{"show":"call-status","view":"config"}"#,
    r#"{"show":"call-status","view":"buffer","packet":0}"#,
    r#"{"show":"users"}"#,
    r#"{"show":"log-hosts"}"#,
    r#"{"show":"log-statistics"}"#,
    r#"{"show":"log-buffer"}"#,
    r#"{"show":"log-buffer","host":"siem"}"#,
    r#"{"show":"statistics"}"#,
    r#"{"show":"counters"}"#,
    r#"{"show":"ports"}"#,
    r#"{"show":"interfaces"}"#,
    r#"{"show":"routes"}"#,
    r#"{"show":"neighbours"}"#,
    r#"{"show":"policy"}"#,
    r#"{"show":"nat"}"#,
    r#"{"show":"sigdb"}"#,
    r#"{"show":"sessions-netconf"}"#,
    r#"{"show":"trace","port":"inside"}"#,
    r#"{"do":"reload"}"#,
    r#"{"do":"audit-rotate"}"#,
    r#"{"do":"audit-upload"}"#,
    r#"{"do":"reset-log-statistics"}"#,
    r#"{"do":"reset-statistics","class":"access"}"#,
    r#"{"do":"session","via":"netconf"}"#,
    r#"{"do":"kill-session","id":1}"#,
    r#"{"do":"subscribe","stream":"NETCONF"}"#,
    r#"{"do":"subscribe","stream":"audit"}"#,
    r#"{"do":"subscribe","stream":"records"}"#,
    r#"{"show":"configuration"}"#,
    r#"{"show":"diff"}"#,
    r#"{"show":"generations"}"#,
    r#"{"do":"check"}"#,
    r#"{"do":"commit"}"#,
    r#"{"do":"confirm"}"#,
    r#"{"do":"cancel"}"#,
    r#"{"do":"rollback","generation":1}"#,
    r#"{"do":"rescue","what":"save"}"#,
    r#"{"do":"lock","target":"candidate"}"#,
    r#"{"do":"unlock","target":"candidate"}"#,
    r#"{"do":"edit","operations":[]}"#,
    r#"{"do":"load","target":"candidate","text":""}"#,
    r#"{"do":"discard"}"#,
];

#[cfg(test)]
mod tests {
    use super::super::super::configure::{ConfigAction, ConfigView};
    use super::super::super::role::Role;
    use super::*;

    #[test]
    fn every_word_has_a_sample() {
        for (kind, known) in [("show", r#"{"show":"x"}"#), ("do", r#"{"do":"x"}"#)] {
            // serde lists the words that it knows: a new one without a sample here is found by it.
            let listed = Asked::read(known.as_bytes()).unwrap_err();
            let own: &[&str] = if kind == "show" { &ConfigView::WORDS } else { &ConfigAction::WORDS };
            let words = listed.split('`').skip(3).step_by(2).chain(own.iter().copied());
            let mut count = 0;
            for word in words {
                let found = SAMPLES.iter().map(|line| Asked::read(line.as_bytes()).unwrap());
                assert!(found.into_iter().any(|asked| asked.word() == format!("{kind} {word}")), "{kind} {word}");
                count += 1;
            }
            assert!(count > 10 && count <= SAMPLES.len(), "{listed}");
        }
    }

    #[test]
    fn capabilities_are_what_the_role_may() {
        let words = |role: Role| capabilities(|right| role.may(right));
        assert!(words(Role::Administrator).contains(&"do commit".to_owned()));
        assert!(words(Role::None).is_empty());
        let auditor = words(Role::Auditor);
        assert!(auditor.contains(&"do subscribe".to_owned()) && !auditor.contains(&"show configuration".to_owned()));
        assert_eq!(auditor.iter().filter(|word| *word == "show access").count(), 1);
    }

    #[test]
    fn what_is_no_request_is_told() {
        for wrong in ["", "[]", "{}", r#"{"show":"counters","do":"reload"}"#, r#"{"show":1}"#, r#"{"do":"fly"}"#] {
            assert!(Asked::read(wrong.as_bytes()).unwrap_err().starts_with("not understood: "), "{wrong}");
        }
        assert!(Asked::read(br#"{"do":"fly"}"#).unwrap_err().contains("unknown variant"));
    }
}
