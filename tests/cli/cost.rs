//! `cost`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::gtr;

#[test]
fn the_figures_of_the_paper_are_shown() {
    assert_snapshot!("cost_mar_h", gtr("cost --model mar-h").succeeded());
    assert_snapshot!("cost_digits", gtr("cost --model digits --preset gtr-8,gtr-16 --unguided").succeeded());
}

#[test]
fn costs_can_be_printed_as_json() {
    let line = "cost --model mar-b --preset mar-64 --preset gtr-16 --baseline gtr-16 --format json";
    let all: Vec<Value> = serde_json::from_str(&gtr(line).succeeded()).unwrap();
    let number = |position: usize, field: &str| all[position][field].as_f64().unwrap();
    assert_eq!(number(1, "speed"), 1.0);
    assert!(number(0, "speed") < 0.3);
    let parts: f64 = ["encoder", "decoder", "attention", "text", "head"].map(|part| number(0, part)).iter().sum();
    assert!((parts / number(0, "total") - 1.0).abs() < 1e-9);
    assert_eq!(all[0]["published"]["tera"], 14.49);
    // The paper has no figures for other grids.
    let other = gtr("cost --model mar-b --preset mar-64 --grid 8x8 --format json").succeeded();
    assert!(!other.contains("published"), "{other}");
}

#[test]
fn errors_are_one_line() {
    assert!(gtr("cost --model mar-x").failed(2).contains("there is no model `mar-x`"));
    assert!(gtr("cost --preset gtr").failed(2).contains("gtr"));
    assert!(gtr("cost --baseline none").failed(2).contains("none"));
}
