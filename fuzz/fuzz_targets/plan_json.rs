//! `gtr_fuzz::plan_json` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::plan_json(bytes));
