//! Trees by dotted keys.

use taper_tensor::{Key, State};

/// The key of a tensor that is the whole file.
pub const LONE: &str = "tensor";

/// Tensors, values, lists of plain values and empty containers by dotted keys, in the tree's order.
pub fn leaves(state: &State) -> Vec<(String, &State)> {
    let mut out = Vec::new();
    match state {
        State::Map(map) if map.is_empty() => {}
        State::Tensor(_) => out.push((LONE.to_string(), state)),
        _ => walk(state, &mut String::new(), &mut out),
    }
    if let [(key, _)] = &mut out[..]
        && key.is_empty()
    {
        key.push_str("value");
    }
    out
}

fn walk<'a>(state: &'a State, at: &mut String, out: &mut Vec<(String, &'a State)>) {
    let mut below = |key: &str, value: &'a State| {
        let before = at.len();
        if before > 0 {
            at.push('.');
        }
        at.push_str(key);
        walk(value, at, out);
        at.truncate(before);
    };
    match state {
        State::Map(map) if !map.is_empty() => map.iter().for_each(|(key, value)| below(&show(key), value)),
        State::List(items) | State::Tuple(items) if !items.iter().all(is_plain) => {
            items.iter().enumerate().for_each(|(i, value)| below(&i.to_string(), value));
        }
        _ => out.push((at.clone(), state)),
    }
}

/// Whether a value is neither a tensor nor a container.
pub fn is_plain(state: &State) -> bool {
    !matches!(state, State::Tensor(_) | State::Map(_) | State::List(_) | State::Tuple(_))
}

/// A key as text.
pub fn show(key: &Key) -> String {
    match key {
        Key::Str(s) => s.clone(),
        Key::Int(i) => i.to_string(),
    }
}

/// The part of a tree with this dotted key; keys may hold dots themselves.
pub fn select<'a>(state: &'a State, path: &str) -> Option<&'a State> {
    let step = |key: &str, value: &'a State| match path.strip_prefix(key)? {
        "" => Some(value),
        rest => select(value, rest.strip_prefix('.')?),
    };
    match state {
        State::Map(map) => map.iter().find_map(|(key, value)| step(&show(key), value)),
        State::List(items) | State::Tuple(items) => {
            items.iter().enumerate().find_map(|(i, value)| step(&i.to_string(), value))
        }
        _ => None,
    }
}

/// Dotted keys of the parts that are named tensors alone.
pub fn state_dicts(state: &State) -> Vec<String> {
    fn walk(state: &State, at: &str, out: &mut Vec<String>) {
        match state {
            State::Map(map) if !at.is_empty() && !map.is_empty() && state.to_state_dict().is_some() => {
                out.push(at.to_string());
            }
            State::Map(map) => {
                let dot = if at.is_empty() { "" } else { "." };
                map.iter().for_each(|(key, value)| walk(value, &format!("{at}{dot}{}", show(key)), out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(state, "", &mut out);
    out
}

/// Whether a key is asked for: by a glob with `*` and `?`, or else by a part of it.
pub fn matches(pattern: &str, key: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return key.contains(pattern);
    }
    let (pattern, key): (Vec<char>, Vec<char>) = (pattern.chars().collect(), key.chars().collect());
    let (mut p, mut k) = (0, 0);
    // Where the last star was, and how far it reaches: a longer reach is the only thing to try again.
    let mut star: Option<(usize, usize)> = None;
    while k < key.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, k));
                p += 1;
            }
            Some(&c) if c == '?' || c == key[k] => {
                p += 1;
                k += 1;
            }
            _ => match star {
                None => return false,
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    (p, k) = (at + 1, reach + 1);
                }
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_parts() {
        for (pattern, key, expected) in [
            ("weight", "layer.0.weight", true),
            ("weights", "layer.0.weight", false),
            ("*.weight", "layer.0.weight", true),
            ("layer.?.weight", "layer.0.weight", true),
            ("layer.?.weight", "layer.10.weight", false),
            ("layer*", "a.layer", false),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.b.b.c.d", false),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
        // A walk that tried everything again would not come back.
        assert!(!matches(&"*a".repeat(30), &format!("{}b", "a".repeat(10_000))));
    }

    #[test]
    fn keys_with_dots() {
        let tree = State::map([
            ("a", State::map([("x", 1.into())])),
            ("a.b", State::map([("c", 2.into())])),
            ("list", State::List(vec![3.into(), State::map([("d", 4.into())])])),
        ]);
        let at = |path: &str| select(&tree, path).and_then(State::as_i64);
        assert_eq!([at("a.x"), at("a.b.c"), at("list.0"), at("list.1.d")], [1, 2, 3, 4].map(Some));
        assert_eq!([at("a.b"), at("list.2"), at(""), at("a.")], [None; 4]);
        let keys: Vec<String> = leaves(&tree).into_iter().map(|(k, _)| k).collect();
        assert_eq!(keys, ["a.x", "a.b.c", "list.0", "list.1.d"]);
    }
}
