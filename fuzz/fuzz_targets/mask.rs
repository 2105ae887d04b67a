//! `gtr_fuzz::mask` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::mask(bytes));
