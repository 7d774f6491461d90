//! Named series of numbers: what a training program measures.

mod csv;
mod jsonl;

use crate::plot::{Plot, save_figure};
use std::io::Write;
use std::path::Path;
use taper_io::{Error, Result, write_atomic};
use taper_tensor::{DType, State, StateError, Stateful, Tensor};

/// Named series of values, each with its step, in the order in which they were logged.
///
/// Names of the form `train/loss`, `validation/loss` draw as lines of one chart (see [`curves`](Self::curves)).
///
/// ```
/// use taper_train::History;
/// let mut history = History::new();
/// for epoch in 1..=3 {
///     history.log("train/loss", epoch as f64, 1.0 / epoch as f64);
///     history.log("validation/loss", epoch as f64, 1.1 / epoch as f64);
/// }
/// assert_eq!(history.last("train/loss"), Some(1.0 / 3.0));
/// let dir = tempfile::tempdir()?;
/// history.save(dir.path().join("history.csv"))?;
/// assert_eq!(History::load(dir.path().join("history.csv"))?, history);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct History {
    names: Vec<String>,
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    series: usize,
    step: f64,
    value: f64,
}

/// Equal series in equal order; NaN equals NaN.
impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
        self.records.len() == other.records.len()
            && self.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && same(a.1, b.1) && same(a.2, b.2))
    }
}

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to a series. The step is what stands below it in a chart: an epoch or part of one, or
    /// the number of an optimizer's step.
    pub fn log(&mut self, name: &str, step: f64, value: f64) {
        let series = self.names.iter().position(|n| n == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        });
        self.records.push(Record { series, step, value });
    }

    /// Names of the series, in the order of their first values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Steps and values of a series; nothing if there is none of the name.
    pub fn get(&self, name: &str) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        let series = self.names.iter().position(|n| n == name);
        self.records.iter().filter(move |r| Some(r.series) == series).map(|r| (r.step, r.value))
    }

    /// The last value of a series.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.get(name).next_back().map(|(_, value)| value)
    }

    /// Everything as (name, step, value), in the order in which it was logged.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        self.records.iter().map(|r| (self.names[r.series].as_str(), r.step, r.value))
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True for no values.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A chart for each metric, with a line for each series of it: `train/loss` and `validation/loss` are
    /// the lines `train` and `validation` of the chart `loss`; a name without a slash has its own.
    pub fn curves(&self, x_label: &str) -> Vec<Plot> {
        let split = |name: &'_ str| match name.rsplit_once('/') {
            Some((line, metric)) => (line.to_string(), metric.to_string()),
            None => (String::new(), name.to_string()),
        };
        let mut charts: Vec<(String, Plot)> = Vec::new();
        for name in &self.names {
            let (line, metric) = split(name);
            let i = charts.iter().position(|(m, _)| *m == metric).unwrap_or_else(|| {
                let mut letters = metric.chars();
                let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                let title = first + letters.as_str();
                charts.push((metric.clone(), Plot::new(title, x_label, metric)));
                charts.len() - 1
            });
            let (metric, chart) = charts.remove(i);
            charts.insert(i, (metric, chart.line(line, self.get(name))));
        }
        charts.into_iter().map(|(_, chart)| chart).collect()
    }

    /// Draws all [`curves`](Self::curves) side by side into a file (`.svg` or `.png`), atomically.
    ///
    /// # Errors
    /// As those of [`save_figure`].
    pub fn save_curves(&self, path: impl AsRef<Path>, x_label: &str) -> Result<()> {
        save_figure(&self.curves(x_label), path)
    }

    /// Writes everything to a file, atomically; the format follows the extension. `.csv`: a line
    /// `series,step,value` for each value. `.jsonl`: an object `{"series": …, "step": …, "value": …}` in
    /// each line; numbers that JSON does not have are the texts `"NaN"`, `"Infinity"`, `"-Infinity"`, as
    /// in Protobuf's JSON. Numbers are as short as is exact.
    ///
    /// # Errors
    /// For another extension, and where the file cannot be written; what was there before stays.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let text = match Format::of(path)? {
            Format::Csv => csv::write(self),
            Format::Jsonl => jsonl::write(self),
        };
        write_atomic(path, |out| out.write_all(text.as_bytes()))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// For another extension, and where the file is missing or damaged; says in which line.
    pub fn load(path: impl AsRef<Path>) -> Result<History> {
        let path = path.as_ref();
        let format = Format::of(path)?;
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            path: path.into(),
            what: "cannot read",
            source,
        })?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Error::Format { path: path.into(), message: format!("no UTF-8 at byte {at}") }
        })?;
        let history = match format {
            Format::Csv => csv::read(&text),
            Format::Jsonl => jsonl::read(&text),
        };
        history.map_err(|(line, message)| Error::Format {
            path: path.into(),
            message: format!("line {line}: {message}"),
        })
    }
}

/// The line in which something is wrong, and what.
type Wrong = (usize, String);

enum Format {
    Csv,
    Jsonl,
}

impl Format {
    fn of(path: &Path) -> Result<Format> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("jsonl") => Ok(Format::Jsonl),
            _ => {
                let message = "unknown file extension; histories are .csv and .jsonl".into();
                Err(Error::Format { path: path.into(), message })
            }
        }
    }
}

impl Stateful for History {
    fn state_dict(&self) -> State {
        let names = self.names.iter().map(|n| State::from(n.as_str())).collect::<Vec<_>>();
        let column = |f: fn(&Record) -> f64| {
            Tensor::from_vec(self.records.iter().map(f).collect::<Vec<f64>>(), [self.records.len()])
        };
        let series = self.records.iter().map(|r| r.series as i64).collect::<Vec<_>>();
        State::map([
            ("names", names.into()),
            ("series", Tensor::from_vec(series, [self.records.len()]).into()),
            ("steps", column(|r| r.step).into()),
            ("values", column(|r| r.value).into()),
        ])
    }

    fn load_state_dict(&mut self, state: &State) -> std::result::Result<(), StateError> {
        let error = |message: &str| StateError::new("History", message);
        let names: Option<Vec<String>> = state
            .get("names")
            .and_then(State::as_list)
            .and_then(|list| list.iter().map(|n| n.as_str().map(str::to_string)).collect());
        let names = names.ok_or_else(|| error("names should be a list of names"))?;
        let column = |name: &str, dtype: DType| {
            let column = state.get(name).and_then(State::as_tensor);
            let column = column.filter(|t| t.ndim() == 1 && t.dtype() == dtype);
            column.ok_or_else(|| error(&format!("{name} should be one-dimensional, of {dtype:?}")))
        };
        let series = column("series", DType::I64)?.to_vec::<i64>();
        let steps = column("steps", DType::F64)?.to_vec::<f64>();
        let values = column("values", DType::F64)?.to_vec::<f64>();
        if series.len() != steps.len() || series.len() != values.len() {
            return Err(error("series, steps and values should have one length"));
        }
        if let Some(bad) = series.iter().find(|s| !(0..names.len() as i64).contains(s)) {
            return Err(error(&format!("series {bad} has no name")));
        }
        let rows = series.into_iter().zip(steps).zip(values);
        let records = rows.map(|((s, step), value)| Record { series: s as usize, step, value }).collect();
        *self = History { names, records };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure;

    pub(super) fn history() -> History {
        let mut h = History::new();
        h.log("train/loss", 0.5, 0.1 + 0.2);
        h.log("validation/loss", 1.0, f64::NAN);
        h.log("train/loss", 1.0, -1e-300);
        h.log("lr, \"now\"\nµ", 3.0, f64::INFINITY);
        h.log("train/accuracy", 1e21, f64::MAX);
        h.log("train/accuracy", 2.0, f64::NEG_INFINITY);
        h
    }

    #[test]
    fn series_are_what_was_logged() {
        let h = history();
        assert_eq!(h.names().count(), 4);
        assert_eq!(h.get("train/loss").collect::<Vec<_>>(), [(0.5, 0.1 + 0.2), (1.0, -1e-300)]);
        assert_eq!((h.last("train/accuracy"), h.last("no")), (Some(f64::NEG_INFINITY), None));
        assert_eq!((h.len(), h.is_empty(), History::new().is_empty()), (6, false, true));
    }

    #[test]
    fn files_give_back_what_was_saved() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["h.csv", "h.jsonl"] {
            let path = dir.path().join(name);
            for h in [history(), History::new()] {
                h.save(&path).unwrap();
                assert_eq!(History::load(&path).unwrap(), h);
            }
        }
        let message = |p: &str| History::load(dir.path().join(p)).unwrap_err().to_string();
        assert!(message("h.txt").ends_with("h.txt: unknown file extension; histories are .csv and .jsonl"));
        assert!(message("no.csv").contains("no.csv: cannot read: "));
        std::fs::write(dir.path().join("bad.csv"), b"series,step,value\nloss\xff,1,2\n").unwrap();
        assert!(message("bad.csv").ends_with("no UTF-8 at byte 22"));
    }

    #[test]
    fn states_are_exact() {
        let h = history();
        let mut other = History::new();
        other.load_state_dict(&h.state_dict()).unwrap();
        let bits = |h: &History| {
            h.iter().map(|r| (r.0.to_string(), r.1.to_bits(), r.2.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(bits(&other), bits(&h));
        let State::Map(mut state) = h.state_dict() else { unreachable!() };
        state.insert("names", State::List(vec![]));
        let error = other.load_state_dict(&State::Map(state)).unwrap_err();
        assert_eq!(error.to_string(), "cannot load the state of History: series 0 has no name");
        assert_eq!(other, h);
    }

    #[test]
    fn a_metric_is_a_chart() {
        let mut h = History::new();
        for (name, value) in [("train/loss", 1.0), ("lr", 0.1), ("validation/loss", 2.0), ("lr", 0.2)] {
            h.log(name, 1.0, value);
        }
        let charts = h.curves("epoch");
        assert_eq!(charts.len(), 2);
        let svg = figure(&charts[..1]).to_svg();
        for text in [">Loss<", ">loss<", ">epoch<", ">train<", ">validation<"] {
            assert!(svg.contains(text), "{text}");
        }
        let svg = figure(&charts[1..]).to_svg();
        assert!(svg.contains(">Lr<") && svg.matches("<circle").count() == 2);
    }
}
