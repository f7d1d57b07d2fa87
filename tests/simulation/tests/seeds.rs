//! Random runs: `make sim SEEDS=N` runs so many seeds, `make sim SEED=S` repeats one.

use std::sync::atomic::{AtomicU64, Ordering};

use um_simulation::{Failure, Plant, Scenario, Summary};

#[test]
fn no_oracle_fires_in_any_seed() {
    if let Some(seed) = number("UM_SIM_SEED") {
        println!("{:#?}", Scenario::of_seed(seed));
        match um_simulation::run(Scenario::of_seed(seed), Plant::Nothing) {
            Ok(summary) => println!("seed {seed}: {summary:?}"),
            Err(failure) => panic!("{}", tell(seed, &failure)),
        }
        return;
    }
    let seeds = number("UM_SIM_SEEDS").unwrap_or(1_000);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| run_some(&next, seeds))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a run does not panic")).collect()
    });
    let mut total = Summary::default();
    let mut failures = Vec::new();
    for (summary, failed) in outcomes {
        total.calls += summary.calls;
        total.answered += summary.answered;
        total.attempts += summary.attempts;
        total.changes += summary.changes;
        failures.extend(failed);
    }
    failures.sort_by_key(|(seed, _)| *seed);
    println!("{seeds} seeds: {total:?}");
    let list: Vec<String> =
        failures.iter().map(|(seed, failure)| format!("{seed}: {}", failure.fault)).collect();
    if let Some((seed, failure)) = failures.first() {
        panic!("{}\n{} of {seeds} seeds failed:\n{}", tell(*seed, failure), list.len(), list.join("\n"));
    }
    // Runs in which nothing happens would prove nothing.
    assert!(total.answered * 3 > total.calls && total.attempts > total.answered, "{total:?}");
}

/// Runs seeds until there are none left.
fn run_some(next: &AtomicU64, seeds: u64) -> (Summary, Vec<(u64, Failure)>) {
    let mut total = Summary::default();
    let mut failures = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return (total, failures);
        }
        let run = std::panic::catch_unwind(|| um_simulation::run(Scenario::of_seed(seed), Plant::Nothing));
        match run {
            Ok(Ok(summary)) => {
                total.calls += summary.calls;
                total.answered += summary.answered;
                total.attempts += summary.attempts;
                total.changes += summary.changes;
            }
            Ok(Err(failure)) => failures.push((seed, failure)),
            Err(_) => {
                let fault = "the run panicked, see above".to_owned();
                failures.push((seed, Failure { fault, events: String::new() }));
            }
        }
    }
}

fn tell(seed: u64, failure: &Failure) -> String {
    format!(
        "the last events of seed {seed}:\n{}\nseed {seed} failed: {}\nrepeat it with: make sim SEED={seed}",
        failure.events, failure.fault
    )
}

#[expect(clippy::disallowed_methods, reason = "how the command line reaches a test")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
