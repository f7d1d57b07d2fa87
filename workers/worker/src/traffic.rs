//! What passed through one shard's SIP sockets: plain integers that only grow, told once a second as a difference.

use um_engine::ShedReason;
use um_sip::{Glance, endpoint::Counters};
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
    /// Datagrams that the kernel had no room for before we read them.
    pub(crate) overflowed: u64,
    /// Messages outside of any call that were forgotten because they waited too long or too many waited.
    pub(crate) forgotten: u64,
    /// New calls and registrations refused unread.
    pub(crate) shed: Refusals,
    /// Requests received again.
    pub(crate) again_in: u64,
    /// Requests and responses sent again.
    pub(crate) again_out: u64,
}

/// New requests that were refused unread, by method and reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    invites: [u64; ShedReason::ALL.len()],
    registers: [u64; ShedReason::ALL.len()],
}

impl Refusals {
    /// Counts one.
    pub(crate) fn count(&mut self, kind: Glance, reason: ShedReason) {
        let counts = if kind == Glance::Register { &mut self.registers } else { &mut self.invites };
        counts[reason as usize] += 1;
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.invites.iter().chain(&self.registers).sum()
    }

    fn record(&self, before: &Self, metrics: &WorkerMetrics) {
        let methods =
            [("INVITE", &self.invites, &before.invites), ("REGISTER", &self.registers, &before.registers)];
        for (method, now, then) in methods {
            for reason in ShedReason::ALL {
                let count = now[reason as usize].saturating_sub(then[reason as usize]);
                metrics.shed(method, reason.as_str(), count);
            }
        }
    }
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
        metrics.parse_errors("receive_buffer_full", self.overflowed.saturating_sub(before.overflowed));
        metrics.parse_errors("waited_too_long", self.forgotten.saturating_sub(before.forgotten));
        self.shed.record(&before.shed, metrics);
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
