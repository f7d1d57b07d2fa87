//! Route rows, to and from the model.

use um_topology as model;
use um_topology::{Id, Kind, Name};

use crate::reader::Reader;
use crate::{Common, Invalid, v1};

impl TryFrom<&v1::Route> for model::RouteRow {
    type Error = Invalid;

    fn try_from(from: &v1::Route) -> Result<Self, Invalid> {
        let mut reader = Reader::default();
        let row = Self {
            id: reader.own_name(Kind::Route, &from.name),
            meta: from.to_meta(),
            position: from.position,
            enabled: from.enabled,
            from_regex: reader.parse("from_regex", from.from_regex.as_ref()),
            to_regex: reader.parse("to_regex", from.to_regex.as_ref()),
            routes_to: reader.parse("routes_to", from.routes_to.as_ref()),
            proxy_list: reader.reference("proxy_list", Kind::ProxyList, from.proxy_list.as_ref()),
        };
        reader.finish(row)
    }
}

impl From<&model::RouteRow> for v1::Route {
    fn from(from: &model::RouteRow) -> Self {
        let mut route = Self {
            position: from.position,
            enabled: from.enabled,
            from_regex: from.from_regex.as_ref().map(|pattern| pattern.text().to_owned()),
            to_regex: from.to_regex.as_ref().map(|pattern| pattern.text().to_owned()),
            routes_to: from.routes_to.as_ref().map(|template| template.text().to_owned()),
            proxy_list: from.proxy_list.as_ref().map(|id| Name::proxy_list(Id::clone(id)).to_string()),
            ..Self::default()
        };
        route.set_name(Name::route(from.id.clone()).to_string());
        route.set_meta(from.meta.as_deref());
        route
    }
}
