//! Field rules of the settings.

use super::Findings;
use crate::id::Kind;
use crate::settings::{MAX_DOMAINS, MAX_REDIRECT_HOSTS, Settings};

pub(super) fn check(settings: &Settings, findings: &mut Findings) {
    findings.count("domains", settings.domains.len(), MAX_DOMAINS);
    for (index, domain) in settings.domains.iter().enumerate() {
        if settings.domains[..index].iter().any(|known| known.same(domain)) {
            findings.add(format!("domains[{index}]"), format!("`{domain}` is listed twice"));
        }
    }
    findings.count("allowed_redirect_hosts", settings.allowed_redirect_hosts.len(), MAX_REDIRECT_HOSTS);
    let line = settings.station_defaults.contact_line.as_ref();
    findings.reference("station_defaults.contact_line", line, Kind::Line);
}
