//! `gtr_fuzz::field` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::field(bytes));
