//! Figures with their spread.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints a line at once; a reader that went away is no error.
pub fn say(line: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Several measurements of the same thing.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Adds a measurement.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The value below which the given share (0 to 1) of the measurements lies; 0 when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a small count"
        )]
        let index = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
        self.0.get(index).copied().unwrap_or_default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut figures = Self(values.into_iter().collect());
        figures.0.sort_by(f64::total_cmp);
        figures
    }
}

/// `median (least to most)`.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, middle, most) = (self.quantile(0.0), self.quantile(0.5), self.quantile(1.0));
        let digits = f.precision().unwrap_or(1);
        write!(f, "{middle:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_shows_its_median_and_its_spread() {
        let figures: Figures = [3.0, 1.0, 2.0].into_iter().collect();
        assert_eq!(format!("{figures:.0}"), "2 (1 to 3)");
        assert!(Figures::default().quantile(0.5).abs() < f64::EPSILON);
    }
}
