//! `plan --format html`.

use std::fmt::Write as _;
use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{gtr, plan_json, run_in};

/// Returns the part of a page between two texts.
pub(crate) fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    page.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// Returns the data of a page.
pub(crate) fn data(page: &str) -> Value {
    serde_json::from_str(between(page, "<script type=\"application/json\" id=\"data\">", "</script>")).unwrap()
}

/// A page makes no requests: its only address is the namespace of SVG, and its content security policy allows none.
pub(crate) fn asks_for_nothing(page: &str) {
    let named = page.replace("\"http://www.w3.org/2000/svg\"", "");
    for word in ["http:", "https:", "//www", "url(", "@import", "src=", "fetch(", "XMLHttpRequest", "WebSocket"] {
        assert!(!named.contains(word), "{word}");
    }
    assert_eq!(named.matches("href=").count(), 1);
    assert!(named.contains("href=\"data:,\""));
    let policy = between(page, "Content-Security-Policy\" content=\"", "\"");
    for directive in policy.split("; ") {
        let (name, sources) = directive.split_once(' ').unwrap();
        match name {
            "default-src" | "base-uri" | "form-action" => assert_eq!(sources, "'none'"),
            "img-src" => assert_eq!(sources, "data:"),
            "style-src" | "script-src" => {
                assert!(sources.split(' ').all(|source| source.starts_with("'sha256-") && source.len() == 53));
            }
            other => panic!("{other}"),
        }
    }
    let scripts = policy.split_once("script-src ").unwrap().1.split(' ').count();
    assert_eq!(page.matches("<script>").count(), scripts);
}

fn page(flags: &str) -> String {
    gtr(&format!("plan --format html {flags}")).succeeded()
}

#[test]
fn a_page_makes_no_requests() {
    asks_for_nothing(&page("--grid 16x16"));
    asks_for_nothing(&page("--compare gtr-8,mar-8,disa-16 --grid 8x8"));
}

#[test]
fn a_page_contains_its_plan() {
    for flags in ["--grid 16x16", "--preset disa-24 --grid 5x9", "--preset gtr-8 --grid 128x1"] {
        let data = data(&page(&format!("{flags} --seed 3 --image 4")));
        assert_eq!((&data["seed"], &data["image"]), (&"3".into(), &"4".into()));
        let (side, plan) = (&data["plans"][0], plan_json(flags));
        assert_eq!(side["plan"], plan);
        let steps = plan["steps"].as_array().unwrap();
        let tokens: u64 = steps.iter().map(|step| step["tokens"].as_u64().unwrap()).sum();
        let mut order: Vec<u64> = side["order"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
        order.sort_unstable();
        assert_eq!(order, (0..tokens).collect::<Vec<_>>());
        for each_step in ["evaluations", "guidance", "gaps"] {
            assert_eq!(side[each_step].as_array().unwrap().len(), steps.len());
        }
        let head: u64 = side["evaluations"].as_array().unwrap().iter().map(|it| it["head"].as_u64().unwrap()).sum();
        assert_eq!(side["summary"]["head_evaluations"], head);
        assert_eq!(side["gaps"].as_array().unwrap().last().unwrap(), 0.0);
    }
}

#[test]
fn a_comparison_contains_each_plan() {
    let data = data(&page("--compare gtr-8,mar-64 --grid 8x8"));
    for (side, name) in data["plans"].as_array().unwrap().iter().zip(["gtr-8", "mar-64"]) {
        assert_eq!(side["name"], name);
        assert_eq!(side["plan"], plan_json(&format!("--preset {name} --grid 8x8")));
    }
}

#[test]
fn the_same_plan_gives_the_same_page() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["plan", "--grid", "8x8", "--format", "html", "--out", "p.html"];
    assert_eq!(run_in(folder.path(), &args).succeeded(), "");
    assert_eq!(fs::read_to_string(folder.path().join("p.html")).unwrap(), page("--grid 8x8"));
    assert!(page("--grid 8x8 --seed 0") == page("--grid 8x8") && page("--grid 8x8 --seed 1") != page("--grid 8x8"));
}

#[test]
fn a_saved_plan_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan_json("--preset gtr-8 --grid 8x8");
    fs::write(folder.path().join("p.json"), plan.to_string()).unwrap();
    let shown = |args: &[&str]| run_in(folder.path(), &[&["plan", "--plan", "p.json"], args].concat()).succeeded();
    assert_eq!(data(&shown(&["--format", "html"]))["plans"][0]["plan"], plan);
    assert_eq!(serde_json::from_str::<Value>(&shown(&["--format", "json"])).unwrap(), plan);
    let table = gtr("plan --preset gtr-8 --grid 8x8").succeeded();
    assert_eq!(shown(&[]), table.replace("gtr-8 on", "p.json on"));
    // The names of an unknown schedule may be arbitrary text.
    let hostile = "</script><script>alert(1)</script><!--";
    plan["schedule"]["order"]["kind"] = hostile.into();
    plan["schedule"]["detail"]["colour"] = hostile.into();
    fs::write(folder.path().join("<b> & 'c'.json"), plan.to_string()).unwrap();
    let args = ["plan", "--plan", "<b> & 'c'.json", "--format", "html"];
    let page = run_in(folder.path(), &args).succeeded();
    asks_for_nothing(&page);
    assert!(!page.contains("alert(1)</script>") && !page.contains("<b>"));
    assert!(page.contains("<title>&lt;b&gt; &amp; 'c'.json on 8x8</title>"));
    assert_eq!(data(&page)["plans"][0]["plan"], plan);
    assert_eq!(data(&page)["plans"][0]["name"], "<b> & 'c'.json");
}

#[test]
fn unsupported_pages_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.json"), "no plan").unwrap();
    fs::write(folder.path().join("unsound.json"), plan_json("--grid 4x4").to_string().replace("[0,", "[1,")).unwrap();
    let mut lines = String::new();
    for (code, flags) in [
        (2, "--format html --grid 1024x1024"),
        (2, "--format html --grid 129x1 --out p.html"),
        (2, "--format html --compare gtr-8,gtr-16,mar-8,mar-16,mar-32"),
        (2, "--format html --compare gtr-8,mar-8 --grid 1x129"),
        (1, "--plan none.json"),
        (1, "--plan text.json --format html"),
        (1, "--plan unsound.json --format html"),
        (2, "--plan text.json --preset gtr-8"),
        (1, "--format html --out none/p.html"),
    ] {
        let line = format!("plan {flags}");
        let run = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
        let _ = write!(lines, "{flags}\n  {}", run.failed(code));
    }
    assert_snapshot!("page_refused", lines);
    assert_eq!(crate::support::files(folder.path()), ["text.json", "unsound.json"]);
}
