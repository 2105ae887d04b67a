//! Drawings: of grids in text, and figures as SVG and PNG.
//!
//! A figure is drawn once, as [`svg::Svg`]; [`png::render`] turns its text into pixels. A plot of numbers is a
//! [`chart::Chart`], which draws itself into an [`area::Area`] of a figure or makes a figure of its own. Colours come from
//! [`palette`].

pub(crate) mod area;
pub(crate) mod chart;
pub(crate) mod font;
mod labels;
pub(crate) mod palette;
pub(crate) mod png;
pub(crate) mod scale;
pub(crate) mod svg;
mod text;

pub(crate) use text::{Room, stages, steps};
