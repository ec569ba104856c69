//! The book says what is so: every chapter is reached, every link leads somewhere, every command runs and says what is shown.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use control::record::audit::AuditEvent;
use dataplane::counters::Counter;
use dataplane::verdict::DropReason;
use ostiary_tests::book::console::{Block, blocks};
use ostiary_tests::book::shell::Shell;
use ostiary_tests::book::{Page, chapters, files, folder, links, originals};
use ostiary_tests::program;

#[test]
fn every_chapter_is_in_the_summary() {
    let mut named: Vec<PathBuf> = chapters().into_iter().map(|page| page.path).collect();
    named.sort();
    assert_eq!(named, files(), "SUMMARY.md, and the files below docs/src");
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages: Vec<(PathBuf, Page)> =
        chapters().into_iter().map(|page| (folder().join(&page.path), page)).collect();
    pages.extend(originals().into_iter().map(|page| (program::root().join(&page.path), page)));
    let places: HashMap<PathBuf, Vec<String>> =
        pages.iter().map(|(path, page)| (path.clone(), links::places(&page.text))).collect();
    let mut broken = Vec::new();
    for (path, page) in &pages {
        let mut check = |target: &str, fragment: &str| {
            let to = if target.is_empty() {
                path.clone()
            } else {
                plain(&path.parent().expect("a page lies in a folder").join(target))
            };
            let there = match places.get(&to) {
                Some(places) => fragment.is_empty() || places.iter().any(|place| place == fragment),
                None => fragment.is_empty() && to.exists() && !is_lost(&to),
            };
            if !there {
                broken.push(format!("{}: {target}#{fragment}", page.path.display()));
            }
        };
        links::of(&page.text).iter().for_each(|link| check(&link.target, &link.fragment));
    }
    assert!(
        broken.is_empty(),
        "links to nowhere (a section of the README that is new wants a line in docs/elsewhere.md):\n{}",
        broken.join("\n")
    );
}

/// A page of the book that no chapter is, or a file that mdBook does not take along.
fn is_lost(path: &Path) -> bool {
    path.starts_with(program::root().join("docs"))
        && (!path.starts_with(folder()) || path.extension().is_some_and(|e| e == "md"))
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_command_runs_and_says_what_is_shown() {
    let only = std::env::var("OSTIARY_BOOK_PAGE").ok();
    let mut wrong = Vec::new();
    let mut ran = 0;
    for page in originals().into_iter().chain(chapters()) {
        if only.as_ref().is_some_and(|only| !page.path.to_string_lossy().contains(only.as_str())) {
            continue;
        }
        let blocks = blocks(&page.own);
        if !blocks.iter().any(|block| matches!(block, Block::Run(_))) {
            continue;
        }
        let Some(mut shell) = Shell::start() else { return };
        for block in blocks {
            let commands = match block {
                Block::Run(commands) => commands,
                Block::File(name, text) => {
                    std::fs::write(shell.folder().join(name), text).expect("a temporary folder can be written");
                    continue;
                }
                Block::Appliance(_) | Block::Example(_) => continue,
            };
            for command in commands {
                ran += 1;
                if let Err(fault) = shell.run(&command) {
                    wrong.push(format!(
                        "{}:\n$ {}\n--- shown\n{}\n--- said\n{}\n",
                        page.path.display(),
                        fault.command,
                        fault.shown,
                        fault.said
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {ran} commands are not as shown:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran > 0, "a book without a command");
    eprintln!("{ran} commands");
}

/// Those of the book that only a real machine can run, or that show another's output: few, and each of `ostiary` is one that
/// the program has.
#[test]
fn what_is_not_run_is_known() {
    let mut appliance = Vec::new();
    let mut wrong = Vec::new();
    for page in originals().into_iter().chain(chapters()) {
        for block in blocks(&page.own) {
            let commands = match block {
                Block::Appliance(commands) => {
                    appliance
                        .extend(commands.iter().map(|command| format!("{}: {}", page.path.display(), command.text)));
                    commands
                }
                Block::Example(commands) => commands,
                Block::Run(_) | Block::File(..) => continue,
            };
            wrong.extend(
                commands
                    .iter()
                    .filter(|command| !is_known(&command.text))
                    .map(|command| format!("{}: {}", page.path.display(), command.text)),
            );
        }
    }
    eprintln!("run on an appliance only:\n{}", appliance.join("\n"));
    assert!(appliance.len() <= MOST_ON_APPLIANCES, "too many commands that no test here runs: {}", appliance.len());
    assert!(wrong.is_empty(), "commands that the program does not have:\n{}", wrong.join("\n"));
}

/// Commands for machines with a NIC, packages and systemd.
const MOST_ON_APPLIANCES: usize = 30;

/// Commands within sentences and tables, and the names of counters and events in them.
#[test]
fn what_the_text_names_is_there() {
    let counters = Counter::ALL.iter().map(|counter| counter.name());
    let known: HashSet<&str> = counters.chain(DropReason::ALL.iter().map(|reason| reason.counter())).collect();
    let events: HashSet<&str> = AuditEvent::ALL.iter().map(|event| event.name()).collect();
    let mut wrong = Vec::new();
    for page in chapters() {
        for code in links::code(&page.own) {
            let is_word = code.chars().all(|letter| letter.is_ascii_lowercase() || "_-".contains(letter));
            let is_counter = is_word && code.contains('_') && !code.ends_with('_') && !code.starts_with("net_");
            let is_event = is_word && ["audit-", "channel-", "config-"].iter().any(|start| code.starts_with(start));
            let is_pattern = code.contains(['…', '|', '['])
                || code.split(' ').any(|word| word.chars().all(|c| c.is_ascii_uppercase()));
            let is_command = code.starts_with("ostiary ") && !is_pattern;
            let is_there = (!is_counter || known.contains(code.as_str()))
                && (!is_event || events.contains(code.as_str()))
                && (!is_command || is_known(&code));
            if !is_there {
                wrong.push(format!("{}: {code}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "what the program does not have:\n{}", wrong.join("\n"));
}

/// Asks for the command's help: its names and options are read before that.
fn is_known(command: &str) -> bool {
    let text = command.split('#').next().unwrap_or_default();
    let Some(rest) = text.strip_prefix("ostiary ").or_else(|| text.strip_prefix("target/release/ostiary ")) else {
        return true;
    };
    if rest.contains(['|', '>', ';', '&']) {
        return false;
    }
    let script = format!("exec '{}' {rest} --help", program::path().display());
    let output = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    output.status.success()
}
