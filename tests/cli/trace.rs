//! `inspect` of traces.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::page::{asks_for_nothing, data};
use crate::support::{plan_json, run_in, sample};

const QUICK: &str = "--preset gtr-8 --t-max 4 --t-min 2 --t-rec 2 --t-detail 3";

fn inspect(folder: &Path, args: &[&str]) -> String {
    run_in(folder, &[&["inspect"], args].concat()).succeeded()
}

/// Creates a folder with a trace of three images in two batches.
fn traced() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    sample(
        folder.path(),
        &format!("--class 3 --count 3 --batch 2 --seed 5 --cfg 2 {QUICK} --trace run.safetensors --out run.png"),
    );
    folder
}

/// The contents of a safetensors file: metadata, and the type, shape and bytes of each tensor.
#[derive(Clone)]
struct Parts {
    texts: BTreeMap<String, String>,
    tensors: BTreeMap<String, (Value, Value, Vec<u8>)>,
}

impl Parts {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let start = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let mut header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..start]).unwrap();
        let texts = serde_json::from_value(header.remove("__metadata__").unwrap()).unwrap();
        let offset = |value: &Value| start + usize::try_from(value.as_u64().unwrap()).unwrap();
        let tensor = |(name, it): (String, Value)| {
            let ends = &it["data_offsets"];
            (name, (it["dtype"].clone(), it["shape"].clone(), bytes[offset(&ends[0])..offset(&ends[1])].to_vec()))
        };
        Self { texts, tensors: header.into_iter().map(tensor).collect() }
    }

    fn write(&self, path: &Path) {
        let mut header = json!({ "__metadata__": self.texts });
        let mut content = Vec::new();
        for (name, (dtype, shape, bytes)) in &self.tensors {
            let from = content.len();
            content.extend_from_slice(bytes);
            header[name] = json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, content.len()] });
        }
        let header = header.to_string();
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend(content);
        fs::write(path, file).unwrap();
    }

    fn tensor(&mut self, name: &str) -> &mut (Value, Value, Vec<u8>) {
        self.tensors.get_mut(name).unwrap()
    }
}

#[test]
fn a_run_is_summarized_step_by_step() {
    let folder = traced();
    let text = inspect(folder.path(), &["run.safetensors"]);
    // Times differ between runs, so only check properties of the last two columns and of the total.
    let (mut masked, mut seconds, mut shares) = (String::new(), 0.0, 0.0);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [.., time, share, "%"] = words[..] {
            seconds += time.parse::<f64>().unwrap();
            shares += share.parse::<f64>().unwrap();
            let _ = writeln!(masked, "{} TIME SHARE", words[..words.len() - 3].join(" "));
        } else if let ["Total:", total, ..] = words[..] {
            let total: f64 = total.parse().unwrap();
            assert!(total > 0.0 && (total - seconds).abs() < 0.01, "{text}");
            masked.push_str("Total: TIME\n");
        } else {
            let _ = writeln!(masked, "{}", line.trim_end());
        }
    }
    assert!((shares - 100.0).abs() < 5.0, "{text}");
    assert_snapshot!("inspect_trace", masked);
}

#[test]
fn a_summary_can_be_printed_as_json() {
    let folder = traced();
    let run: Value = serde_json::from_str(&inspect(folder.path(), &["run.safetensors", "--format", "json"])).unwrap();
    let plan = run["plan"].clone();
    assert_eq!(run["images"].as_array().unwrap().len(), 3);
    for (number, image) in run["images"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&image["image"], &image["class"]), (&number.to_string().into(), &3.into()));
        assert_eq!(image["batch"], number / 2);
        assert_eq!(image["scores"].as_array().unwrap().len(), 64);
        let picked: u64 =
            plan["steps"].as_array().unwrap().iter().filter_map(|it| it["detail"]["tokens"].as_u64()).sum();
        assert!(picked > 0);
        assert_eq!(image["picked"].as_array().unwrap().len() as u64, picked);
        assert_eq!(image["picture"], Value::Null);
    }
    inspect(folder.path(), &["run.safetensors", "--plan-out", "p.json"]);
    let saved: Value = serde_json::from_slice(&fs::read(folder.path().join("p.json")).unwrap()).unwrap();
    assert_eq!(saved, plan);
    assert_eq!(saved["steps"], plan_json(&format!("--grid 8x8 {QUICK}"))["steps"]);
}

#[test]
fn a_page_shows_a_run() {
    let folder = traced();
    assert_eq!(inspect(folder.path(), &["run.safetensors", "--format", "html", "--out", "run.html"]), "");
    let page = fs::read_to_string(folder.path().join("run.html")).unwrap();
    asks_for_nothing(&page);
    let shown = data(&page);
    let run: Value = serde_json::from_str(&inspect(folder.path(), &["run.safetensors", "--format", "json"])).unwrap();
    let mut plain = shown.clone();
    for image in plain["images"].as_array_mut().unwrap() {
        let picture = image.as_object_mut().unwrap().remove("picture").unwrap();
        assert!(picture.as_str().unwrap().starts_with("data:image/png;base64,"));
    }
    assert_eq!(plain, run);
}

#[test]
fn optional_fields_of_a_trace_may_be_missing() {
    let folder = traced();
    let mut parts = Parts::read(&folder.path().join("run.safetensors"));
    parts.tensors.retain(|name, _| !name.ends_with("seconds") && !name.ends_with("pictures"));
    parts.texts.remove("weights");
    // Untrusted names are escaped.
    parts.texts.insert("model".to_owned(), "</script><script>alert(1)</script>\u{1b}[2J".to_owned());
    parts.write(&folder.path().join("old.trace"));
    let text = inspect(folder.path(), &["old.trace"]);
    assert!(text.contains("The durations of the AR steps were not recorded.") && !text.contains('\u{1b}'), "{text}");
    let page = inspect(folder.path(), &["old.trace", "--format", "html"]);
    asks_for_nothing(&page);
    assert!(!page.contains("<script>alert(1)"));
    let shown = data(&page);
    assert_eq!(shown["batches"][0]["steps"][0]["seconds"], Value::Null);
    assert_eq!(shown["images"][0].get("picture"), None);
    assert_eq!(shown["images"][0]["scores"].as_array().unwrap().len(), 64);
}

#[test]
fn a_page_shows_a_limited_number_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let flags = "--preset gtr-8 --diffusion constant --t 1 --detail none --count 66 --class 1 --batch 33";
    sample(folder.path(), &format!("{flags} --trace many.safetensors --out many.png"));
    let run = run_in(folder.path(), &["inspect", "many.safetensors", "--format", "html"]);
    assert_eq!(run.stderr, "note: the page shows the first 64 images and leaves out 2\n");
    let shown = data(&run.succeeded());
    assert_eq!((shown["images"].as_array().unwrap().len(), &shown["left_out"]), (64, &2.into()));
    // A rule that does not rank tokens has no scores.
    assert_eq!(shown["images"][0]["scores"], Value::Null);
}

#[test]
fn traces_are_untrusted_input() {
    let folder = traced();
    let whole = Parts::read(&folder.path().join("run.safetensors"));
    let mut lines = String::new();
    let mut refused = |what: &str, change: &dyn Fn(&mut Parts)| {
        let mut parts = whole.clone();
        change(&mut parts);
        parts.write(&folder.path().join("t"));
        let args = ["inspect", "t", "--format", "html", "--out", "t.html"];
        let line = run_in(folder.path(), &args).failed(1);
        assert!(!folder.path().join("t.html").exists());
        let _ = write!(lines, "{what}\n  {line}");
    };
    let text = |name: &'static str, says: &'static str| {
        move |parts: &mut Parts| drop(parts.texts.insert(name.to_owned(), says.to_owned()))
    };
    let missing = |name: &'static str| move |parts: &mut Parts| drop(parts.tensors.remove(name));
    let bytes = |name: &'static str, new: &'static [u8]| {
        move |parts: &mut Parts| parts.tensor(name).2[..new.len()].copy_from_slice(new)
    };
    let shape = |name: &'static str, new: Value| move |parts: &mut Parts| parts.tensor(name).1 = new.clone();
    refused("another format", &text("format", "else"));
    refused("no format", &|parts| drop(parts.texts.remove("format")));
    refused("another version", &text("version", "2"));
    refused("no plan", &text("plan", "{}"));
    refused("a strange guidance", &text("guidance", "NaN"));
    refused("a strange schedule", &text("guidance_schedule", "steep"));
    refused("more batches", &text("batches", "18446744073709551615"));
    refused("no batches", &text("batches", "0"));
    refused("no number of batches", &text("batches", "-1"));
    refused("no images", &missing("batch1.images"));
    refused("half an image", &bytes("batch0.images", &[1, 0, 0, 0, 0, 0, 0, 0x80]));
    refused("other classes", &shape("batch0.classes", json!([1, 2])));
    refused("no orders", &missing("batch0.orders"));
    refused("a token twice", &bytes("batch0.orders", &[9]));
    refused("a token beyond the grid", &bytes("batch0.orders", &[64]));
    refused("other targets", &bytes("batch0.step0.targets", &[63]));
    refused("too many picked", &|parts| parts.tensor("batch0.step7.groups").2.fill(1));
    refused("a group that is none", &bytes("batch0.step7.groups", &[2]));
    refused("picked where nothing is", &bytes("batch0.step0.groups", &[1]));
    refused("time goes back", &|parts| parts.tensor("batch1.step2.seconds").2 = (-1.0_f64).to_le_bytes().to_vec());
    refused("time stands", &|parts| parts.tensor("batch1.step2.seconds").2 = f64::INFINITY.to_le_bytes().to_vec());
    refused("no guidance", &missing("batch0.step1.guidance"));
    refused("no vectors", &missing("batch0.step7.z"));
    refused("vectors of others", &shape("batch0.step7.z", json!([128, 64])));
    refused("vectors that are not numbers", &|parts| parts.tensor("batch0.step7.z").2.fill(0xff));
    refused("flat pictures", &shape("batch0.pictures", json!([2048])));
    refused("pictures of two colours", &shape("batch0.pictures", json!([2, 32, 16, 2])));
    refused("no pixels", &|parts| {
        *parts.tensor("batch0.pictures") = ("U8".into(), json!([2, 0, 32, 1]), Vec::new());
    });
    let bytes = fs::read(folder.path().join("run.safetensors")).unwrap();
    for (what, length) in [("cut in the header", 300), ("cut in the values", bytes.len() - 7)] {
        fs::write(folder.path().join("t"), &bytes[..length]).unwrap();
        let _ = write!(lines, "{what}\n  {}", run_in(folder.path(), &["inspect", "t"]).failed(1));
    }
    assert_snapshot!("inspect_trace_failures", lines);
}
