//! Which record comes first: SRV by priority and by weighted lot (RFC 2782), NAPTR by order and preference
//! among the transports that we can use (RFC 3263 §4.1). It knows records only, no cache and no time.

use um_topology::Transport;

use crate::input::{Pointer, Service};

/// A sequence of numbers that follows from its seed: who asks with the same seed gets the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lots(u64);

impl Lots {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a number from 0 to `most`, both included (splitmix64: its state is one number).
    fn draw(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        mixed % most.saturating_add(1)
    }
}

/// Orders SRV records: the lowest priority first; within one, each next record is drawn with a chance in
/// proportion to its weight, those of weight 0 with a very small one (RFC 2782, "Weight").
pub(super) fn services(records: &[Service], mut lots: Lots) -> Vec<Service> {
    let mut left = records.to_vec();
    // Weight 0 stands first within its priority, so that it is chosen when the lot is 0.
    left.sort_by(|one, other| {
        let rank = |service: &Service| (service.priority, service.weight != 0);
        rank(one).cmp(&rank(other)).then_with(|| one.cmp(other))
    });
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|service| service.priority) {
        let group = left.iter().take_while(|service| service.priority == priority);
        let total = group.clone().map(|service| u64::from(service.weight)).sum();
        let lot = lots.draw(total);
        let mut running = 0;
        let chosen = group.enumerate().find_map(|(index, service)| {
            running += u64::from(service.weight);
            (running >= lot).then_some(index)
        });
        ordered.push(left.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// The NAPTR record to follow, and the transport that it stands for. Only terminal records for SIP without
/// TLS are of use; where two are equal, the earlier one in `wanted` wins.
pub(super) fn pointer<'a>(records: &'a [Pointer], wanted: &[Transport]) -> Option<(Transport, &'a str)> {
    let usable = records.iter().filter_map(|record| {
        let transport = transport(record)?;
        let place = wanted.iter().position(|other| *other == transport)?;
        Some((record, transport, place))
    });
    let best = usable.min_by_key(|(record, _, place)| (record.order, record.preference, *place));
    best.map(|(record, transport, _)| (transport, &*record.replacement))
}

/// RFC 3263 §4.1: flag "s", services "SIP+D2U" and "SIP+D2T"; "SIPS+D2T" asks for TLS, which no line has.
fn transport(record: &Pointer) -> Option<Transport> {
    if !record.flags.eq_ignore_ascii_case("s") || record.replacement.trim_matches('.').is_empty() {
        return None;
    }
    if record.services.eq_ignore_ascii_case("SIP+D2U") {
        Some(Transport::Udp)
    } else if record.services.eq_ignore_ascii_case("SIP+D2T") {
        Some(Transport::Tcp)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16) -> Service {
        Service { priority, weight, port: 5060, target: format!("{priority}-{weight}").into() }
    }

    fn pointer_to(order: u16, preference: u16, flags: &str, services: &str) -> Pointer {
        Pointer {
            order,
            preference,
            flags: flags.into(),
            services: services.into(),
            replacement: format!("{order}.{preference}").into(),
        }
    }

    /// RFC 2782: priorities in order, weights as shares.
    #[test]
    fn srv_priorities_come_in_order_and_weights_share() {
        let records = [service(20, 1), service(10, 10), service(10, 30), service(5, 0)];
        let mut first = [0_u32; 2];
        for seed in 0..1_000 {
            let ordered = services(&records, Lots::new(seed));
            let priorities: Vec<u16> = ordered.iter().map(|record| record.priority).collect();
            assert_eq!(priorities, [5, 10, 10, 20]);
            first[usize::from(ordered[1].weight == 30)] += 1;
        }
        assert!(first[1] > 2 * first[0] && first[0] > 100, "{first:?}");
    }

    #[test]
    fn the_same_lot_gives_the_same_order_whatever_the_order_of_the_answer() {
        let records = [service(1, 10), service(1, 20), service(1, 30)];
        let mut turned = records.clone();
        turned.reverse();
        for seed in 0..50 {
            assert_eq!(services(&records, Lots::new(seed)), services(&turned, Lots::new(seed)));
        }
    }

    #[test]
    fn records_of_weight_zero_are_all_kept() {
        let records = [service(1, 0), service(1, 0), service(1, 5)];
        assert_eq!(services(&records, Lots::new(7)).len(), 3);
    }

    /// RFC 3263 §4.1.
    #[test]
    fn naptr_chooses_the_first_transport_that_we_can_use() {
        let records = [
            pointer_to(10, 1, "s", "SIPS+D2T"),
            pointer_to(20, 5, "S", "sip+d2u"),
            pointer_to(20, 1, "s", "SIP+D2T"),
            pointer_to(5, 1, "u", "SIP+D2T"),
        ];
        let both = [Transport::Udp, Transport::Tcp];
        assert_eq!(pointer(&records, &both), Some((Transport::Tcp, "20.1")));
        assert_eq!(pointer(&records, &both[..1]), Some((Transport::Udp, "20.5")));
        assert_eq!(pointer(&records[..1], &both), None);
    }
}
