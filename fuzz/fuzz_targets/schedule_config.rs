//! `gtr_fuzz::schedule_config` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::schedule_config(bytes));
