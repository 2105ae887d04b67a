//! Checkpoints: their sections and tensors, and what models they could be.

use std::fmt::Write as _;

use gtr_backends::Families;
use gtr_backends::checkpoint::{Inventory, SectionInventory, TensorInfo};
use serde_json::{Value, json};

use crate::args::{InspectArgs, InspectFormat};
use crate::commands::to_json;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_draw::table::{Align, Rows, count};

/// Carries out the command for a checkpoint.
pub(super) fn run(args: &InspectArgs, format: InspectFormat) -> Result<ExitStatus, CliError> {
    if args.plan_out.is_some() {
        return Err(CliError::usage("--plan-out: a checkpoint has no plan, a picture or a trace has"));
    }
    let inventory = Inventory::open(&args.file)?;
    let file = args.file.display().to_string();
    let text = match format {
        InspectFormat::Text => tell(&file, &inventory),
        InspectFormat::Json => to_json(&data(&file, &inventory)),
        InspectFormat::Html => {
            return Err(CliError::Failure(format!("{file}: it is a checkpoint, which has no page; a trace has")));
        }
    };
    output::write(&text, args.out.as_deref())?;
    Ok(ExitStatus::Success)
}

/// What a checkpoint could be: its kind, and the published models of its sizes, where its kind comes in sizes.
fn could_be(inventory: &Inventory) -> String {
    match (inventory.kind, Families::builtin().sized(inventory)) {
        (Some(kind), Some(models)) if models.is_empty() => format!("{kind} of no published size"),
        (Some(kind), Some(models)) => format!("{kind} of the size of {}", models.join(" or ")),
        (Some(kind), None) => kind.to_string(),
        (None, _) => "of no model that is known here".to_owned(),
    }
}

/// Numbers and bytes of a section; tensors whose type is not read count for nothing.
fn totals(section: &SectionInventory) -> (usize, usize) {
    let sum = |of: fn(&TensorInfo) -> Option<usize>| {
        section.tensors.iter().filter_map(|(_, info)| of(info)).fold(0, usize::saturating_add)
    };
    (sum(TensorInfo::elements), sum(TensorInfo::bytes))
}

fn tell(file: &str, inventory: &Inventory) -> String {
    let mut text = format!("{file}: {}, {}\n", inventory.format, could_be(inventory));
    // A String takes whatever is written.
    let _ = match &inventory.taken {
        Ok(section) if section.prefix().is_empty() => writeln!(text, "taken: {section}"),
        Ok(section) => writeln!(text, "taken: {section}, without the prefix `{}`", section.prefix()),
        Err(reason) => writeln!(text, "taken: nothing; {reason}"),
    };
    for section in &inventory.sections {
        let (numbers, bytes) = totals(section);
        let tensors = count(section.tensors.len(), "tensor");
        let _ = writeln!(text, "\n{}: {tensors}, {numbers} numbers, {bytes} bytes", section.name);
        if section.tensors.is_empty() {
            continue;
        }
        let mut rows =
            Rows::new([("name", Align::Left), ("shape", Align::Left), ("type", Align::Left), ("bytes", Align::Right)]);
        for (name, info) in &section.tensors {
            let dtype = info.dtype.map_or_else(|| "not read".to_owned(), |dtype| dtype.to_string());
            let bytes = info.bytes().map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            rows.add([name.clone(), format!("{:?}", info.shape), dtype, bytes]);
        }
        text.push_str(&rows.text());
    }
    // Names are not trusted: they could move the cursor.
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn data(file: &str, inventory: &Inventory) -> Value {
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
        "models": Families::builtin().sized(inventory).unwrap_or_default(),
        "taken": taken,
        "refused": inventory.taken.as_ref().err(),
        "sections": inventory.sections.iter().map(section).collect::<Vec<_>>(),
    })
}
