//! The members of the cluster: one connection each, who is well, and who is asked.
//!
//! The choice is sticky: calls go to the same member until a call to it fails or its status call
//! does; then at once to the next that is well. etcd's client is given one endpoint at a time,
//! since its balancer keeps sending a share of the calls to a dead one.

use std::{
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use etcd_client::{Client, ConnectOptions, StatusResponse};
use tokio::time::MissedTickBehavior;

use super::failure::{Failure, classify};
use crate::error::StoreError;

/// Longest time any single call may take.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often every member is asked for its status.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);

/// A call to one member.
pub(super) type Call<T> = Pin<Box<dyn Future<Output = Result<T, etcd_client::Error>> + Send>>;

/// Whether a request may be sent again when it is not known whether it was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing, or doing it twice is as good as once.
    Freely,
    /// It must not happen twice.
    Never,
}

/// One member of the cluster.
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) client: Client,
    healthy: AtomicBool,
}

/// All members.
pub(super) struct Endpoints {
    members: Vec<Endpoint>,
    preferred: AtomicUsize,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| &member.url)).finish()
    }
}

impl Endpoints {
    /// Prepares the connections, which are made when first used, and starts to look after them.
    pub(super) async fn connect(urls: Vec<String>) -> Result<Arc<Self>, StoreError> {
        if urls.is_empty() {
            return Err(StoreError::invalid("etcd needs an endpoint"));
        }
        let mut members = Vec::with_capacity(urls.len());
        for url in urls {
            let client = Client::connect([&url], Some(options()))
                .await
                .map_err(|error| classify(error).into_error())?;
            members.push(Endpoint { url, client, healthy: AtomicBool::new(true) });
        }
        let endpoints = Arc::new(Self { members, preferred: AtomicUsize::new(0) });
        for member in 0..endpoints.members.len() {
            tokio::spawn(look_after(Arc::downgrade(&endpoints), member));
        }
        Ok(endpoints)
    }

    /// Returns the member to ask, and its number for [`Self::failed`].
    pub(super) fn choose(&self) -> (usize, &Endpoint) {
        let count = self.members.len();
        let preferred = self.preferred.load(Ordering::Acquire) % count;
        let order = (0..count).map(|step| (preferred + step) % count);
        let well = order.clone().find(|member| self.members[*member].healthy.load(Ordering::Acquire));
        let chosen = well.unwrap_or(preferred);
        if chosen != preferred {
            self.preferred.store(chosen, Ordering::Release);
        }
        (chosen, &self.members[chosen])
    }

    /// Notes that a member failed, so that the next call goes elsewhere.
    pub(super) fn failed(&self, member: usize) {
        let count = self.members.len();
        self.members[member % count].healthy.store(false, Ordering::Release);
        let next = (member + 1) % count;
        let _ = self.preferred.compare_exchange(member, next, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Calls the chosen member, and others as long as that is safe and the cluster did not answer.
    pub(super) async fn call<T>(
        &self,
        repeat: Repeat,
        operation: impl Fn(Client) -> Call<T>,
    ) -> Result<T, Failure> {
        let mut attempts_left = self.members.len() + 1;
        loop {
            let (number, member) = self.choose();
            let failure = match within_deadline(operation(member.client.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            attempts_left -= 1;
            match failure {
                Failure::Refused(_) => return Err(failure),
                Failure::NotServed(_) if attempts_left > 0 => self.failed(number),
                Failure::Unclear(_) if attempts_left > 0 && repeat == Repeat::Freely => self.failed(number),
                Failure::Unclear(reason) if repeat == Repeat::Freely => {
                    self.failed(number);
                    return Err(Failure::NotServed(reason));
                }
                Failure::NotServed(_) | Failure::Unclear(_) => {
                    self.failed(number);
                    return Err(failure);
                }
            }
        }
    }

    /// Asks the chosen member, or another, for its status.
    pub(super) async fn status(&self) -> Result<(String, StatusResponse), Failure> {
        let status = self.call(Repeat::Freely, |mut client| Box::pin(async move { client.status().await }));
        let status = status.await?;
        Ok((self.choose().1.url.clone(), status))
    }
}

/// Runs one call; silence for too long is a failure too.
pub(super) async fn within_deadline<T>(
    call: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(error)),
        Err(_) => Err(Failure::Unclear(format!("no answer within {} s", CALL_DEADLINE.as_secs()))),
    }
}

fn options() -> ConnectOptions {
    ConnectOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_keep_alive(KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT)
        .with_keep_alive_while_idle(true)
        .with_require_leader(true)
}

/// Asks one member for its status again and again; ends with the store.
async fn look_after(endpoints: Weak<Endpoints>, number: usize) {
    let mut ticks = tokio::time::interval(HEALTH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(mut client) = endpoints.upgrade().map(|all| all.members[number].client.clone()) else {
            return;
        };
        let status = within_deadline(client.status()).await;
        let Some(endpoints) = endpoints.upgrade() else { return };
        let member = &endpoints.members[number];
        let healthy = status.as_ref().is_ok_and(|status| status.leader() != 0);
        if member.healthy.swap(healthy, Ordering::AcqRel) != healthy {
            tracing::info!(endpoint = %member.url, healthy, "etcd member");
        }
    }
}
