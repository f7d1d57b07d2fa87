//! Endpoints under test: one alone, fed with messages as text, and two joined by a virtual network.

mod alone;
mod cancelling;
mod dialogs;
mod failing;
mod hostile;
mod incoming;
mod lossy;
mod outgoing;
mod pair;
mod refusing;
mod shards;
