use proptest::prelude::*;

use super::*;

/// What a real server said: process, user and line.
const LINES: &str = include_str!("../../../../../tests/data/sshd/openssh-9.2.txt");

fn said(occurrence: &Occurrence) -> String {
    let subject = &occurrence.subject;
    let mut words = vec![occurrence.event.name().to_owned()];
    words.extend(subject.user.as_deref().map(str::to_owned));
    words.extend(subject.origin.map(|origin| format!("{origin}")));
    let told = [AuditField::Method, AuditField::What, AuditField::State, AuditField::Count, AuditField::Reason];
    words.extend(told.iter().filter_map(|field| occurrence.field(*field)).map(|text| format!("[{text}]")));
    words.join(" ")
}

/// Feeds lines of the form `PID UID TEXT`, with or without what stands before the text.
fn hear(tracker: &mut Tracker, lines: &str) -> Vec<String> {
    let mut told = Vec::new();
    for line in lines.lines() {
        let mut parts = line.splitn(3, ' ');
        let pid = parts.next().unwrap().parse().unwrap();
        let uid = parts.next().unwrap().parse().unwrap();
        let text = parts.next().unwrap();
        let text = text.split_once("]: ").filter(|_| text.starts_with('<')).map_or(text, |(_, text)| text);
        told.extend(tracker.line(pid, uid, text, Nanos(1)).iter().map(said));
    }
    told
}

/// Those of the recorded lines that processes `pids` are about.
fn recorded(pids: &[i32]) -> Vec<String> {
    let of_these = |line: &&str| pids.contains(&line.split(' ').next().unwrap().parse().unwrap());
    let lines: Vec<&str> = LINES.lines().filter(of_these).collect();
    hear(&mut Tracker::default(), &lines.join("\n"))
}

#[test]
fn two_failures_a_login_and_a_logout_are_four_records() {
    let told = recorded(&[6468, 6472, 6476, 6478]);
    let logins: Vec<&str> = told.iter().map(String::as_str).filter(|line| line.starts_with("log")).collect();
    assert_eq!(
        logins,
        [
            "login-failed mon 127.0.0.1:55278 [password] [wrong password]",
            "login-failed mon 127.0.0.1:54796 [password] [wrong password]",
            "login mon 127.0.0.1:54810 [password]",
            "logout mon 127.0.0.1:54810 [disconnected by user]",
        ]
    );
    assert_eq!(told.len(), logins.len() + 5, "three connections, and a session's start and end: {told:#?}");
}

#[test]
fn a_user_that_is_not_there_or_may_not_is_one_failure_with_its_reason() {
    assert_eq!(
        recorded(&[1123, 3085, 3099]),
        [
            "ssh-connect 127.0.0.1:60260",
            "login-failed nobodyuser 127.0.0.1:60260 [unknown user]",
            "ssh-connect 127.0.0.1:50054",
            "login-failed mon2 127.0.0.1:50054 [password] [not in any group]",
            "ssh-connect 127.0.0.1:50064",
            "login-failed lock 127.0.0.1:50064 [account is locked]",
        ]
    );
}

#[test]
fn a_name_cannot_say_where_somebody_is() {
    assert_eq!(
        recorded(&[3119]),
        ["ssh-connect 127.0.0.1:50078", "login-failed a from 9.9.9.9 port 7 ssh2 127.0.0.1:50078 [unknown user]",]
    );
    let mut tracker = Tracker::default();
    let told = hear(
        &mut tracker,
        "9 0 Connection from ::1 port 5 on ::1 port 22\n\
         9 0 Failed password for invalid user x from ::1 port 5 ssh2 from ::1 port 55 from ::1 port 5 ssh2",
    );
    assert_eq!(told[1], "login-failed x from ::1 port 5 ssh2 from ::1 port 55 [::1]:5 [password] [wrong password]");
}

#[test]
fn failed_negotiations_say_what_was_offered() {
    let mut tracker = Tracker::default();
    let mut offers = Vec::new();
    for line in LINES.lines().filter(|line| ["1242", "3129", "3132"].contains(&&line[..4])) {
        let mut parts = line.splitn(3, ' ');
        let pid = parts.next().unwrap().parse().unwrap();
        let text = line.split_once("]: ").unwrap().1;
        for told in tracker.line(pid, 0, text, Nanos(1)) {
            if told.event == AuditEvent::SshNegotiationFailed {
                let field = |field| told.field(field).unwrap().to_owned();
                offers.push((field(AuditField::Reason), field(AuditField::Offer)));
            }
        }
    }
    let expected = [
        ("no matching cipher found", "aes128-cbc"),
        ("no matching key exchange method found", "diffie-hellman-group1-sha1,ext-info-c,kex-strict-c-v00@openssh.com"),
        ("no matching host key type found", "ssh-rsa"),
    ];
    assert_eq!(offers, expected.map(|(reason, offer)| (reason.to_owned(), offer.to_owned())));
}

#[test]
fn connections_that_come_to_nothing_are_said_once() {
    assert_eq!(
        recorded(&[2355, 2684, 2713]),
        [
            "ssh-connect 127.0.0.1:44154",
            "ssh-disconnected 127.0.0.1:44154 [Connection closed by remote host]",
            "ssh-connect 127.0.0.1:33590",
            "ssh-negotiation-failed 127.0.0.1:33590 [client sent invalid protocol identifier \"GET / HTTP/1.0\"]",
            "ssh-connect 127.0.0.1:33600",
            "ssh-disconnected 127.0.0.1:33600 [connection closed]",
        ]
    );
}

#[test]
fn sessions_end_with_the_connection_however_it_ends() {
    let netconf = |user: &str, end: &str, reason: &str| {
        vec![
            format!("ssh-connect {end}"),
            format!("login {user} {end} [publickey]"),
            format!("subsystem-start {user} {end} [netconf]"),
            format!("session-end {user} {end} [subsystem 'netconf']"),
            format!("logout {user} {end} [{reason}]"),
        ]
    };
    assert_eq!(recorded(&[1264]), netconf("root", "127.0.0.1:40848", "disconnected by user"));
    assert_eq!(recorded(&[4624]), netconf("root", "127.0.0.1:36942", "connection closed"));
    assert_eq!(recorded(&[6488, 6490]), netconf("mon", "127.0.0.1:54828", "client not responding"));
    assert_eq!(recorded(&[6608, 6618]), netconf("mon", "127.0.0.1:40412", "connection closed"));
    assert_eq!(
        recorded(&[2748]),
        [
            "ssh-connect 127.0.0.1:33610",
            "login root 127.0.0.1:33610 [publickey]",
            "subsystem-start root 127.0.0.1:33610 [nosuch] [subsystem not found]",
            "logout root 127.0.0.1:33610 [connection closed]",
        ]
    );
}

#[test]
fn too_many_failures_are_said_beside_each_of_them() {
    assert_eq!(
        recorded(&[3110]),
        [
            "ssh-connect 127.0.0.1:50066",
            "login-failed mon 127.0.0.1:50066 [publickey] [key not accepted]",
            "login-failed mon 127.0.0.1:50066 [publickey] [key not accepted]",
            "login-threshold mon 127.0.0.1:50066 [2] [maximum authentication attempts exceeded]",
        ]
    );
}

#[test]
fn a_connection_that_vanishes_without_a_line_is_told() {
    let mut tracker = Tracker::default();
    assert_eq!(
        hear(&mut tracker, "6561 0 Connection from 127.0.0.1 port 40398 on 127.0.0.1 port 8831 rdomain \"\"").len(),
        1
    );
    let told: Vec<String> = tracker.gone(6561, Nanos(2)).iter().map(said).collect();
    assert_eq!(told, ["ssh-disconnected 127.0.0.1:40398 [login-grace]"]);
    assert_eq!((tracker.pids().count(), tracker.gone(6561, Nanos(3)).len()), (0, 0));
    // Of later versions, which do say it, from the listening process.
    let lines = "7 0 Connection from 127.0.0.1 port 9 on 127.0.0.1 port 830\n\
                 1 0 Timeout before authentication for connection from 127.0.0.1 to 127.0.0.1, pid = 7";
    assert_eq!(hear(&mut tracker, lines)[1], "ssh-disconnected 127.0.0.1:9 [login-grace]");
    let lines = "1 0 drop connection #10 from [192.0.2.7]:4022 on [192.0.2.1]:830 past MaxStartups";
    assert_eq!(hear(&mut tracker, lines), ["ssh-disconnected 192.0.2.7:4022 [past MaxStartups]"]);
}

#[test]
fn nobody_but_root_and_those_root_names_is_believed() {
    let mut tracker = Tracker::default();
    let forged = "77 5000 Accepted password for root from 127.0.0.1 port 1 ssh2\n\
                  77 5000 Connection from 127.0.0.1 port 1 on 127.0.0.1 port 830\n\
                  77 5000 Disconnected from user root 127.0.0.1 port 1";
    assert_eq!(hear(&mut tracker, forged), [] as [String; 0]);
    assert_eq!(tracker.ignored(), (0, 3));
    let lines = "70 0 Connection from 127.0.0.1 port 1 on 127.0.0.1 port 830\n\
                 70 0 Accepted password for mon from 127.0.0.1 port 1 ssh2\n\
                 70 0 User child is on pid 77";
    assert_eq!(hear(&mut tracker, lines).len(), 2);
    assert_eq!(tracker.session_of(77).unwrap().0, "mon");
    // Named, it may say that its own session ends, and nothing of others.
    assert_eq!(hear(&mut tracker, "77 5000 Accepted password for root from 127.0.0.1 port 1 ssh2"), [] as [String; 0]);
    assert_eq!(tracker.ignored(), (0, 4));
    assert_eq!(
        hear(&mut tracker, "77 5000 Disconnected from user mon 127.0.0.1 port 1"),
        ["logout mon 127.0.0.1:1 [disconnected]"]
    );
    assert!(tracker.session_of(77).is_none());
}

#[test]
fn the_servers_own_start_and_end_are_told_and_every_recorded_line_is_known() {
    let mut tracker = Tracker::default();
    let told = hear(&mut tracker, LINES);
    assert_eq!(tracker.ignored(), (0, 0));
    let servers: Vec<&String> = told.iter().filter(|line| line.starts_with("ssh-server")).collect();
    assert_eq!(servers[1], "ssh-server [listening] [127.0.0.1 port 8831]");
    assert_eq!(servers[2], "ssh-server [ended] [Received signal 15]");
    assert_eq!(tracker.line(1, 0, "a line of a version to come", Nanos(1)), []);
    assert_eq!(tracker.ignored(), (1, 0));
}

#[test]
fn the_table_of_processes_is_bounded() {
    let mut tracker = Tracker::default();
    for pid in 0..2_000 {
        hear(&mut tracker, &format!("{pid} 0 Connection from 127.0.0.1 port {pid} on 127.0.0.1 port 830"));
        hear(&mut tracker, &format!("{pid} 0 User child is on pid {}", pid + 10_000));
    }
    assert_eq!((tracker.pids().count(), tracker.children.len()), (PROCESSES, PROCESSES));
    assert_eq!(tracker.pids().next(), Some(2_000 - PROCESSES as i32), "the silent ones gave way");
}

proptest! {
    /// Whatever is said, by whomever: no panic, nothing unbounded, and only who was named speaks for a session.
    #[test]
    fn any_lines_are_survived(lines in prop::collection::vec((0..4_i32, 0..2_u32, piece(), piece(), ".{0,40}"), 0..60)) {
        let mut tracker = Tracker::default();
        for (pid, uid, one, two, text) in lines {
            for told in tracker.line(pid, uid, &format!("{one}{text}{two}"), Nanos(1)) {
                prop_assert!(told.subject.user.as_deref().is_none_or(|user| user.len() <= USER));
            }
            prop_assert!(tracker.processes.len() <= PROCESSES);
        }
        for pid in 0..4 {
            tracker.gone(pid, Nanos(2));
        }
        prop_assert_eq!(tracker.pids().count(), 0);
    }
}

/// Pieces of real lines.
fn piece() -> impl Strategy<Value = String> {
    let texts: Vec<String> = LINES.lines().filter_map(|line| Some(line.split_once("]: ")?.1.to_owned())).collect();
    (prop::sample::select(texts), 0..200_usize, any::<bool>()).prop_map(|(text, at, front)| {
        let at = at.min(text.len());
        if front { text[..at].to_owned() } else { text[at..].to_owned() }
    })
}
