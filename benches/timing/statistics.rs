//! Two samples side by side: medians, Kolmogorov-Smirnov, Mann-Whitney.

use std::fmt;

/// Largest difference of medians, in hundredths.
const MEDIANS: f64 = 2.0;
/// Twenty-one comparisons with two tests each: one in a thousand each keeps a false alarm below 5 % for a whole run.
const LEVEL: f64 = 0.001;

/// How two samples differ.
pub struct Difference {
    /// Of the medians, in hundredths of the first.
    medians: f64,
    /// The chance of samples this far apart if they were alike.
    kolmogorov_smirnov: f64,
    mann_whitney: f64,
}

impl Difference {
    /// Whether the samples pass for alike.
    pub fn is_none_found(&self) -> bool {
        self.medians <= MEDIANS && self.kolmogorov_smirnov >= LEVEL && self.mann_whitney >= LEVEL
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} % ks p={:.3} mw p={:.3}", self.medians, self.kolmogorov_smirnov, self.mann_whitney)
    }
}

/// Compares two sorted samples.
pub fn compare(one: &[u32], other: &[u32]) -> Difference {
    let (first, second) = (f64::from(one[one.len() / 2]), f64::from(other[other.len() / 2]));
    let (distance, above, ties) = walk(one, other);
    let (n, m) = (one.len() as f64, other.len() as f64);
    let all = n + m;
    let deviation = (n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)))).sqrt();
    Difference {
        medians: (first - second).abs() / first * 100.0,
        kolmogorov_smirnov: kolmogorov((n * m / all).sqrt() * distance),
        mann_whitney: two_sided((above - n * m / 2.0) / deviation),
    }
}

/// Whether refusals fell on one kind more than on another, each of which was answered `answered` times: by two, the difference of
/// their shares against its deviation.
pub fn shares_differ(refused: [u32; 3], answered: usize) -> bool {
    let attempts = |refused: u32| f64::from(refused) + answered as f64;
    let differ = |one: u32, other: u32| {
        let (n, m) = (attempts(one), attempts(other));
        let share = (f64::from(one) + f64::from(other)) / (n + m);
        let deviation = (share * (1.0 - share) * (1.0 / n + 1.0 / m)).sqrt();
        deviation > 0.0 && two_sided((f64::from(one) / n - f64::from(other) / m) / deviation) < LEVEL
    };
    differ(refused[0], refused[1]) || differ(refused[0], refused[2]) || differ(refused[1], refused[2])
}

/// Largest distance of the two distributions; pairs in which the first is larger (ties count half); the ties' term t³ − t.
fn walk(one: &[u32], other: &[u32]) -> (f64, f64, f64) {
    let (mut at, mut beside, mut distance, mut above, mut ties) = (0, 0, 0.0_f64, 0.0, 0.0);
    while at < one.len() || beside < other.len() {
        let value = one.get(at).copied().unwrap_or(u32::MAX).min(other.get(beside).copied().unwrap_or(u32::MAX));
        let same = |sample: &[u32], from: usize| sample[from..].iter().take_while(|time| **time == value).count();
        let (here, there) = (same(one, at), same(other, beside));
        above += here as f64 * (beside as f64 + there as f64 / 2.0);
        let tied = (here + there) as f64;
        ties += tied.powi(3) - tied;
        (at, beside) = (at + here, beside + there);
        distance = distance.max((at as f64 / one.len() as f64 - beside as f64 / other.len() as f64).abs());
    }
    (distance, above, ties)
}

/// The chance that Kolmogorov's statistic is larger (Kolmogorov 1933).
fn kolmogorov(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| (-1.0_f64).powi(k - 1) * (-2.0 * f64::from(k * k) * x * x).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// The chance of a normal deviate this far from 0 on either side (Abramowitz and Stegun 26.2.17).
fn two_sided(z: f64) -> f64 {
    let z = z.abs();
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (2.0 * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial).clamp(0.0, 1.0)
}
