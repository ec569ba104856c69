//! Lists of CPUs, as the kernel writes them: `0-3,8`.

/// The CPUs of such a list; what is no number in it is passed over.
pub(crate) fn parse(list: &str) -> Vec<u16> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// The list of some CPUs in ascending order.
pub(crate) fn text(cpus: &[u16]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(cpu) => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let text = |&(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        for (list, cpus) in [("", vec![]), ("0\n", vec![0]), ("0-3,8", vec![0, 1, 2, 3, 8]), ("1,3-4", vec![1, 3, 4])] {
            assert_eq!(parse(list), cpus);
            assert_eq!(text(&cpus), list.trim());
        }
    }

    #[test]
    fn what_is_no_list_has_no_cpus() {
        for list in ["(null)", "a-b", "3-", "-"] {
            assert_eq!(parse(list), [0; 0], "{list}");
        }
    }
}
