//! How messages follow each other on the channel (RFC 6242, section 4): ended by `]]>]]>`, or in chunks.

/// Octets of a message at most.
pub const MESSAGE_LIMIT: usize = 4 << 20;

/// What ends a message of NETCONF 1.0, and each peer's hello.
const END_OF_MESSAGE: &[u8] = b"]]>]]>";

/// Digits of the largest chunk size, 4,294,967,295.
const SIZE_DIGITS: usize = 10;

/// How messages are told from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// NETCONF 1.0: `]]>]]>` behind each.
    EndOfMessage,
    /// NETCONF 1.1: chunks with their sizes before them.
    Chunked,
}

/// Why the octets received cannot be told into messages. Where the next one begins is not known any more: the session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// It is longer than [`MESSAGE_LIMIT`].
    #[error("a message of more than {MESSAGE_LIMIT} octets")]
    TooLong,
    /// Something else stands where a chunk or the end of chunks has to begin.
    #[error("no chunk begins where one has to (RFC 6242, section 4.2)")]
    NoChunk,
}

/// Messages from octets, however these are cut.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    input: Vec<u8>,
    /// Octets of `input` that were taken.
    taken: usize,
    /// Octets of `input` in which the end of the message was looked for in vain.
    searched: usize,
    /// The chunks so far.
    message: Vec<u8>,
    /// Whether a chunk of this message was seen.
    begun: bool,
    /// Octets that the chunk still lacks.
    missing: usize,
}

impl Decoder {
    /// One that waits for a hello.
    pub fn new() -> Self {
        Self {
            framing: Framing::EndOfMessage,
            input: Vec::new(),
            taken: 0,
            searched: 0,
            message: Vec::new(),
            begun: false,
            missing: 0,
        }
    }

    /// From the next message on, messages are told so.
    pub fn switch(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Takes what was received.
    pub fn push(&mut self, octets: &[u8]) {
        self.input.drain(..self.taken);
        self.searched -= self.taken.min(self.searched);
        self.taken = 0;
        self.input.extend_from_slice(octets);
    }

    /// Whether nothing of a message that did not end is held.
    pub fn is_between(&self) -> bool {
        !self.begun && self.rest().iter().all(u8::is_ascii_whitespace)
    }

    /// The next whole message.
    pub fn message(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        match self.framing {
            Framing::EndOfMessage => self.ended(),
            Framing::Chunked => self.chunked(),
        }
    }

    fn ended(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        let from = self.searched.max(self.taken);
        let found = self.input[from..].windows(END_OF_MESSAGE.len()).position(|octets| octets == END_OF_MESSAGE);
        let end = found.map(|at| from + at);
        if end.unwrap_or(self.input.len()) - self.taken > MESSAGE_LIMIT {
            return Err(FramingError::TooLong);
        }
        let Some(end) = end else {
            // The end may have begun with the last octets.
            self.searched = (self.input.len() + 1).saturating_sub(END_OF_MESSAGE.len()).max(from);
            return Ok(None);
        };
        let message = self.input[self.taken..end].to_vec();
        self.taken = end + END_OF_MESSAGE.len();
        self.searched = self.taken;
        Ok(Some(message))
    }

    fn chunked(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        loop {
            let take = self.missing.min(self.rest().len());
            self.message.extend_from_slice(&self.input[self.taken..self.taken + take]);
            self.taken += take;
            self.missing -= take;
            if self.missing > 0 {
                return Ok(None);
            }
            match head(self.rest(), self.begun)? {
                Head::Partial => return Ok(None),
                Head::Chunk { octets, size } => {
                    self.taken += octets;
                    self.begun = true;
                    self.missing = usize::try_from(size).map_err(|_| FramingError::TooLong)?;
                    if self.missing > MESSAGE_LIMIT - self.message.len() {
                        return Err(FramingError::TooLong);
                    }
                }
                Head::End { octets } => {
                    self.taken += octets;
                    self.begun = false;
                    return Ok(Some(std::mem::take(&mut self.message)));
                }
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.input[self.taken..]
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands where a chunk begins.
enum Head {
    /// Not enough to tell.
    Partial,
    Chunk {
        octets: usize,
        size: u64,
    },
    End {
        octets: usize,
    },
}

/// `LF # size LF`, or `LF # # LF` behind at least one chunk.
fn head(input: &[u8], begun: bool) -> Result<Head, FramingError> {
    for (at, expected) in b"\n#".iter().enumerate() {
        match input.get(at) {
            None => return Ok(Head::Partial),
            Some(octet) if octet == expected => {}
            Some(_) => return Err(FramingError::NoChunk),
        }
    }
    let rest = &input[2..];
    match rest.first() {
        None => return Ok(Head::Partial),
        Some(b'#') if begun => {
            return match rest.get(1) {
                None => Ok(Head::Partial),
                Some(b'\n') => Ok(Head::End { octets: 4 }),
                Some(_) => Err(FramingError::NoChunk),
            };
        }
        Some(b'1'..=b'9') => {}
        Some(_) => return Err(FramingError::NoChunk),
    }
    let digits = rest.iter().take(SIZE_DIGITS + 1).take_while(|octet| octet.is_ascii_digit()).count();
    match rest.get(digits) {
        _ if digits > SIZE_DIGITS => return Err(FramingError::NoChunk),
        None => return Ok(Head::Partial),
        Some(b'\n') => {}
        Some(_) => return Err(FramingError::NoChunk),
    }
    let size = rest[..digits].iter().fold(0, |size, digit| size * 10 + u64::from(digit - b'0'));
    if size > u64::from(u32::MAX) {
        return Err(FramingError::NoChunk);
    }
    Ok(Head::Chunk { octets: 2 + digits + 1, size })
}

/// A message as it goes over the channel. It must not be empty, and under 1.0 must not hold `]]>]]>`, which no XML that
/// [`super::xml::Writer`] makes does: it writes `>` as `&gt;`.
pub fn frame(framing: Framing, message: &str) -> Vec<u8> {
    let mut framed = Vec::with_capacity(message.len() + 32);
    match framing {
        Framing::EndOfMessage => {
            framed.extend_from_slice(message.as_bytes());
            framed.extend_from_slice(END_OF_MESSAGE);
        }
        Framing::Chunked => {
            framed.extend_from_slice(format!("\n#{}\n", message.len()).as_bytes());
            framed.extend_from_slice(message.as_bytes());
            framed.extend_from_slice(b"\n##\n");
        }
    }
    framed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(decoder: &mut Decoder) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut messages = Vec::new();
        while let Some(message) = decoder.message()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn chunked(octets: &[u8]) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut decoder = Decoder::new();
        decoder.switch(Framing::Chunked);
        decoder.push(octets);
        all(&mut decoder)
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let messages = chunked(b"\n#4\n<rpc\n#18\n message-id=\"102\"\n\n##\n").unwrap();
        assert_eq!(messages, [b"<rpc message-id=\"102\"\n".to_vec()]);
    }

    #[test]
    fn the_old_end_within_a_chunk_is_data() {
        assert_eq!(chunked(b"\n#6\n]]>]]>\n##\n").unwrap(), [END_OF_MESSAGE.to_vec()]);
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for wrong in [
            "\n##\n",
            "#4\nabcd",
            "\n#0\n",
            "\n#04\nabcd",
            "\n#-1\n",
            "\n#4294967296\n",
            "\n#99999999999\n",
            "\n#4 \nabcd",
            "\n#1\na#",
            "\n#1\na\n##x",
            "\r\n#1\na",
        ] {
            assert_eq!(chunked(wrong.as_bytes()), Err(FramingError::NoChunk), "{wrong:?}");
        }
        assert_eq!(chunked(b"\n#4294967295\n"), Err(FramingError::TooLong));
        assert_eq!(chunked(format!("\n#1\na\n#{MESSAGE_LIMIT}\n").as_bytes()), Err(FramingError::TooLong));
    }

    #[test]
    fn a_message_without_end_is_cut_off() {
        let mut decoder = Decoder::new();
        decoder.push(&vec![b' '; MESSAGE_LIMIT]);
        assert_eq!(decoder.message(), Ok(None));
        decoder.push(b"x");
        assert_eq!(decoder.message(), Err(FramingError::TooLong));
    }

    #[test]
    fn framing_changes_behind_the_hello() {
        let mut decoder = Decoder::new();
        decoder.push(b"<hello/>]]>]]>\n#3\nabc\n##\n");
        assert_eq!(decoder.message(), Ok(Some(b"<hello/>".to_vec())));
        decoder.switch(Framing::Chunked);
        assert_eq!(decoder.message(), Ok(Some(b"abc".to_vec())));
        assert!(decoder.is_between());
        decoder.push(b"\n#3\nab");
        assert_eq!(decoder.message(), Ok(None));
        assert!(!decoder.is_between());
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            messages in proptest::collection::vec("[a-c\\]>#\n]{1,40}", 1..6),
            chunk in 1_usize..9,
            cuts in proptest::collection::vec(1_usize..20, 1..60),
            old in any::<bool>(),
        ) {
            let mut sent = Vec::new();
            let mut expected = Vec::new();
            for message in &messages {
                if old {
                    // The first end ends it, wherever it stands.
                    let message = message.replace('>', "");
                    let message = if message.is_empty() { "x".to_owned() } else { message };
                    sent.extend_from_slice(&frame(Framing::EndOfMessage, &message));
                    expected.push(message.into_bytes());
                } else {
                    for part in message.as_bytes().chunks(chunk) {
                        sent.extend_from_slice(format!("\n#{}\n", part.len()).as_bytes());
                        sent.extend_from_slice(part);
                    }
                    sent.extend_from_slice(b"\n##\n");
                    expected.push(message.clone().into_bytes());
                }
            }
            let mut decoder = Decoder::new();
            decoder.switch(if old { Framing::EndOfMessage } else { Framing::Chunked });
            let mut read = Vec::new();
            let (mut rest, mut cuts) = (&sent[..], cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                decoder.push(now);
                read.extend(all(&mut decoder).unwrap());
                rest = later;
            }
            prop_assert_eq!(read, expected);
            prop_assert!(decoder.is_between());
        }

        #[test]
        fn any_octets_are_borne(octets in proptest::collection::vec(any::<u8>(), 0..200), old in any::<bool>()) {
            let mut decoder = Decoder::new();
            decoder.switch(if old { Framing::EndOfMessage } else { Framing::Chunked });
            decoder.push(&octets);
            let _ = all(&mut decoder);
        }
    }
}
