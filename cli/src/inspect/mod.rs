//! `taper inspect`.

mod json;
mod report;

use crate::args::Inspect;
use crate::budget::Budget;
use crate::contents::{Contents, Entry};
use crate::fail::{Fail, Result, TROUBLE};
use crate::output::{self, Style};
use crate::stats::{self, Stats};
use crate::tree;
pub use json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use taper_tensor::State;

pub fn run(args: &Inspect) -> Result<u8> {
    let (mut code, style) = (0, Style::stdout());
    for (i, path) in args.files.iter().enumerate() {
        let shown = match Findings::of(path, args) {
            Ok(findings) if args.json => output::print_json(&json::File::of(path, &findings)),
            Ok(findings) => {
                let gap = if i > 0 { "\n" } else { "" };
                output::print(&format!("{gap}{}", report::text(path, &findings, args.keys.is_some(), style)))
            }
            Err(Fail::Message(message)) => {
                output::complain(&message);
                code = TROUBLE;
                Ok(())
            }
            Err(closed) => Err(closed),
        };
        // The rest would be read for nobody; what was wrong before stays wrong.
        match shown {
            Err(Fail::Closed) => return Ok(code),
            other => other?,
        }
    }
    Ok(code)
}

/// What of a file is shown.
struct Findings {
    contents: Contents,
    tensors: Vec<Found>,
    /// Indices of values.
    values: Vec<usize>,
    totals: Totals,
    /// Whether there are statistics, and of which tensors there are none.
    stats: bool,
    refused: Vec<String>,
}

/// A tensor that is shown.
struct Found {
    index: usize,
    /// The first of the tensors with this storage, if that is another.
    shares: Option<usize>,
    /// Bytes of the storage, where it is larger than the tensor and nobody else's.
    within: Option<u64>,
    stats: Option<Stats>,
}

#[derive(Default, serde::Serialize)]
struct Totals {
    tensors: u64,
    elements: u64,
    bytes: u64,
    /// Of each storage once.
    storage_bytes: u64,
}

impl Findings {
    fn of(path: &Path, args: &Inspect) -> Result<Findings> {
        let contents = Contents::open(path)?;
        let wanted = |key: &str| args.keys.as_ref().is_none_or(|pattern| tree::matches(pattern, key));
        let (mut first, mut counted) = (HashMap::new(), HashSet::new());
        let (mut tensors, mut totals) = (Vec::new(), Totals::default());
        let mut users = vec![0; contents.storages.len()];
        contents.tensors.iter().for_each(|entry| users[entry.storage] += 1);
        for (index, entry) in contents.tensors.iter().enumerate() {
            // Elements there are none of share nothing.
            let owner =
                if entry.elements == 0 { index } else { *first.entry(entry.storage).or_insert(index) };
            if !wanted(&entry.key) {
                continue;
            }
            totals.add(entry);
            if counted.insert(entry.storage) {
                totals.storage_bytes = totals.storage_bytes.saturating_add(contents.storages[entry.storage]);
            }
            let storage = contents.storages[entry.storage];
            let within = (users[entry.storage] == 1 && storage > entry.bytes).then_some(storage);
            tensors.push(Found { index, shares: (owner != index).then_some(owner), within, stats: None });
        }
        let values = (0..contents.values.len()).filter(|&i| wanted(&contents.values[i].0)).collect();
        let mut findings =
            Findings { contents, tensors, values, totals, stats: args.stats, refused: Vec::new() };
        if args.stats {
            findings.look()?;
        }
        Ok(findings)
    }

    /// Looks at the elements.
    fn look(&mut self) -> Result<()> {
        let mut budget = Budget::new();
        for found in &mut self.tensors {
            let Some(tensor) = self.contents.tensor(found.index)? else { continue };
            if budget.allows(self.contents.tensors[found.index].storage, &tensor) {
                found.stats = Some(stats::of(&tensor));
            } else {
                let key = &self.contents.tensors[found.index].key;
                self.refused.push(format!("{key}: {}", Budget::refusal(&tensor)));
            }
        }
        Ok(())
    }

    fn entry(&self, found: &Found) -> &Entry {
        &self.contents.tensors[found.index]
    }

    fn values(&self) -> impl Iterator<Item = &(String, State)> {
        self.values.iter().map(|&i| &self.contents.values[i])
    }
}

impl Totals {
    fn add(&mut self, entry: &Entry) {
        self.tensors += 1;
        self.elements = self.elements.saturating_add(entry.elements);
        self.bytes = self.bytes.saturating_add(entry.bytes);
    }
}
