//! The loss of a plan: comparison with recordings, its laws, and broken losses that must be detected.

use gtr_core::laws::loss::{self as laws, Case, LossOf};
use gtr_core::loss::{Field, Isotropic, Loss, Measured, default_images, loss, loss_of_steps, mean_loss};
use gtr_core::{Error, Grid, ImageIndex, Plan, Registry, Schedule, Seed, TokenIndex, TokenSet, preset};
use proptest::prelude::*;
use serde_json::Value;

fn grid(height: u32, width: u32) -> Grid {
    Grid::new(height, width).unwrap()
}

fn plan(name: &str, grid: Grid) -> Plan {
    preset::find(name).unwrap().schedule.plan(grid, &Registry::builtin()).unwrap().plan
}

fn tokens(grid: Grid, tokens: &[usize]) -> Vec<TokenIndex> {
    tokens.iter().map(|&token| grid.token(token).unwrap()).collect()
}

/// `gtr_backends::conform` also compares the recorded case with a measured covariance.
#[test]
fn isotropic_losses_equal_the_recording() {
    let recorded: Value = serde_json::from_str(include_str!("../golden/loss.json")).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    let isotropic = cases.iter().filter(|case| case["field"]["kind"] != "measured");
    let mut compared = 0;
    for case in isotropic {
        let side = |name: &str| case["grid"][name].as_u64().unwrap() as u32;
        let grid = grid(side("height"), side("width"));
        let number = |name: &str| case["field"][name].as_f64().unwrap();
        let field =
            Isotropic::new(case["field"]["kind"].as_str().unwrap(), number("length"), number("nugget")).unwrap();
        let steps: Vec<Vec<usize>> = serde_json::from_value(case["steps"].clone()).unwrap();
        let steps: Vec<Vec<TokenIndex>> = steps.iter().map(|step| tokens(grid, step)).collect();
        let found = loss_of_steps(&TokenSet::empty(grid), &steps, &field.into()).unwrap();
        let expected: Vec<f64> = serde_json::from_value(case["per_step"].clone()).unwrap();
        assert_eq!(found.steps.len(), expected.len());
        let all = case["loss_nats"].as_f64().unwrap();
        for (found, expected) in found.steps.iter().zip(&expected).chain([(&found.total, &all)]) {
            assert!((found - expected).abs() <= 1e-8 * expected, "{grid} {field} {}: {found} {expected}", case["name"]);
        }
        compared += 1;
    }
    assert_eq!(compared, 80);
}

/// Losses of presets on the default field, computed by an independent program.
#[test]
fn losses_of_presets_agree_with_an_independent_computation() {
    let (grid, field) = (grid(16, 16), Field::default());
    let of = |name: &str| mean_loss(&plan(name, grid), Seed(0), default_images(grid, &field), &field).unwrap();
    for (name, expected) in [("mar-64", 0.63), ("mar-16", 3.2), ("gtr-paper", 0.62), ("gtr-16", 1.38), ("gtr-8", 3.3)] {
        let loss = of(name);
        assert!((loss.mean.total / expected - 1.0).abs() < 0.03, "{name}: {}", loss.mean.total);
        assert_eq!(loss.images, 512);
        assert!(loss.standard_error < 0.02 * loss.mean.total, "{name}: {}", loss.standard_error);
    }
    let raster = of("raster-64");
    assert_eq!((raster.images, raster.standard_error), (1, 0.0));
    assert!((raster.mean.total / 14.5 - 1.0).abs() < 0.03);
}

/// The lattice orders of the cascades lose much less than random orders.
#[test]
fn cascades_lose_little_because_of_lattice_orders() {
    let field = Field::default();
    for (name, side, most) in [
        ("cascade-6", 16, 0.59),
        ("cascade-8", 16, 0.15),
        ("cascade-12", 16, 0.04),
        ("cascade-16", 16, 0.01),
        ("cascade-lightgen-10", 32, 0.3),
    ] {
        let mut schedule = preset::find(name).unwrap().schedule.clone();
        let grid = grid(side, side);
        let lost = |schedule: &Schedule| {
            let plan = schedule.plan(grid, &Registry::builtin()).unwrap().plan;
            assert!(name.ends_with(&format!("-{}", plan.steps().len())), "{name}");
            mean_loss(&plan, Seed(0), 8, &field).unwrap().mean.total
        };
        let lattice = lost(&schedule);
        assert!(lattice < most, "{name}: {lattice}");
        schedule.order = schedule.order.with("within", "random");
        let random = lost(&schedule);
        let share = if name == "cascade-6" { 0.9 } else { 0.5 };
        assert!(lattice < share * random, "{name}: {lattice} {random}");
    }
}

#[test]
fn the_loss_of_a_conditional_field_is_the_mean_over_its_classes() {
    let grid = grid(1, 2);
    let covariance = |of: f64| vec![1.0, of, of, 1.0];
    let lost = |classes: Vec<Vec<f64>>| {
        let field = Measured::new("classes", grid, 1, classes).unwrap();
        loss_of_steps(&TokenSet::empty(grid), &[grid.iter().collect()], &field.into()).unwrap()
    };
    let (a, b) = (lost(vec![covariance(0.9)]), lost(vec![covariance(0.2)]));
    let both = lost(vec![covariance(0.9), covariance(0.2)]);
    assert!((both.total - a.total.midpoint(b.total)).abs() < 1e-15);
    assert!((both.tokens[1] - a.tokens[1].midpoint(b.tokens[1])).abs() < 1e-15);
}

#[test]
fn larger_grids_are_averaged_over_fewer_images() {
    let images = |side: u32| default_images(grid(side, side), &Field::default());
    assert_eq!([4, 16, 32, 64, 128].map(images), [512, 512, 32, 2, 2]);
}

#[test]
fn losses_of_steps_and_tokens_add_up() {
    let plan = plan("gtr-16", grid(8, 8));
    let loss = loss(&plan, Seed(3), ImageIndex(5), &Field::default()).unwrap();
    let stages = loss.stages(&plan);
    assert_eq!((stages.len(), loss.steps.len(), loss.tokens.len()), (3, 16, 64));
    assert!((stages.iter().sum::<f64>() - loss.total).abs() < 1e-12);
    assert!((loss.tokens.iter().sum::<f64>() - loss.total).abs() < 1e-12);
}

#[test]
fn a_loss_is_deterministic_and_depends_on_the_image() {
    let plan = plan("mar-16", grid(16, 16));
    let of = |image| loss(&plan, Seed(1), ImageIndex(image), &Field::default()).unwrap();
    assert_eq!(of(4), of(4));
    assert_ne!(of(4).total, of(5).total);
}

#[test]
fn known_tokens_are_conditioned_on() {
    let grid = grid(4, 4);
    let upper = TokenSet::from_tokens(grid, grid.iter().take(8));
    let lower = vec![grid.iter().skip(8).collect::<Vec<_>>()];
    let rest = loss_of_steps(&upper, &lower, &Field::default()).unwrap();
    let both = vec![grid.iter().take(8).collect(), lower[0].clone()];
    let whole = loss_of_steps(&TokenSet::empty(grid), &both, &Field::default()).unwrap();
    assert_eq!(rest.total, whole.steps[1]);
    assert!(rest.tokens[..8].iter().all(|&token| token == 0.0));
}

#[test]
fn impossible_computations_are_errors() {
    let refused = |grid: Grid, field: &Field| {
        loss_of_steps(&TokenSet::empty(grid), &[grid.iter().collect()], field).unwrap_err().to_string()
    };
    let large = refused(grid(64, 65), &Field::default());
    assert!(large.contains("a grid of 64x65 is too large") && large.contains("4096"), "{large}");
    let smooth: Field = "gaussian:9:0".parse().unwrap();
    assert!(refused(grid(8, 8), &smooth).contains("`gaussian:9:0` is not positive definite"));
    let twins = Measured::new("twins", grid(1, 2), 1, vec![vec![1.0; 4]]).unwrap();
    assert!(
        refused(grid(1, 2), &twins.clone().into())
            .contains("`twins` is not positive definite: token 1 has no variance left")
    );
    assert!(refused(grid(2, 2), &twins.into()).contains("`twins` was measured on a grid of 1x2, not 2x2"));
    let plan = plan("mar-16", grid(8, 8));
    for images in [0, 1] {
        let error = mean_loss(&plan, Seed(0), images, &Field::default()).unwrap_err().to_string();
        assert!(error.contains("at least 2 images"), "{error}");
    }
    let twice = loss_of_steps(&TokenSet::empty(grid(1, 2)), &[tokens(grid(1, 2), &[0, 0])], &Field::default());
    assert!(matches!(twice, Err(Error::Partition { .. })));
}

#[test]
fn measured_fields_are_checked() {
    let refused = |channels: usize, classes: Vec<Vec<f64>>| {
        Measured::new("f", grid(1, 2), channels, classes).unwrap_err().to_string()
    };
    assert!(refused(0, vec![vec![]]).contains("at least one channel"));
    assert!(refused(1, vec![]).contains("at least one channel and one covariance"));
    assert!(refused(1, vec![vec![1.0; 3]]).contains("expected a covariance of 2x2 values, found 3"));
    assert!(refused(1, vec![vec![1.0, f64::NAN, 0.0, 1.0]]).contains("row 0, column 1 of the covariance is NaN"));
    assert!(refused(1, vec![vec![1.0, 0.0, 0.0, 0.0]]).contains("the variance of row 1 must be above 0, not 0"));
    let asymmetric = refused(1, vec![vec![1.0, 0.0, 0.0, 1.0], vec![1.0, 0.5, 0.4, 1.0]]);
    assert!(asymmetric.contains("class 1: the covariance is not symmetric: row 1, column 0 is 0.4"), "{asymmetric}");
    assert!(refused(3000, vec![vec![]]).contains("exceed the maximum of 4096 values"));
}

/// Checks a law; `field` is for laws that need an isotropic field.
type Check = fn(LossOf<'_>, &Case, Isotropic) -> gtr_core::laws::Law;

const LAWS: [(&str, Check); 8] = [
    ("never negative", |of, case, _| laws::never_negative(of, case)),
    ("nothing one by one", |of, case, _| laws::nothing_one_by_one(of, case)),
    ("everything at once", |of, case, _| laws::everything_at_once(of, case.known.grid(), &case.field)),
    ("splitting", |of, case, _| laws::splitting_never_raises(of, case)),
    ("order within a step", |of, case, _| laws::order_within_a_step_is_nothing(of, case)),
    ("independent tokens", |of, case, _| laws::nothing_where_independent(of, case)),
    ("measured", |of, case, field| laws::measured_as_isotropic(of, case, field)),
    ("turned or mirrored", |of, case, field| laws::turned_or_mirrored(of, case, field)),
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]
    #[test]
    fn the_loss_obeys_its_laws(case in laws::cases(), field in laws::isotropic()) {
        for (_, law) in LAWS {
            law(&loss_of_steps, &case, field)?;
        }
    }
}

/// Losses that violate one law each, with the law.
#[test]
fn broken_losses_are_detected() {
    let honest =
        |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| loss_of_steps(known, steps, field).unwrap();
    let scaled = |mut loss: Loss, by: f64| {
        loss.total *= by;
        loss.steps.iter_mut().chain(&mut loss.tokens).for_each(|number| *number *= by);
        loss
    };
    let more = |mut loss: Loss, by: f64| {
        let steps = loss.steps.len() as f64;
        let tokens = loss.tokens.len() as f64;
        loss.total += by;
        loss.steps.iter_mut().for_each(|number| *number += by / steps);
        loss.tokens.iter_mut().for_each(|number| *number += by / tokens);
        loss
    };
    let negated =
        |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| Ok(scaled(honest(known, steps, field), -1.0));
    let forgetful = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        let mut loss = honest(known, steps, field);
        loss.tokens.fill(0.0);
        Ok(loss)
    };
    let constant =
        |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| Ok(more(honest(known, steps, field), 0.5));
    let in_bits = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        Ok(scaled(honest(known, steps, field), std::f64::consts::LOG2_E))
    };
    let by_steps = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        Ok(scaled(honest(known, steps, field), steps.len() as f64 * steps.len() as f64))
    };
    let by_first = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        let first = steps.first().and_then(|step| step.first()).map_or(0, |token| token.index());
        Ok(scaled(honest(known, steps, field), 1.0 + first as f64))
    };
    let of_measured = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        let by = if matches!(field, Field::Measured(_)) { 1.001 } else { 1.0 };
        Ok(scaled(honest(known, steps, field), by))
    };
    let by_sides = |known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field| {
        Ok(scaled(honest(known, steps, field), 1.0 + f64::from(known.grid().height())))
    };
    let grid = grid(3, 4);
    let field: Isotropic = "exponential:2".parse().unwrap();
    let steps = vec![tokens(grid, &[0, 5, 10, 7]), tokens(grid, &[1, 2]), tokens(grid, &[3, 4, 6, 8, 9, 11])];
    let case = Case { known: TokenSet::empty(grid), steps, field: field.into() };
    for (name, law) in LAWS {
        law(&loss_of_steps, &case, field).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let broken: [(&str, LossOf<'_>, &str); 10] = [
        ("never negative", &negated, "a negative loss"),
        ("never negative", &forgetful, "the tokens add up to 0"),
        ("nothing one by one", &constant, "sampling one token at a time has a loss"),
        ("everything at once", &in_bits, "the total correlation is"),
        ("splitting", &by_steps, "if divided in two"),
        ("order within a step", &by_first, "the order within a step changes"),
        ("independent tokens", &constant, "independent tokens have a loss"),
        ("measured", &of_measured, "measured"),
        ("turned or mirrored", &by_sides, "if rotated, the loss is"),
        ("turned or mirrored", &by_first, "if mirrored, the loss is"),
    ];
    for (name, of, says) in broken {
        let (_, law) = LAWS.into_iter().find(|(law, _)| *law == name).unwrap();
        let error = law(of, &case, field).expect_err(name).to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
    // Every law is violated by one of them.
    assert!(LAWS.iter().all(|(name, _)| broken.iter().any(|(law, ..)| law == name)));
}
