//! Pages for a browser. A page is one file: style, scripts and data are in it, and its policy forbids it to ask for more.

mod plan;
mod trace;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gtr_core::Grid;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::plan::{Evaluations, PlanPage, plans};
pub use self::trace::{TraceBatch, TraceData, TraceImage, TraceStep, check_trace, trace};
use crate::Error;

/// A grid of more rows or columns is not drawn.
const SIDE: u32 = 128;

const TEMPLATE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
/// What all pages have, in the order in which it must come.
const SHARED: [&str; 5] = [
    include_str!("assets/base.js"),
    include_str!("assets/layout.js"),
    include_str!("assets/player.js"),
    include_str!("assets/grid.js"),
    include_str!("assets/chart.js"),
];

/// Refuses a grid whose cells nobody could point at.
fn check(grid: Grid) -> Result<(), Error> {
    if grid.height() > SIDE || grid.width() > SIDE {
        return Err(Error::GridTooLarge { grid, most: SIDE });
    }
    Ok(())
}

/// The page that `script` makes of `data`.
fn page(title: &str, script: &str, data: &impl Serialize) -> String {
    let scripts: Vec<&str> = SHARED.into_iter().chain([script]).collect();
    let style = format!("\n{STYLE}");
    let sources = |texts: &[String]| texts.iter().map(|text| source(text)).collect::<Vec<_>>().join(" ");
    let framed: Vec<String> = scripts.iter().map(|script| format!("\n{script}")).collect();
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src {}; script-src {}",
        source(&style),
        sources(&framed)
    );
    fill(TEMPLATE, |marker| match marker {
        "policy" => policy.clone(),
        "program" => concat!("gtr-cli ", env!("CARGO_PKG_VERSION")).to_owned(),
        "title" => escape(title),
        "style" => style.clone(),
        "data" => json(data),
        _ => framed.iter().flat_map(|script| ["<script>", script.as_str(), "</script>\n"]).collect(),
    })
}

/// What the policy calls a script or a style of the page: only these run, whatever else came to stand there.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// The template with each `{{marker}}` replaced; what takes its place is not looked at again.
fn fill(template: &str, says: impl Fn(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, (marker, after))) =
        rest.split_once("{{").and_then(|(before, from)| Some((before, from.split_once("}}")?)))
    {
        filled.push_str(before);
        filled.push_str(&says(marker));
        rest = after;
    }
    filled + rest
}

/// A text as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Data as JSON that cannot end the element that it stands in. Of JSON's signs none is replaced.
fn json(data: &impl Serialize) -> String {
    // The data are numbers, texts and lists.
    let text = serde_json::to_string(data).unwrap_or_default();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_style_stay_in_their_elements() {
        for text in SHARED.into_iter().chain([plan::SCRIPT, trace::SCRIPT, STYLE]) {
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
        for script in SHARED.into_iter().chain([plan::SCRIPT, trace::SCRIPT]) {
            assert!(script.starts_with("\"use strict\";\n"));
            assert!(!script.contains("innerHTML") && !script.contains("eval("));
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let says = |marker: &str| format!("<{marker} {{{{b}}}}>");
        assert_eq!(fill("1 {{a}} 2 {{b}} 3", says), "1 <a {{b}}> 2 <b {{b}}> 3");
        assert_eq!(fill("{{ unended", says), "{{ unended");
    }

    #[test]
    fn data_cannot_leave_its_element() {
        let hostile = "</script><script>alert(1)</script><!-- &amp;";
        let text = json(&[hostile]);
        assert!(!text.contains(['<', '>', '&']));
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
        assert_eq!(escape("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
