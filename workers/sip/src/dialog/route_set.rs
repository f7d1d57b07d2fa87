//! The route set of a dialog and what it makes of a request: loose and strict routing (RFC 3261 §12.1, §12.2.1.1).

use smallvec::SmallVec;

use crate::{name_addr::NameAddr, uri::Uri};

/// The proxies that asked to stay on the way of a dialog, nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet {
    hops: SmallVec<[NameAddr; 1]>,
}

/// Where a request in a dialog goes and what it says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Request-URI.
    pub request_uri: Uri,
    /// Values of Route, in order.
    pub routes: Vec<NameAddr>,
}

impl RouteSet {
    /// Takes the Record-Route values of a request, for its UAS: in the order in which they stand (§12.1.1).
    #[must_use]
    pub fn of_uas(record_routes: Vec<NameAddr>) -> Self {
        Self { hops: record_routes.into() }
    }

    /// Takes the Record-Route values of a response, for the UAC: in reverse (§12.1.2).
    #[must_use]
    pub fn of_uac(mut record_routes: Vec<NameAddr>) -> Self {
        record_routes.reverse();
        Self::of_uas(record_routes)
    }

    /// Returns the proxies in order, as they go into Route.
    #[must_use]
    pub fn hops(&self) -> &[NameAddr] {
        &self.hops
    }

    /// Returns the URI that decides where a request is sent: the first hop, else the remote target (§8.1.2).
    #[must_use]
    pub fn next_hop<'a>(&'a self, remote_target: &'a Uri) -> &'a Uri {
        self.hops.first().map_or(remote_target, |hop| &hop.uri)
    }

    /// Returns Request-URI and Route of a request to the remote target. A first hop without `lr` is a strict router
    /// of RFC 2543: it wants itself in the Request-URI and the target at the end (§12.2.1.1).
    #[must_use]
    pub fn route(&self, remote_target: &Uri) -> Routing {
        let target = remote_target.without_headers();
        match self.hops.split_first() {
            Some((first, rest)) if !first.uri.is_loose_router() => {
                let mut routes = rest.to_vec();
                routes.push(NameAddr::new(target));
                Routing { request_uri: first.uri.without_headers().without_param("method"), routes }
            }
            Some(_) | None => Routing { request_uri: target, routes: self.hops.to_vec() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text.as_bytes()).expect("a valid URI")
    }

    fn routes(values: &[&str]) -> Vec<NameAddr> {
        values.iter().map(|value| NameAddr::parse(value.as_bytes()).expect("a valid route")).collect()
    }

    fn loose() -> Vec<NameAddr> {
        routes(&["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>;x=1"])
    }

    fn texts(routes: &[NameAddr]) -> Vec<String> {
        routes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_set_sends_to_the_remote_target() {
        let set = RouteSet::default();
        let target = uri("sip:a@192.0.2.1:5070;transport=tcp");
        assert_eq!(set.next_hop(&target), &target);
        assert_eq!(set.route(&target), Routing { request_uri: target, routes: Vec::new() });
    }

    #[test]
    fn loose_routes_go_into_route_and_the_target_into_the_request_uri() {
        let set = RouteSet::of_uas(loose());
        let routing = set.route(&uri("sip:a@192.0.2.1"));
        assert_eq!(routing.request_uri, uri("sip:a@192.0.2.1"));
        assert_eq!(texts(&routing.routes), ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>;x=1"]);
        assert_eq!(set.next_hop(&uri("sip:a@192.0.2.1")), &uri("sip:p1.example.com;lr"));
    }

    #[test]
    fn the_uac_keeps_the_routes_in_reverse() {
        let set = RouteSet::of_uac(loose());
        assert_eq!(texts(set.hops()), ["<sip:p2.example.com;lr>;x=1", "<sip:p1.example.com;lr>"]);
    }

    #[test]
    fn a_strict_router_takes_the_request_uri_and_the_target_goes_last() {
        let set =
            RouteSet::of_uas(routes(&["<sip:strict.example.com;method=INVITE>", "<sip:p2.example.com;lr>"]));
        let routing = set.route(&uri("sip:a@192.0.2.1?subject=x"));
        assert_eq!(routing.request_uri, uri("sip:strict.example.com"));
        assert_eq!(texts(&routing.routes), ["<sip:p2.example.com;lr>", "<sip:a@192.0.2.1>"]);
    }
}
