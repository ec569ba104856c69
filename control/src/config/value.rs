//! The kinds of single values, parsed once at the edge into types.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeValue;

use super::describe::Shape;
use super::near;
use super::units;
use crate::signatures::key::PublicKey;

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What should stand there.
    pub(super) expected: String,
    /// What to do.
    pub(super) advice: String,
    /// The form of what is taken; none where the form was right, and something else was wrong.
    pub(super) shape: Option<Box<Shape>>,
}

impl Refusal {
    pub(super) fn new(expected: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { expected: expected.into(), advice: advice.into(), shape: None }
    }

    /// Says which form is taken.
    pub(super) fn of(self, shape: Shape) -> Self {
        Self { shape: Some(Box::new(shape)), ..self }
    }

    /// Says that a word is taken too.
    pub(super) fn or_word(self, word: &'static str) -> Self {
        let shape = self.shape.map(|shape| match *shape {
            Shape::Either(mut shapes) => {
                shapes.push(Shape::Choice(vec![word]));
                Box::new(Shape::Either(shapes))
            }
            other => Box::new(Shape::Either(vec![other, Shape::Choice(vec![word])])),
        });
        Self { shape, ..self }
    }
}

/// Names of objects at most, in characters: they travel in every record.
pub(super) const NAME_LIMIT: usize = 63;

/// Any text that is not empty.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Refusal> {
    match value {
        DeValue::String(text) if text.trim().is_empty() => {
            Err(Refusal::new("a text that is not empty", "fill it in, or leave the key out"))
        }
        DeValue::String(text) if text.chars().any(char::is_control) => {
            Err(Refusal::new("a text without control characters", "remove them"))
        }
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(Refusal::new("a text in quotes", "write it in double quotes").of(Shape::Text)),
    }
}

/// The name of an object: a letter or digit, then letters, digits, `.`, `_` and `-`.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Refusal> {
    let name = text(value).map_err(|refusal| match refusal.shape {
        Some(_) => refusal.of(Shape::Name),
        None => refusal,
    })?;
    name_text(&name)?;
    Ok(name)
}

/// Whether `name` may name an object.
pub(super) fn name_text(name: &str) -> Result<(), Refusal> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if letters && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= NAME_LIMIT {
        return Ok(());
    }
    Err(Refusal::new(
        format!("a name: letters, digits, '.', '_' and '-', beginning with a letter or digit, at most {NAME_LIMIT}"),
        "choose such a name; it appears in every record",
    ))
}

/// A host name for records: RFC 5424's HOSTNAME, 1 to 255 printable ASCII characters without spaces.
pub(super) fn host_name(value: &DeValue<'_>) -> Result<String, Refusal> {
    let name = text(value)?;
    if name.len() <= 255 && name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Ok(name);
    }
    Err(Refusal::new("a host name: 1 to 255 printable ASCII characters without spaces", "use the machine's DNS name"))
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Refusal> {
    match value {
        DeValue::Boolean(boolean) => Ok(*boolean),
        _ => Err(Refusal::new("true or false", "write true or false, without quotes").of(Shape::Boolean)),
    }
}

/// A path; relative ones are relative to the folder in which the process runs.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, Refusal> {
    text(value).map(PathBuf::from)
}

/// A whole number from `first` to `last`.
pub(super) fn number<T>(first: T, last: T) -> impl Fn(&DeValue<'_>) -> Result<T, Refusal>
where
    T: TryFrom<u64> + PartialOrd + Display + Copy,
{
    move |value| {
        let refusal = |advice: &str| Refusal::new(format!("a whole number from {first} to {last}"), advice);
        let DeValue::Integer(integer) = value else {
            let limit = |number: T| number.to_string().parse().unwrap_or(u64::MAX);
            let shape = Shape::Number { first: limit(first), last: limit(last) };
            return Err(refusal("write a whole number, without quotes").of(shape));
        };
        u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| (first..=last).contains(number))
            .ok_or_else(|| refusal("choose a number within these limits"))
    }
}

/// A duration from `first` to `last`, with its unit.
pub(super) fn duration(first: Duration, last: Duration) -> impl Fn(&DeValue<'_>) -> Result<Duration, Refusal> {
    move |value| {
        let limits = format!("from \"{}\" to \"{}\"", units::duration_text(first), units::duration_text(last));
        let with_limits = |refusal: Refusal| Refusal { expected: format!("{}, {limits}", refusal.expected), ..refusal };
        let DeValue::String(text) = value else {
            let refusal = Refusal::new("a duration with its unit", "write it like \"60 s\", in quotes");
            return Err(with_limits(refusal).of(Shape::Duration { first, last }));
        };
        let duration = units::duration(text).map_err(with_limits)?;
        if (first..=last).contains(&duration) {
            return Ok(duration);
        }
        Err(Refusal::new(format!("a duration {limits}"), "choose one within these limits"))
    }
}

/// A size in octets from `first` to `last`, with its unit.
pub(super) fn size(first: u64, last: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, Refusal> {
    move |value| {
        let limits = format!("from \"{}\" to \"{}\"", units::size_text(first), units::size_text(last));
        let with_limits = |refusal: Refusal| Refusal { expected: format!("{}, {limits}", refusal.expected), ..refusal };
        let DeValue::String(text) = value else {
            let refusal = Refusal::new("a size with its unit", "write it like \"512 MiB\", in quotes");
            return Err(with_limits(refusal).of(Shape::Size { first, last }));
        };
        let size = units::size(text).map_err(with_limits)?;
        if (first..=last).contains(&size) {
            return Ok(size);
        }
        Err(Refusal::new(format!("a size {limits}"), "choose one within these limits"))
    }
}

/// One of a few words. Words of `later` are known, and refused as not implemented, whether they are among `words` or not.
pub(super) fn choice<T: Copy>(
    words: &'static [(&'static str, T)],
    later: &'static [&'static str],
) -> impl Fn(&DeValue<'_>) -> Result<T, Refusal> {
    move |value| {
        let known = || words.iter().filter(|(word, _)| !later.contains(word));
        let list: Vec<String> = known().map(|(word, _)| format!("\"{word}\"")).collect();
        let expected = format!("one of {}", list.join(", "));
        let DeValue::String(text) = value else {
            let words = known().map(|(word, _)| *word).collect();
            return Err(Refusal::new(expected, "write one of these words, in quotes").of(Shape::Choice(words)));
        };
        if let Some((_, meant)) = known().find(|(word, _)| word == text) {
            return Ok(*meant);
        }
        if later.contains(&text.as_ref()) {
            return Err(Refusal::new(expected, format!("\"{text}\" is not implemented in this version: use another")));
        }
        let advice = near::suggest(text, known().map(|(word, _)| *word), "write one of these words");
        Err(Refusal::new(expected, advice))
    }
}

/// A path for a Unix socket: absolute, and short enough for the kernel (`sun_path`, 108 octets with its final zero).
pub(super) fn socket_path(value: &DeValue<'_>) -> Result<PathBuf, Refusal> {
    let path = path(value)?;
    if path.is_absolute() && path.as_os_str().len() < 108 && path.file_name().is_some() {
        return Ok(path);
    }
    Err(Refusal::new("an absolute path of at most 107 octets", "write one like \"/run/ostiary/ostiary.sock\""))
}

/// An address of this machine and a port to listen at.
pub(super) fn listen(value: &DeValue<'_>) -> Result<SocketAddr, Refusal> {
    let advice =
        "write it like \"192.0.2.1:1813\" or \"[2001:db8::1]:1813\"; 0.0.0.0 or [::] for all of this machine's";
    let refusal = || Refusal::new("an address and a port", advice);
    let address: SocketAddr = text(value)?.parse().map_err(|_| refusal())?;
    if address.port() == 0 || address.ip().is_multicast() {
        return Err(refusal());
    }
    Ok(address)
}

/// A group of this machine, by its name or its number; which of them it is, is looked up where it is used.
pub(super) fn group(value: &DeValue<'_>) -> Result<String, Refusal> {
    let refusal = || Refusal::new("the name of a group, or its number", "write it like \"ostiary-read\" or 995");
    match value {
        DeValue::Integer(integer) => {
            let number = u32::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| refusal())?;
            Ok(number.to_string())
        }
        _ => {
            let either = || Shape::Either(vec![Shape::Text, Shape::Number { first: 0, last: u64::from(u32::MAX) }]);
            let name = text(value).map_err(|refusal| refusal.of(either()))?;
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-$".contains(c));
            if plain && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                return Ok(name);
            }
            Err(refusal())
        }
    }
}

/// A folder's absolute path.
pub(super) fn directory(value: &DeValue<'_>) -> Result<PathBuf, Refusal> {
    let path = path(value)?;
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Refusal::new("an absolute path", "write one like \"/var/lib/ostiary\""))
}

/// The public half of a key that signs databases.
pub(super) fn public_key(value: &DeValue<'_>) -> Result<PublicKey, Refusal> {
    PublicKey::parse(&text(value)?).ok_or_else(|| {
        let expected = "an ed25519 public key: 32 octets in base 64";
        Refusal::new(expected, "write what 'ostiary sigdb key FILE' printed when it made the key")
    })
}

/// A name that the kernel gives an interface: at most 15 letters, digits, '.', '_' and '-'.
pub(super) fn interface_name(value: &DeValue<'_>) -> Result<String, Refusal> {
    let name = name(value)?;
    if name.len() <= 15 {
        return Ok(name);
    }
    Err(Refusal::new("a name of at most 15 characters", "choose a shorter one, like \"ostiary0\""))
}

/// A zone of the IANA time zone database.
pub(super) fn time_zone(value: &DeValue<'_>) -> Result<TimeZone, Refusal> {
    let name = text(value)?;
    TimeZone::get(&name).map_err(|_| {
        let advice = "choose one that `timedatectl list-timezones` lists; the tzdata package must be installed";
        Refusal::new("a time zone like \"Asia/Shanghai\" or \"UTC\"", advice)
    })
}
