//! Plots as SVG: lines over a logarithmic axis, and bars. Plain shapes and text, nothing that a browser would have to run.

use std::fmt::Write;

/// A curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// From left to right; x above 0.
    pub points: Vec<(f64, f64)>,
}

/// A bar with its range.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Below it.
    pub name: String,
    /// Its height.
    pub value: f64,
    /// Lowest and highest of all runs.
    pub range: (f64, f64),
}

/// Curves over a logarithmic x axis.
pub fn lines(title: &str, x: &str, y: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let top = nice(points().fold(0.0, |top: f64, point| top.max(point.1)));
    let (left, right) =
        points().fold((f64::INFINITY, 0.0_f64), |(low, high), point| (low.min(point.0), high.max(point.0)));
    let (left, span) = (left.log10(), (right / left).log10().max(1e-9));
    let at = |(x, y): (f64, f64)| (LEFT + (x.log10() - left) / span * WIDE, place(y, top));
    let mut out = frame(title, y, top);
    let mut ticks: Vec<f64> = points().map(|point| point.0).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    for tick in ticks {
        text(&mut out, at((tick, 0.0)).0, BOTTOM + 18.0, "middle", &short(tick));
    }
    text(&mut out, LEFT + WIDE / 2.0, BOTTOM + 38.0, "middle", x);
    for (series, (colour, row)) in series.iter().zip(COLOURS.iter().cycle().zip(0_u32..)) {
        let path: Vec<String> = series
            .points
            .iter()
            .map(|point| {
                let (x, y) = at(*point);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ =
            writeln!(out, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, path.join(" "));
        for point in &path {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(out, r#"<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>"#);
        }
        let y = TOP + 8.0 + 18.0 * f64::from(row);
        let _ = writeln!(out, r#"<rect x="{}" y="{}" width="12" height="4" fill="{colour}"/>"#, RIGHT + 12.0, y - 4.0);
        text(&mut out, RIGHT + 30.0, y + 1.0, "start", &series.name);
    }
    out + "</svg>\n"
}

/// Bars beside each other.
pub fn bars(title: &str, y: &str, bars: &[Bar]) -> String {
    let top = nice(bars.iter().fold(0.0, |top: f64, bar| top.max(bar.range.1)));
    let step = WIDE / bars.len().max(1) as f64;
    let mut out = frame(title, y, top);
    for (bar, number) in bars.iter().zip(0_u32..) {
        let x = LEFT + step * (f64::from(number) + 0.5);
        let high = place(bar.value, top);
        let (width, colour) = (step * 0.6, COLOURS[0]);
        let _ = writeln!(
            out,
            r#"<rect x="{:.1}" y="{high:.1}" width="{width:.1}" height="{:.1}" fill="{colour}"/>"#,
            x - width / 2.0,
            BOTTOM - high
        );
        let (low, high) = (place(bar.range.0, top), place(bar.range.1, top));
        let _ = writeln!(out, r#"<path d="M{x:.1} {low:.1}V{high:.1}" stroke="black"/>"#);
        text(&mut out, x, BOTTOM + 18.0, "middle", &bar.name);
        text(&mut out, x, high - 6.0, "middle", &short(bar.value));
    }
    out + "</svg>\n"
}

/// Title, y axis with five lines, background.
fn frame(title: &str, y: &str, top: f64) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for line in 0..=5_u32 {
        let value = top * f64::from(line) / 5.0;
        let at = place(value, top);
        let _ = writeln!(out, r##"<path d="M{LEFT} {at:.1}H{RIGHT}" stroke="#ddd"/>"##);
        text(&mut out, LEFT - 6.0, at + 4.0, "end", &short(value));
    }
    let _ = writeln!(out, r#"<text x="{LEFT}" y="20" font-size="15">{}</text>"#, escaped(title));
    let _ = writeln!(out, r#"<text x="{LEFT}" y="36" fill="gray">{}</text>"#, escaped(y));
    out
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(words));
}

fn place(value: f64, top: f64) -> f64 {
    BOTTOM - value / top * (BOTTOM - TOP)
}

/// The next of 1, 2, 5, 10 … above, so that five lines have round numbers.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|&top| top >= value).unwrap_or(value)
}

fn short(value: f64) -> String {
    let trimmed = |number: f64, unit: &str| {
        let digits = if number >= 100.0 || number.fract() == 0.0 { 0 } else { 1 };
        format!("{number:.digits$}{unit}")
    };
    match value {
        value if value >= 1e6 => trimmed(value / 1e6, " M"),
        value if value >= 1e4 => trimmed(value / 1e3, " k"),
        value if value > 0.0 && value < 1.0 => format!("{value:.2}"),
        value => trimmed(value, ""),
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 700.0;
const WIDE: f64 = RIGHT - LEFT;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 360.0;
/// Told apart by the colour-blind too (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_value_stands_higher_and_more_stands_to_the_right() {
        let series = Series { name: "a < b".to_owned(), points: vec![(1e3, 10.0), (1e6, 5.0)] };
        let svg = lines("t", "x", "y", &[series]);
        assert!(svg.contains("a &lt; b") && svg.contains(r#"points="60.0,50.0 700.0,205.0""#), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn bars_reach_their_value() {
        let bar = Bar { name: "one".to_owned(), value: 2.5, range: (2.0, 5.0) };
        assert!(bars("t", "y", &[bar]).contains(r#"y="205.0" width="384.0" height="155.0""#));
    }
}
