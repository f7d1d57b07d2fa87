//! Flows that fail under transactions.

use super::alone::{Alone, CONTACT, address, request};
use crate::{
    endpoint::{Event, ResponseKind, table::Path},
    flow::{ConnectionId, Flow, LineIndex},
    method::Method,
};

const CONNECTION: ConnectionId = ConnectionId { shard: 0, serial: 1 };

#[test]
fn a_request_without_any_response_fails_with_its_connection() {
    let mut alone = Alone::tcp();
    let (invite, _) = alone.request(Method::Invite);
    let (options, _) = alone.request(Method::Options);
    alone.endpoint.handle_connection_lost(alone.now, CONNECTION);
    let failed: Vec<_> = alone
        .events()
        .into_iter()
        .filter_map(
            |event| if let Event::Unreachable { transaction } = event { Some(transaction) } else { None },
        )
        .collect();
    assert_eq!(failed, [invite, options]);
    alone.assert_empty_after(32_000);
}

#[test]
fn an_icmp_error_fails_only_the_requests_to_that_peer() {
    let mut alone = Alone::udp();
    alone.request(Method::Invite);
    let elsewhere = Flow { remote: address("192.0.2.77:5060"), ..alone.flow };
    alone.endpoint.handle_flow_failed(alone.now, elsewhere);
    alone.endpoint.handle_flow_failed(alone.now, Flow { line: LineIndex(1), ..alone.flow });
    assert!(alone.events().is_empty());
    let flow = alone.flow;
    alone.endpoint.handle_flow_failed(alone.now, flow);
    assert!(matches!(alone.event(), Event::Unreachable { .. }));
}

#[test]
fn after_a_provisional_response_the_loss_is_news_but_no_failure() {
    let mut alone = Alone::tcp();
    let (id, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 100, "", "");
    alone.events();
    alone.endpoint.handle_connection_lost(alone.now, CONNECTION);
    assert!(matches!(alone.event(), Event::FlowLost { transaction } if transaction == id));
    alone.answer(&invite, 200, "um", CONTACT);
    assert_eq!(alone.responded().0, ResponseKind::Success);
}

#[test]
fn what_is_sent_after_the_loss_asks_for_a_new_connection() {
    let mut alone = Alone::tcp();
    let (_, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 100, "", "");
    alone.endpoint.handle_connection_lost(alone.now, CONNECTION);
    alone.taken();
    alone.answer(&invite, 486, "um", "");
    assert_eq!(alone.taken().remove(0).0, Flow { connection: None, ..alone.flow });
}

#[test]
fn a_late_200_after_the_loss_is_still_dealt_with() {
    let mut alone = Alone::tcp();
    let (_, invite) = alone.request(Method::Invite);
    alone.endpoint.handle_connection_lost(alone.now, CONNECTION);
    alone.events();
    alone.answer(&invite, 200, "um", CONTACT);
    assert_eq!(alone.responded().0, ResponseKind::Late);
}

#[test]
fn a_failed_flow_without_transactions_is_nothing() {
    let mut alone = Alone::tcp();
    alone.endpoint.handle_connection_lost(alone.now, CONNECTION);
    let flow = alone.flow;
    alone.endpoint.handle_flow_failed(alone.now, flow);
    assert!(alone.events().is_empty());
}

#[test]
fn an_icmp_error_does_not_walk_over_transactions_that_have_their_answer() {
    let mut alone = Alone::udp();
    let (_, options) = alone.request(Method::Options);
    alone.receive(&request("INFO", 1, "1", ""));
    let path = Path::from(&alone.flow);
    assert_eq!(alone.endpoint.table.on_path(path).len(), 1, "only the request that waits");
    alone.answer(&options, 200, "x", "");
    assert!(alone.endpoint.table.on_path(path).is_empty());
    assert_eq!(alone.endpoint.transactions(), 2);
}
