//! `gtr_fuzz::legacy_checkpoint` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gtr_fuzz::legacy_checkpoint(bytes));
