//! The control plane under load: writes per second, and the time from a write to the last worker's acknowledgement.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use um_discovery::client::{Config, Output, Session};
use um_wire::{
    sync::{self, Delivered, Downstream},
    v1::{self, user_service_client::UserServiceClient, worker_service_client::WorkerServiceClient},
};

use crate::{
    clock,
    figures::Figures,
    rig::{Rig, topology},
};

/// Clients that write at the same time.
const CLIENTS: [usize; 3] = [1, 10, 100];
/// Workers that acknowledge.
const WORKERS: [usize; 2] = [1, 100];
/// Writes whose way to the workers is timed.
const TIMED: usize = 50;

/// Measures and prints.
///
/// # Errors
///
/// The product does not come up, or a write is refused.
pub async fn measure(seconds: u64, runs: u32) -> Result<()> {
    say!("control: um-control with the embedded store on core 0, every write one durable transaction");
    for clients in CLIENTS {
        let mut rate = Figures::default();
        for _ in 0..runs {
            rate.add(writes(clients, seconds).await?);
        }
        say!("  {clients:>3} clients: {rate:.0} writes/s");
    }
    for workers in WORKERS {
        let (mut middle, mut late) = (Figures::default(), Figures::default());
        for _ in 0..runs {
            let times = acknowledged(workers).await?;
            middle.add(times.quantile(0.5) * 1e3);
            late.add(times.quantile(0.99) * 1e3);
        }
        say!("  {workers:>3} workers: write to last acknowledgement p50 {middle:.1} ms, p99 {late:.1} ms");
    }
    Ok(())
}

async fn writes(clients: usize, seconds: u64) -> Result<f64> {
    let rig = Rig::control().await?;
    rig.apply(&topology(false)?).await?;
    let until = clock::now() + Duration::from_secs(seconds);
    let begun = clock::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let channel = rig.channel.clone();
        tasks.push(tokio::spawn(async move {
            let mut users = UserServiceClient::new(channel);
            let mut done = 0_u32;
            while clock::now() < until {
                users.create_user(create(client, done)).await?;
                done += 1;
            }
            Ok::<u32, tonic::Status>(done)
        }));
    }
    let mut total = 0;
    for task in tasks {
        total += task.await?.context("a write was refused")?;
    }
    Ok(f64::from(total) / clock::now().duration_since(begun).as_secs_f64())
}

fn create(client: usize, number: u32) -> v1::CreateUserRequest {
    let extension = format!("{}{number:06}", 100 + client);
    v1::CreateUserRequest {
        user_id: format!("u{extension}"),
        user: Some(v1::User { extension: Some(extension), ..Default::default() }),
        ..Default::default()
    }
}

/// The time from a write until every worker has acknowledged it, seconds.
async fn acknowledged(workers: usize) -> Result<Figures> {
    let rig = Rig::control().await?;
    rig.apply(&topology(false)?).await?;
    let mut applied = Vec::new();
    for number in 0..workers {
        let (tell, told) = watch::channel(0);
        tokio::spawn(worker(rig.channel.clone(), number, tell));
        applied.push(told);
    }
    for told in &mut applied {
        told.wait_for(|revision| *revision > 0).await.context("a worker's stream ended")?;
    }
    let mut users = UserServiceClient::new(rig.channel.clone());
    let mut times = Figures::default();
    for number in 0..TIMED {
        let begun = clock::now();
        let user = users.create_user(create(0, u32::try_from(number)?)).await?.into_inner();
        for told in &mut applied {
            told.wait_for(|revision| *revision >= user.revision).await.context("a worker's stream ended")?;
        }
        times.add(clock::now().duration_since(begun).as_secs_f64());
    }
    Ok(times)
}

/// A worker that puts everything in force at once and says so.
async fn worker(channel: Channel, number: usize, tell: watch::Sender<i64>) -> Result<()> {
    let identity = v1::Hello {
        worker: format!("workers/load-{number}"),
        incarnation: number.to_string(),
        ..Default::default()
    };
    let mut session: Session<Delivered> = Session::new(Config::default(), number as u64, None, clock::now());
    let (requests, outgoing) = tokio::sync::mpsc::channel(16);
    let mut client = WorkerServiceClient::new(channel);
    let mut responses = client.sync(ReceiverStream::new(outgoing)).await?.into_inner();
    session.handle_connected(clock::now());
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send(message) => requests.send(sync::request(message, &identity)).await?,
                Output::Apply(_) => session.handle_applied(clock::now(), Vec::new()),
                Output::Persist(persist) => {
                    tell.send_replace(persist.applied.revision);
                }
                Output::Connect | Output::Disconnect(_) => {}
            }
        }
        let Some(response) = responses.message().await? else { return Ok(()) };
        if let Downstream::Discovery(message) = sync::downstream(response)? {
            session.handle_message(clock::now(), message);
        }
    }
}
