//! Log hosts, and what became of the records for them.

use super::super::protocol::Action;
use super::*;

#[test]
fn counts_are_asked_for_by_host_and_class() {
    let core = Core::with_sessions(0);
    let ask = |host: Option<&str>, class: Option<&str>| Request::LogStatistics {
        host: host.map(str::to_owned),
        class: class.map(str::to_owned),
    };
    let (rows, _) = core.rows(&ask(Some("siem"), Some("access")));
    let [Answer::LogStatistics(row)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&*row.class, row.records, row.holds()), ("access", 3, true));
    assert_eq!(core.rows(&Request::LogHosts {}).0, []);
    for (wrong, why) in [
        (ask(Some("nms"), None), "no log host has that name"),
        (ask(None, Some("users")), "not one of session, im"),
        (Request::LogBuffer { host: Some("nms".to_owned()), limit: 1 }, "no log host has that name"),
    ] {
        let refusal = super::super::request(&core.path, &wrong).unwrap().next_row().unwrap_err();
        assert!(matches!(&refusal, ClientError::Refused(said) if said.contains(why)), "{refusal}");
    }
}

#[test]
fn what_waits_is_shown_by_how_many_and_record_by_record() {
    let core = Core::with_sessions(0);
    let (rows, _) = core.rows(&Request::LogBuffer { host: None, limit: 5 });
    assert!(matches!(&rows[..], [Answer::LogBuffer(row)] if row.waiting == 8));
    let (rows, more) = core.rows(&Request::LogBuffer { host: Some("siem".to_owned()), limit: 5 });
    let Answer::LogWaiting(row) = &rows[4] else { panic!("{rows:?}") };
    assert_eq!((rows.len(), more, row.place), (5, true, 4));
    assert_eq!(row.fields["account"], "10001");
}

#[test]
fn counts_of_hosts_begin_again() {
    let core = Core::with_sessions(0);
    let action = Action::ResetLogStatistics { host: Some("siem".to_owned()) };
    let mut answers = super::super::request(&core.path, &action).unwrap();
    assert!(matches!(answers.next_row().unwrap(), Some(Answer::Reset(row)) if row.class == "log host siem"));
}
