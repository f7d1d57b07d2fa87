//! Everything that fuzzing kept runs once more: nothing panics, and no unit takes long.

#![expect(clippy::disallowed_methods, reason = "a slow unit is found by the clock")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use um_fuzz::{SLOW, TARGETS};

#[test]
fn every_kept_unit_runs_and_none_is_slow() {
    for target in TARGETS {
        let units = units(target.name);
        assert!(units.len() >= 5, "{} has {} units in its corpus", target.name, units.len());
        let mut slowest = (Duration::ZERO, PathBuf::new());
        let mut total = Duration::ZERO;
        for path in &units {
            let unit = fs::read(path).expect("a unit can be read");
            let mut took = time(target.run, &unit);
            // The machine may have been busy with something else: only what is slow again and again is slow.
            for _ in 0..5 {
                if took > SLOW {
                    took = took.min(time(target.run, &unit));
                }
            }
            total += took;
            if took > slowest.0 {
                slowest = (took, path.clone());
            }
        }
        // A build without optimisation gets beyond what is slow in an optimised one only by growth that is out of order.
        let mean = total / u32::try_from(units.len()).expect("few units");
        assert!(
            slowest.0 < SLOW || slowest.0 < mean * 30,
            "{} takes {:?}, the others of {} {mean:?}",
            slowest.1.display(),
            slowest.0,
            target.name
        );
    }
}

fn time(run: fn(&[u8]), unit: &[u8]) -> Duration {
    let start = Instant::now();
    run(unit);
    start.elapsed()
}

fn units(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(folder).expect("a target has a corpus");
    let mut units: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    units.sort();
    units
}
