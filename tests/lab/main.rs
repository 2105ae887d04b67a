//! Evaluation without the program.

#[expect(dead_code, reason = "its `main` is that of the example")]
#[path = "../../gtr-lab/examples/own_order.rs"]
mod own_order;

#[test]
fn an_order_from_elsewhere_is_judged_beside_the_built_in_ones() {
    let table = own_order::compare(10).unwrap();
    let row = |name: &str| table.lines().filter(|line| line.trim_start().starts_with(name)).count();
    assert_eq!((row("gtr-16 "), row("backwards ")), (1, 1), "{table}");
}
