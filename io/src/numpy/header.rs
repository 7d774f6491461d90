//! The header of an array: a Python dict as text, such as
//! `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.

use taper_tensor::DType;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What an array's header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub dtype: DType,
    pub big_endian: bool,
    /// The first index runs fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// Bytes of the elements; `None` where that is no number.
    pub fn bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.size(), |n, &d| n.checked_mul(d))
    }

    /// Reads an array's header; gives the elements' place, too.
    pub fn read(file: &[u8]) -> Result<(Header, usize), String> {
        let rest =
            file.strip_prefix(MAGIC).ok_or("no array of numpy's: it does not begin with \\x93NUMPY")?;
        let short = || "cut off within the header".to_string();
        let (&[major, _minor], rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let (length, rest) = match major {
            1 => {
                let (n, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
                (u16::from_le_bytes(*n) as usize, rest)
            }
            2 | 3 => {
                let (n, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
                (u32::from_le_bytes(*n) as usize, rest)
            }
            _ => return Err(format!("version {major} of the format is not known")),
        };
        let text = rest.get(..length).ok_or_else(short)?;
        let text = std::str::from_utf8(text).map_err(|_| "the header is not UTF-8 text")?;
        let mut parser = Parser { rest: text };
        let header = parser.dict().map_err(|e| {
            let near: String = parser.rest.chars().take(20).collect();
            format!("header: {e} (before {near:?})")
        })?;
        Ok((header, file.len() - rest.len() + length))
    }

    /// The bytes before the elements, as numpy writes them: a multiple of 64.
    pub fn write(dtype: DType, shape: &[usize]) -> Result<Vec<u8>, String> {
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let comma = if shape.len() == 1 { "," } else { "" };
        let dict = format!(
            "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
            descr(dtype)?,
            sizes.join(", ")
        );
        let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
        let count = u16::try_from(length).map_err(|_| "too many dimensions for the header")?;
        let mut bytes = [MAGIC, &[1, 0], &count.to_le_bytes()].concat();
        bytes.extend(format!("{dict:<0$}\n", length - 1).bytes());
        Ok(bytes)
    }
}

/// numpy's name of a dtype.
fn descr(dtype: DType) -> Result<&'static str, String> {
    Ok(match dtype {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::BF16 => return Err("numpy has no bfloat16; convert it to float32 first".into()),
    })
}

/// A dtype by numpy's name, and whether it is big-endian.
fn parse_descr(text: &str) -> Result<(DType, bool), String> {
    let kind = text.strip_prefix(['<', '>', '|', '=']).unwrap_or(text);
    let dtype = match kind {
        "b1" | "?" => DType::Bool,
        "u1" => DType::U8,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        // What ml_dtypes' bfloat16 becomes; it may be any two bytes.
        "V2" => return Err("dtype '|V2' (bytes without a meaning, perhaps bfloat16) is not supported".into()),
        _ => return Err(format!("dtype '{text}' is not supported")),
    };
    Ok((dtype, text.starts_with('>')))
}

/// Takes the dict from the front of its text.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn dict(&mut self) -> Result<Header, String> {
        let (mut dtype, mut fortran, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.take("}") {
            let key = self.text()?;
            self.expect(":")?;
            let twice = match key {
                "descr" => dtype.replace(parse_descr(self.text()?)?).is_some(),
                "fortran_order" => fortran.replace(self.truth()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                _ => return Err(format!("'{key}' is not known")),
            };
            if twice {
                return Err(format!("'{key}' is there twice"));
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        self.space();
        if !self.rest.is_empty() {
            return Err("there is more than the dict".into());
        }
        let missing = |key| move || format!("'{key}' is missing");
        let (dtype, big_endian) = dtype.ok_or_else(missing("descr"))?;
        let fortran = fortran.ok_or_else(missing("fortran_order"))?;
        Ok(Header { dtype, big_endian, fortran, shape: shape.ok_or_else(missing("shape"))? })
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("'{token}' is missing")) }
    }

    fn text(&mut self) -> Result<&'a str, String> {
        self.space();
        let quote = match self.rest.chars().next() {
            Some(q @ ('\'' | '"')) => q,
            Some('[') => return Err("arrays of records are not supported".into()),
            _ => return Err("a text is missing".into()),
        };
        let (text, rest) = self.rest[1..].split_once(quote).ok_or("a text has no end")?;
        if text.contains('\\') {
            return Err("a text with a backslash".into());
        }
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        if self.take("False") { Ok(false) } else { Err("True or False is missing".into()) }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut sizes = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            self.space();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            sizes.push(digits.parse().map_err(|_| format!("'{digits}' is not a size"))?);
            // Python 2 wrote `3L`.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Header, String> {
        Parser { rest: text }.dict()
    }

    #[test]
    fn what_is_written_is_read() {
        for shape in [&[][..], &[3], &[0, 4], &[2, 3, 4]] {
            let bytes = Header::write(DType::F16, shape).unwrap();
            assert_eq!(bytes.len() % 64, 0);
            assert_eq!(bytes.last(), Some(&b'\n'));
            let (header, start) = Header::read(&bytes).unwrap();
            let expected =
                Header { dtype: DType::F16, big_endian: false, fortran: false, shape: shape.into() };
            assert_eq!((header, start), (expected, bytes.len()));
        }
    }

    #[test]
    fn other_spellings() {
        let header = parse("{\"shape\":(3L,2L),'fortran_order':True , 'descr':\">i2\"}  \n").unwrap();
        let expected = Header { dtype: DType::I16, big_endian: true, fortran: true, shape: vec![3, 2] };
        assert_eq!(header, expected);
    }

    #[test]
    fn what_is_not_a_header() {
        let rest = "'fortran_order': False, 'shape': (3,)";
        for (text, message) in [
            ("".to_string(), "'{' is missing"),
            ("{".to_string(), "a text is missing"),
            (format!("{{{rest}}}"), "'descr' is missing"),
            (format!("{{'descr': '<c8', {rest}}}"), "dtype '<c8' is not supported"),
            (format!("{{'descr': '|V2', {rest}}}"), "perhaps bfloat16"),
            (format!("{{'descr': [('a', '<f4')], {rest}}}"), "arrays of records"),
            (format!("{{'descr': '<f4', 'descr': '<f4', {rest}}}"), "'descr' is there twice"),
            (format!("{{'descr': '<f4', 'x': 1, {rest}}}"), "'x' is not known"),
            (format!("{{'descr': '<f4', {rest}}} 1"), "more than the dict"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}".into(), "True or False is missing"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}".into(), "'' is not a size"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}".into(), "')' is missing"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}".into(),
                "not a size",
            ),
            ("{'descr': '<f4".into(), "a text has no end"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
