//! `gtr_fuzz::grid_and_rates` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::grid_and_rates(bytes));
