//! Checkpoints: their sections and tensors, and the models that they fit.

use std::fmt::Write as _;

use gtr_backends::Families;
use gtr_backends::checkpoint::{Inventory, SectionInventory, TensorInfo};
use serde_json::{Value, json};

use crate::args::{InspectArgs, InspectFormat};
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_core::count;
use gtr_draw::table::{Align, TableRows};

/// Runs the command for a checkpoint.
pub(super) fn run(args: &InspectArgs, format: InspectFormat, families: &Families) -> Result<ExitStatus, CliError> {
    if args.plan_out.is_some() {
        return Err(CliError::usage("--plan-out: expected an image or a trace, found a checkpoint, which has no plan"));
    }
    let inventory = Inventory::open(&args.file)?;
    let file = args.file.display().to_string();
    let text = match format {
        InspectFormat::Text => describe(&file, &inventory, families),
        InspectFormat::Json => to_json(&data(&file, &inventory, families)),
        InspectFormat::Html => {
            return Err(CliError::Failure(format!("{file}: expected a trace for --format html, found a checkpoint")));
        }
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

/// Describes the model of a checkpoint: its kind, and the published models of the same size, if its kind has several sizes.
fn could_be(inventory: &Inventory, families: &Families) -> String {
    match (inventory.kind, families.sized(inventory)) {
        (Some(kind), Some(models)) if models.is_empty() => format!("{kind}, of no published size"),
        (Some(kind), Some(models)) => format!("{kind}, of the size of {}", models.join(" or ")),
        (Some(kind), None) => kind.to_string(),
        (None, _) => "unknown model".to_owned(),
    }
}

/// Returns the number of values and of bytes in a section. Tensors of an unsupported type are not counted.
fn totals(section: &SectionInventory) -> (usize, usize) {
    let sum = |of: fn(&TensorInfo) -> Option<usize>| {
        section.tensors.iter().filter_map(|(_, info)| of(info)).fold(0, usize::saturating_add)
    };
    (sum(TensorInfo::elements), sum(TensorInfo::bytes))
}

fn describe(file: &str, inventory: &Inventory, families: &Families) -> String {
    let mut text = format!("{file}: {}, {}\n", inventory.format, could_be(inventory, families));
    // Writing to a String cannot fail.
    let _ = match &inventory.taken {
        Ok(section) if section.prefix().is_empty() => writeln!(text, "selected: {section}"),
        Ok(section) => writeln!(text, "selected: {section}, without the prefix `{}`", section.prefix()),
        Err(reason) => writeln!(text, "selected: none; {reason}"),
    };
    for section in &inventory.sections {
        let (numbers, bytes) = totals(section);
        let (tensors, values) = (count(section.tensors.len(), "tensor"), count(numbers, "value"));
        let _ = writeln!(text, "\n{}: {tensors}, {values}, {}", section.name, count(bytes, "byte"));
        if section.tensors.is_empty() {
            continue;
        }
        let mut rows = TableRows::new([
            ("name", Align::Left),
            ("shape", Align::Left),
            ("type", Align::Left),
            ("bytes", Align::Right),
        ]);
        for (name, info) in &section.tensors {
            let dtype = info.dtype.map_or_else(|| "unsupported".to_owned(), |dtype| dtype.to_string());
            let bytes = info.bytes().map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            rows.add([name.clone(), format!("{:?}", info.shape), dtype, bytes]);
        }
        text.push_str(&rows.text());
    }
    // Names are untrusted: control characters could move the cursor.
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn data(file: &str, inventory: &Inventory, families: &Families) -> Value {
    let tensor = |(name, info): &(String, TensorInfo)| json!({ "name": name, "shape": info.shape, "dtype": info.dtype.map(|it| it.to_string()), "bytes": info.bytes() });
    let section = |section: &SectionInventory| {
        let (numbers, bytes) = totals(section);
        let tensors: Vec<Value> = section.tensors.iter().map(tensor).collect();
        json!({ "name": section.name, "numbers": numbers, "bytes": bytes, "tensors": tensors })
    };
    let taken = inventory.taken.as_ref().ok().map(|it| {
        json!({ "section": it.name(), "description": it.to_string(), "prefix": it.prefix(), "others": it.others() })
    });
    json!({
        "file": file,
        "format": inventory.format,
        "kind": inventory.kind.map(|kind| kind.to_string()),
        "models": families.sized(inventory).unwrap_or_default(),
        "taken": taken,
        "refused": inventory.taken.as_ref().err(),
        "sections": inventory.sections.iter().map(section).collect::<Vec<_>>(),
    })
}
