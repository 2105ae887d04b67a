//! Draws the points of a series.

use super::{Marks, Plot, Series};
use crate::area::Area;
use crate::palette::PAPER;
use crate::svg::{Look, Path, Svg};

impl Series {
    pub(super) fn line(&self) -> Look {
        let look = Look::stroke(self.colour, 1.8);
        if self.dashed { look.dashed() } else { look }
    }

    pub(super) fn draw(&self, svg: &mut Svg, plot: &Plot) {
        let places = || self.points.iter().filter_map(|point| plot.place(point));
        match self.marks {
            Marks::Line => svg.path(&Path::through(places()), self.line()),
            Marks::Steps => {
                let places: Vec<_> = places().collect();
                let corners = places.windows(2).flat_map(|pair| [(pair[1].0, pair[0].1), pair[1]]);
                svg.path(&Path::through(places.first().copied().into_iter().chain(corners)), self.line());
            }
            Marks::Bars => self.bars(svg, plot),
            Marks::Points => self.dots(svg, plot),
        }
    }

    fn bars(&self, svg: &mut Svg, plot: &Plot) {
        for point in &self.points {
            let (Some((_, y)), Some(left), Some(right)) =
                (plot.place(point), plot.x(point.x - 0.5), plot.x(point.x + 0.5))
            else {
                continue;
            };
            let gap = ((right - left) * 0.12).min(1.0);
            let bar = Area::new(left + gap, y, right - left - 2.0 * gap, plot.area.bottom() - y);
            svg.rect(bar, Look::fill(point.colour.unwrap_or(self.colour)));
        }
    }

    fn dots(&self, svg: &mut Svg, plot: &Plot) {
        for point in &self.points {
            let Some((x, y)) = plot.place(point) else { continue };
            let colour = point.colour.unwrap_or(self.colour);
            if let Some((below, above)) = point.error
                && let (Some(low), Some(high)) = (plot.y(below), plot.y(above))
            {
                let look = Look::stroke(colour, 1.2);
                svg.line((x, low), (x, high), look);
                for end in [low, high] {
                    svg.line((x - 3.0, end), (x + 3.0, end), look);
                }
            }
            svg.circle((x, y), 4.0, Look::fill(colour).outlined(PAPER, 1.0));
        }
    }
}
