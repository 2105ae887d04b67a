//! HTML pages. A page is one self-contained file with style, scripts and data. Its content security policy forbids
//! loading anything else.

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

/// Largest number of rows and of columns of a grid.
const SIDE: u32 = 128;

const TEMPLATE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
/// Scripts of all pages, in the required order.
const SHARED: [&str; 5] = [
    include_str!("assets/base.js"),
    include_str!("assets/layout.js"),
    include_str!("assets/player.js"),
    include_str!("assets/grid.js"),
    include_str!("assets/chart.js"),
];

/// Returns an error for a grid whose cells would be too small to point at.
fn check(grid: Grid) -> Result<(), Error> {
    if grid.height() > SIDE || grid.width() > SIDE {
        return Err(Error::GridTooLarge { grid, most: SIDE });
    }
    Ok(())
}

/// Returns the page that shows `data` with `script`.
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

/// Returns the hash source of a script or style for the content security policy, which allows only these scripts and styles.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Replaces each `{{marker}}` of the template. Markers in the replacements are not replaced.
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

/// Escapes a text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Serializes data as JSON without `<`, `>` and `&`, so that it cannot end its element. They occur only in strings of JSON.
fn json(data: &impl Serialize) -> String {
    // Numbers, strings and lists always serialize to JSON.
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
    fn replacements_are_not_replaced_again() {
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
