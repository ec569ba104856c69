use super::*;

/// A connection, and what the thread would have of it.
fn link() -> (Link, Pair) {
    let (ours, theirs) = Pair::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let (socket, ended) = (UnixStream::from_std(ours), Arc::new(AtomicBool::new(false)));
    let (heard, words) = (Vec::new(), Vec::new());
    (Link { socket, position: 0, heard, up: false, words, last: None, fault: None, ended }, theirs)
}

#[test]
fn what_comes_in_pieces_is_understood_whole() {
    let (mut link, mut theirs) = link();
    let mut answers = Vec::new();
    for octet in [&b"S\0\x02no"[..], b"U", b"S\0\x02hi", b"A\0\0\0\x01", b"N\x01\0\0\0"].concat() {
        theirs.write_all(&[octet]).unwrap();
        assert!(link.read(&mut answers).unwrap());
    }
    assert!(link.up);
    assert_eq!((link.words(), link.last.as_deref()), (vec!["hi".to_owned()], Some("no")));
    let answer = |transaction, ok| Answer { transaction, ok };
    assert_eq!(answers, [answer(1, true), answer(1 << 24, false)]);
    assert!(link.heard.is_empty());
}

#[test]
fn answers_before_the_end_count_and_the_end_has_its_words() {
    let (mut link, mut theirs) = link();
    theirs.write_all(b"A\0\0\0\x07F\0\x03why").unwrap();
    drop(theirs);
    let mut answers = Vec::new();
    assert!(!link.read(&mut answers).unwrap());
    assert_eq!(answers.len(), 1);
    answers.clear();
    assert_eq!(link.read(&mut answers).unwrap_err().to_string(), "Kafka: why");
}

#[test]
fn a_thread_that_is_told_nothing_more_says_goodbye() {
    let (mut link, mut theirs) = link();
    link.close();
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    assert!(!link.closing().unwrap());
    drop(theirs);
    assert!(link.closing().unwrap());
}
