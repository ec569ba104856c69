//! Access users, and what becomes of their records.

use super::super::protocol::{AccessView, Counted};
use super::*;

#[test]
fn access_users_are_asked_for_by_class_and_view() {
    let core = Core::with_sessions(1);
    let ask = |view, packet, record| core.rows(&Request::Access { view, packet, record }).0;
    let rows = ask(AccessView::Config, None, None);
    let [Answer::AccessConfig(row)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (&*row.class, row.enable, row.version, &*row.r#type, row.hosts.len()),
        ("access", true, None, "binary", 0)
    );
    let rows = ask(AccessView::Statistics, None, None);
    assert!(matches!(&rows[..], [Answer::AccessStatistics(row)] if row.class == "access" && row.received == 9));
    let rows = ask(AccessView::Buffer, None, None);
    assert!(matches!(&rows[..], [Answer::AccessBuffer(row)] if row.waiting == 8 && row.writing == 1));
    let places = |rows: &[Answer]| -> Vec<(u64, u64)> {
        rows.iter()
            .map(|row| if let Answer::Waiting(row) = row { (row.packet, row.record) } else { panic!() })
            .collect()
    };
    assert_eq!(places(&ask(AccessView::Buffer, Some(0), None)), (0..7).map(|record| (0, record)).collect::<Vec<_>>());
    let rows = ask(AccessView::Buffer, Some(1), Some(0));
    assert_eq!(places(&rows), [(1, 0)]);
    assert!(matches!(&rows[..], [Answer::Waiting(row)] if row.fields["user"] == "alice@example.net"));
    assert_eq!(ask(AccessView::Buffer, Some(2), None), []);
    let results = Request::CallStatus { view: AccessView::Config, packet: None, record: None };
    assert!(matches!(&core.rows(&results).0[..], [Answer::AccessConfig(row)] if row.class == "call-status"));
    for (view, packet, record) in [
        (AccessView::Config, Some(1), None),
        (AccessView::Buffer, None, Some(1)),
        (AccessView::Buffer, Some(1), Some(7)),
    ] {
        let request = Request::Access { view, packet, record };
        let refusal = super::request(&core.path, &request).unwrap().next_row().unwrap_err();
        assert!(matches!(refusal, ClientError::Refused(_)), "{refusal}");
    }
}

#[test]
fn users_are_filtered_and_limited() {
    let core = Core::with_sessions(5_000);
    let ask = |key: &str, value: &str, limit: usize| {
        let text = format!("{{\"show\":\"users\",\"limit\":{limit},\"{key}\":\"{value}\"}}");
        core.rows(&serde_json::from_str(&text).unwrap())
    };
    let (rows, more) = ask("user", "alice@example.net", 4_999);
    assert_eq!((rows.len(), more), (4_999, true));
    let Answer::User(row) = &rows[0] else { panic!("{:?}", rows[0]) };
    assert_eq!((&*row.account, row.interface.as_deref()), ("alice@example.net", Some("inside.200.101")));
    assert_eq!((row.ipv4.as_deref(), row.nas_id.as_deref()), (Some("198.51.100.7"), Some("bras1")));
    let holds = [
        ("address", "198.51.100.7"),
        ("address", "198.51.100.0/24"),
        ("mac", "0200.5e00.5301"),
        ("interface", "inside"),
        ("interface", "inside.200"),
        ("source", "radius"),
        ("nas", "bras1"),
    ];
    for (key, value) in holds {
        assert_eq!(ask(key, value, 6_000), (vec![rows[0].clone(); 5_000], false), "{key}");
    }
    let misses = [
        ("user", "alice"),
        ("address", "198.51.100.8"),
        ("mac", "02:00:5e:00:53:02"),
        ("interface", "insid"),
        ("source", "dhcp"),
        ("nas", "10.0.0.1"),
    ];
    for (key, value) in misses {
        assert_eq!(ask(key, value, 6_000), (vec![], false), "{key}");
    }
    for (key, value) in [("address", "ten"), ("mac", "02"), ("source", "dns")] {
        let text = format!("{{\"show\":\"users\",\"{key}\":\"{value}\"}}");
        let request: Request = serde_json::from_str(&text).unwrap();
        let refusal = super::request(&core.path, &request).unwrap().next_row().unwrap_err();
        assert!(matches!(&refusal, ClientError::Refused(why) if why.contains(value)), "{refusal}");
    }
}

#[test]
fn who_resets_is_known() {
    let core = Core::with_sessions(1);
    let action = Action::ResetStatistics { class: Counted::CallStatus };
    let mut answers = super::request(&core.path, &action).unwrap();
    assert!(matches!(answers.next_row().unwrap(), Some(Answer::Reset(row)) if row.class == "call-status"));
    assert!(answers.next_row().unwrap().is_none());
}
