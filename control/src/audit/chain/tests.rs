//! Lines of the trail, and what changes them.

use proptest::prelude::*;

use super::*;

fn key() -> SigningKey {
    let folder = tempfile::tempdir().unwrap();
    SigningKey::create(&folder.path().join("key")).unwrap()
}

/// Two files: 6 records, a checkpoint within.
fn series(key: &SigningKey) -> [Vec<u8>; 2] {
    let mut chain = Chain::default();
    let mut files = [Vec::new(), Vec::new()];
    let mut n = 0;
    for (file, serial) in files.iter_mut().zip(1..) {
        let opening = Opening { file: "audit", serial, boot: "00", now: Nanos(serial * 1_000_000_000) };
        chain.head(file, opening, key);
        for at in 0..3 {
            n += 1;
            chain.record(file, |out| out.extend_from_slice(format!("{{\"seq\":{n}}}").as_bytes())).unwrap();
            if at == 1 {
                chain.checkpoint(file, Nanos(n), 0, false, key);
            }
        }
        chain.close(file, Nanos(n), serial, (3, 0), key);
    }
    files
}

fn lines(file: &[u8]) -> Vec<&[u8]> {
    file.strip_suffix(b"\n").unwrap_or(file).split(|&octet| octet == b'\n').collect()
}

fn faults(files: &[Vec<u8>], keys: Vec<PublicKey>) -> Vec<(usize, Fault)> {
    let mut verifier = Verifier::new(keys);
    let mut faults = Vec::new();
    for (at, file) in files.iter().enumerate() {
        verifier.begin_file();
        for line in lines(file) {
            faults.extend(verifier.line(line).1.into_iter().map(|fault| (at, fault)));
        }
        faults.extend(verifier.end().map(|fault| (at, fault)));
    }
    faults
}

/// The slow, obvious twin: whether everything is as it was written, by the words of the documentation.
fn holds(files: &[Vec<u8>], key: PublicKey) -> bool {
    let (mut before, mut n) = ([0; 32], 0);
    files.iter().zip(1_u64..).all(|(file, serial)| {
        let all: Vec<serde_json::Value> =
            lines(file).iter().map(|line| serde_json::from_slice(line).unwrap_or_default()).collect();
        let (mut records, last) = (0, all.len() - 1);
        all.iter().zip(lines(file)).enumerate().all(|(at, (value, line))| {
            let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
            let decode = |name: &str| base64::Engine::decode(&engine, value[name].as_str().unwrap_or_default());
            let linked = decode("prev").is_ok_and(|prev| prev == before);
            before = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(line)).into();
            let signed = || {
                let text = String::from_utf8(line.to_vec()).unwrap_or_default();
                let head = text.split(",\"signature\"").next().unwrap_or_default();
                let octets = decode("signature").unwrap_or_default();
                let message = format!("ostiary audit checkpoint 1\n{head}");
                octets.try_into().is_ok_and(|octets| key.signed_message(message.as_bytes(), &octets))
            };
            let kind = if at == 0 {
                value["ostiary-audit"] == 1 && value["serial"] == serial && value["first"] == n + 1
            } else if at == last {
                value["last"] == n && value["records"] == records && signed()
            } else if value.get("checkpoint").is_some() {
                value["checkpoint"] == n && signed()
            } else {
                n += 1;
                records += 1;
                value["n"] == n
            };
            linked && kind
        })
    })
}

#[test]
fn what_was_written_holds_and_is_what_the_documentation_says() {
    let key = key();
    let files = series(&key);
    assert_eq!(faults(&files, vec![key.public()]), []);
    assert!(holds(&files, key.public()));
    let text = String::from_utf8(files[0].clone()).unwrap();
    let first: Vec<&str> = text.lines().collect();
    let head = format!(
        "{{\"ostiary-audit\":1,\"file\":\"audit\",\"serial\":1,\"boot\":\"00\",\"opened\":\"1970-01-01T00:00:01.000000Z\",\"first\":1,\"key\":\"{}\",\"prev\":\"{}\"}}",
        key.public(),
        "A".repeat(43)
    );
    assert_eq!(first[0], head);
    assert_eq!(first[1], format!("{{\"seq\":1,\"n\":1,\"prev\":\"{}\"}}", Digest::of(head.as_bytes())));
}

/// Whatever octet is changed, wherever, it is found, and its line is named; all other lines are read.
#[test]
fn each_octet_that_is_changed_is_found_and_its_line_named() {
    let key = key();
    let files = series(&key);
    for (file, length) in files.iter().map(Vec::len).enumerate() {
        for at in 0..length {
            // The last line feed is not of a line: without it the file ends within its last line.
            if at + 1 == length {
                continue;
            }
            for flip in [0x01, 0x20, 0x80] {
                let mut files = files.clone();
                let line = lines(&files[file][..=at]).len() as u64;
                files[file][at] ^= flip;
                let found = faults(&files, vec![key.public()]);
                let (in_file, first) = found.first().unwrap_or_else(|| panic!("octet {at} of {file} was not found"));
                assert_eq!(*in_file, file, "octet {at}: {found:?}");
                assert_eq!(first.line, line, "octet {at} of {file}, {flip:#x}: {found:?}");
                assert!(found.len() <= 3, "{found:?}");
                assert!(!holds(&files, key.public()));
            }
        }
    }
}

#[test]
fn lines_that_are_missing_moved_or_added_are_found() {
    let key = key();
    let whole = series(&key);
    let of = |change: &dyn Fn(&mut Vec<&[u8]>)| {
        let mut files = whole.clone();
        let mut first = lines(&whole[0]);
        change(&mut first);
        files[0] = first.iter().flat_map(|line| [*line, b"\n"]).flatten().copied().collect();
        assert!(!holds(&files, key.public()));
        faults(&files, vec![key.public()]).into_iter().map(|(_, fault)| fault).next().unwrap()
    };
    let fault = |line, what| Fault { line, what };
    assert_eq!(of(&|lines| _ = lines.remove(1)), fault(2, Broken::Missing(1)));
    assert_eq!(of(&|lines| lines.swap(1, 2)), fault(2, Broken::Missing(1)));
    assert_eq!(of(&|lines| lines.insert(3, lines[2])), fault(4, Broken::Order));
    assert_eq!(of(&|lines| _ = lines.remove(3)), fault(3, Broken::Changed), "a checkpoint alone has no number");
    assert_eq!(of(&|lines| _ = lines.remove(0)), fault(1, Broken::Changed));
    assert_eq!(of(&|lines| lines.truncate(3)), fault(1, Broken::Head), "of the second file");
}

#[test]
fn files_that_are_missing_or_signed_by_another_are_found() {
    let (key, other) = (key(), key());
    let [first, second] = series(&key);
    let missing = faults(std::slice::from_ref(&second), vec![key.public()]);
    assert_eq!(missing, [], "what was before the first is not known");
    let again = faults(&[first.clone(), first.clone()], vec![key.public()]);
    assert_eq!(again[0], (1, Fault { line: 1, what: Broken::Head }));
    let strange = faults(&[first.clone(), second], vec![other.public()]);
    assert_eq!(strange[0], (0, Fault { line: 1, what: Broken::Key }));
    let swapped = faults(&[first, series(&other)[1].clone()], vec![]);
    assert_eq!(swapped[0], (1, Fault { line: 1, what: Broken::Key }));
}

#[test]
fn a_record_that_is_too_long_leaves_no_trace() {
    let (mut chain, mut out) = (Chain::default(), Vec::new());
    let before = chain;
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(LONGEST));
    assert_eq!(chain.record(&mut out, |out| out.extend_from_slice(long.as_bytes())), Err(TooLong));
    assert_eq!((chain, out.len()), (before, 0));
}

proptest! {
    /// Whatever the lines are, nothing panics, and nothing but what was written is taken for whole.
    #[test]
    fn any_octets_are_survived(file in prop::collection::vec(any::<u8>(), 0..600), cut in 0_usize..2_000) {
        let key = key();
        let found = faults(&[file], vec![key.public()]);
        prop_assert!(!found.is_empty());
        let mut files = series(&key);
        let length = files[1].len();
        files[1].truncate(cut.min(length));
        let whole = files[1].is_empty() || files[1].len() + 1 >= length || lines(&files[1]).iter().all(|line| Line::parse(line).is_some());
        prop_assert_eq!(faults(&files, vec![key.public()]).is_empty() || files[1].is_empty(), whole);
    }
}
