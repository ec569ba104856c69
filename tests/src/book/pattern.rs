//! Whether what a command said is what the book shows: loosely, as times, counts and numbers of ports differ.

/// A piece of a line that the book shows.
#[derive(Clone, Copy, Debug)]
enum Piece {
    /// `…`: anything.
    Any,
    /// Digits for digits.
    Number,
    /// This letter.
    Letter(char),
}

/// Whether these lines are the ones shown. A line `…` stands for any number of lines; within a line for anything. Digits match
/// digits, but for a single one that stands alone, and a line that is nothing but a number: those are meant. White space is as good as other.
pub fn fits(shown: &[String], said: &str) -> bool {
    let said: Vec<Vec<char>> = said.lines().map(|line| plain(line).chars().collect()).collect();
    let shown: Vec<Vec<Piece>> = shown.iter().map(|line| pieces(&plain(line))).collect();
    lines_fit(&shown, &said)
}

fn lines_fit(shown: &[Vec<Piece>], said: &[Vec<char>]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return said.iter().all(Vec::is_empty);
    };
    if matches!(first.as_slice(), [Piece::Any]) {
        return (0..=said.len()).any(|skipped| lines_fit(rest, &said[skipped..]));
    }
    let Some((line, others)) = said.split_first() else { return first.is_empty() && lines_fit(rest, said) };
    line_fits(first, line) && lines_fit(rest, others)
}

fn line_fits(shown: &[Piece], said: &[char]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((Piece::Any, rest)) => (0..=said.len()).any(|skipped| line_fits(rest, &said[skipped..])),
        Some((Piece::Letter(letter), rest)) => said.first() == Some(letter) && line_fits(rest, &said[1..]),
        Some((Piece::Number, rest)) => {
            let is_part = |letter: &char| letter.is_ascii_digit() || *letter == ',';
            let length = said.iter().take_while(|letter| is_part(letter)).count();
            // What is no digit at the end is the text's own.
            (1..=length).rev().any(|taken| said[taken - 1].is_ascii_digit() && line_fits(rest, &said[taken..]))
        }
    }
}

/// White space made one space.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn pieces(line: &str) -> Vec<Piece> {
    let letters: Vec<char> = line.chars().collect();
    let exact = letters.iter().all(char::is_ascii_digit);
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        let digits = |from: usize| letters.iter().skip(from).take_while(|letter| letter.is_ascii_digit()).count();
        let mut end = at + digits(at);
        // A number in groups of three is one.
        while end > at && letters.get(end) == Some(&',') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        let before = at.checked_sub(1).map(|at| letters[at]);
        let alone = end == at + 1
            && before.is_none_or(|letter| " (".contains(letter))
            && letters.get(end).is_none_or(|letter| " ,;)".contains(*letter));
        let is_number = end > at && !exact && !alone;
        pieces.push(match letter {
            '…' => Piece::Any,
            _ if is_number => Piece::Number,
            _ => Piece::Letter(letter),
        });
        at = if is_number { end } else { at + 1 };
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn numbers_differ_and_words_do_not() {
        let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(fits(&shown("a  12 b"), "a 3,456 b\n"));
        assert!(fits(&shown("took 1,234 ms"), "took 9 ms"));
        assert!(fits(&shown("…\nb\n…"), "a\nb\nc\n"));
        assert!(fits(&shown("at …: 2026-01-02T03:04:05Z"), "at x: y: 2027-11-12T13:14:15Z"));
        assert!(fits(&shown(""), ""));
        assert!(!fits(&shown("a 12 b"), "a b"));
        assert!(!fits(&shown("a\nc"), "a\nb\nc"));
        assert!(!fits(&shown("a"), "a\nb"));
        assert!(!fits(&shown("2"), "0"));
        assert!(!fits(&shown("3 rules, 2 ports"), "4 rules, 2 ports"));
    }
}
