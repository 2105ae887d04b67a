//! Tests of `gtr-lab` without the command line.

#[expect(dead_code, reason = "`main` is only for the example")]
#[path = "../../gtr-lab/examples/own_order.rs"]
mod own_order;

#[test]
fn a_custom_order_is_evaluated_next_to_the_built_in_ones() {
    let table = own_order::compare(10).unwrap();
    let row = |name: &str| table.lines().filter(|line| line.trim_start().starts_with(name)).count();
    assert_eq!((row("gtr-16 "), row("backwards ")), (1, 1), "{table}");
}
