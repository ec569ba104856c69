//! Durations and sizes as operators write them: a number, a space or none, and a unit.

use std::time::Duration;

use super::value::Refusal;

/// A duration: `"250 ms"`, `"60 s"`, `"10 min"`, `"1 h"`, `"7 d"`.
pub(super) fn duration(text: &str) -> Result<Duration, Refusal> {
    let expected = "a duration with its unit (ms, s, min, h, d)";
    let (number, unit) = split(text);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(Refusal::new(expected, format!("add the unit, for example \"{number} s\""))),
        _ => return Err(Refusal::new(expected, "write it like \"60 s\" or \"1 h\"")),
    };
    whole(number)
        .and_then(|number| number.checked_mul(factor))
        .map(Duration::from_millis)
        .ok_or_else(|| Refusal::new(expected, "write a whole number and a unit, like \"60 s\" or \"1 h\""))
}

/// A size in octets: `"4096 B"`, `"64 KiB"`, `"10 MiB"`, `"2 GiB"`; `kB`, `MB` and `GB` are powers of 1000.
pub(super) fn size(text: &str) -> Result<u64, Refusal> {
    let expected = "a size with its unit (B, KiB, MiB, GiB, kB, MB, GB)";
    let (number, unit) = split(text);
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "" => return Err(Refusal::new(expected, format!("add the unit, for example \"{number} MiB\""))),
        _ => return Err(Refusal::new(expected, "write it like \"512 MiB\" or \"2 GiB\"")),
    };
    whole(number)
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| Refusal::new(expected, "write a whole number and a unit, like \"512 MiB\""))
}

/// A duration in the form that [`duration`] reads, in the largest unit that needs no fraction.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (factor, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")] {
        if millis >= factor && millis.is_multiple_of(factor) {
            return format!("{} {unit}", millis / factor);
        }
    }
    format!("{millis} ms")
}

/// A size in the form that [`size`] reads, in the largest binary unit that needs no fraction.
pub(super) fn size_text(size: u64) -> String {
    for (factor, unit) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if size >= factor && size.is_multiple_of(factor) {
            return format!("{} {unit}", size / factor);
        }
    }
    format!("{size} B")
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A count with optional underscores between digits, as TOML writes integers.
fn whole(number: &str) -> Option<u64> {
    if number.starts_with('_') || number.ends_with('_') || number.contains("__") {
        return None;
    }
    number.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("250 ms").unwrap(), Duration::from_millis(250));
        assert_eq!(duration("60 s").unwrap(), Duration::from_secs(60));
        assert_eq!(duration("10min").unwrap(), Duration::from_secs(600));
        assert_eq!(duration("10 m").unwrap(), Duration::from_secs(600));
        assert_eq!(duration("1 h").unwrap(), Duration::from_secs(3600));
        assert_eq!(duration(" 1_000 d ").unwrap(), Duration::from_secs(86_400_000));
        assert_eq!(duration("60").unwrap_err().advice, "add the unit, for example \"60 s\"");
        for wrong in
            ["", "s", "-1 s", "1.5 h", "1 fortnight", "1__0 s", "_1 s", "99999999999999999999 s", "213503982335 d"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("10 MiB").unwrap(), 10 << 20);
        assert_eq!(size("2GiB").unwrap(), 2 << 30);
        assert_eq!(size("64 KiB").unwrap(), 65_536);
        assert_eq!(size("3 kB").unwrap(), 3_000);
        assert_eq!(size("1 MB").unwrap(), 1_000_000);
        assert_eq!(size("1 GB").unwrap(), 1_000_000_000);
        assert_eq!(size("7 B").unwrap(), 7);
        for wrong in ["", "10", "10 mib", "10 M", "1.5 GiB", "99999999999 GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["250 ms", "90 s", "10 min", "36 h", "7 d", "0 ms"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
        for text in ["1500 B", "64 KiB", "10 MiB", "2 GiB", "0 B"] {
            assert_eq!(size_text(size(text).unwrap()), text);
        }
    }
}
