//! Field rules of a proxy list and its entries.

use std::collections::BTreeMap;

use super::Findings;
use crate::id::{Id, Kind};
use crate::proxy_list::{Entry, Health, MAX_ENTRIES, ProxyList, Strategy};

pub(super) fn check(list: &ProxyList, findings: &mut Findings) {
    findings.duration("timeout", list.timeout, 500..=180_000);
    findings.duration("failover_budget", list.failover_budget, 500..=180_000);
    findings.duration("attempt_timeout", list.attempt_timeout, 100..=32_000);
    if list.hash_on.is_some() && list.effective_strategy() != Strategy::Hash {
        findings.add("hash_on", "only strategy HASH reads it");
    }
    findings.count("entries", list.entries.len(), MAX_ENTRIES);
    let mut ids: BTreeMap<&Id, usize> = BTreeMap::new();
    for (index, item) in list.entries.iter().enumerate() {
        entry(item, &format!("entries[{index}]"), findings);
        if let Some(first) = ids.get(&item.id) {
            findings
                .add(format!("entries[{index}].id"), format!("`{}` is the id of entries[{first}]", item.id));
        } else {
            ids.insert(&item.id, index);
        }
    }
}

fn entry(entry: &Entry, path: &str, findings: &mut Findings) {
    let field = |name: &str| format!("{path}.{name}");
    findings.reference(&field("id"), Some(&entry.id), Kind::ProxyList);
    match &entry.address {
        None => findings.add(field("address"), "is required"),
        Some(host) if host.ip().is_some_and(|ip| ip.is_unspecified()) => {
            findings.add(field("address"), "a wildcard address cannot be reached");
        }
        Some(_) => {}
    }
    findings.number(&field("port"), entry.port, 1..=65535);
    findings.number(&field("priority"), entry.priority, 0..=65535);
    findings.number(&field("weight"), entry.weight, 0..=65535);
    health(&entry.health, &field("health"), findings);
}

fn health(health: &Health, path: &str, findings: &mut Findings) {
    let field = |name: &str| format!("{path}.{name}");
    findings.duration(&field("options_interval"), health.options_interval, 1_000..=3_600_000);
    findings.duration(&field("options_timeout"), health.options_timeout, 100..=32_000);
    if health.effective_options_timeout() > health.effective_options_interval() {
        let name = if health.options_timeout.is_some() { "options_timeout" } else { "options_interval" };
        findings.add(field(name), "the timeout of a probe is longer than the interval between two");
    }
    findings.number(&field("fall"), health.fall, 1..=10);
    findings.number(&field("rise"), health.rise, 1..=10);
    findings.number(&field("passive_fall"), health.passive_fall, 1..=10);
}
