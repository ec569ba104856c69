//! The generator's stories as capture files, and a replay's answer compared with what a story says.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::pktgen::pcap::{self, Layout};
use bench::pktgen::script::{AccessSignOn, SignOn};
use bench::pktgen::story::Story;
use serde_json::Value;

use crate::program::Replay;

/// Writes a story into `folder`.
pub fn write(story: &Story, layout: Layout, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let mut file = BufWriter::new(File::create(&path).expect("a file can be made in a temporary folder"));
    pcap::write(story, layout, &mut file).expect("a capture can be written");
    path
}

/// Every difference between what was replayed and what the story says; empty where they agree.
///
/// Other applications than QQ and WeChat are none of the stories' business; neither is a failure that a protocol hides.
pub fn differences(story: &Story, replay: &Replay) -> Vec<String> {
    let mut found = Vec::new();
    if replay.code != 0 {
        found.push(format!("exit code {}: {}", replay.code, replay.errors.trim()));
    }
    let packets = &replay.summary()["packets"];
    if *packets != story.frames.len() {
        found.push(format!("{packets} packets of {}", story.frames.len()));
    }
    sign_ons(story, replay, &mut found);
    applications(story, replay, &mut found);
    let events: Vec<&Value> = replay.events("signon").collect();
    found.extend(access_differences(story, &story.expected.access, &events, true));
    let lines = replay.events.iter().map(Value::to_string);
    let leaks = lines.filter(|line| story.expected.secrets.iter().any(|secret| line.contains(secret.as_str())));
    found.extend(leaks.map(|line| format!("a password: {line}")));
    let more = found.len().saturating_sub(ENOUGH);
    if more > 0 {
        found.truncate(ENOUGH);
        found.push(format!("… and {more} more"));
    }
    found
}

/// Nobody reads more differences of one story than these.
const ENOUGH: usize = 12;

fn of_messenger(event: &Value) -> bool {
    matches!(event["application"].as_str(), Some("qq" | "wechat"))
}

/// Every difference between records of access users and what a story expects of them; with their times, where they were
/// recorded while the story's time passed.
pub fn access_differences(story: &Story, expected: &[AccessSignOn], events: &[&Value], has_times: bool) -> Vec<String> {
    let mut expected: Vec<&AccessSignOn> = expected.iter().collect();
    let mut found = Vec::new();
    for event in events.iter().filter(|event| matches!(event["class"].as_str(), Some("access" | "call-status"))) {
        let is_it = |sign_on: &&AccessSignOn| {
            tells(event, sign_on) && (!has_times || is_within(story, sign_on.window, event).is_ok())
        };
        match expected.iter().position(is_it) {
            Some(place) => drop(expected.remove(place)),
            None => found.push(format!("false: {event}")),
        }
    }
    found.extend(expected.into_iter().map(|missing| format!("missed: {missing:?}")));
    found
}

fn tells(event: &Value, sign_on: &AccessSignOn) -> bool {
    let action = if event["action"] == "result" { &event["result"] } else { &event["action"] };
    let is_same = |(key, value): &(&str, String)| match &event[*key] {
        Value::String(text) => text == value,
        Value::Number(number) => number.to_string() == *value,
        _ => false,
    };
    event["application"] == sign_on.application
        && action == sign_on.action
        && event["reason"] == sign_on.reason
        && event["account"] == sign_on.account.as_str()
        && sign_on.details.iter().all(is_same)
}

fn sign_ons(story: &Story, replay: &Replay, found: &mut Vec<String>) {
    let mut expected: Vec<&SignOn> = story.expected.sign_ons.iter().collect();
    for event in replay.events("signon").filter(|event| of_messenger(event)) {
        // Without an account there is nothing to hold it against.
        if event["account"].is_null() {
            continue;
        }
        match expected.iter().position(|sign_on| says(event, sign_on)) {
            Some(i) => {
                let sign_on = expected.remove(i);
                found.extend(details(story, sign_on, event));
            }
            None => found.push(format!("false: {event}")),
        }
    }
    found.extend(expected.into_iter().map(|missing| format!("missed: {missing:?}")));
}

fn says(event: &Value, sign_on: &SignOn) -> bool {
    let client = event["client"].as_str().and_then(|client| client.parse::<SocketAddr>().ok());
    event["application"] == sign_on.application
        && event["action"] == sign_on.action.text()
        && event["account"] == sign_on.account.as_str()
        && client.is_some_and(|client| client.ip() == sign_on.client)
}

/// What a right event says wrongly.
fn details(story: &Story, sign_on: &SignOn, event: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(reason) = sign_on.reason
        && sign_on.action != bench::pktgen::script::Action::Login
        && event["reason"] != reason
    {
        found.push(format!("reason should be {reason}: {event}"));
    }
    if let Err(at) = is_within(story, sign_on.window, event) {
        found.push(format!("{at:?} is not within {:?}: {event}", sign_on.window));
    }
    for key in ["server", "rule", "session"] {
        if event[key].is_null() {
            found.push(format!("no {key}: {event}"));
        }
    }
    found
}

/// Whether an event happened when it should; else when it did, from the story's beginning.
fn is_within(story: &Story, window: (Duration, Duration), event: &Value) -> Result<(), Option<Duration>> {
    let begins = jiff::Timestamp::from_second(story.begins as i64).expect("a story begins in this century");
    let time = event["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let at = time.map(|time| Duration::try_from(time.duration_since(begins)).unwrap_or_default());
    if at.is_some_and(|at| window.0 <= at && at <= window.1) { Ok(()) } else { Err(at) }
}

fn applications(story: &Story, replay: &Replay, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for event in replay.events("application").filter(|event| of_messenger(event)) {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        seen.insert((text("application"), text("client"), text("server")));
    }
    for flow in &story.expected.flows {
        let (client, server) = (flow.ends.client.to_string(), flow.ends.server.to_string());
        let named = (flow.application.to_owned(), client.clone(), server.clone());
        // A flow that was picked up in its middle may be told the other way round.
        let turned = (flow.application.to_owned(), server, client);
        if !seen.remove(&named) && !seen.remove(&turned) && !flow.optional {
            found.push(format!("not identified: {flow:?}"));
        }
    }
    found.extend(seen.into_iter().map(|extra| format!("identified wrongly: {extra:?}")));
}
