//! gtr-cli.
fn main() {}
