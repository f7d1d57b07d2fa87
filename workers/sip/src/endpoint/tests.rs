//! Endpoints joined by a virtual network.
