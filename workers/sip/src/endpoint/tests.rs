//! Endpoints under test: one alone, fed with messages as text, and two joined by a virtual network.

mod alone;
mod cancelling;
mod crossing;
mod dialogs;
mod failing;
mod glare;
mod hostile;
mod incoming;
mod lossy;
mod outgoing;
mod pair;
mod refusing;
mod reliable_in;
mod reliable_out;
mod screening;
mod shards;
mod shedding;
mod usages;
