//! `bench`: its output, not its speed.

use serde_json::Value;

use crate::support::gtr;

#[test]
fn timings_can_be_printed_as_json() {
    let line = "bench --presets gtr-8,gtr-16 --rounds 2 --cfg 1 --format json";
    let report: Value = serde_json::from_str(&gtr(line).succeeded()).unwrap();
    assert_eq!((&report["model"], &report["dtype"], &report["images"]), (&"digits".into(), &"f32".into(), &1.into()));
    assert!(report["rate"].as_f64().unwrap() > 0.0 && report["threads"].as_u64().unwrap() > 0);
    let presets = report["presets"].as_array().unwrap();
    assert_eq!(presets.len(), 2);
    for it in presets {
        let number = |field: &str| it[field].as_f64().unwrap();
        assert_eq!(it["rounds"].as_array().unwrap().len(), 2);
        let parts = number("transformer") + number("head") + number("decode");
        assert!(parts > 0.0 && parts <= 2.0 * number("seconds"), "{it}");
        assert!(number("operations") > 1e9 && number("share") > 0.0, "{it}");
    }
    assert_eq!(presets[0]["speed"], 1.0);
}

#[test]
fn the_machine_is_measured_on_the_device_of_the_run() {
    let line = "bench --presets gtr-8 --rounds 1 --dtype bf16 --format json";
    let report: Value = serde_json::from_str(&gtr(line).succeeded()).unwrap();
    assert_eq!((&report["dtype"], &report["device"]), (&"bf16".into(), &"cpu".into()));
    // Of the host the process knows its own peak; the CPU has no other memory.
    assert!(report["host_memory"].as_u64().is_none_or(|bytes| bytes > 1 << 20), "{report}");
    assert_eq!(report["device_memory"], Value::Null);
}

#[test]
fn a_table_names_the_machine() {
    let text = gtr("bench --presets gtr-8 --rounds 1 --random-weights=4").succeeded();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "digits, f32, random weights, batches of 1, medians of 1 round");
    assert!(lines[1].contains(" threads, matrix products: "), "{text}");
    assert!(lines.last().unwrap().trim_start().starts_with("gtr-8 "), "{text}");
    let csv = gtr("bench --presets gtr-8 --rounds 1 --format csv").succeeded();
    let columns = |line: &str| line.split(',').count();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), columns(lines[0])), (2, columns(lines[1])));
}

/// The presets require conditioning vectors in host memory and reuse between AR steps.
#[test]
fn a_timed_model_keeps_its_abilities() {
    let csv = gtr("bench --presets gtr-8,lazymar-8 --rounds 1 --format csv").succeeded();
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

#[test]
fn errors_are_one_line() {
    assert!(gtr("bench --presets gtr").failed(2).contains("gtr"));
    assert!(gtr("bench --model mar-b").failed(1).contains("give its checkpoint"));
    assert!(gtr("bench --rounds 0").failed(2).contains("--rounds"));
}
