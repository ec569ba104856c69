//! The tables of `ostiary show interfaces`, `routes` and `neighbours`.

use super::output::Style;
use super::table::{Cell, Table};
use crate::manage::{InterfaceRow, NeighbourRow, RouteRow};

pub(super) fn interface_table() -> Table {
    Table::new(&["INTERFACE", "ZONE", "MAC", "LINK", "MTU", "ADDRESSES"])
}

pub(super) fn interface_cells(row: &InterfaceRow) -> Vec<Cell> {
    let link = if row.link == "up" { Style::Good } else { Style::Bad };
    vec![
        Cell::text(&row.port),
        Cell::text(&row.zone),
        Cell::text(&row.mac),
        Cell::text(&row.link).style(link),
        Cell::count(row.mtu.into()),
        Cell::text(row.addresses.join(" ")),
    ]
}

pub(super) fn route_table() -> Table {
    Table::new(&["TO", "KIND", "VIA", "INTERFACE"])
}

pub(super) fn route_cells(row: &RouteRow) -> Vec<Cell> {
    vec![
        Cell::text(&row.to),
        Cell::text(&row.kind),
        Cell::text(row.via.as_deref().unwrap_or("-")),
        Cell::text(row.interface.as_deref().unwrap_or("-")),
    ]
}

pub(super) fn neighbour_table() -> Table {
    Table::new(&["ADDRESS", "MAC", "INTERFACE", "STATE", "WAITING"])
}

pub(super) fn neighbour_cells(row: &NeighbourRow) -> Vec<Cell> {
    let style = match row.state.as_str() {
        "reachable" => Style::Good,
        "failed" => Style::Bad,
        _ => Style::Plain,
    };
    vec![
        Cell::text(&row.address),
        Cell::text(row.mac.as_deref().unwrap_or("-")),
        Cell::text(&row.interface),
        Cell::text(&row.state).style(style),
        Cell::count(row.waiting.into()),
    ]
}
