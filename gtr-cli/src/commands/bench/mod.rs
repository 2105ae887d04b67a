//! `bench`: benchmarks presets, alternating in one process.

mod machine;
mod probe;
mod timed;

use std::time::Duration;

use gtr_backends::{BackendError, OpenOptions, PromptInput, executed};
use gtr_core::cost::ArchSpec;
use gtr_core::sampler::{Job, Settings};
use gtr_core::{Guidance, GuidanceSchedule, ImageIndex, MaskedGenerator, Plan, Registry, Sampler, Seed, preset};
use serde::Serialize;

use self::machine::Machine;
use self::probe::{DeviceProbe, Probe};
use self::timed::{Timed, Times};
use super::to_json;
use crate::args::{BenchArgs, BenchFormat, SelectedSchedule};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_draw::table::{Align, TableRows};

/// Runs the command.
pub(super) fn run(args: &BenchArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let model = &args.model;
    let (files, compute) = (model.files(), model.compute()?);
    let generator = catalogue.families.open(&model.model, &OpenOptions::new(files, &compute))?;
    let spec = generator.spec();
    let subject = BenchModel { arch: spec.arch, guidance: spec.guidance, picture: generator.picture_operations() };
    // The cost does not depend on the text.
    let input = |image: u32| match spec.classes {
        Some(classes) => PromptInput::Class(image % u32::try_from(classes).unwrap_or(u32::MAX).max(1)),
        None => PromptInput::RandomText(image.to_string()),
    };
    let prompts = (0..args.count).map(|image| generator.prompt(&input(image))).collect::<Result<Vec<_>, _>>()?;
    let decodes = generator.makes_pictures();
    let machine = Machine::measure(&compute, &mut DeviceProbe::new(&compute));
    let machine = machine.map_err(|error| CliError::failure("cannot multiply matrices", &error))?;
    let mut timed = Timed::new(generator, decodes, DeviceProbe::new(&compute));
    let mut report = time(args, &mut timed, &prompts, (&subject, machine), &catalogue.registry)?;
    report.machine.set_memory(timed.probe().memory());
    let text = match args.format {
        BenchFormat::Json => to_json(&report),
        BenchFormat::Csv => report.csv(),
        BenchFormat::Text => report.table(args),
    };
    output::print(&text)?;
    Ok(ExitStatus::Success)
}

/// Properties of the benchmarked model.
#[derive(Debug)]
struct BenchModel {
    arch: ArchSpec,
    /// Default guidance scale.
    guidance: Option<f64>,
    /// Operations that decode the tokens of an image.
    picture: f64,
}

/// All measurements.
#[derive(Debug, Serialize)]
struct BenchReport {
    model: String,
    random_weights: bool,
    dtype: &'static str,
    images: u32,
    #[serde(flatten)]
    machine: Machine,
    presets: Vec<Timing>,
}

/// Times of a preset.
#[derive(Debug, Serialize)]
struct Timing {
    preset: String,
    /// Seconds per image, for each round.
    rounds: Vec<f64>,
    /// Median over the rounds.
    seconds: f64,
    /// Medians of the parts, each over the rounds, in seconds per image.
    transformer: f64,
    head: f64,
    decode: f64,
    /// Speedup over the first preset.
    speed: f64,
    /// Executed operations per image, including the image decoder.
    operations: f64,
    /// Executed operations per second.
    rate: f64,
    /// This rate relative to that of the machine.
    share: f64,
}

fn time<G, P>(
    args: &BenchArgs,
    generator: &mut Timed<G, P>,
    prompts: &[G::Prompt],
    (subject, machine): (&BenchModel, Machine),
    registry: &Registry,
) -> Result<BenchReport, CliError>
where
    G: MaskedGenerator<Error = BackendError>,
    P: Probe,
{
    let guidance = Guidance::new(args.cfg.or(subject.guidance).unwrap_or(1.0), GuidanceSchedule::Constant);
    let guidance = guidance.map_err(|error| CliError::usage(format_args!("--cfg: {error}")))?;
    let settings = Settings { seed: Seed(0), guidance, temperature: 1.0 };
    let plans =
        args.presets.iter().map(|name| plan(name.trim(), generator, registry)).collect::<Result<Vec<_>, _>>()?;
    let samplers = plans.iter().map(|(_, plan)| Sampler::new(plan, registry));
    let samplers = samplers.collect::<Result<Vec<_>, _>>()?;
    let job = |(image, prompt): (u64, &G::Prompt)| Job::new(prompt.clone(), ImageIndex(image));
    let jobs: Vec<_> = (0..).zip(prompts).map(job).collect();
    let taken = rounds(args.rounds, generator.probe().warms_up(), |round| {
        let one = |sampler: &Sampler<'_>| {
            tracing::info!(round, of = args.rounds, ?sampler, "running");
            let run = |generator: &mut Timed<G, P>| Ok::<_, CliError>(sampler.batch(&jobs, &settings).run(generator)?);
            Ok((generator.whole(run)?, generator.take()))
        };
        samplers.iter().map(one).collect::<Result<Vec<_>, CliError>>()
    })?;
    let mut timings: Vec<Timing> = Vec::new();
    for (number, (name, plan)) in plans.iter().enumerate() {
        let seconds = |part: fn(&(Duration, Times)) -> Duration| -> Vec<f64> {
            taken.iter().map(|round| part(&round[number]).as_secs_f64() / f64::from(args.count)).collect()
        };
        let rounds = seconds(|(whole, _)| *whole);
        let [whole, transformer, head, decode] = [
            median(&rounds),
            median(&seconds(|(_, times)| times.transformer)),
            median(&seconds(|(_, times)| times.head)),
            median(&seconds(|(_, times)| times.decode)),
        ];
        let operations = executed(&subject.arch, plan, guidance.is_guided()).total() + subject.picture;
        let rate = operations / whole;
        timings.push(Timing {
            preset: name.clone(),
            rounds,
            seconds: whole,
            transformer,
            head,
            decode,
            speed: timings.first().map_or(1.0, |first| first.seconds / whole),
            operations,
            rate,
            share: rate / machine.rate,
        });
    }
    Ok(BenchReport {
        model: args.model.model.clone(),
        random_weights: args.model.random_weights.is_some(),
        dtype: args.model.dtype.name(),
        images: args.count,
        machine,
        presets: timings,
    })
}

/// Returns the results of `count` rounds. `warms_up` adds a round before them whose result is dropped. The argument of `run`
/// is the number of the round, 0 for the warm-up.
fn rounds<T, E>(count: u32, warms_up: bool, mut run: impl FnMut(u32) -> Result<T, E>) -> Result<Vec<T>, E> {
    if warms_up {
        run(0)?;
    }
    (1..=count).map(run).collect()
}

fn plan<G: MaskedGenerator>(name: &str, generator: &G, registry: &Registry) -> Result<(String, Plan), CliError> {
    let preset = preset::find(name)?;
    let mut schedule = preset.schedule.clone();
    schedule.set_default_timestep_limit(generator.head_kind().timesteps())?;
    let plan = SelectedSchedule { name: preset.name.clone(), home_grid: None, schedule }
        .plan(generator.grid(), registry)?
        .plan;
    Ok((preset.name.clone(), plan))
}

/// Returns the median, or 0 for an empty slice.
fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

impl Timing {
    /// Returns the times of the fastest and the slowest round.
    fn spread(&self) -> (f64, f64) {
        self.rounds.iter().fold((f64::INFINITY, 0.0), |(least, most), &it| (least.min(it), most.max(it)))
    }
}

impl BenchReport {
    fn table(&self, args: &BenchArgs) -> String {
        use Align::{Left, Right};
        let mut rows = TableRows::new([
            ("\npreset", Left),
            ("s per\nimage", Right),
            ("\nspread", Right),
            ("encoder,\ndecoder", Right),
            ("diffusion\nhead", Right),
            ("image\ndecoder", Right),
            ("\nspeed", Right),
            ("10^9 op.\nper image", Right),
            ("\nper second", Right),
            ("of the\nmachine", Right),
        ]);
        for it in &self.presets {
            let (least, most) = it.spread();
            rows.add([
                it.preset.clone(),
                format!("{:.3}", it.seconds),
                format!("{least:.3}..{most:.3}"),
                format!("{:.3}", it.transformer),
                format!("{:.3}", it.head),
                format!("{:.3}", it.decode),
                format!("{:.2}", it.speed),
                format!("{:.1}", it.operations / 1e9),
                format!("{:.1}", it.rate / 1e9),
                format!("{:.0} %", 100.0 * it.share),
            ]);
        }
        let weights = if self.random_weights { ", random weights" } else { "" };
        let (machine, images, rounds) = (&self.machine, self.images, gtr_core::count(args.rounds, "round"));
        let (machine_line, memory) = (machine.line(self.dtype), machine.memory_line());
        format!(
            "{}, {}{weights}, batches of {images}, medians of {rounds}\n{machine_line}\n{memory}\n{}",
            self.model,
            self.dtype,
            rows.text()
        )
    }

    fn csv(&self) -> String {
        let mut text = "preset,seconds,least,most,transformer,head,decode,speed,operations,rate,share\n".to_owned();
        for it in &self.presets {
            let (least, most) = it.spread();
            let numbers = [
                it.seconds,
                least,
                most,
                it.transformer,
                it.head,
                it.decode,
                it.speed,
                it.operations,
                it.rate,
                it.share,
            ];
            let numbers = numbers.map(|number| number.to_string()).join(",");
            text = text + &it.preset + "," + &numbers + "\n";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{median, rounds};

    #[test]
    fn a_warm_up_is_not_counted() {
        for (warms_up, expected) in [(false, vec![1, 2, 3]), (true, vec![0, 1, 2, 3])] {
            let mut run = Vec::new();
            let timed = rounds(3, warms_up, |round| {
                run.push(round);
                Ok::<_, Infallible>(round)
            });
            assert_eq!((timed.unwrap(), run), (vec![1, 2, 3], expected));
        }
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_two() {
        assert_eq!([median(&[]), median(&[3.0]), median(&[5.0, 1.0]), median(&[9.0, 1.0, 2.0])], [0.0, 3.0, 3.0, 2.0]);
    }
}
