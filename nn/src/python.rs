//! Numbers and tuples as Python prints them, for representations.

/// A float: `0.1`, `1.0`, `1e-05`.
pub(crate) fn float(v: f64) -> String {
    if !v.is_finite() {
        return if v.is_nan() {
            "nan"
        } else if v > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .into();
    }
    let exponent = if v == 0.0 { 0 } else { v.abs().log10().floor() as i32 };
    if (-4..16).contains(&exponent) {
        return format!("{v:?}");
    }
    let text = format!("{v:e}");
    let (mantissa, exponent) = text.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `True` or `False`.
pub(crate) fn truth(b: bool) -> &'static str {
    if b { "True" } else { "False" }
}

/// `None` or the value.
pub(crate) fn option(v: Option<String>) -> String {
    v.unwrap_or_else(|| "None".into())
}

/// `(2, 3)`, `(4,)`.
pub(crate) fn tuple(v: &[usize]) -> String {
    let items: Vec<String> = v.iter().map(usize::to_string).collect();
    format!("({}{})", items.join(", "), if v.len() == 1 { "," } else { "" })
}

/// A pair that PyTorch's user gave as one number is printed as one.
pub(crate) fn pair(v: [usize; 2]) -> String {
    if v[0] == v[1] { v[0].to_string() } else { tuple(&v) }
}
