//! Benchmarks of planning, verification and measurements on grids of increasing size. The time should be linear in the number of
//! tokens.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use gtr_core::design::{Goal, Problem, structured};
use gtr_core::loss::{Field, loss};
use gtr_core::{ArSteps, Grid, ImageIndex, Plan, Registry, Schedule, Seed, Spread, TokenSet, preset, verify};

fn main() {
    divan::main();
}

/// Side lengths of square grids.
const SIDES: [u32; 4] = [16, 64, 256, 1024];

fn schedule() -> Schedule {
    preset::find("gtr-16").expect("a preset of this crate").schedule.clone()
}

fn planned(side: u32) -> Plan {
    let grid = Grid::new(side, side).expect("within the bounds of grids");
    schedule().plan(grid, &Registry::builtin()).expect("a preset fits any grid").plan
}

fn tokens(side: u32) -> ItemsCount {
    ItemsCount::new(u64::from(side).pow(2))
}

#[divan::bench(args = SIDES)]
fn plan(bencher: Bencher<'_, '_>, side: u32) {
    let (grid, registry, schedule) = (planned(side).grid(), Registry::builtin(), schedule());
    bencher.counter(tokens(side)).bench_local(|| schedule.plan(black_box(grid), &registry));
}

#[divan::bench(args = SIDES)]
fn verify_a_plan(bencher: Bencher<'_, '_>, side: u32) {
    let (document, registry) = (planned(side).to_document(), Registry::builtin());
    bencher.counter(tokens(side)).bench_local(|| verify(black_box(&document), &registry));
}

#[divan::bench(args = [16, 32, 64])]
fn loss_of_an_image(bencher: Bencher<'_, '_>, side: u32) {
    let (plan, field) = (planned(side), Field::default());
    bencher.counter(tokens(side)).bench_local(|| loss(black_box(&plan), Seed(0), ImageIndex(0), &field));
}

#[divan::bench(args = [16, 32])]
fn design_in_eight_steps(bencher: Bencher<'_, '_>, side: u32) {
    let problem = Problem::new(planned(side).grid(), Field::default());
    let goal = Goal::ArSteps(ArSteps::new(8).expect("above 0"));
    bencher.bench_local(|| structured(black_box(&problem), goal));
}

#[divan::bench(args = SIDES)]
fn order_of_an_image(bencher: Bencher<'_, '_>, side: u32) {
    let plan = planned(side);
    bencher
        .counter(tokens(side))
        .bench_local(|| plan.order(Seed(1), black_box(ImageIndex(2))).map(|order| order.len()));
}

#[divan::bench(args = SIDES)]
fn spread_of_the_first_stage(bencher: Bencher<'_, '_>, side: u32) {
    let plan = planned(side);
    let set = TokenSet::from_tokens(plan.grid(), plan.stages()[0].tokens().iter().copied());
    bencher.counter(tokens(side)).bench_local(|| Spread::of(black_box(&set)));
}
