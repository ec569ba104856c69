//! Time stamps as text: RFC 3339 with microseconds, the year always, the offset always.

use dataplane::time::Nanos;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Appends `time`: `2026-03-01T08:15:30.000125Z`, or with a zone `2026-03-01T16:15:30.000125+08:00`.
///
/// Six digits of the fraction, cut, not rounded (RFC 5424, 6.2.3, allows no more); never a second 60, as the Unix clock
/// has none. Offsets of zones that were not whole minutes (before 1972) are cut to minutes, and the time with them.
pub fn write(out: &mut Vec<u8>, time: Nanos, zone: Option<&TimeZone>) {
    let seconds = (time.0 / 1_000_000_000) as i64;
    let micros = (time.0 % 1_000_000_000 / 1_000) as u32;
    let offset = zone.map(|zone| offset_minutes(zone, seconds));
    let local = seconds + i64::from(offset.unwrap_or(0)) * 60;
    let (year, month, day) = civil(local.div_euclid(86_400));
    let of_day = local.rem_euclid(86_400) as u32;
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, of_day / 3_600, 2);
    out.push(b':');
    digits(out, of_day / 60 % 60, 2);
    out.push(b':');
    digits(out, of_day % 60, 2);
    out.push(b'.');
    digits(out, micros, 6);
    match offset {
        None => out.push(b'Z'),
        Some(minutes) => {
            out.push(if minutes < 0 { b'-' } else { b'+' });
            digits(out, minutes.unsigned_abs() / 60, 2);
            out.push(b':');
            digits(out, minutes.unsigned_abs() % 60, 2);
        }
    }
}

/// The zone's offset from UTC at that time, daylight saving included.
fn offset_minutes(zone: &TimeZone, seconds: i64) -> i32 {
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    zone.to_offset(at).seconds() / 60
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar: years are counted from
/// March, so that the leap day is a year's last.
fn civil(days: i64) -> (u32, u32, u32) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    let shifted = days + EPOCH;
    let era = shifted.div_euclid(DAYS_IN_400_YEARS);
    let of_era = shifted.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Appends `value` with leading zeros.
fn digits(out: &mut Vec<u8>, value: u32, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10u32.pow(place) % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(time: Nanos, zone: Option<&TimeZone>) -> String {
        let mut out = Vec::new();
        write(&mut out, time, zone);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn utc_has_six_digits_and_a_z() {
        assert_eq!(text(Nanos(0), None), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(Nanos::from_parts(1_709_210_096, 123_456_789), None), "2024-02-29T12:34:56.123456Z");
    }

    #[test]
    fn a_zone_gives_its_offset_and_keeps_to_daylight_saving() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let new_york = TimeZone::get("America/New_York").unwrap();
        let winter = Nanos::from_parts(1_767_225_600, 0);
        let summer = Nanos::from_parts(1_782_864_000, 0);
        assert_eq!(text(winter, Some(&shanghai)), "2026-01-01T08:00:00.000000+08:00");
        assert_eq!(text(winter, Some(&new_york)), "2025-12-31T19:00:00.000000-05:00");
        assert_eq!(text(summer, Some(&new_york)), "2026-06-30T20:00:00.000000-04:00");
    }

    proptest! {
        /// jiff is the slow twin.
        #[test]
        fn agrees_with_jiff(seconds in 0_u64..18_000_000_000, nanos in 0_u32..1_000_000_000) {
            let stamp = Timestamp::new(seconds as i64, (nanos / 1_000 * 1_000) as i32).unwrap();
            prop_assert_eq!(text(Nanos::from_parts(seconds, nanos), None), format!("{stamp:.6}"));
        }
    }
}
