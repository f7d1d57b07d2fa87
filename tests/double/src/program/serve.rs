//! `um-double server`.

use std::net::{IpAddr, Ipv4Addr};

use um_double::{ServerAgent, ServerConfig};
use um_sip::transaction::Timing;

use super::{
    clock,
    config::Server,
    control,
    network::{Network, News},
    print, seed,
};

/// Runs a server until it is stopped.
pub(super) fn run(arguments: &Server) -> anyhow::Result<()> {
    let mut network = Network::bind(&arguments.listen, arguments.control)?;
    let media_address =
        network.listens().first().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |listen| listen.address.ip());
    let config = ServerConfig {
        name: arguments.name.clone(),
        listens: network.listens().to_vec(),
        pilots: arguments.pilot.clone(),
        mailboxes: arguments.mailbox.clone(),
        media_address,
        media_ports: arguments.media_ports,
        answer_after: arguments.answer_after,
        max_calls: arguments.max_calls,
        timing: Timing::STANDARD,
        seed: seed(),
    };
    let mut agent = ServerAgent::new(clock::now(), config);
    agent.behave(arguments.behave.clone())?;
    announce(&agent, &network);
    loop {
        for news in network.turn(&mut agent, None)? {
            match news {
                News::Control { client, line } => {
                    let reply = control::obey(&mut agent, clock::now(), &line);
                    network.reply(client, &reply);
                }
                News::Stop => {
                    agent.stop(clock::now());
                    network.carry_out(&mut agent);
                    let stats = agent.stats();
                    print(&format!(
                        "{}: stopped; {} calls answered, {} wrong, {} turned away",
                        arguments.name, stats.answered, stats.wrong, stats.turned_away
                    ));
                    return Ok(());
                }
            }
        }
    }
}

fn announce(agent: &ServerAgent, network: &Network) {
    let config = agent.config();
    let listens =
        config.listens.iter().map(|listen| format!("{}:{}", listen.transport.uri_token(), listen.address));
    print(&format!(
        "{}: UM server on {}, pilot {}, mailboxes {}, {}{}",
        config.name,
        listens.collect::<Vec<_>>().join(","),
        config.pilots.join(", "),
        config.mailboxes.join(", "),
        agent.behaviour(),
        network.control_address().map(|control| format!(", control port {control}")).unwrap_or_default(),
    ));
}
