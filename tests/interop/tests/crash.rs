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
        ensure!(
            held.outcome(Duration::from_secs(5))?.status() == Some(200),
            "the held call was not answered"
        );
        let topology = plan(place, Transport::Udp, transport, &servers);
        product.apply("order.yaml", &topology.list())?;
        clock::pass(Duration::from_secs(1));

        let load = Load::short(50, 500);
        let mut caller = Sipp::caller(place, "uac", place.host(10), product.callers(), Transport::Udp, load)?;
        clock::pass(Duration::from_secs(4));
        let before = first.figures()?;
        first.process.crash()?;
        let placed = caller.finish(Duration::from_secs(60))?;

        let complaints = caller.complaints();
        ensure!(before.created > 100, "the first server had {before:?} when it was killed");
        // The caller's BYE is answered by the worker, so not even a call that was up on the dead server fails.
        ensure!(placed.successful == 500 && placed.failed == 0, "{placed:?} {complaints}");
        let after = clock::until("only the held call to be left", Duration::from_secs(10), || {
            let after = second.figures()?;
            ensure!(after.current == 1, "{after:?}");
            Ok(after)
        })?;
        ensure!(after.created > 200, "the second server took {after:?}");
        held.hang_up()?;
        clock::until("the held call to end", Duration::from_secs(10), || {
            let ended = second.figures()?;
            ensure!(ended.current == 0 && ended.successful == after.successful + 1, "{ended:?}");
            Ok(())
        })?;
        product.settled(Duration::from_secs(45))
    })
}

#[test]
fn killing_the_first_udp_server_loses_no_call_that_was_not_answered() -> Result<()> {
    killed_in_the_middle(Transport::Udp)
}

#[test]
fn killing_the_first_tcp_server_loses_no_call_that_was_not_answered() -> Result<()> {
    killed_in_the_middle(Transport::Tcp)
}
