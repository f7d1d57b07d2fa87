//! The product on this machine: one um-control with the embedded store, one um-worker, and the topology under load.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use um_topology::{Change, Resource};
use um_wire::v1::{self, topology_service_client::TopologyServiceClient};

use crate::{clock, process::Process, signalling::Transport};

/// Where everything listens. Loopback addresses of its own, so that it does not meet a gateway that runs already.
pub const GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 77, 1)), 5060);
/// The UM server that the generators play.
pub const UM_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 77, 2)), 5060);
/// The caller that the generators play.
pub const CALLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 77, 3)), 5060);
const CONTROL: &str = "127.0.77.1:7400";
const ADMIN: &str = "127.0.77.1:7410";
/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running product.
#[derive(Debug)]
pub struct Rig {
    /// The data plane; nothing in a rig for the control plane alone.
    pub worker: Option<Process>,
    /// The control plane.
    pub control: Process,
    /// A channel to it.
    pub channel: Channel,
    directory: TempDir,
}

impl Rig {
    /// Starts the control plane alone, on core 0.
    ///
    /// # Errors
    ///
    /// What does not come up, with where its log is.
    pub async fn control() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let arguments = [
            "--listen".to_owned(),
            CONTROL.to_owned(),
            "--store".to_owned(),
            format!("embedded:{}", directory.path().join("store").display()),
            "--log".to_owned(),
            "warn".to_owned(),
        ];
        let control = Process::start("um-control", &arguments, 0, &directory.path().join("control.log"))?;
        let endpoint = Endpoint::from_shared(format!("http://{CONTROL}"))?;
        let begun = clock::now();
        let channel = loop {
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(error) if clock::now().duration_since(begun) > PATIENCE => {
                    return Err(error).context("um-control did not come up");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        Ok(Self { worker: None, control, channel, directory })
    }

    /// Starts both planes, the data plane on core 0, and waits until it is ready for calls.
    ///
    /// # Errors
    ///
    /// What does not come up, with where its log is.
    pub async fn gateway(arguments: &[&str], topology: &[Change]) -> Result<Self> {
        let mut rig = Self::control().await?;
        rig.apply(topology).await?;
        let state = rig.directory.path().join("worker").display().to_string();
        let fixed = [
            "--id",
            "bench",
            "--control",
            "http://127.0.77.1:7400",
            "--listen",
            ADMIN,
            "--log",
            "warn",
            "--state-dir",
            &state,
        ];
        let arguments: Vec<String> = fixed.iter().chain(arguments).map(|one| (*one).to_owned()).collect();
        rig.worker =
            Some(Process::start("um-worker", &arguments, 0, &rig.directory.path().join("worker.log"))?);
        let begun = clock::now();
        while !ready() {
            if clock::now().duration_since(begun) > PATIENCE {
                let log =
                    std::fs::read_to_string(rig.directory.path().join("worker.log")).unwrap_or_default();
                bail!("um-worker did not become ready:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(rig)
    }

    /// Applies resources.
    ///
    /// # Errors
    ///
    /// They are refused.
    pub async fn apply(&self, topology: &[Change]) -> Result<()> {
        let mut client = TopologyServiceClient::new(self.channel.clone());
        let resources = topology.iter().filter_map(|change| match change {
            Change::Put(resource) => Some(v1::Resource::from(resource)),
            Change::Delete(_) => None,
        });
        let mut request = v1::ApplyRequest { resources: resources.collect(), ..Default::default() };
        // The store may still be opening.
        for _ in 0..100 {
            match client.apply(request.clone()).await {
                Ok(_) => return Ok(()),
                Err(status) if status.code() == tonic::Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(status) => return Err(status).context("the topology is refused"),
            }
        }
        request.resources.clear();
        bail!("um-control did not take the topology")
    }
}

/// A line on [`GATEWAY`], one UM server at [`UM_SERVER`], pilot 6000.
///
/// # Errors
///
/// Never in practice: the texts are constants.
pub fn topology(passthrough: bool) -> Result<Vec<Change>> {
    topology_over(Transport::Udp, passthrough)
}

/// The same over a transport.
///
/// # Errors
///
/// Never in practice: the texts are constants.
pub fn topology_over(transport: Transport, passthrough: bool) -> Result<Vec<Change>> {
    use um_topology::{Entry, Line, ProxyList, SipAddress, Station};
    let protocol = Some(match transport {
        Transport::Udp => um_topology::Transport::Udp,
        Transport::Tcp => um_topology::Transport::Tcp,
    });
    let mut list =
        ProxyList::new("um", vec![Entry::new("um1", UM_SERVER.ip().into(), Some(UM_SERVER.port()))]);
    list.protocol = protocol;
    let mut line = Line::new("um", GATEWAY.ip().to_string().parse()?);
    line.transport.protocol = protocol;
    line.transport.receive_port = Some(GATEWAY.port());
    line.proxy_list = Some("um".into());
    let address = SipAddress::parts(Some("6000"), UM_SERVER.ip().into(), Some(UM_SERVER.port()));
    let mut station = Station::new("voicemail", address);
    station.contact_line = Some("um".into());
    station.session.disable_media_passthrough = Some(!passthrough);
    let resources: [Resource; 3] = [list.into(), line.into(), station.into()];
    Ok(resources.into_iter().map(Change::Put).collect())
}

/// Asks the worker's admin endpoint.
fn ready() -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(ADMIN)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nHost: um-worker\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
