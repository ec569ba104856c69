//! Places: offsets, and anchors behind fields of variable length.

use std::collections::BTreeMap;

use super::protocol::Scope;
use super::{Checked, hex};
use crate::program::{Anchor, Base, DEAREST_ANCHOR, Position, Span, Test, Tlv, WINDOW};
use crate::source::{AnchorSource, PositionSource};

impl Scope<'_> {
    pub(super) fn position(&self, source: &PositionSource) -> Checked<Position> {
        position(source, self.anchors)
    }

    /// The anchor of that name, which has a length.
    pub(super) fn counting(&self, name: &str) -> Checked<u8> {
        counting(name, self.anchors)
    }
}

/// Anchors in an order in which each stands on fixed ground or on one before it: no circle can arise.
pub(super) fn anchors(sources: &BTreeMap<String, AnchorSource>) -> Checked<Vec<Anchor>> {
    let mut anchors: Vec<Anchor> = Vec::new();
    let mut left: Vec<_> = sources.iter().collect();
    while !left.is_empty() {
        let mut refused = String::new();
        let mut later = Vec::new();
        for (name, source) in left.iter().copied() {
            match anchor(name, source, &anchors) {
                Ok(anchor) => anchors.push(anchor),
                Err(what) => {
                    refused = format!("{name}: {what}");
                    later.push((name, source));
                }
            }
        }
        if later.len() == left.len() {
            return Err(refused);
        }
        left = later;
    }
    match Anchor::costs(&anchors) {
        Some(costs) if costs.iter().all(|cost| *cost <= DEAREST_ANCHOR) => Ok(anchors),
        _ => Err(format!("anchors stand on so many others that finding one takes more than {DEAREST_ANCHOR} reads")),
    }
}

fn anchor(name: &str, source: &AnchorSource, anchors: &[Anchor]) -> Checked<Anchor> {
    let own = !["start", "end", "body"].contains(&name) && name.bytes().all(|octet| octet.is_ascii_alphanumeric());
    if !own {
        return Err("the name must be one's own, of letters and digits".into());
    }
    let span = match (source.prefix, source.varint, &source.find, source.tlv) {
        (Some(size @ 1..=4), None, None, None) => Span::Prefix { size, inclusive: source.inclusive.unwrap_or(false) },
        (None, Some(true), None, None) => Span::Varint,
        (None, None, None, Some(kind)) => Span::Tlv(tlv(kind, source, anchors)?),
        (None, None, Some(octets), None) => {
            let within = source.within.unwrap_or(WINDOW as u16);
            let octets = hex(octets)?;
            if octets.is_empty() || usize::from(within) > WINDOW {
                return Err(format!("'find' needs octets, 'within' at most {WINDOW}"));
            }
            Span::Find { octets, within }
        }
        _ => return Err("an anchor has one of 'prefix' (1 to 4), 'varint = true', 'find' and 'tlv'".into()),
    };
    let of_tlv = source.type_size.is_some()
        || source.length_size.is_some()
        || source.pad.is_some()
        || source.stop.is_some()
        || source.begins.is_some()
        || source.inside.is_some();
    let stray = (source.inclusive.is_some() && source.prefix.is_none() && source.tlv.is_none())
        || (source.within.is_some() && source.find.is_none())
        || (of_tlv && source.tlv.is_none())
        || (source.at.is_none() && source.find.is_none() && source.inside.is_none());
    if stray {
        return Err(
            "'inclusive' goes with 'prefix' and 'tlv', 'within' with 'find', 'type-size', 'length-size', 'pad', \
                    'stop', 'begins' and 'in' with 'tlv', and only 'find' and 'in' go without 'at'"
                .into(),
        );
    }
    let start = match &span {
        Span::Tlv(Tlv { inside: Some(outer), .. }) => Position { base: Base::Anchor(*outer), offset: 0 },
        _ => START,
    };
    let at = source.at.as_ref().map_or(Ok(start), |at| position(at, anchors))?;
    let when = Scope::of_anchors(anchors).tests(&source.when)?;
    if when.iter().any(|test| !matches!(test, Test::Octets(..) | Test::Number { .. })) {
        return Err("'if' takes octets, text and numbers at places".into());
    }
    Ok(Anchor { name: name.into(), at, span, when })
}

/// Records as a signature describes them.
fn tlv(kind: u32, source: &AnchorSource, anchors: &[Anchor]) -> Checked<Tlv> {
    let (kind_size, length_size) = (source.type_size.unwrap_or(1), source.length_size.unwrap_or(1));
    if ![kind_size, length_size].iter().all(|size| matches!(size, 1 | 2 | 4)) {
        return Err("'type-size' and 'length-size' are 1, 2 or 4".into());
    }
    let most = u32::MAX >> (32 - 8 * u32::from(kind_size));
    if [Some(kind), source.pad, source.stop].into_iter().flatten().any(|kind| kind > most) {
        return Err(format!("a type in {kind_size} octets is {most} at most"));
    }
    if source.pad == Some(kind) || source.stop == Some(kind) {
        return Err("'pad' and 'stop' have no value: another type than 'tlv'".into());
    }
    let begins = source.begins.as_deref().map_or_else(|| Ok(Vec::new()), hex)?;
    let inside = source.inside.as_ref().map(|name| counting(name, anchors)).transpose()?;
    let inclusive = source.inclusive.unwrap_or(false);
    Ok(Tlv { kind, kind_size, length_size, inclusive, pad: source.pad, stop: source.stop, begins, inside })
}

/// The anchor of that name, which has a length.
fn counting(name: &str, anchors: &[Anchor]) -> Checked<u8> {
    let place = anchors.iter().position(|anchor| anchor.name == name);
    let place = place.ok_or_else(|| format!("{name:?} is no anchor"))?;
    match anchors.get(place) {
        Some(Anchor { span: Span::Find { .. }, .. }) => Err(format!("{name:?} is found, and has no length")),
        _ => Ok(place as u8),
    }
}

pub(super) const START: Position = Position { base: Base::Start, offset: 0 };

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
