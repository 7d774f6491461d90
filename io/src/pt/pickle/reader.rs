//! The bytes of a pickle, taken from the front.

use super::Span;

type Result<T> = std::result::Result<T, String>;

pub(super) struct Reader<'a> {
    pickle: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(pickle: &'a [u8], at: usize) -> Self {
        Reader { pickle, at }
    }

    fn cut() -> String {
        "the pickle is cut off".into()
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.pickle[self.at..].first_chunk::<N>().ok_or_else(Self::cut)?;
        self.at += N;
        Ok(*bytes)
    }
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next bytes, where the pickle has as many as it says.
    pub fn span(&mut self, length: u64) -> Result<Span> {
        let left = self.pickle.len() - self.at;
        if length > left as u64 {
            return Err(format!("{length} bytes are announced and {left} left"));
        }
        let place = (u32::try_from(self.at), u32::try_from(length));
        let (Ok(start), Ok(length)) = place else { return Err("a pickle beyond 4 GiB".into()) };
        self.at += length as usize;
        Ok(Span { start, length })
    }

    /// Bytes that are announced by a count of `N` bytes.
    pub fn counted<const N: usize>(&mut self) -> Result<Span> {
        let mut count = [0; 8];
        count[..N].copy_from_slice(&self.array::<N>()?);
        self.span(u64::from_le_bytes(count))
    }

    /// Text that is announced so.
    pub fn text<const N: usize>(&mut self) -> Result<Span> {
        let span = self.counted::<N>()?;
        match std::str::from_utf8(span.of(self.pickle)) {
            Ok(_) => Ok(span),
            // Python writes lone surrogates as if they were characters; no other program takes them.
            Err(e) => Err(format!("text that is not UTF-8 (from its byte {}): {e}", e.valid_up_to())),
        }
    }

    /// Up to the end of the line.
    pub fn line(&mut self) -> Result<&'a str> {
        let rest = &self.pickle[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or_else(Self::cut)?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "a line that is not UTF-8 text".into())
    }
}
