//! Numbers along an axis.

/// The values an axis shows and the round ones that it names.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    /// Round numbers inside, at most eight, with their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Covers the values; `rounded` widens it to the next round numbers.
    pub fn new(values: impl Iterator<Item = f64>, rounded: bool) -> Axis {
        Axis::with_step(values, rounded, 0.0)
    }

    /// Covers epochs or steps: whole numbers have whole ticks, and an axis that begins near 0 begins there.
    pub fn counting(values: impl Iterator<Item = f64> + Clone) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let zero = (low > 0.0 && low <= 0.1 * high).then_some(0.0);
        let whole = values.clone().all(|v| v.fract() == 0.0);
        Axis::with_step(values.chain(zero), false, if whole { 1.0 } else { 0.0 })
    }

    fn with_step(values: impl Iterator<Item = f64>, rounded: bool, least: f64) -> Axis {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low > high {
            (0.0, 1.0)
        } else if high - low <= 1e-12 * low.abs().max(high.abs()) {
            let half = if low == 0.0 { 0.5 } else { 0.5 * low.abs() };
            (low - half, high + half)
        } else {
            (low, high)
        };
        let step = step(high - low).max(least);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let (low, high) = if rounded { (first * step, last * step) } else { (low, high) };
        let slack = 1e-9 * (high - low);
        let ticks = (0..=(last - first) as usize).map(|i| (first + i as f64) * step);
        let ticks = ticks.filter(|v| (low - slack..=high + slack).contains(v));
        Axis { low, high, ticks: ticks.map(|v| (v, number(v, step))).collect() }
    }

    /// Wider by a share of its length on both ends.
    pub fn padded(values: impl Iterator<Item = f64> + Clone, share: f64) -> Axis {
        let a = Axis::new(values.clone(), false);
        let pad = share * (a.high - a.low);
        Axis::new([a.low - pad, a.high + pad].into_iter(), false)
    }

    /// Where a value lies between two places.
    pub fn at(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }
}

/// A round distance that cuts a length into three to seven pieces.
fn step(length: f64) -> f64 {
    let rough = length / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * (1.0 - 1e-9)).unwrap_or(rough)
}

/// A tick's number, as exact as its step.
fn number(v: f64, step: f64) -> String {
    // The number itself is a multiple of the step but for rounding.
    let v = (v / step).round() * step;
    if v == 0.0 && step < 1e-4 {
        return "0".into();
    }
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    if v != 0.0 && (step < 1e-4 || v.abs() >= 1e6) {
        let exponent = v.abs().log10().floor();
        let digits = (exponent - step.log10().floor()).clamp(0.0, 15.0) as usize;
        let text = format!("{v:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').trim_end_matches('.'),
            false => mantissa,
        };
        return format!("{}e{exponent}", mantissa.replace('-', "−"));
    }
    let text = format!("{:.decimals$}", if v == 0.0 { 0.0 } else { v });
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        Axis::new([low, high].into_iter(), true).ticks.into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn ticks_are_round_and_cover() {
        for (low, high) in
            [(0.0, 1.0), (0.31, 0.97), (-3.0, 7.0), (1200.0, 98_000.0), (1e-9, 7e-9), (5.0, 5.0), (0.0, 0.0)]
        {
            let a = Axis::new([low, high].into_iter(), true);
            assert!(a.ticks.len() >= 3 && a.ticks.len() <= 8, "{a:?}");
            assert!(a.low <= low && a.high >= high, "{a:?}");
            let (first, last) = (a.ticks[0].0, a.ticks.last().unwrap().0);
            assert!((first - a.low).abs() + (last - a.high).abs() < 1e-9 * (a.high - a.low), "{a:?}");
        }
    }

    #[test]
    fn labels_have_no_noise() {
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-1.0, 1.0), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 98_000.0), ["0", "20000", "40000", "60000", "80000", "100000"]);
        assert_eq!(labels(0.0, 2.3e-5), ["0", "5e-6", "1e-5", "1.5e-5", "2e-5", "2.5e-5"]);
        assert_eq!(labels(1e6, 3e6), ["1e6", "1.5e6", "2e6", "2.5e6", "3e6"]);
        assert_eq!(labels(1.0, 5.0), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn epochs_are_whole() {
        let labels = |values: &[f64]| -> Vec<String> {
            Axis::counting(values.iter().copied()).ticks.into_iter().map(|t| t.1).collect()
        };
        assert_eq!(labels(&[1.0, 2.0, 3.0]), ["1", "2", "3"]);
        assert_eq!(labels(&[1.0, 2.0, 2.5]), ["1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(&[0.05, 2.0]), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(&[1.0, 500.0])[0], "0");
        assert_eq!(labels(&[400.0, 500.0])[0], "400");
        assert_eq!(labels(&[]), ["0", "1"]);
        assert_eq!(labels(&[1.0]), ["1"]);
    }

    #[test]
    fn places_are_linear() {
        let a = Axis::new([0.0, 10.0].into_iter(), false);
        assert_eq!(
            (a.at(0.0, 50.0, 150.0), a.at(5.0, 50.0, 150.0), a.at(10.0, 150.0, 50.0)),
            (50.0, 100.0, 50.0)
        );
        let p = Axis::padded([0.0, 10.0].into_iter(), 0.1);
        assert_eq!((p.low, p.high), (-1.0, 11.0));
    }
}
