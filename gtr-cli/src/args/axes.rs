//! The flags of the axes, generated from the registry of implementations.

use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use gtr_core::AxisName;
use gtr_core::form::Form;

use crate::catalogue::Catalogue;

/// Values of the axis flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AxisFlags {
    /// Kinds, such as `--order KIND`.
    pub(crate) kinds: Vec<(AxisName, String)>,
    /// Parameters, such as `--stages 4`: axis, name, text.
    pub(crate) parameters: Vec<(AxisName, String, String)>,
    /// Unparsed values of `--set AXIS.PARAMETER=JSON`.
    pub(crate) settings: Vec<String>,
    /// `--max-timestep`.
    pub(crate) max_timestep: Option<u32>,
    /// `--clip-timestep`.
    pub(crate) clip_timestep: Option<u32>,
}

const SET: &str = "set";
const MAX: &str = "max-timestep";
const CLIP: &str = "clip-timestep";

/// A parameter with a flag. Several implementations of an axis may share it.
struct Parameter {
    name: String,
    /// Descriptions, each with the kinds that it applies to.
    descriptions: Vec<(String, Vec<&'static str>)>,
    forms: Vec<Form>,
}

fn parameters(catalogue: &Catalogue, axis: AxisName) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = Vec::new();
    for kind in catalogue.axis(axis) {
        for parameter in &kind.description.parameters {
            let position = all.iter().position(|it| it.name == parameter.name).unwrap_or_else(|| {
                let name = parameter.name.clone();
                all.push(Parameter { name, descriptions: Vec::new(), forms: Vec::new() });
                all.len() - 1
            });
            let known = &mut all[position];
            let description = parameter.description.trim_end_matches('.').to_owned();
            let kind = kind.description.kind;
            match known.descriptions.iter_mut().find(|(text, _)| *text == description) {
                Some((_, kinds)) => kinds.push(kind),
                None => known.descriptions.push((description, vec![kind])),
            }
            known.forms.push(parameter.form.clone());
        }
    }
    all
}

/// Returns the flag of a parameter.
fn flag(parameter: &str) -> String {
    parameter.replace('_', "-")
}

/// Returns the ID of a flag for clap.
fn id(axis: AxisName, parameter: &str) -> String {
    format!("{axis}.{parameter}")
}

impl Parameter {
    fn arg(&self, axis: AxisName) -> Arg {
        let mut help = String::new();
        for (text, kinds) in &self.descriptions {
            let separator = if help.is_empty() { "" } else { "; " };
            // Writing to a String cannot fail.
            let _ = write!(help, "{separator}{text} [{}]", kinds.join(", "));
        }
        let arg = Arg::new(id(axis, &self.name)).long(flag(&self.name)).help(help).allow_negative_numbers(true);
        if self.forms.iter().all(|form| *form == Form::Boolean) {
            return arg.value_name("BOOL").value_parser(PossibleValuesParser::new(["true", "false"]));
        }
        let mut choices: Vec<PossibleValue> = Vec::new();
        for form in &self.forms {
            let Form::Choice(names) = form else {
                return arg.value_name(if self.forms.iter().any(|form| matches!(form, Form::List(_))) {
                    "N,.."
                } else {
                    "N"
                });
            };
            for (name, help) in names {
                if choices.iter().all(|choice| choice.get_name() != name) {
                    choices.push(PossibleValue::new(name).help(help));
                }
            }
        }
        arg.value_name("NAME").value_parser(PossibleValuesParser::new(choices))
    }
}

fn kind_arg(catalogue: &Catalogue, axis: AxisName) -> Arg {
    let values = catalogue.axis(axis).map(|kind| {
        let summary = kind.description.summary.trim_end_matches('.');
        PossibleValue::new(kind.description.kind).help(summary.to_owned())
    });
    Arg::new(axis.as_str())
        .long(axis.as_str())
        .value_name("KIND")
        .help(format!("Kind of {axis} [default: the preset's]; a different kind starts from its own defaults"))
        .value_parser(PossibleValuesParser::new(values.collect::<Vec<_>>()))
}

fn limits() -> [Arg; 2] {
    let timestep = |name: &'static str, help: &'static str| {
        let range = clap::value_parser!(u32).range(0..=999);
        Arg::new(name).long(name).value_name("T").value_parser(range).help(help)
    };
    [
        timestep(MAX, "Space timesteps evenly from 0 to this one [any kind; default: the model's limit]"),
        timestep(CLIP, "Clip timesteps to at most this one [any kind]").conflicts_with(MAX),
    ]
}

/// Adds the flags of all axes, after its other flags, to a command whose arguments contain [`AxisFlags`].
pub(super) fn add_flags(mut command: Command, catalogue: &Catalogue) -> Command {
    for axis in AxisName::ALL {
        command = command.next_help_heading(axis.title()).arg(kind_arg(catalogue, axis));
        for parameter in parameters(catalogue, axis) {
            // A parameter whose flag exists already is set with --set.
            let name = flag(&parameter.name);
            if command.get_arguments().all(|arg| arg.get_long() != Some(&name)) {
                command = command.arg(parameter.arg(axis));
            }
        }
        if axis == AxisName::Diffusion {
            command = command.args(limits());
        }
    }
    let both = [id(AxisName::Pace, "rates"), id(AxisName::Pace, "steps")];
    if both.iter().all(|id| command.get_arguments().any(|arg| arg.get_id() == id.as_str())) {
        let [rates, steps] = both;
        command = command.mut_arg(rates, |arg| arg.conflicts_with(steps));
    }
    let set = Arg::new(SET).long(SET).action(ArgAction::Append).value_name("AXIS.PARAM=JSON");
    let set = set.help("Set any parameter of an axis, for example --set order.stages=4");
    command.next_help_heading("Any axis").arg(set).next_help_heading(None::<&str>)
}

/// Adds no flags: they depend on the catalogue, so [`add_flags`] adds them.
impl Args for AxisFlags {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for AxisFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // A parameter without a flag has no value.
        let text = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
        let mut flags = Self {
            settings: matches.get_many::<String>(SET).into_iter().flatten().cloned().collect(),
            max_timestep: matches.get_one(MAX).copied(),
            clip_timestep: matches.get_one(CLIP).copied(),
            ..Self::default()
        };
        for axis in AxisName::ALL {
            flags.kinds.extend(text(axis.as_str()).map(|kind| (axis, kind)));
            let own = matches.ids().filter_map(|id| id.as_str().strip_prefix(axis.as_str())?.strip_prefix('.'));
            for name in own {
                flags.parameters.extend(text(&id(axis, name)).map(|text| (axis, name.to_owned(), text)));
            }
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl AxisFlags {
    /// Returns the parameters in the order in which the implementations list them, which is their order in a schedule.
    pub(super) fn ordered(&self, catalogue: &Catalogue) -> Vec<&(AxisName, String, String)> {
        let mut ordered: Vec<_> = self.parameters.iter().collect();
        let place = |axis: AxisName, name: &str| parameters(catalogue, axis).iter().position(|it| it.name == name);
        ordered.sort_by_cached_key(|(axis, name, _)| (*axis as usize, place(*axis, name)));
        ordered
    }
}
