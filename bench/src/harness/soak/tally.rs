//! What a collector wrote down, counted by number: a line is `BOOT SEQUENCE`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::Fallible;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Numbers that are there.
    pub(super) arrived: u64,
    /// Numbers that are not.
    pub(super) missing: u64,
    /// Lines whose number was there before.
    pub(super) again: u64,
    /// Lines with no number of ours.
    pub(super) strange: u64,
}

impl Tally {
    /// Of a file to which `made` records should have come, with the numbers from 1 on.
    pub(super) fn read(path: &Path, made: u64) -> Fallible<Self> {
        let mut seen = vec![0_u64; (made / 64 + 1) as usize];
        let mut tally = Self::default();
        for line in BufReader::with_capacity(1 << 20, File::open(path)?).split(b'\n') {
            let line = line?;
            let number = line.split(|octet| *octet == b' ').nth(1).and_then(|digits| std::str::from_utf8(digits).ok());
            let number =
                number.and_then(|digits| digits.parse::<u64>().ok()).filter(|number| (1..=made).contains(number));
            let Some(number) = number else {
                tally.strange += 1;
                continue;
            };
            let (word, bit) = (&mut seen[(number / 64) as usize], 1 << (number % 64));
            if *word & bit == 0 {
                tally.arrived += 1
            } else {
                tally.again += 1
            }
            *word |= bit;
        }
        tally.missing = made - tally.arrived;
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_once_and_what_is_missing_is_seen() {
        let path = std::env::temp_dir().join(format!("soak-tally-{}", std::process::id()));
        std::fs::write(&path, "b 1\nb 3\nb 3\nb 64\nb 0\nb 66\nb x\nb\nb 65").unwrap();
        let tally = Tally::read(&path, 65).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(tally, Tally { arrived: 4, missing: 61, again: 1, strange: 4 });
    }
}
