//! Lines of text (RFC 1459, 2.3; RFC 5321, 2.3.8): messages that end in LF, with a CR before it or without.

/// A line's octets without its end, and how far the next one is where its end is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) length: Option<usize>,
}

/// The line at the start of `data`; none where it holds an octet that no text has.
pub(crate) fn cut(data: &[u8]) -> Option<Line<'_>> {
    let end = memchr::memchr(b'\n', data);
    let octets = data.get(..end.unwrap_or(data.len()))?;
    if memchr::memchr(0, octets).is_some() {
        return None;
    }
    Some(Line { octets: octets.strip_suffix(b"\r").unwrap_or(octets), length: end.map(|end| end + 1) })
}

/// A line's words, spaces between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    octets: &'a [u8],
    /// Words that begin with one of these octets do not count where they lead.
    pass_over: &'a [u8],
}

impl<'a> Words<'a> {
    pub(crate) fn of(octets: &'a [u8], pass_over: &'a [u8]) -> Self {
        Self { octets, pass_over }
    }

    /// A word by its number from 0, and whether its end is here: behind the last octet it might go on.
    pub(crate) fn word(&self, number: u8) -> Option<(&'a [u8], bool)> {
        let mut leading = self.pass_over.iter();
        let mut left = number;
        for word in self.octets.split(|octet| *octet == b' ').filter(|word| !word.is_empty()) {
            let first = word.first();
            // Each leading mark once and in its order: a second word with it is the text itself.
            if leading.any(|mark| Some(mark) == first) {
                continue;
            }
            leading = [].iter();
            if left == 0 {
                let ended = word.as_ptr_range().end < self.octets.as_ptr_range().end;
                return Some((word, ended));
            }
            left -= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_lf_and_a_cr_before_it_is_not_of_it() {
        assert_eq!(cut(b"NICK a\r\nUSER"), Some(Line { octets: b"NICK a", length: Some(8) }));
        assert_eq!(cut(b"NICK a\nUSER"), Some(Line { octets: b"NICK a", length: Some(7) }));
        assert_eq!(cut(b"\r\n"), Some(Line { octets: b"", length: Some(2) }));
        assert_eq!(cut(b"NICK"), Some(Line { octets: b"NICK", length: None }));
        assert_eq!(cut(b"NI\0K\n"), None);
        assert_eq!(cut(b"NICK\n\0"), Some(Line { octets: b"NICK", length: Some(5) }));
    }

    #[test]
    fn leading_words_are_passed_over_once_and_in_order() {
        let word = |line: &'static [u8], number| Words::of(line, b"@:").word(number);
        assert_eq!(word(b"@time=1 :host 001 me :hi", 0), Some((&b"001"[..], true)));
        assert_eq!(word(b":host 001 me :hi", 2), Some((&b":hi"[..], false)));
        assert_eq!(word(b":host :text", 0), Some((&b":text"[..], false)));
        assert_eq!(word(b"PING  x", 1), Some((&b"x"[..], false)));
        assert_eq!(word(b":host ", 0), None);
    }
}
