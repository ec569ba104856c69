//! Questions that are open: which of them an answer is for.

use crate::program::Sender;

/// Questions that one flow has open at a time; a newer one takes the oldest's place.
const MOST: usize = 8;

/// A question: what its answer has too, and which message it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Question {
    pub(super) key: u32,
    pub(super) place: u8,
}

impl Question {
    /// A key by which only the other side's answer finds its question: nobody answers oneself.
    pub(super) fn key(digest: u32, asked_by: Sender) -> u32 {
        if asked_by == Sender::Server { !digest } else { digest }
    }
}

/// The open ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    keys: [u32; MOST],
    /// The message's place and one; 0 where there is none.
    places: [u8; MOST],
    next: u8,
}

impl Open {
    /// Opens a question. Asked again (a retransmission), it stays the one it was.
    pub(super) fn ask(&mut self, question: Question) {
        let mark = question.place + 1;
        if self.keys.iter().zip(&self.places).any(|(key, place)| *key == question.key && *place == mark) {
            return;
        }
        let slot = usize::from(self.next) % MOST;
        self.keys[slot] = question.key;
        self.places[slot] = mark;
        self.next = ((slot + 1) % MOST) as u8;
    }

    /// Closes the question with this key that is one of these messages, by their bits; false where there is none.
    pub(super) fn answer(&mut self, key: u32, messages: u64) -> bool {
        for (open, place) in self.keys.iter().zip(&mut self.places) {
            if *open == key && *place > 0 && messages >> (*place - 1) & 1 != 0 {
                *place = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_the_question_with_its_key() {
        let mut open = Open::default();
        open.ask(Question { key: 7, place: 0 });
        open.ask(Question { key: 8, place: 1 });
        open.ask(Question { key: 8, place: 1 });
        assert!(!open.answer(8, 0b01) && !open.answer(9, 0b11));
        assert!(open.answer(8, 0b10) && !open.answer(8, 0b10));
        assert!(open.answer(7, 0b11) && !open.answer(0, u64::MAX));
    }

    #[test]
    fn nobody_answers_oneself() {
        let mut open = Open::default();
        open.ask(Question { key: Question::key(7, Sender::Client), place: 0 });
        assert!(!open.answer(Question::key(7, Sender::Server), 1));
        assert!(open.answer(Question::key(7, Sender::Client), 1));
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut open = Open::default();
        for key in 0..9 {
            open.ask(Question { key, place: 63 });
        }
        assert!(!open.answer(0, 1 << 63) && open.answer(1, 1 << 63) && open.answer(8, 1 << 63));
    }
}
