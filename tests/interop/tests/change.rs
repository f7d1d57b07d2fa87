//! Changes while calls run: a new proxy order, and a line whose port is taken.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Behaviour, Caller, Product, Server, Transport, clock};

#[test]
fn a_changed_order_is_in_force_within_a_second_and_leaves_running_calls_alone() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let first = Server::start(servers[0], Transport::Udp, Behaviour::Answer)?;
        let second = Server::start(servers[1], Transport::Udp, Behaviour::Answer)?;
        let mut topology = plan(place, Transport::Udp, Transport::Udp, &servers);
        let product = Product::start(place, &topology)?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut running = caller.call("6000", "")?;
        ensure!(running.outcome(Duration::from_secs(5))?.status() == Some(200), "not answered");
        let [invited] = &first.seen("INVITE")[..] else {
            anyhow::bail!("the first server was not the first choice");
        };
        // The calls that look for the new order may reach the first server too; this one is the running call.
        let kept = invited.message.header("Call-ID").context("a Call-ID")?;
        let hung_up = || first.seen("BYE").iter().any(|bye| bye.message.header("Call-ID") == Some(kept));

        topology.entries.reverse();
        product.apply("order.yaml", &topology.list())?;
        let applied = clock::now();
        let taken = clock::until("the other server to be called", Duration::from_secs(5), || {
            let mut call = caller.call("6000", "")?;
            ensure!(call.outcome(Duration::from_secs(5))?.status() == Some(200), "not answered");
            call.hang_up()?;
            second.seen("INVITE").into_iter().next().ok_or_else(|| anyhow!("the order is the old one"))
        })?;
        let took = taken.at.saturating_duration_since(applied);
        ensure!(took < Duration::from_secs(1), "the order was in force {took:?} after umctl returned");

        clock::until("the fleet to show the revision", Duration::from_secs(5), || {
            let workers = product.umctl_json(&["workers"])?;
            let worker = &workers["workers"][0];
            ensure!(worker["appliedRevision"] == worker["targetRevision"], "{worker}");
            let shown = &product.umctl_json(&["get", "proxylist", "um"])?["revision"];
            let (applied, changed) = (number(&worker["appliedRevision"])?, number(shown)?);
            ensure!(applied >= changed, "the worker runs {applied}, the list changed at {changed}");
            Ok(())
        })?;
        ensure!(!hung_up(), "a running call was hung up");
        running.hang_up()?;
        clock::until("the running call to end", Duration::from_secs(2), || {
            ensure!(hung_up(), "its BYE did not reach the first server");
            Ok(())
        })?;
        product.settled(Duration::from_secs(5))
    })
}

#[test]
fn a_line_on_a_taken_port_is_shown_and_heals_and_touches_no_other_line() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let _server = Server::start(servers[0], Transport::Udp, Behaviour::Answer)?;
        let topology = plan(place, Transport::Udp, Transport::Udp, &servers);
        let product = Product::start(place, &topology)?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let squatter = UdpSocket::bind(place.at(2, 5090)).context("the port that is taken")?;

        let line = format!(
            "kind: Line\nname: late\nusage: GENERAL\n\
             transport: {{protocol: UDP, audio: RTP, bind_address: {}, receive_port: 5090}}\n",
            place.host(2)
        );
        product.apply("late.yaml", &line)?;
        clock::until("the line to be shown as not programmed", Duration::from_secs(5), || {
            let shown = product.umctl(&["get", "line"])?;
            let row = shown.lines().find(|row| row.starts_with("late")).context("no line late")?;
            ensure!(row.contains("False"), "{shown}");
            let others: Vec<_> = shown.lines().skip(1).filter(|row| !row.starts_with("late")).collect();
            ensure!(others.len() == 2 && others.iter().all(|row| row.contains("True")), "{shown}");
            let workers = product.umctl(&["workers"])?;
            ensure!(workers.contains("rejects lines/late"), "{workers}");
            Ok(())
        })?;
        let mut call = caller.call("6000", "")?;
        ensure!(call.outcome(Duration::from_secs(5))?.status() == Some(200), "another line suffers");
        call.hang_up()?;

        drop(squatter);
        clock::until("the line to heal", Duration::from_secs(20), || {
            let shown = product.umctl(&["get", "line"])?;
            let row = shown.lines().find(|row| row.starts_with("late")).context("no line late")?;
            ensure!(row.contains("True"), "{shown}");
            let workers = product.umctl(&["workers"])?;
            ensure!(!workers.contains("rejects"), "{workers}");
            Ok(())
        })?;
        let late = Caller::new(place.host(20).into(), place.at(2, 5090))?;
        ensure!(late.options()? == 200, "the healed line does not answer");
        Ok(())
    })
}

#[test]
fn a_line_that_is_deleted_closes_and_one_that_is_added_opens_without_a_restart() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let _server = Server::start(servers[0], Transport::Tcp, Behaviour::Answer)?;
        let topology = plan(place, Transport::Udp, Transport::Tcp, &servers);
        let product = Product::start(place, &topology)?;
        let line = format!(
            "kind: Line\nname: second\nusage: GENERAL\n\
             transport: {{protocol: UDP, audio: RTP, bind_address: {}, receive_port: 5091}}\n",
            place.host(2)
        );
        product.apply("second.yaml", &line)?;
        let caller = Caller::new(place.host(20).into(), place.at(2, 5091))?;
        clock::until("the new line", Duration::from_secs(5), || caller.options())?;
        product.umctl(&["delete", "line", "second"])?;
        clock::until("the port to be free", Duration::from_secs(5), || {
            Ok(UdpSocket::bind(place.at(2, 5091))?)
        })?;
        Ok(())
    })
}

/// Reads a number that JSON carries as a string, as protobuf's mapping wants for 64 bits.
fn number(value: &serde_json::Value) -> Result<i64> {
    value.as_str().with_context(|| format!("a revision, not {value}"))?.parse().context("a revision")
}
