//! Drain: no new calls, the running ones finish, and after the deadline the rest is hung up.
//!
//! A signal or control may ask for it; only a signal ends the process afterwards.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Sender;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use um_engine::{Drain, Input};
use um_wire::v1::command::Action;

use crate::{discovery::Asked, observe::Seen, signalling::Signalling, status::Status};

/// Time for the BYEs of a forced end to be answered.
const FAREWELL: Duration = Duration::from_secs(2);

/// Starts and ends drains.
#[derive(Debug)]
pub(crate) struct Drainer {
    switch: Switch,
    deadline: Duration,
    commands: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Switch {
    signalling: Arc<Signalling>,
    status: watch::Receiver<Arc<Status>>,
    tell: Sender<Seen>,
}

impl Drainer {
    /// Serves control's commands until [`Drainer::stop`].
    pub(crate) fn start(
        signalling: Arc<Signalling>,
        status: watch::Receiver<Arc<Status>>,
        tell: Sender<Seen>,
        asked: mpsc::Receiver<Asked>,
        deadline: Duration,
    ) -> Self {
        let switch = Switch { signalling, status, tell };
        let commands = tokio::spawn(serve(switch.clone(), asked, deadline));
        Self { switch, deadline, commands }
    }

    /// Drains, at most until the deadline.
    pub(crate) async fn drain(&self) {
        self.switch.drain(self.deadline).await;
    }

    /// Hangs up every call that is left.
    pub(crate) async fn force(&self) {
        self.switch.force().await;
    }

    /// Ends the service of commands and every drain, and lets go of the shards.
    pub(crate) async fn stop(self) {
        self.commands.abort();
        // Cancelled is what it shall be.
        let _ = self.commands.await;
    }
}

impl Switch {
    async fn drain(&self, deadline: Duration) {
        self.set(Drain::Start, true);
        let mut status = self.status.clone();
        // A picture from before the drain may still show no call although one is being set up.
        sleep(Duration::from_millis(1_200)).await;
        let empty = status.wait_for(|status| status.usage.calls == 0);
        if timeout(deadline, empty).await.is_err() {
            tracing::warn!("the drain's deadline is over; hanging up the calls that are left");
            self.force().await;
        }
    }

    async fn force(&self) {
        self.set(Drain::Force, true);
        sleep(FAREWELL).await;
    }

    fn set(&self, drain: Drain, draining: bool) {
        self.signalling.tell(&Input::Drain(drain));
        // The observer only shows it; a full queue shows it a little later by the next change.
        let _ = self.tell.try_send(Seen::Draining(draining));
    }
}

async fn serve(switch: Switch, mut asked: mpsc::Receiver<Asked>, default: Duration) {
    // One drain at most; it ends with this task.
    let mut running = JoinSet::new();
    while let Some(Asked(command)) = asked.recv().await {
        match command.action {
            Some(Action::Drain(drain)) => {
                let deadline =
                    drain.deadline.and_then(|deadline| deadline.try_into().ok()).unwrap_or(default);
                tracing::info!(?deadline, "control asks to drain");
                let switch = switch.clone();
                running.shutdown().await;
                running.spawn(async move { switch.drain(deadline).await });
            }
            Some(Action::Undrain(_)) => {
                tracing::info!("control asks to take calls again");
                running.shutdown().await;
                switch.set(Drain::End, false);
            }
            Some(
                Action::Disconnect(_)
                | Action::Ladder(_)
                | Action::Probe(_)
                | Action::LogLevel(_)
                | Action::TakeOver(_),
            )
            | None => tracing::warn!(id = command.id, "control asks for what this version does not know"),
        }
    }
}
