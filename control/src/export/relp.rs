//! The Reliable Event Logging Protocol: frames, offers and answers, as rsyslog's librelp speaks it (version 0).
//!
//! A frame is `TXNR SP COMMAND SP DATALEN [SP DATA] LF`; without data there is no space after DATALEN. Each side numbers its
//! commands from 1 on, without a gap, and an answer (`rsp`) has the number of its command. Number 0 is a hint that nobody
//! answers. Nothing here touches a socket.

use std::borrow::Cow;

use thiserror::Error;

/// The highest transaction number; the next is 1.
pub const LAST_TRANSACTION: u32 = 999_999_999;

/// The number of a session's first message; that of `open` is 1.
pub const FIRST_MESSAGE: u32 = 2;

/// What we read of one frame's data at most. Answers are some 100 octets.
const MOST_DATA: usize = 128 * 1_024;

/// COMMAND at most.
const MOST_LETTERS: usize = 32;

/// Digits of TXNR and DATALEN at most.
const MOST_DIGITS: usize = 9;

/// How much of the host's words is shown to an operator.
const MOST_WORDS: usize = 120;

/// The number after that one.
pub fn after(transaction: u32) -> u32 {
    if transaction >= LAST_TRANSACTION { 1 } else { transaction + 1 }
}

/// Appends a frame.
pub fn write(out: &mut Vec<u8>, transaction: u32, command: &str, data: &[u8]) {
    let mut digits = [0; 10];
    out.extend_from_slice(decimal(transaction as usize, &mut digits));
    out.push(b' ');
    out.extend_from_slice(command.as_bytes());
    out.push(b' ');
    out.extend_from_slice(decimal(data.len(), &mut digits));
    if !data.is_empty() {
        out.push(b' ');
        out.extend_from_slice(data);
    }
    out.push(b'\n');
}

/// Frames are written for each record: without the machinery of `format!`.
fn decimal(mut value: usize, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 || at == 0 {
            return &digits[at..];
        }
    }
}

/// What we offer in `open`.
pub fn offers() -> String {
    format!("relp_version=0\nrelp_software=ostiary,{}\ncommands=syslog", env!("CARGO_PKG_VERSION"))
}

/// A frame of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// TXNR: 0 in a hint.
    pub transaction: u32,
    /// COMMAND: letters.
    pub command: &'a [u8],
    /// DATA.
    pub data: &'a [u8],
}

/// What a host says that RELP does not allow, or that ends the session.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// These octets begin no frame.
    #[error("the host does not speak RELP on this port: it sent \"{0}\"")]
    Malformed(String),
    /// More data in a frame than any answer has.
    #[error("the host's RELP frame has {0} octets")]
    TooLong(usize),
    /// `open` was answered otherwise than with 200.
    #[error("the host refuses the RELP session: {0}")]
    Refused(String),
    /// The host's offer lacks what we need.
    #[error("the host's RELP offers no {0}")]
    Lacks(&'static str),
    /// An answer before its question, or another command than `rsp`.
    #[error("the host breaks the rules of RELP: {0}")]
    Unexpected(String),
    /// The hint `serverclose`.
    #[error("the host ended the RELP session")]
    ServerClose,
}

/// Makes frames of what is read.
#[derive(Debug, Default)]
pub struct Reader {
    octets: Vec<u8>,
    taken: usize,
}

impl Reader {
    /// Takes what was read.
    pub fn extend(&mut self, octets: &[u8]) {
        if self.taken > 0 {
            self.octets.drain(..self.taken);
            self.taken = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// If what was read is no frame, or too long a one; the same again at each further call.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        let rest = &self.octets[self.taken..];
        let Some((frame, octets)) = parse(rest)? else { return Ok(None) };
        self.taken += octets;
        Ok(Some(frame))
    }
}

/// The frame that these octets begin with, and its length; none if it is not whole.
fn parse(octets: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    let malformed = || Fault::Malformed(words(octets));
    let mut rest = octets;
    let Some(transaction) = field(&mut rest, MOST_DIGITS, u8::is_ascii_digit, b" ").map_err(|_| malformed())? else {
        return Ok(None);
    };
    let Some(command) = field(&mut rest, MOST_LETTERS, u8::is_ascii_alphabetic, b" ").map_err(|_| malformed())? else {
        return Ok(None);
    };
    let Some(length) = field(&mut rest, MOST_DIGITS, u8::is_ascii_digit, b" \n").map_err(|_| malformed())? else {
        return Ok(None);
    };
    let ended = octets[octets.len() - rest.len() - 1] == b'\n';
    let (transaction, length) = (number(transaction), number(length) as usize);
    if length > MOST_DATA {
        return Err(Fault::TooLong(length));
    }
    if ended {
        let frame = Frame { transaction, command, data: b"" };
        return if length == 0 { Ok(Some((frame, octets.len() - rest.len()))) } else { Err(malformed()) };
    }
    let Some(end) = rest.get(length) else { return Ok(None) };
    if *end != b'\n' {
        return Err(malformed());
    }
    let frame = Frame { transaction, command, data: &rest[..length] };
    Ok(Some((frame, octets.len() - rest.len() + length + 1)))
}

/// No field that may stand there.
struct Wrong;

/// Takes one to `most` octets of a kind and the one of `ends` behind them; none if they are not all there.
fn field<'a>(
    rest: &mut &'a [u8],
    most: usize,
    kind: impl Fn(&u8) -> bool,
    ends: &[u8],
) -> Result<Option<&'a [u8]>, Wrong> {
    let length = rest.iter().take(most + 1).take_while(|octet| kind(octet)).count();
    match rest.get(length) {
        _ if length > most => Err(Wrong),
        None => Ok(None),
        Some(end) if length > 0 && ends.contains(end) => {
            let (field, after) = rest.split_at(length);
            *rest = &after[1..];
            Ok(Some(field))
        }
        Some(_) => Err(Wrong),
    }
}

/// Of at most nine digits.
fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

/// The code that an answer begins with, and the words behind it; none if there is no code.
fn answer(data: &[u8]) -> Option<(u16, &[u8])> {
    let (code, rest) = data.split_at_checked(3)?;
    let code = code.iter().all(u8::is_ascii_digit).then(|| number(code) as u16)?;
    match rest {
        [] => Some((code, rest)),
        [b' ' | b'\n', rest @ ..] => Some((code, rest)),
        _ => None,
    }
}

/// What a frame means while a session is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An answer to that transaction, and whether it is 200. Anything else means that the host did not take the message.
    Answer(u32, bool),
    /// A hint that is no business of ours.
    Nothing,
}

impl Frame<'_> {
    /// What it means within a session.
    ///
    /// # Errors
    /// If the host ends the session, or says what it may not.
    pub fn meaning(&self) -> Result<Meaning, Fault> {
        match (self.transaction, self.command) {
            (0, b"serverclose") => Err(Fault::ServerClose),
            (0, _) => Ok(Meaning::Nothing),
            (transaction, b"rsp") => match answer(self.data) {
                Some((code, _)) => Ok(Meaning::Answer(transaction, code == 200)),
                // The answer to `close` has no data.
                None if self.data.is_empty() => Ok(Meaning::Answer(transaction, true)),
                None => Err(Fault::Unexpected(format!("an answer without a code, \"{}\"", words(self.data)))),
            },
            (_, command) => Err(Fault::Unexpected(format!("the command \"{}\"", words(command)))),
        }
    }

    /// Whether it is the answer to `open` and opens the session: false for a hint.
    ///
    /// # Errors
    /// If the host refuses, or its offer lacks what we need.
    pub fn opens(&self) -> Result<bool, Fault> {
        if let Meaning::Nothing = self.meaning()? {
            return Ok(false);
        }
        if self.transaction != 1 {
            return Err(Fault::Unexpected(format!("an answer to transaction {}", self.transaction)));
        }
        let Some((200, offers)) = answer(self.data) else { return Err(Fault::Refused(words(self.data))) };
        let offer = |name: &[u8]| {
            let lines = offers.split(|octet| *octet == b'\n');
            lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(b"=")).next()
        };
        if offer(b"relp_version").is_none() {
            return Err(Fault::Lacks("relp_version"));
        }
        let commands = offer(b"commands").unwrap_or_default();
        match commands.split(|octet| *octet == b',').any(|command| command.trim_ascii() == b"syslog") {
            true => Ok(true),
            false => Err(Fault::Lacks("command \"syslog\"")),
        }
    }
}

/// The host's words for an operator: without control characters, of bounded length, one line.
fn words(octets: &[u8]) -> String {
    let octets = octets.get(..MOST_WORDS).unwrap_or(octets);
    let text = octets.split(|octet| *octet == b'\n').next().map_or(Cow::Borrowed(""), String::from_utf8_lossy);
    text.chars().map(|character| if character.is_control() { '.' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Transaction, command, data.
    type Owned = (u32, Vec<u8>, Vec<u8>);

    fn frames(octets: &[u8]) -> Result<Vec<Owned>, Fault> {
        let (mut reader, mut frames) = (Reader::default(), Vec::new());
        reader.extend(octets);
        while let Some(frame) = reader.frame()? {
            frames.push((frame.transaction, frame.command.to_vec(), frame.data.to_vec()));
        }
        Ok(frames)
    }

    fn one(octets: &[u8]) -> Owned {
        frames(octets).unwrap().pop().unwrap()
    }

    /// What librelp 1.11 sends.
    const OPENED: &[u8] = b"1 rsp 93 200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\n\
        commands=syslog\n3 rsp 0\n0 serverclose 0\n";

    #[test]
    fn a_session_of_librelp() {
        let all = frames(OPENED).unwrap();
        assert_eq!(all.len(), 3);
        let mut reader = Reader::default();
        reader.extend(OPENED);
        assert_eq!(reader.frame().unwrap().unwrap().opens(), Ok(true));
        assert_eq!(reader.frame().unwrap().unwrap().meaning(), Ok(Meaning::Answer(3, true)));
        assert_eq!(reader.frame().unwrap().unwrap().meaning(), Err(Fault::ServerClose));
        assert_eq!(reader.frame(), Ok(None));
    }

    #[test]
    fn open_needs_200_a_version_and_the_command() {
        let opens = |data: &[u8]| Frame { transaction: 1, command: b"rsp", data }.opens();
        assert_eq!(opens(b"200 OK\nrelp_version=0\ncommands=eventlog, syslog"), Ok(true));
        assert_eq!(opens(b"200 OK\ncommands=syslog"), Err(Fault::Lacks("relp_version")));
        assert_eq!(opens(b"200 OK\nrelp_version=0\ncommands=syslogs"), Err(Fault::Lacks("command \"syslog\"")));
        let refused = "500 required command not supported by client";
        assert_eq!(opens(refused.as_bytes()), Err(Fault::Refused(refused.into())));
        assert_eq!(opens(b"").unwrap_err(), Fault::Refused(String::new()));
        let early = Frame { transaction: 2, command: b"rsp", data: b"200 OK" }.opens();
        assert!(matches!(early, Err(Fault::Unexpected(_))));
        assert_eq!(Frame { transaction: 0, command: b"hint", data: b"" }.opens(), Ok(false));
    }

    #[test]
    fn answers_are_200_or_refusals() {
        let meaning = |data: &[u8]| Frame { transaction: 9, command: b"rsp", data }.meaning();
        assert_eq!(meaning(b"200 OK"), Ok(Meaning::Answer(9, true)));
        assert_eq!(meaning(b"200"), Ok(Meaning::Answer(9, true)));
        assert_eq!(meaning(b"500 disk full\n"), Ok(Meaning::Answer(9, false)));
        assert_eq!(meaning(b"2000"), Err(Fault::Unexpected("an answer without a code, \"2000\"".into())));
        let command = Frame { transaction: 9, command: b"syslog", data: b"" }.meaning();
        assert_eq!(command, Err(Fault::Unexpected("the command \"syslog\"".into())));
    }

    #[test]
    fn what_is_no_frame_is_refused_and_not_waited_for() {
        for octets in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x16\x03\x01",
            b"1234567890 rsp 0\n",
            b"1 rsp1 0\n",
            b"1 rsp 3 200\r\n",
            b"1 rsp 3\n",
            b"1  rsp 0\n",
            b" 1 rsp 0\n",
            b"1 abcdefghijklmnopqrstuvwxyzabcdefg 0\n",
        ] {
            assert!(matches!(frames(octets), Err(Fault::Malformed(_))), "{}", String::from_utf8_lossy(octets));
        }
        assert_eq!(frames(b"1 rsp 999999999 "), Err(Fault::TooLong(999_999_999)));
        assert_eq!(Fault::Malformed(words(b"a\x1b[31m\nb")).to_string().split('"').nth(1), Some("a.[31m"));
    }

    #[test]
    fn transactions_begin_anew_after_the_last() {
        assert_eq!((after(1), after(LAST_TRANSACTION - 1), after(LAST_TRANSACTION)), (2, LAST_TRANSACTION, 1));
        let mut out = Vec::new();
        write(&mut out, LAST_TRANSACTION, "syslog", b"a\nb");
        write(&mut out, 3, "close", b"");
        assert_eq!(out, b"999999999 syslog 3 a\nb\n3 close 0\n");
    }

    /// The slow twin: a reader that begins at the first octet again for each octet that comes.
    fn slowly(octets: &[u8]) -> Result<Vec<Owned>, Fault> {
        let (mut start, mut all) = (0, Vec::new());
        for end in 0..=octets.len() {
            while let Some((frame, length)) = parse(&octets[start..end])? {
                all.push((frame.transaction, frame.command.to_vec(), frame.data.to_vec()));
                start += length;
            }
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(transaction in 0..=LAST_TRANSACTION, data in vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            write(&mut out, transaction, "syslog", &data);
            prop_assert_eq!(one(&out), (transaction, b"syslog".to_vec(), data));
        }

        #[test]
        fn pieces_make_the_same_frames(
            transactions in vec((0..2_000_u32, vec(any::<u8>(), 0..40)), 0..8),
            cuts in vec(1..20_usize, 1..40),
            flip in any::<prop::sample::Index>(),
            to in prop::option::of(any::<u8>()),
        ) {
            let mut octets = Vec::new();
            transactions.iter().for_each(|(transaction, data)| write(&mut octets, *transaction, "rsp", data));
            if let (Some(to), false) = (to, octets.is_empty()) {
                let at = flip.index(octets.len());
                octets[at] = to;
            }
            let (mut reader, mut all, mut rest, mut fault) = (Reader::default(), Vec::new(), &octets[..], None);
            for cut in cuts.iter().cycle() {
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                reader.extend(piece);
                rest = later;
                loop {
                    match reader.frame() {
                        Ok(Some(frame)) => all.push((frame.transaction, frame.command.to_vec(), frame.data.to_vec())),
                        Ok(None) => break,
                        Err(error) => {
                            fault = Some(error);
                            break;
                        }
                    }
                }
                if rest.is_empty() || fault.is_some() {
                    break;
                }
            }
            match slowly(&octets) {
                Ok(frames) => prop_assert_eq!((all, fault), (frames, None)),
                Err(_) => prop_assert!(fault.is_some()),
            }
        }

        #[test]
        fn nothing_that_is_read_can_panic(octets in vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::default();
            reader.extend(&octets);
            while let Ok(Some(frame)) = reader.frame() {
                drop((frame.meaning(), frame.opens()));
            }
        }
    }
}
