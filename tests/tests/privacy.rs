//! What becomes of accounts in records: as seen, under a key, or left out, by application; and a key that is changed.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::frames::{Ends, Link};
use bench::pktgen::pcap;
use ostiary_tests::conversation::{self, conversations};
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::program::Replay;
use ostiary_tests::pseudonym::{key_name, pseudonym};
use ostiary_tests::skip;
use serde_json::Value;

const KEY: &str = "a key of these tests, and no other";
const NEW_KEY: &str = "the key that came after it, longer";

/// Application, account and key of every sign-on of a replay.
type Told = BTreeMap<(String, Option<String>, Option<String>), usize>;

/// One of each protocol that shows a password, replayed with these lines in `[log.im]`.
fn told(folder: &Path, log_im: &str) -> Told {
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"\nsession-logging = true\n");
    policy.full = true;
    policy.log_im = log_im.to_owned();
    let file = folder.join("policy.toml");
    std::fs::write(&file, policy.text(&folder.join("socket"), &signatures(folder))).unwrap();
    let capture = folder.join("all.pcap");
    let frames = conversations().into_iter().enumerate().flat_map(|(number, one)| {
        let client = format!("10.0.0.{}:40000", number + 1).parse().unwrap();
        let server = format!("192.0.2.1:{}", one.port).parse().unwrap();
        let at = Duration::from_secs(1_772_352_000 + 10 * number as u64);
        conversation::frames(&one, Ends { client, server }, &Link::plain(), at, 1_400)
    });
    pcap::write_frames(frames, &mut std::fs::File::create(&capture).unwrap()).unwrap();
    let replay = Replay::of(["--config".as_ref(), file.as_os_str(), capture.as_os_str()]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    let mut told = Told::new();
    for event in replay.events("signon") {
        let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
        *told.entry((text("application").unwrap(), text("account"), text("pseudonym-key"))).or_default() += 1;
    }
    told
}

/// The same with each account as `write` has it.
fn written(told: &Told, write: impl Fn(&str, &str) -> (Option<String>, Option<String>)) -> Told {
    let mut changed = Told::new();
    for ((application, account, _), count) in told {
        let (account, key) = write(application, account.as_deref().unwrap());
        *changed.entry((application.clone(), account, key)).or_default() += count;
    }
    changed
}

#[test]
fn each_application_has_its_form_and_a_new_key_makes_other_pseudonyms() {
    if !skip::has_programs(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clear = told(folder.path(), "");
    let applications: Vec<_> = clear.keys().map(|(application, ..)| application.as_str()).collect();
    for application in ["irc", "mqtt", "msn", "oscar", "sip", "wechat", "xmpp"] {
        assert!(applications.contains(&application), "{clear:?}");
    }
    assert!(clear.keys().all(|(_, account, key)| account.is_some() && key.is_none()), "{clear:?}");

    let file = folder.path().join("key");
    let lines = format!(
        "account = \"pseudonym\"\npseudonym-key-file = \"{}\"\n[log.im.accounts]\nirc = \"clear\"\nsip = \"omit\"\n",
        file.display()
    );
    for (text, key) in [(format!("{KEY}\n"), KEY), (format!("{NEW_KEY}\n{KEY}\n"), NEW_KEY)] {
        std::fs::write(&file, text).unwrap();
        let expected = written(&clear, |application, account| match application {
            "irc" => (Some(account.to_owned()), None),
            "sip" => (None, None),
            _ => (Some(pseudonym(key, account)), Some(key_name(key))),
        });
        assert_eq!(told(folder.path(), &lines), expected);
    }
    // The other way round: all but one in clear, and nothing at all.
    let one = format!("pseudonym-key-file = \"{}\"\n[log.im.accounts]\nwechat = \"pseudonym\"\n", file.display());
    let expected = written(&clear, |application, account| match application {
        "wechat" => (Some(pseudonym(NEW_KEY, account)), Some(key_name(NEW_KEY))),
        _ => (Some(account.to_owned()), None),
    });
    assert_eq!(told(folder.path(), &one), expected);
    assert_eq!(told(folder.path(), "account = \"omit\"\n"), written(&clear, |_, _| (None, None)));
}
