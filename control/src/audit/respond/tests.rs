use super::*;
use crate::record::BootId;
use crate::record::audit::Origin;

fn record(occurrence: Occurrence, sequence: u64) -> Record {
    Record { boot: BootId(1), sequence, time: occurrence.time, body: Body::Audit(occurrence.into_record()) }
}

fn failure(address: &str, user: &str, second: u64) -> Occurrence {
    let subject = Subject {
        user: Some(user.into()),
        origin: Some(Origin { address: address.parse().unwrap(), port: Some(4_022) }),
        via: Some(Via::Ssh),
        ..Subject::default()
    };
    let failed = Occurrence::new(AuditEvent::LoginFailed, Nanos::from_parts(second, 0)).by(subject);
    failed.with(AuditField::Service, "sshd").with(AuditField::Reason, "wrong password")
}

fn rule(count: u32, then: Vec<Response>) -> ResponseRule {
    ResponseRule {
        name: "guessing".into(),
        on: vec![AuditEvent::LoginFailed],
        conditions: Vec::new(),
        count,
        within: Duration::from_secs(60),
        by: Some(By::Origin),
        then,
        limit: (2, Duration::from_secs(3_600)),
    }
}

fn responder(rules: Vec<ResponseRule>) -> Responder {
    let mut responder = Responder::default();
    responder.reconfigure(rules);
    responder
}

#[test]
fn three_failures_of_one_origin_are_answered_once() {
    let then = vec![Response::BlockSource(Duration::from_secs(600)), Response::Raise(1)];
    let mut responder = responder(vec![rule(3, then)]);
    let due = |responder: &mut Responder, address: &str, second: u64| {
        responder.judge(&record(failure(address, "mon", second), second)).due
    };
    assert!(due(&mut responder, "192.0.2.1", 1).is_empty() && due(&mut responder, "192.0.2.2", 2).is_empty());
    assert!(due(&mut responder, "192.0.2.1", 3).is_empty());
    let answered = due(&mut responder, "::ffff:192.0.2.1", 4);
    let [block, raise] = &answered[..] else { panic!("{answered:?}") };
    assert_eq!((block.origin, &*block.cause), (Some("192.0.2.1".parse().unwrap()), "0000000000000001-4"));
    assert_eq!(block.response, Response::BlockSource(Duration::from_secs(600)));
    assert!(block.line.starts_with('{') && block.line.contains("\"action\":\"login-failed\""), "{}", block.line);
    let told = raise.raised(1, Nanos(9));
    assert_eq!((told.severity, told.field(AuditField::What)), (Some(1), Some("login-failed")));
    assert!(due(&mut responder, "192.0.2.1", 5).is_empty(), "the count begins again");
}

#[test]
fn what_a_response_makes_is_never_answered() {
    let mut all = rule(1, vec![Response::Raise(1)]);
    (all.on, all.by) = (AuditEvent::ALL.to_vec(), None);
    let mut responder = responder(vec![all]);
    let first = responder.judge(&record(failure("192.0.2.1", "mon", 1), 1)).due.remove(0);
    for own in [first.raised(1, Nanos(2)), first.taken("raise", Nanos(2)), first.failed("raise", "no", Nanos(2))] {
        let judged = responder.judge(&record(own, 2));
        assert!(judged.due.is_empty() && judged.limited.is_empty());
    }
    let mut answered = failure("192.0.2.1", "mon", 3);
    answered.subject.via = Some(Via::Response);
    assert!(responder.judge(&record(answered, 3)).due.is_empty());
}

#[test]
fn an_upload_does_not_answer_uploads() {
    let mut upload = rule(1, vec![Response::Upload("audit".into()), Response::Raise(2)]);
    (upload.on, upload.by) = (vec![AuditEvent::AuditUploadFailed], None);
    let mut responder = responder(vec![upload]);
    let failed = Occurrence::new(AuditEvent::AuditUploadFailed, Nanos(1)).by(Subject::system());
    let due = responder.judge(&record(failed, 1)).due;
    assert_eq!(due.iter().map(|due| due.response.clone()).collect::<Vec<_>>(), [Response::Raise(2)]);
}

#[test]
fn a_limit_is_kept_and_said_once() {
    let mut responder = responder(vec![rule(1, vec![Response::Raise(1)])]);
    let (mut due, mut limited) = (0, Vec::new());
    for second in 1..=10 {
        let judged = responder.judge(&record(failure("192.0.2.1", "mon", second), second));
        due += judged.due.len();
        limited.extend(judged.limited);
    }
    assert_eq!((due, limited.len()), (2, 1));
    assert_eq!(limited[0].event, AuditEvent::ResponseLimited);
    let later = responder.judge(&record(failure("192.0.2.1", "mon", 4_000), 11)).due.remove(0);
    assert_eq!((later.refused, later.taken("raise", Nanos(1)).field(AuditField::Count)), (8, Some("8")));
}

#[test]
fn conditions_hold_all_or_nothing() {
    let mut one = rule(1, vec![Response::Raise(1)]);
    one.conditions = vec![
        ("reason".into(), Match::Text("wrong password".to_owned())),
        ("user".into(), Match::Text("root".to_owned())),
        ("origin".into(), Match::Network("192.0.2.0/24".parse().unwrap())),
    ];
    one.limit = (100, Duration::from_secs(1));
    let mut responder = responder(vec![one]);
    let mut answers = |occurrence: Occurrence| responder.judge(&record(occurrence, 1)).due.len();
    assert_eq!(answers(failure("192.0.2.9", "root", 1)), 1);
    assert_eq!(answers(failure("192.0.2.9", "mon", 1)), 0);
    assert_eq!(answers(failure("192.0.3.9", "root", 1)), 0);
    assert_eq!(answers(Occurrence::new(AuditEvent::Login, Nanos(1))), 0);
}

#[test]
fn a_rule_that_stays_goes_on_counting() {
    let mut responder = responder(vec![rule(2, vec![Response::Raise(1)])]);
    assert!(responder.judge(&record(failure("192.0.2.1", "mon", 1), 1)).due.is_empty());
    let mut other = rule(2, vec![Response::Raise(3)]);
    other.name = "other".into();
    responder.reconfigure(vec![other, rule(2, vec![Response::Raise(1)])]);
    let due = responder.judge(&record(failure("192.0.2.1", "mon", 2), 2)).due;
    assert_eq!(due.iter().map(|due| &*due.rule).collect::<Vec<_>>(), ["guessing"]);
    responder.reconfigure(Vec::new());
    assert!(responder.judge(&record(failure("192.0.2.1", "mon", 3), 3)).due.is_empty());
}
