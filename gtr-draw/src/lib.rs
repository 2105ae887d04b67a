//! Figures (SVG and PNG), text grids, tables and HTML pages of sampling plans. Depends only on [`gtr_core`].
//!
//! | module | contents |
//! |---|---|
//! | [`figure`] | figures of plans: the grid, curves over the AR steps, the known tokens, the spread of the stages |
//! | [`page`] | self-contained HTML pages of plans and of recorded runs |
//! | [`text`], [`table`], [`config_text`] | grids, tables and configurations in plain text |
//! | [`chart`] | plots of data series |
//! | [`svg`], [`area`], [`palette`], [`scale`], [`font`] | drawing primitives of figures and plots |
//! | [`png`] | conversion of SVG to PNG (feature `png`, on by default) |
//! | [`gaps`], [`loss`] | the largest gap after AR steps; losses and their text form |
//!
//! The same plan gives the same bytes on every machine: the fonts are embedded, and no file, clock or environment variable is
//! read.
//!
//! # Examples
//! The figure of a preset:
//! ```
//! use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
//! use gtr_draw::figure::{self, PlanView};
//!
//! let preset = preset::find("gtr-16")?;
//! let plan = preset.schedule.plan(Grid::new(16, 16)?, &Registry::builtin())?.plan;
//! let svg = figure::plan(&PlanView::new("gtr-16", &plan, (Seed(0), ImageIndex(0)))?);
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod area;
pub mod chart;
pub mod config_text;
mod error;
pub mod figure;
pub mod font;
pub mod gaps;
mod labels;
pub mod loss;
pub mod page;
pub mod palette;
#[cfg(feature = "png")]
pub mod png;
pub mod scale;
pub mod step_axes;
pub mod svg;
pub mod table;
pub mod text;

pub use self::error::Error;
