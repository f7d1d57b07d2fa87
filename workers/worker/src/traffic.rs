//! What passed through one shard's SIP sockets: plain integers that only grow, told once a second as a difference.

use um_sip::endpoint::Counters;
use um_telemetry::{Direction, Transport, WorkerMetrics};

/// Counters of one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Datagrams received, of any content.
    pub(crate) udp_in: u64,
    /// Datagrams sent.
    pub(crate) udp_out: u64,
    /// Messages received on connections.
    pub(crate) tcp_in: u64,
    /// Messages sent on connections.
    pub(crate) tcp_out: u64,
    /// Datagrams lost because our own send buffer was full.
    pub(crate) lost: u64,
    /// Connections not accepted because peers have too many open.
    pub(crate) refused: u64,
    /// Requests received again.
    pub(crate) again_in: u64,
    /// Requests and responses sent again.
    pub(crate) again_out: u64,
}

impl Traffic {
    /// The same with what the SIP endpoint counted.
    pub(crate) fn with(self, sip: &Counters) -> Self {
        Self { again_in: sip.retransmissions_received, again_out: sip.retransmissions_sent, ..self }
    }

    /// Records what was added since `before`.
    pub(crate) fn record(&self, before: &Self, metrics: &WorkerMetrics) {
        for (direction, transport, now, then) in [
            (Direction::In, Transport::Udp, self.udp_in, before.udp_in),
            (Direction::Out, Transport::Udp, self.udp_out, before.udp_out),
            (Direction::In, Transport::Tcp, self.tcp_in, before.tcp_in),
            (Direction::Out, Transport::Tcp, self.tcp_out, before.tcp_out),
        ] {
            metrics.messages(direction, transport, now.saturating_sub(then));
        }
        metrics.parse_errors("send_buffer_full", self.lost.saturating_sub(before.lost));
        metrics.parse_errors("too_many_connections", self.refused.saturating_sub(before.refused));
        metrics.retransmissions(Direction::In, self.again_in.saturating_sub(before.again_in));
        metrics.retransmissions(Direction::Out, self.again_out.saturating_sub(before.again_out));
    }
}

#[cfg(test)]
mod tests {
    use um_telemetry::{Config, Service};

    use super::*;

    #[test]
    fn only_what_was_added_is_recorded() {
        let config = Config {
            service: Service::Worker,
            instance: "test".to_owned(),
            version: "0",
            logs: None,
            push: None,
        };
        let telemetry = um_telemetry::init(&config).expect("nothing to refuse");
        let metrics = telemetry.worker_metrics();
        let first = Traffic { udp_in: 10, tcp_out: 3, again_in: 1, ..Traffic::default() };
        first.record(&Traffic::default(), &metrics);
        Traffic { udp_in: 12, ..first }.record(&first, &metrics);
        let text = telemetry.scrape().text().expect("text");
        for wanted in [
            "sip_messages_total{direction=\"in\",network_transport=\"udp\"} 12",
            "sip_messages_total{direction=\"out\",network_transport=\"tcp\"} 3",
            "sip_retransmissions_total{direction=\"in\"} 1",
        ] {
            assert!(text.lines().any(|line| line == wanted), "{wanted} is missing in\n{text}");
        }
    }
}
