//! Malicious documents are refused by rule.

use std::io::Read;

use gtr_core::{Error, Grid, MAX_PLAN_BYTES, Plan, PlanDocument, Registry, Rule, preset, verify};
use proptest::prelude::*;

fn refused(text: &str) -> Rule {
    PlanDocument::parse(text).unwrap_err().rule
}

fn plan() -> PlanDocument {
    preset::find("gtr-16")
        .unwrap()
        .schedule
        .plan(Grid::new(4, 4).unwrap(), &Registry::builtin())
        .unwrap()
        .plan
        .to_document()
}

#[test]
fn other_documents_violate_rule_1() {
    let long = format!("{{\"format_version\": 1, \"x\": {}", "[".repeat(100_000));
    for text in ["", " ", "null", "[]", "{}", "{\"format_version\": 1}", "\u{0}", long.as_str()] {
        assert_eq!(refused(text), Rule::Document, "{text:.40}");
    }
    assert_eq!(refused(&format!("{} x", plan().to_json())), Rule::Document);
    let nested = format!("{{\"format_version\": {}1{}}}", "[".repeat(120), "]".repeat(120));
    assert!(PlanDocument::parse(&nested).unwrap_err().to_string().len() < 400);
}

#[test]
fn an_endless_file_is_refused_at_the_limit() {
    let endless = std::io::repeat(b' ').take(MAX_PLAN_BYTES * 4);
    let violation = PlanDocument::read(endless).unwrap_err();
    assert_eq!(violation.found, "more than 67108864 bytes");
}

#[test]
fn impossible_grids_violate_rule_3() {
    for (height, width) in [(4_000_000_000, 1), (u64::MAX, u64::MAX), (0, 4), (1 << 24, 2)] {
        let mut document = plan();
        document.grid.height = height;
        document.grid.width = width;
        let violations = verify(&document, &Registry::builtin()).violations;
        assert_eq!(violations[0].rule, Rule::Grid);
        assert!(matches!(Plan::from_document(&document, &Registry::builtin()), Err(Error::Unsound(_))));
    }
}

#[test]
fn a_small_file_with_a_large_grid_is_cheap_to_refuse() {
    for kind in ["halton", "bisection", "raster"] {
        let mut document = plan();
        document.schedule.order = gtr_core::AxisConfig::new(kind);
        (document.grid.height, document.grid.width) = (4096, 4096);
        let verification = verify(&document, &Registry::builtin());
        assert_eq!(verification.violations[0].rule, Rule::Covering, "{kind}");
        assert!(verification.violations.iter().all(|it| it.rule < Rule::Schedule), "{kind}");
    }
}

#[test]
fn an_invalid_plan_reports_its_first_violation() {
    let mut document = plan();
    document.stages[0].role = gtr_core::Role::Reconstruction;
    document.steps[0].tokens += 1;
    let error = Plan::from_document(&document, &Registry::builtin()).unwrap_err().to_string();
    assert!(error.starts_with("invalid plan: R9 roles at stages[0].role: found reconstruction"), "{error}");
    assert!(error.ends_with("more)"), "{error}");
}

proptest! {
    /// A valid plan with one byte changed, removed or duplicated is refused or still valid, and never causes a panic.
    #[test]
    fn edited_files_never_panic(place in any::<prop::sample::Index>(), byte: u8, how in 0..3usize) {
        let mut bytes = plan().to_json().into_bytes();
        let place = place.index(bytes.len());
        match how {
            0 => bytes[place] = byte,
            1 => drop(bytes.remove(place)),
            _ => bytes.insert(place, byte),
        }
        if let Ok(document) = PlanDocument::read(bytes.as_slice()) {
            let sound = verify(&document, &Registry::builtin()).is_sound();
            prop_assert_eq!(Plan::from_document(&document, &Registry::builtin()).is_ok(), sound);
        }
    }
}
