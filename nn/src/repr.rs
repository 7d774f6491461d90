//! A module as text, as PyTorch prints it.

use crate::module::{Module, Slot, Visitor};
use std::fmt;

/// A module as PyTorch prints it: its type, its configuration, and indented the modules inside. This is
/// also what `Display` of a module prints.
///
/// ```
/// use taper_nn::{Linear, ReLU, sequential};
/// let net = sequential![Linear::new(4, 2), ReLU::new()];
/// assert_eq!(net.to_string(), "\
/// Sequential(
///   (0): Linear(in_features=4, out_features=2, bias=True)
///   (1): ReLU()
/// )");
/// ```
pub fn repr(module: &dyn Module) -> String {
    struct Children(Vec<(String, String)>);
    impl Visitor for Children {
        fn slot(&mut self, name: &str, slot: Slot) {
            if let Slot::Module(m) = slot {
                self.0.push((name.into(), repr(m)));
            }
        }
    }
    let mut children = Children(Vec::new());
    module.visit(&mut children);
    let children = match module.kind() {
        "ModuleList" => repeated(children.0),
        _ => grouped(children.0),
    };
    block(module.kind(), &module.extra_repr(), children)
}

/// Items of a list field (`layers.0`, `layers.1`, …) put together as a `ModuleList`.
fn grouped(children: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut list: Option<(String, Vec<(String, String)>)> = None;
    let close = |list: &mut Option<(String, Vec<_>)>, out: &mut Vec<_>| {
        if let Some((name, items)) = list.take() {
            out.push((name, block("ModuleList", "", repeated(items))));
        }
    };
    for (name, text) in children {
        match name.split_once('.') {
            Some((head, item)) => {
                if list.as_ref().is_none_or(|(open, _)| open != head) {
                    close(&mut list, &mut out);
                    list = Some((head.into(), Vec::new()));
                }
                list.as_mut().expect("just opened").1.push((item.into(), text));
            }
            None => {
                close(&mut list, &mut out);
                out.push((name, text));
            }
        }
    }
    close(&mut list, &mut out);
    out
}

/// Equal neighbours of a list as one: `(0-2): 3 x Linear(…)`.
fn repeated(items: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut out: Vec<(String, String, String, usize)> = Vec::new();
    for (name, text) in items {
        match out.last_mut() {
            Some((_, last, same, count)) if *same == text => {
                (*last, *count) = (name, *count + 1);
            }
            _ => out.push((name.clone(), name, text, 1)),
        }
    }
    let shown = |(first, last, text, count): (String, String, String, usize)| match count {
        1 => (first, text),
        n => (format!("{first}-{last}"), format!("{n} x {text}")),
    };
    out.into_iter().map(shown).collect()
}

fn block(kind: &str, extra: &str, children: Vec<(String, String)>) -> String {
    if children.is_empty() {
        return format!("{kind}({extra})");
    }
    let mut text = format!("{kind}(\n");
    if !extra.is_empty() {
        text += &format!("  {extra}\n");
    }
    for (name, child) in children {
        text += &format!("  ({name}): {}\n", child.replace('\n', "\n  "));
    }
    text + ")"
}

impl fmt::Display for dyn Module + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&repr(self))
    }
}
impl fmt::Display for dyn crate::Forward + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&repr(self))
    }
}
