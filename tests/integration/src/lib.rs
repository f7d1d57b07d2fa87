//! Tests of the operator's side with real processes, started from the workspace's own binaries; one file per subject in `tests/`.
//!
//! Calls are placed in `tests/interop`, faults of the network are in `tests/simulation`.
