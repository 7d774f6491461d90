//! `taper diff`.

mod compare;
mod json;
mod report;

use crate::args::Diff;
use crate::budget::Budget;
use crate::fail::{DIFFERENT, Fail, Result};
use crate::kind::Kind;
use crate::output::{self, Style};
use crate::tree::{self, LONE};
use compare::{Elements, Tolerance};
use std::collections::HashMap;
use std::path::Path;
use taper_tensor::{State, Tensor};

pub fn run(args: &Diff) -> Result<u8> {
    let load = |path: &Path| Kind::to_read(path)?.load(path);
    let (a, b) = (load(&args.a)?, load(&args.b)?);
    let found = Findings::of(args, &a, &b)?;
    let printed = match (args.quiet, args.json) {
        (true, _) => Ok(()),
        (_, true) => output::print_json(&json::Report::of(args, &found)),
        _ => output::print(&report::text(args, &found, Style::stdout())),
    };
    match printed {
        // What was found does not depend on who reads it.
        Ok(()) | Err(Fail::Closed) => Ok(if found.equal() { 0 } else { DIFFERENT }),
        Err(fail) => Err(fail),
    }
}

/// What two files have and have not in common.
struct Findings<'a> {
    only_in_a: Vec<(String, &'a State)>,
    only_in_b: Vec<(String, &'a State)>,
    different: Vec<Difference<'a>>,
    same_tensors: u64,
    same_values: u64,
}

/// One key with two contents.
struct Difference<'a> {
    key: String,
    a: &'a State,
    b: &'a State,
    what: What,
}

enum What {
    /// A tensor and a value, or values of two kinds.
    Kind,
    DType,
    Shape,
    Elements(Elements),
    Value,
}

impl<'a> Findings<'a> {
    fn of(args: &Diff, a: &'a State, b: &'a State) -> Result<Findings<'a>> {
        let wanted = |key: &str| args.keys.as_ref().is_none_or(|pattern| tree::matches(pattern, key));
        let leaves = |state| {
            let mut leaves = tree::leaves(state);
            distinct(&mut leaves);
            leaves
        };
        let (mut a, mut b) = (leaves(a), leaves(b));
        match_lone(&mut a, &mut b);
        a.retain(|(key, _)| wanted(key));
        b.retain(|(key, _)| wanted(key));
        let tolerance = Tolerance { relative: args.rtol, absolute: args.atol };
        let mut comparison = Comparison { args, tolerance, budget: Budget::new() };
        let mut found = Findings {
            only_in_a: Vec::new(),
            only_in_b: Vec::new(),
            different: Vec::new(),
            same_tensors: 0,
            same_values: 0,
        };
        let mut rest: HashMap<String, (usize, &State)> =
            b.into_iter().enumerate().map(|(i, (key, leaf))| (key, (i, leaf))).collect();
        for (key, a) in a {
            let Some((_, b)) = rest.remove(&key) else {
                found.only_in_a.push((key, a));
                continue;
            };
            match (a.as_list(), b.as_list()) {
                (Some(a), Some(b)) => found.lists(&mut comparison, &key, a, b)?,
                _ => {
                    found.leaf(&mut comparison, key, a, b)?;
                }
            }
        }
        let mut rest: Vec<_> = rest.into_iter().collect();
        rest.sort_by_key(|(_, (i, _))| *i);
        found.only_in_b = rest.into_iter().map(|(key, (_, leaf))| (key, leaf)).collect();
        Ok(found)
    }

    fn leaf(&mut self, comparison: &mut Comparison, key: String, a: &'a State, b: &'a State) -> Result<bool> {
        let what = comparison.leaves(&key, a, b)?;
        let same = what.is_none();
        match what {
            Some(what) => self.different.push(Difference { key, a, b, what }),
            None if a.as_tensor().is_some() => self.same_tensors += 1,
            None => self.same_values += 1,
        }
        Ok(same)
    }

    /// Two lists are one value where they are equal; where not, their items are told.
    fn lists(
        &mut self,
        comparison: &mut Comparison,
        key: &str,
        a: &'a [State],
        b: &'a [State],
    ) -> Result<()> {
        let before = self.same_values;
        let mut same = a.len() == b.len();
        for i in 0..a.len().max(b.len()) {
            let key = format!("{key}.{i}");
            match (a.get(i), b.get(i)) {
                (Some(a), Some(b)) => same &= self.leaf(comparison, key, a, b)?,
                (Some(a), None) => self.only_in_a.push((key, a)),
                (None, Some(b)) => self.only_in_b.push((key, b)),
                (None, None) => {}
            }
        }
        self.same_values = before + same as u64;
        Ok(())
    }

    fn equal(&self) -> bool {
        self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.different.is_empty()
    }
}

/// Keys may hold dots, so two dotted keys may be one: the later ones get a number.
fn distinct(leaves: &mut [(String, &State)]) {
    let mut seen = HashMap::new();
    for (key, _) in leaves {
        let count = seen.entry(key.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            *key = format!("{key}#{count}");
        }
    }
}

/// A file that is one tensor is compared with the one tensor of the other, whatever its name.
fn match_lone(a: &mut [(String, &State)], b: &mut [(String, &State)]) {
    if let ([(ka, State::Tensor(_))], [(kb, State::Tensor(_))]) = (a, b) {
        if ka == LONE {
            *ka = kb.clone();
        } else if kb == LONE {
            *kb = ka.clone();
        }
    }
}

struct Comparison<'a> {
    args: &'a Diff,
    tolerance: Tolerance,
    budget: Budget,
}

impl Comparison<'_> {
    fn leaves(&mut self, key: &str, a: &State, b: &State) -> Result<Option<What>> {
        let different = match (a, b) {
            (State::Tensor(a), State::Tensor(b)) => return self.tensors(key, a, b),
            (State::Float(a), State::Float(b)) => !self.tolerance.allows(*a, *b),
            (State::Int(a), State::Int(b)) => a != b && !self.tolerance.allows(*a as f64, *b as f64),
            (State::Bool(a), State::Bool(b)) => a != b,
            (State::Str(a), State::Str(b)) => a != b,
            (State::None, State::None) => false,
            // A leaf is a map where nothing is in it.
            (State::Map(_), State::Map(_)) => false,
            _ => return Ok(Some(What::Kind)),
        };
        Ok(different.then_some(What::Value))
    }

    fn tensors(&mut self, key: &str, a: &Tensor, b: &Tensor) -> Result<Option<What>> {
        if a.shape() != b.shape() {
            return Ok(Some(What::Shape));
        }
        if a.dtype() != b.dtype() && !self.args.ignore_dtype {
            return Ok(Some(What::DType));
        }
        for (t, path) in [(a, &self.args.a), (b, &self.args.b)] {
            if !self.budget.allows(t.untyped_storage().id(), t) {
                return Err(Fail::of(path, format!("tensor \"{key}\": {}", Budget::refusal(t))));
            }
        }
        Ok(compare::elements(a, b, self.tolerance).map(What::Elements))
    }
}
