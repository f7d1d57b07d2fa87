//! libFuzzer's way into `um_fuzz::engine::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| um_fuzz::run_timed(um_fuzz::engine::run, input));
