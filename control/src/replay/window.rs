//! A sliding window over a stream: what a reader of records needs of a file that is larger than memory.

use std::io::{self, Read};

/// What is read at once.
const CHUNK: usize = 1 << 20;

/// The bytes between what was taken and what was read. It grows to the largest piece ever asked for, and no further.
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Octets taken or skipped since the beginning.
    position: u64,
    exhausted: bool,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CHUNK], start: 0, end: 0, position: 0, exhausted: false }
    }

    /// Octets taken or skipped so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next `length` octets, which stay: fewer only where the stream ends before.
    pub(super) fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        if self.end - self.start < length {
            self.fill(length)?;
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + length)])
    }

    /// Takes the next `length` octets; none, and nothing taken, where the stream ends before.
    pub(super) fn take(&mut self, length: usize) -> io::Result<Option<&[u8]>> {
        if self.end - self.start < length {
            self.fill(length)?;
            if self.end - self.start < length {
                return Ok(None);
            }
        }
        let taken = self.start..self.start + length;
        self.start = taken.end;
        self.position += length as u64;
        Ok(Some(&self.buffer[taken]))
    }

    /// Takes `length` octets without looking at them; false where the stream ends before.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            let piece = left.min(CHUNK as u64) as usize;
            if self.take(piece)?.is_none() {
                return Ok(false);
            }
            left -= piece as u64;
        }
        Ok(true)
    }

    fn fill(&mut self, length: usize) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        while self.end < length && !self.exhausted {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.exhausted = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one octet at a read, as a slow pipe does.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = into.len().min(self.0.len()).min(1);
            into[..read].copy_from_slice(&self.0[..read]);
            self.0 = &self.0[read..];
            Ok(read)
        }
    }

    #[test]
    fn pieces_come_in_order_however_they_arrive() {
        let mut window = Window::new(Trickle(b"abcdefgh"));
        assert_eq!(window.peek(2).unwrap(), b"ab");
        assert_eq!(window.take(3).unwrap(), Some(&b"abc"[..]));
        assert!(window.skip(2).unwrap());
        assert_eq!(window.position(), 5);
        assert_eq!(window.take(4).unwrap(), None);
        assert_eq!(window.peek(4).unwrap(), b"fgh");
        assert!(!window.skip(4).unwrap());
    }

    #[test]
    fn a_piece_larger_than_the_window_makes_it_grow() {
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|n| n as u8).collect();
        let mut window = Window::new(&bytes[..]);
        assert_eq!(window.take(7).unwrap(), Some(&bytes[..7]));
        assert_eq!(window.take(2 * CHUNK).unwrap(), Some(&bytes[7..7 + 2 * CHUNK]));
        assert!(window.skip(CHUNK as u64 - 7).unwrap());
        assert_eq!(window.peek(1).unwrap(), b"");
    }
}
