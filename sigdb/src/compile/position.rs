//! Places: offsets, and anchors behind fields of variable length.

use std::collections::BTreeMap;

use super::Checked;
use super::protocol::Scope;
use crate::program::{Anchor, Base, Position};
use crate::source::{AnchorSource, PositionSource};

impl Scope<'_> {
    pub(super) fn position(&self, source: &PositionSource) -> Checked<Position> {
        position(source, self.anchors)
    }
}

pub(super) fn anchors(sources: &BTreeMap<String, AnchorSource>) -> Checked<Vec<Anchor>> {
    let mut anchors = Vec::new();
    for (name, source) in sources {
        if ["start", "end", "body"].contains(&name.as_str()) || !matches!(source.prefix, 1..=4) {
            return Err(format!("{name}: the name must be one's own, and 'prefix' 1 to 4"));
        }
        // An anchor stands on fixed ground or on one before it in the alphabet: no circle can arise.
        let at = position(&source.at, &anchors)?;
        anchors.push(Anchor { name: name.clone(), at, prefix: source.prefix, inclusive: source.inclusive });
    }
    Ok(anchors)
}

fn position(source: &PositionSource, anchors: &[Anchor]) -> Checked<Position> {
    let text = match source {
        PositionSource::Offset(offset) => return Ok(Position { base: Base::Start, offset: i32::from(*offset) }),
        PositionSource::Named(text) => text,
    };
    let (name, offset) = match text.find(['+', '-']) {
        Some(sign) => {
            let digits: String = text[sign..].chars().filter(|c| !c.is_whitespace()).collect();
            (text[..sign].trim(), digits.parse().map_err(|_| format!("{text:?}: no offset behind the sign"))?)
        }
        None => (text.trim(), 0),
    };
    let base = match name {
        "start" => Base::Start,
        "end" => Base::End,
        "body" => Base::Body,
        _ => {
            let known = anchors.iter().position(|anchor| anchor.name == name);
            Base::Anchor(known.ok_or_else(|| format!("{name:?} is neither start, end, body nor an anchor"))? as u8)
        }
    };
    Ok(Position { base, offset })
}
