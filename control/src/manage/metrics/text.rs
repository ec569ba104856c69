//! Measurements as text: OpenMetrics 1.0, or the form that Prometheus had before, 0.0.4.

use std::fmt::{Display, Write};

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus's text format 0.0.4.
    Plain,
}

/// What a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the process starts anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Octets of a page at most: what a turn of the loop writes, whatever is configured.
pub(super) const LARGEST: usize = 1 << 20;

/// Kept free for what stands at the end of every page.
const END: usize = 512;

/// A page in the making. Each family is written once, and its samples right behind it.
#[derive(Debug)]
pub(super) struct Page {
    form: Form,
    out: String,
    /// What the samples of the family are called.
    sample: String,
    /// Samples that found no room.
    left_out: u64,
}

impl Form {
    /// What a client that sends this `Accept` is given: OpenMetrics where it says so, and likes it no less than plain text.
    pub(super) fn accepted(accept: &str) -> Self {
        let (mut open, mut plain) = (0, 0);
        for range in accept.to_ascii_lowercase().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let (mut weight, mut version) = (1_000, None);
            for (key, value) in parts.filter_map(|part| part.split_once('=')) {
                match key {
                    "q" => weight = thousandths(value),
                    "version" => version = Some(value.trim_matches('"')),
                    _ => {}
                }
            }
            match name {
                "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                    open = open.max(weight);
                }
                "text/plain" if version.is_none_or(|version| version == "0.0.4") => plain = plain.max(weight),
                _ => {}
            }
        }
        if open > 0 && open >= plain { Self::OpenMetrics } else { Self::Plain }
    }

    /// The `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Page {
    pub(super) fn new(form: Form) -> Self {
        Self { form, out: String::with_capacity(64 << 10), sample: String::new(), left_out: 0 }
    }

    /// Begins a family. `name` is without `_total`, and ends with its unit, where it has one.
    pub(super) fn family(&mut self, name: &str, kind: Kind, unit: Option<&str>, help: &str) {
        debug_assert!(unit.is_none_or(|unit| name.ends_with(&format!("_{unit}"))), "{name}");
        let suffix = if kind == Kind::Counter { "_total" } else { "" };
        self.sample = format!("{name}{suffix}");
        // The older form knows samples only, so that a family goes by the name of those.
        let family = if self.form == Form::OpenMetrics { name } else { &self.sample };
        let word = if kind == Kind::Counter { "counter" } else { "gauge" };
        let begin = self.out.len();
        // Writing into memory cannot fail, here and below.
        let _ = writeln!(self.out, "# TYPE {family} {word}");
        if let (Some(unit), Form::OpenMetrics) = (unit, self.form) {
            let _ = writeln!(self.out, "# UNIT {family} {unit}");
        }
        let quotes = self.form == Form::OpenMetrics;
        let _ = write!(self.out, "# HELP {family} ");
        escape(&mut self.out, help, quotes);
        self.out.push('\n');
        self.keep_within(begin);
    }

    /// A sample of the family that was begun last.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let begin = self.out.len();
        self.out.push_str(&self.sample);
        for (at, (name, text)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{name}=\"", if at == 0 { '{' } else { ',' });
            escape(&mut self.out, text, true);
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
        self.left_out += u64::from(!self.keep_within(begin));
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &str, kind: Kind, unit: Option<&str>, help: &str, value: impl Display) {
        self.family(name, kind, unit, help);
        self.sample(&[], value);
    }

    /// The page.
    pub(super) fn finish(mut self) -> String {
        let left_out = std::mem::take(&mut self.left_out);
        let help = "Samples that found no room in this page.";
        self.single("ostiary_metrics_samples_left_out", Kind::Gauge, None, help, left_out);
        if self.form == Form::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// Takes back what was written since `begin` where it finds no room; whether it did.
    fn keep_within(&mut self, begin: usize) -> bool {
        let is_end = self.sample == "ostiary_metrics_samples_left_out";
        let fits = self.out.len() <= if is_end { LARGEST } else { LARGEST - END };
        if !fits {
            self.out.truncate(begin);
        }
        fits
    }
}

/// A weight of `Accept` (RFC 9110, 12.4.2), from 0 to 1,000; 0 where it is none.
fn thousandths(text: &str) -> u16 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{rest:0<3}");
    match (whole, digits.get(..3).map(str::parse::<u16>)) {
        ("1", _) => 1_000,
        ("0", Some(Ok(rest))) => rest,
        _ => 0,
    }
}

/// The first sentence of what is written about something in the code, without the marks of its language.
pub(super) fn help(about: &str) -> String {
    let text = about.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.strip_prefix("Gauge: ").unwrap_or(&text);
    let end = text.find(". ").unwrap_or(text.len());
    let mut first = text[..end].trim_end_matches('.').replace(['`', '[', ']'], "");
    if let Some(letter) = first.get(..1) {
        let upper = letter.to_uppercase();
        first.replace_range(..1, &upper);
    }
    first.push('.');
    first
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(form: Form) -> String {
        let mut page = Page::new(form);
        page.family("ostiary_port_received_bytes", Kind::Counter, Some("bytes"), "Octets \"in\".");
        page.sample(&[("port", "in\"si\\de\n"), ("zone", "a")], 7);
        page.family("ostiary_up", Kind::Gauge, None, "It runs.");
        page.sample(&[], 1);
        page.finish()
    }

    #[test]
    fn both_forms_are_as_their_standards_have_them() {
        assert_eq!(
            page(Form::OpenMetrics),
            "# TYPE ostiary_port_received_bytes counter\n# UNIT ostiary_port_received_bytes bytes\n\
             # HELP ostiary_port_received_bytes Octets \\\"in\\\".\n\
             ostiary_port_received_bytes_total{port=\"in\\\"si\\\\de\\n\",zone=\"a\"} 7\n\
             # TYPE ostiary_up gauge\n# HELP ostiary_up It runs.\nostiary_up 1\n\
             # TYPE ostiary_metrics_samples_left_out gauge\n# HELP ostiary_metrics_samples_left_out Samples that found no room in this page.\n\
             ostiary_metrics_samples_left_out 0\n# EOF\n"
        );
        assert_eq!(
            page(Form::Plain),
            "# TYPE ostiary_port_received_bytes_total counter\n\
             # HELP ostiary_port_received_bytes_total Octets \"in\".\n\
             ostiary_port_received_bytes_total{port=\"in\\\"si\\\\de\\n\",zone=\"a\"} 7\n\
             # TYPE ostiary_up gauge\n# HELP ostiary_up It runs.\nostiary_up 1\n\
             # TYPE ostiary_metrics_samples_left_out gauge\n# HELP ostiary_metrics_samples_left_out Samples that found no room in this page.\n\
             ostiary_metrics_samples_left_out 0\n"
        );
    }

    #[test]
    fn prometheus_is_given_what_it_asks_for() {
        let asks = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                    text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Form::accepted(asks), Form::OpenMetrics);
        assert_eq!((Form::accepted("*/*"), Form::accepted("")), (Form::Plain, Form::Plain));
        let one = |accept| Form::accepted(accept);
        assert_eq!(one("application/openmetrics-text"), Form::OpenMetrics);
        assert_eq!(one("Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.001"), Form::OpenMetrics);
        for plain in [
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.000",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=0.4,text/plain",
            "application/openmetrics-text;version=2.0.0",
            "text/plain;version=0.0.4",
        ] {
            assert_eq!(one(plain), Form::Plain, "{plain}");
        }
    }

    #[test]
    fn a_page_has_an_end_whatever_there_is_to_tell() {
        for form in [Form::OpenMetrics, Form::Plain] {
            let mut page = Page::new(form);
            page.family("ostiary_many", Kind::Gauge, None, "Many.");
            (0..100_000).for_each(|number| page.sample(&[("of", &number.to_string())], 1));
            page.single("ostiary_late", Kind::Gauge, None, "It comes too late.", 1);
            let text = page.finish();
            assert!(text.len() <= LARGEST && text.len() > LARGEST - 2 * END);
            let shown = text.lines().filter(|line| line.starts_with("ostiary_many{")).count() as u64;
            let left = text.lines().find_map(|line| line.strip_prefix("ostiary_metrics_samples_left_out "));
            let late = text.lines().filter(|line| line.starts_with("ostiary_late ")).count() as u64;
            assert_eq!(left.unwrap().parse::<u64>().unwrap() + shown + late, 100_001);
        }
    }

    #[test]
    fn help_is_the_first_sentence() {
        assert_eq!(
            help(" Gauge: flows with the engine\n now. Those named are among them.\n"),
            "Flows with the engine now."
        );
        assert_eq!(help("Frames. Each is `x`"), "Frames.");
        assert_eq!(help("RADIUS requests seen."), "RADIUS requests seen.");
    }
}
