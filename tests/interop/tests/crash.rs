//! The first of two UM servers is killed while calls run.

use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::sipp::Load;
use um_interop::{Caller, Product, Sipp, Transport, clock};

fn killed_in_the_middle(transport: Transport) -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060), place.at(12, 5060)];
        let mut first = Sipp::uas(place, "first", servers[0], transport, &[])?;
        let second = Sipp::uas(place, "second", servers[1], transport, &[])?;
        // One call is up on the second server beforehand; it must still be there at the end.
        let mut swapped = plan(place, Transport::Udp, transport, &servers);
        swapped.entries.reverse();
        let product = Product::start(place, &swapped)?;
        let bystander = Caller::new(place.host(20).into(), product.callers())?;
        let mut held = bystander.call("6000", "")?;
        ensure!(held.outcome(Duration::from_secs(5))?.status() == Some(200), "the held call was not answered");
        let topology = plan(place, Transport::Udp, transport, &servers);
        product.apply("order.yaml", &topology.list())?;
        clock::pass(Duration::from_secs(1));

        let load = Load::short(50, 500);
        let mut caller =
            Sipp::caller(place, "uac", place.host(10), product.callers(), Transport::Udp, load)?;
        clock::pass(Duration::from_secs(4));
        let before = first.figures()?;
        first.process.crash()?;
        let placed = caller.finish(Duration::from_secs(60))?;

        let after = second.figures()?;
        ensure!(before.created > 100, "the first server had {before:?} when it was killed");
        ensure!(after.created > 200, "the second server took {after:?}");
        // SIPp's BYE follows its ACK at once, so a call that was answered by the first server may die in its BYE, and one
        // that was not answered never may: at most what was up at that moment is lost.
        let complaints = caller.complaints();
        ensure!(placed.successful + placed.failed == 500, "{placed:?}");
        ensure!(unanswered(&complaints) == 0, "calls were lost before they were answered: {placed:?} {complaints}");
        ensure!(placed.failed <= 2, "{placed:?} {complaints}");
        held.hang_up()?;
        product.settled(Duration::from_secs(45))
    })
}

/// Counts calls that SIPp gave up before their 200: the index of the step at which they ended is that of a response.
fn unanswered(complaints: &str) -> usize {
    complaints.matches("while expecting '200' (index 4)").count()
}

#[test]
fn killing_the_first_udp_server_loses_no_call_that_was_not_answered() -> Result<()> {
    killed_in_the_middle(Transport::Udp)
}

#[test]
fn killing_the_first_tcp_server_loses_no_call_that_was_not_answered() -> Result<()> {
    killed_in_the_middle(Transport::Tcp)
}
