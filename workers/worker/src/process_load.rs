//! What this process uses of the machine: processor time and memory, as Linux tells it (proc(5), `stat` and `statm`).

use std::time::{Duration, Instant};

/// The use since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessLoad {
    /// Processor time per time, 1.0 for one core that never rests.
    pub(crate) cores: f64,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
}

/// Takes samples.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    before: Option<(Instant, Duration)>,
}

impl Sampler {
    /// Returns the use since the call before; what Linux does not tell is zero.
    pub(crate) fn sample(&mut self, now: Instant) -> ProcessLoad {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let spent = processor_time(&read("/proc/self/stat")).unwrap_or_default();
        let memory = resident(&read("/proc/self/statm")).unwrap_or_default();
        let cores = self.before.replace((now, spent)).map_or(0.0, |(at, before)| {
            let elapsed = now.saturating_duration_since(at).as_secs_f64().max(0.001);
            spent.saturating_sub(before).as_secs_f64() / elapsed
        });
        ProcessLoad { cores, memory }
    }
}

/// Reads user and system time, the 14th and 15th field; the second one, the name, may hold blanks and brackets.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(user.checked_add(system)?.checked_mul(TICK_MS)?))
}

/// Reads the resident pages, the second field.
fn resident(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(PAGE)
}

/// USER_HZ is 100 on every architecture that we build for.
const TICK_MS: u64 = 10;
/// The page size of the architectures that we build for.
const PAGE: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_proc_says_whatever_the_name() {
        let stat = "7 (um) worker (x)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 200";
        assert_eq!(processor_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(resident("1000 200 50 1 0 90 0"), Some(200 * 4096));
        assert_eq!((processor_time("7 (x"), resident("")), (None, None));
    }

    #[test]
    fn the_first_sample_has_memory_and_no_rate() {
        let now = crate::clock::now();
        let mut sampler = Sampler::default();
        let first = sampler.sample(now);
        assert!(first.memory > 0);
        assert_eq!(first.cores.to_bits(), 0.0_f64.to_bits());
        assert!(sampler.sample(now + Duration::from_secs(1)).cores >= 0.0);
    }
}
