//! Which known word an unknown one was probably meant to be.

/// The words of `known` that are close to `word`, the closest first, three at most.
pub(super) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (word.chars().count() + 1) / 3;
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= limit || (word.len() > 2 && candidate.starts_with(word)))
        .collect();
    close.sort();
    close.dedup();
    close.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// `did you mean "a" or "b"?` for the words near to it; otherwise `otherwise`.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    let close: Vec<String> = near(word, known).into_iter().map(|candidate| format!("\"{candidate}\"")).collect();
    if close.is_empty() { otherwise.to_owned() } else { format!("did you mean {}?", close.join(" or ")) }
}

/// Letters to insert, remove, replace, or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let replace = previous[j] + usize::from(left != right);
            let mut best = replace.min(previous[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_one_step() {
        assert_eq!(distance("souce", "source"), 1);
        assert_eq!(distance("soruce", "source"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("qq", "wechat"), 6);
    }

    #[test]
    fn only_close_words_are_offered_the_closest_first() {
        assert_eq!(near("offcie", ["office", "servers", "officer"]), ["office", "officer"]);
        assert_eq!(near("zebra", ["office", "servers"]), Vec::<&str>::new());
        assert_eq!(suggest("tpc", ["tcp", "udp"], "see the list"), "did you mean \"tcp\"?");
        assert_eq!(suggest("relp", ["tcp", "udp"], "see the list"), "see the list");
    }
}
