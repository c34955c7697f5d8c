//! The time axis.

/// Distances between marks that read well, in seconds.
const STEPS: &[f64] = &[
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    14400.0,
];

/// How many marks fit beside each other.
const MOST_MARKS: f64 = 7.0;

/// From the beginning of the work to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    total: f64,
    step: f64,
}

impl Scale {
    /// A scale for `total` seconds.
    pub(super) fn new(total: f64) -> Self {
        let total = if total.is_finite() { total.max(0.1) } else { 0.1 };
        let step = STEPS.iter().copied().find(|step| total / step <= MOST_MARKS);
        Self { total, step: step.unwrap_or(total / MOST_MARKS) }
    }

    /// Where a time is, in percent of the width.
    pub(super) fn at(self, seconds: f64) -> f64 {
        (100.0 * seconds / self.total).clamp(0.0, 100.0)
    }

    /// The marks: where, and what stands there.
    pub(super) fn marks(self) -> impl Iterator<Item = (f64, String)> {
        // The total is at most a few steps long.
        (0..)
            .map(move |number| f64::from(number) * self.step)
            .take_while(move |time| *time <= self.total)
            .map(move |time| (self.at(time), label(time)))
    }
}

/// A time as it stands at a mark, where there is little room: `0`, `0.5 s`, `30 s`, `1:30`, `2:00 h`.
fn label(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        0.0 => "0".to_owned(),
        // Fractions stand at marks only where these are less than a second apart.
        _ if seconds < 10.0 && (seconds - seconds.round()).abs() > 0.05 => format!("{seconds:.1} s"),
        _ if whole < 60 => format!("{whole} s"),
        _ if whole < 3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02} h", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(total: f64) -> Vec<String> {
        Scale::new(total).marks().map(|(_, label)| label).collect()
    }

    #[test]
    fn marks_are_round_and_few() {
        assert_eq!(labels(3.2), ["0", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s", "3 s"]);
        assert_eq!(labels(400.0), ["0", "1:00", "2:00", "3:00", "4:00", "5:00", "6:00"]);
        assert_eq!(labels(8000.0), ["0", "30:00", "1:00 h", "1:30 h", "2:00 h"]);
        for total in [0.0, 0.3, 7.0, 61.0, 1e4, 1e7, f64::NAN, f64::INFINITY] {
            assert!((1..=10).contains(&labels(total).len()), "{total}: {:?}", labels(total));
        }
    }

    #[test]
    fn times_are_within_the_width() {
        let scale = Scale::new(200.0);
        assert_eq!((scale.at(0.0), scale.at(50.0), scale.at(300.0)), (0.0, 25.0, 100.0));
    }
}
