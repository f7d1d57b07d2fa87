//! Field rules of a route row. Patterns and templates are right by themselves, or they could not be read.

use super::Findings;
use crate::id::Kind;
use crate::route_row::{MAX_POSITION, RouteRow};

pub(super) fn check(row: &RouteRow, findings: &mut Findings) {
    if row.position.is_none() {
        findings.add("position", "is required");
    }
    findings.number("position", row.position, 0..=MAX_POSITION);
    for missing in row.missing_groups() {
        findings.add("routes_to", format!("`{missing}` names a group that the pattern does not have"));
    }
    if row.proxy_list.is_none() {
        findings.add("proxy_list", "is required");
    }
    findings.reference("proxy_list", row.proxy_list.as_ref(), Kind::ProxyList);
}
