//! Proxy lists, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::line::{protocol_from_model, protocol_to_model};
use crate::reader::{Reader, host_text};
use crate::time::duration_to_proto;
use crate::v1::{self, proxy_list};
use crate::{Common, Invalid};

impl TryFrom<&v1::ProxyList> for model::ProxyList {
    type Error = Invalid;

    fn try_from(from: &v1::ProxyList) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let list = Self {
            id: reader.own_name(Kind::ProxyList, &from.name),
            meta: from.to_meta(),
            strategy: reader.value("strategy", from.strategy, strategy_to_model),
            hash_on: reader.value("hash_on", from.hash_on, hash_on_to_model),
            protocol: reader.value("protocol", from.protocol, protocol_to_model),
            timeout: reader.duration("timeout", from.timeout.as_ref()),
            failover_budget: reader.duration("failover_budget", from.failover_budget.as_ref()),
            attempt_timeout: reader.duration("attempt_timeout", from.attempt_timeout.as_ref()),
            entries: from
                .entries
                .iter()
                .enumerate()
                .map(|(index, entry)| entry_to_model(&mut reader, index, entry))
                .collect(),
        };
        reader.finish(list)
    }
}

impl From<&model::ProxyList> for v1::ProxyList {
    fn from(from: &model::ProxyList) -> Self {
        let mut list = Self {
            strategy: from.strategy.map(|strategy| strategy_from_model(strategy).into()),
            hash_on: from.hash_on.map(|hash_on| hash_on_from_model(hash_on).into()),
            protocol: from.protocol.map(|protocol| protocol_from_model(protocol).into()),
            timeout: from.timeout.map(duration_to_proto),
            failover_budget: from.failover_budget.map(duration_to_proto),
            attempt_timeout: from.attempt_timeout.map(duration_to_proto),
            entries: from.entries.iter().map(entry_from_model).collect(),
            ..Self::default()
        };
        list.set_name(Name::proxy_list(from.id.clone()).to_string());
        list.set_meta(from.meta.as_deref());
        list
    }
}

fn entry_to_model(reader: &mut Reader, index: usize, from: &proxy_list::Entry) -> model::Entry {
    let path = |field: &str| format!("entries[{index}].{field}");
    model::Entry {
        id: Id::new(from.id()),
        address: reader.host(&path("address"), from.address.as_ref()),
        port: reader.port(&path("port"), from.port),
        transport: reader.value(&path("transport"), from.transport, protocol_to_model),
        priority: from.priority,
        weight: from.weight,
        max_calls: from.max_calls,
        active: from.active,
        health: from
            .health
            .as_ref()
            .map(|health| health_to_model(reader, &path("health"), health))
            .unwrap_or_default(),
    }
}

fn entry_from_model(from: &model::Entry) -> proxy_list::Entry {
    proxy_list::Entry {
        id: Some(from.id.to_string()),
        address: from.address.as_ref().map(host_text),
        port: from.port.map(Into::into),
        transport: from.transport.map(|transport| protocol_from_model(transport).into()),
        priority: from.priority,
        weight: from.weight,
        max_calls: from.max_calls,
        active: from.active,
        health: health_from_model(&from.health),
    }
}

fn health_to_model(reader: &mut Reader, path: &str, from: &proxy_list::Health) -> model::Health {
    let interval = from.options_interval.as_ref();
    model::Health {
        options_interval: reader.duration(&format!("{path}.options_interval"), interval),
        options_timeout: reader.duration(&format!("{path}.options_timeout"), from.options_timeout.as_ref()),
        fall: from.fall,
        rise: from.rise,
        dead_codes: reader.parse(&format!("{path}.dead_codes"), from.dead_codes.as_ref()),
        passive_fall: from.passive_fall,
    }
}

fn health_from_model(from: &model::Health) -> Option<proxy_list::Health> {
    let health = proxy_list::Health {
        options_interval: from.options_interval.map(duration_to_proto),
        options_timeout: from.options_timeout.map(duration_to_proto),
        fall: from.fall,
        rise: from.rise,
        dead_codes: from.dead_codes.as_ref().map(|codes| codes.text().to_owned()),
        passive_fall: from.passive_fall,
    };
    (health != proxy_list::Health::default()).then_some(health)
}

const fn strategy_to_model(strategy: proxy_list::Strategy) -> Option<model::Strategy> {
    match strategy {
        proxy_list::Strategy::Unspecified => None,
        proxy_list::Strategy::Ordered => Some(model::Strategy::Ordered),
        proxy_list::Strategy::RoundRobin => Some(model::Strategy::RoundRobin),
        proxy_list::Strategy::Weighted => Some(model::Strategy::Weighted),
        proxy_list::Strategy::LeastCalls => Some(model::Strategy::LeastCalls),
        proxy_list::Strategy::Hash => Some(model::Strategy::Hash),
    }
}

const fn strategy_from_model(strategy: model::Strategy) -> proxy_list::Strategy {
    match strategy {
        model::Strategy::Ordered => proxy_list::Strategy::Ordered,
        model::Strategy::RoundRobin => proxy_list::Strategy::RoundRobin,
        model::Strategy::Weighted => proxy_list::Strategy::Weighted,
        model::Strategy::LeastCalls => proxy_list::Strategy::LeastCalls,
        model::Strategy::Hash => proxy_list::Strategy::Hash,
    }
}

const fn hash_on_to_model(hash_on: proxy_list::HashOn) -> Option<model::HashOn> {
    match hash_on {
        proxy_list::HashOn::Unspecified => None,
        proxy_list::HashOn::CallId => Some(model::HashOn::CallId),
        proxy_list::HashOn::From => Some(model::HashOn::From),
        proxy_list::HashOn::Mailbox => Some(model::HashOn::Mailbox),
    }
}

const fn hash_on_from_model(hash_on: model::HashOn) -> proxy_list::HashOn {
    match hash_on {
        model::HashOn::CallId => proxy_list::HashOn::CallId,
        model::HashOn::From => proxy_list::HashOn::From,
        model::HashOn::Mailbox => proxy_list::HashOn::Mailbox,
    }
}
