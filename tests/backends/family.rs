//! Models of any family behind one type: opened by name, the same bits, the same capabilities, and families defined elsewhere.

use gtr_backends::trace::Traced;
use gtr_backends::{AnyModel, BackendError, Device, Families, Files, OpenOptions, Picture, PromptInput, open_mar};
use gtr_core::erased::AnyPrompt;
use gtr_core::sampler::{Job, Settings};
use gtr_core::{
    Capability, FeatureReader, Guidance, GuidanceSchedule, ImageEncoder, ImageIndex, MaskedGenerator, Plan, Previewer,
    Registry, Sampler, Seed, StepContext, Targets, laws, preset,
};

use crate::toy::ToyFamily;

const CAPABILITIES: [Capability; 5] = [
    Capability::HostFeatures,
    Capability::Encoding,
    Capability::LearnedVariance,
    Capability::Confidence,
    Capability::Reuse,
];

fn open(name: &str) -> AnyModel {
    let options = OpenOptions::new(Files::default(), &Device::Cpu);
    Families::builtin().with(ToyFamily).open(name, &options).unwrap()
}

fn settings() -> Settings {
    let guidance = Guidance::new(2.0, GuidanceSchedule::Linear).unwrap();
    Settings { seed: Seed(5), guidance, temperature: 0.9 }
}

fn plan(model: &impl MaskedGenerator) -> Plan {
    let mut schedule = preset::find("gtr-8").unwrap().schedule.clone();
    schedule.set_default_timestep_limit(model.head_kind().timesteps()).unwrap();
    // Fewer evaluations than the preset has, for time.
    schedule.diffusion = schedule.diffusion.with("t_max", 5).with("t_min", 4).with("t_rec", 3);
    schedule.detail = schedule.detail.with("t_detail", 6);
    schedule.plan(model.grid(), &Registry::builtin()).unwrap().plan
}

fn jobs<P>(prompts: impl Fn(u32) -> P) -> Vec<Job<P, Picture>> {
    [3_u32, 1, 7].map(|image| Job::new(prompts(image), ImageIndex(image.into()))).into()
}

fn pictures<G>(generator: &mut G, prompts: impl Fn(u32) -> G::Prompt) -> Vec<Picture>
where
    G: MaskedGenerator<Image = Picture, Error = BackendError>,
{
    let plan = plan(generator);
    let sampler = Sampler::new(&plan, &Registry::builtin()).unwrap();
    sampler.batch(&jobs(prompts), &settings()).run(generator).unwrap()
}

#[test]
fn an_erased_model_gives_the_same_bits() {
    let mut typed = open_mar("digits", &Files::default(), &Device::Cpu).unwrap();
    let classes: Vec<_> = (0..10).map(|class| typed.class(class).unwrap()).collect();
    let expected = pictures(&mut typed, |class| classes[class as usize]);
    let mut model = open("digits");
    let prompts: Vec<AnyPrompt> = (0..10).map(|class| model.class(class).unwrap()).collect();
    assert!(pictures(&mut model, |class| prompts[class as usize].clone()) == expected);
}

#[test]
fn an_erased_model_has_the_abilities_of_the_model() {
    let mut typed = open_mar("digits", &Files::default(), &Device::Cpu).unwrap();
    let mut model = open("digits");
    assert_eq!(MaskedGenerator::grid(&model), typed.grid());
    assert_eq!(MaskedGenerator::head_kind(&model), typed.head_kind());
    for capability in CAPABILITIES {
        assert_eq!(capability.is_provided_by(&model), capability.is_provided_by(&typed), "{capability}");
    }
    assert!(Capability::Encoding.is_provided_by(&model) && !Capability::Confidence.is_provided_by(&model));
    assert_eq!(MaskedGenerator::head_kind(&model), typed.head_kind());
    assert_eq!(MaskedGenerator::values_on_host(&model), typed.values_on_host());
    assert_eq!((model.shape(), model.spec().classes), (typed.shape(), Some(10)));

    let black = [Picture::new(32, 32, 1, vec![0.0; 1024]).unwrap()];
    let tokens: Vec<_> = typed.grid().iter().take(5).collect();
    let targets = Targets::new([tokens.as_slice()]);
    let values = typed.encode(&black, &targets).unwrap();
    let found = MaskedGenerator::image_encoder(&model).unwrap().encode(&black, &targets).unwrap();
    assert_eq!(found.to_vec2::<f32>().unwrap(), values.to_vec2::<f32>().unwrap());

    let class = typed.class(7).unwrap();
    let mut canvas = typed.canvas(&[class], false).unwrap();
    let prompt = model.class(7).unwrap();
    let mut erased = MaskedGenerator::canvas(&mut model, std::slice::from_ref(&prompt), false).unwrap();
    MaskedGenerator::commit(&mut model, &mut erased, &targets, values.clone()).unwrap();
    typed.commit(&mut canvas, &targets, values).unwrap();
    assert!(MaskedGenerator::is_known(&model, &erased, 0, tokens[4]));
    let previewer = MaskedGenerator::previewer(&model).unwrap();
    assert!(previewer.preview(&erased).unwrap() == typed.preview(&canvas).unwrap());
    drop(previewer);
    let step = StepContext::single(64, 5);
    let features = MaskedGenerator::features(&mut model, &mut erased, &targets, &step).unwrap();
    let expected = typed.features(&mut canvas, &targets, &step).unwrap();
    let found = MaskedGenerator::feature_reader(&model).unwrap().host_features(&features).unwrap();
    assert_eq!(found, typed.host_features(&expected).unwrap());
    let known = Traced::known_values(&model, &erased).unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(known, typed.known_values(&canvas).unwrap().to_vec3::<f32>().unwrap());
    assert!(matches!(Traced::recorded(&model, &prompt).unwrap(), PromptInput::Class(7)));
}

#[test]
fn an_erased_model_obeys_the_laws() {
    for (name, guided) in [("digits", true), ("toy", false)] {
        let mut model = open(name);
        let prompts: Vec<_> = (0..3).map(|class| model.class(class).unwrap()).collect();
        let job = |(image, prompt): (u64, &AnyPrompt)| Job::new(prompt.clone(), ImageIndex(image));
        let jobs: Vec<_> = (0..).zip(&prompts).take(2).map(job).collect();
        let settings = if guided { settings() } else { Settings { guidance: Guidance::NONE, ..settings() } };
        let plan = plan(&model);
        laws::generator(&mut model, &plan, &Registry::builtin(), &jobs, &settings).unwrap();
    }
}

#[test]
fn a_family_from_outside_is_found_by_name() {
    let families = Families::builtin().with(ToyFamily);
    assert_eq!(families.spec("toy").unwrap().grid.tokens(), 16);
    assert_eq!(families.of(&families.find("toy").unwrap()).name(), "toys");
    assert!(families.published().any(|name| name == "toy") && families.published().any(|name| name == "mar-b"));
    let mut model = open("toy");
    let prompts: Vec<_> = (0..3).map(|class| model.class(class).unwrap()).collect();
    let made = pictures(&mut model, |image| prompts[image as usize % 3].clone());
    assert_eq!(made.iter().map(|picture| picture.pixels().len()).collect::<Vec<_>>(), [16, 16, 16]);
    // Images of class 0 are darker than those of class 1.
    let mean = |picture: &Picture| picture.pixels().iter().sum::<f32>() / 16.0;
    assert!(mean(&made[0]) < mean(&made[1]), "{} {}", mean(&made[0]), mean(&made[1]));
    // What the model has not is missing in the erased model, too.
    assert!(MaskedGenerator::image_encoder(&model).is_none() && MaskedGenerator::token_ranker(&model).is_none());
    assert!(MaskedGenerator::previewer(&model).is_none() && !MaskedGenerator::reuses(&model));
    assert!(MaskedGenerator::feature_reader(&model).is_some());
    // Without registration the family is unknown.
    let error = Families::builtin().find("toy").unwrap_err().to_string();
    assert!(error.starts_with("there is no model `toy`"), "{error}");
    let error = families.find("no toy").unwrap_err().to_string();
    assert!(error.contains("lightgen-huge, toy"), "{error}");
}

#[test]
fn prompts_and_canvases_of_another_model_are_refused() {
    let (mut digits, mut toy) = (open("digits"), open("toy"));
    let (class, toy_class) = (digits.class(1).unwrap(), toy.class(1).unwrap());
    let error = MaskedGenerator::canvas(&mut digits, std::slice::from_ref(&toy_class), false).unwrap_err().to_string();
    assert_eq!(error, "the prompt was created by a model of another family");
    let foreign = MaskedGenerator::canvas(&mut toy, &[toy_class], false).unwrap();
    let error = MaskedGenerator::previewer(&digits).unwrap().preview(&foreign).unwrap_err().to_string();
    assert_eq!(error, "the canvas was created by a model of another family");
    let canvas = MaskedGenerator::canvas(&mut digits, &[class], false).unwrap();
    let error = MaskedGenerator::decode(&mut toy, canvas).unwrap_err().to_string();
    assert_eq!(error, "the canvas was created by a model of another family");
    let text = digits.prompt(&PromptInput::RandomText("a fox".into())).unwrap_err();
    assert!(matches!(text, BackendError::PromptKind { takes: "classes", .. }), "{text}");
    let grid = gtr_core::Grid::new(4, 4).unwrap();
    assert!(matches!(digits.set_grid(grid).unwrap_err(), BackendError::OneGrid { .. }));
}
