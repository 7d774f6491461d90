//! Elements as the digits of their bits.

use serde_json::Value;
use taper::{DType, Tensor};

pub const DTYPES: [(&str, DType); 4] =
    [("f32", DType::F32), ("f64", DType::F64), ("f16", DType::F16), ("bf16", DType::BF16)];

/// A dtype by its short name.
pub fn dtype(name: &str) -> DType {
    DType::ALL.into_iter().find(|&d| short(d) == name).expect("a dtype")
}

pub fn short(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::U8 => "u8",
        DType::I8 => "i8",
        DType::I16 => "i16",
        DType::I32 => "i32",
        DType::I64 => "i64",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// Digits of an element.
pub fn digits(dtype: DType) -> usize {
    if dtype == DType::Bool { 1 } else { 2 * dtype.size() }
}

/// The numbers that `text` holds, of `digits` digits each.
pub fn numbers(text: &Value, digits: usize) -> Vec<u64> {
    let text = text.as_str().expect("digits");
    let part = |i: usize| u64::from_str_radix(&text[i..i + digits], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(digits).map(part).collect()
}

/// The bits of elements of a float dtype.
pub fn elements(text: &Value, dtype: DType) -> Vec<u64> {
    numbers(text, 2 * dtype.size())
}

pub fn tensor(bits: &[u64], shape: &[usize], dtype: DType) -> Tensor {
    let bytes: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()[..dtype.size()].to_vec()).collect();
    Tensor::try_from_bytes(&bytes, shape, dtype).expect("as many elements as the shape has")
}

/// Every element's bits; truth values and positions are 0 and above.
pub fn bits(x: &Tensor) -> Vec<u64> {
    let size = x.dtype().size();
    let word = |b: &[u8]| b.iter().rev().fold(0u64, |word, &b| word << 8 | b as u64);
    x.contiguous().to_bytes().chunks(size).map(word).collect()
}

/// How many of the dtype's numbers lie between two, at most `allowed`? Zeros of two signs are equal only
/// where something is allowed; NaN equals NaN, and an infinity nothing but itself.
pub fn near(got: u64, want: u64, dtype: DType, allowed: u64) -> bool {
    let (width, mantissa) = match dtype {
        DType::F64 => (64, 52),
        DType::F32 => (32, 23),
        DType::F16 => (16, 10),
        DType::BF16 => (16, 7),
        _ => return got == want,
    };
    let sign = 1u64 << (width - 1);
    let infinity = sign - (1 << mantissa);
    let size = |b: u64| b & (sign - 1);
    if size(got) > infinity || size(want) > infinity {
        return size(got) > infinity && size(want) > infinity;
    }
    let place = |b: u64| if b & sign != 0 { -(size(b) as i128) } else { size(b) as i128 };
    got == want
        || size(want) != infinity && place(got).abs_diff(place(want)) <= allowed as u128 && allowed > 0
}

/// The number that an element of a float dtype is.
pub fn value(bits: u64, dtype: DType) -> f64 {
    tensor(&[bits], &[1], dtype).to_dtype(DType::F64).item()
}

/// The distance of 1 to the next number, of f32 for f16 and bf16, which are computed in it.
pub fn epsilon(dtype: DType) -> f64 {
    if dtype == DType::F64 { f64::EPSILON } else { f32::EPSILON as f64 }
}

/// The value, for messages.
pub fn show(bits: u64, dtype: DType) -> String {
    if dtype.is_float() { format!("{:e}", value(bits, dtype)) } else { bits.to_string() }
}
