//! Deflated entries, of other programs: never more than what was promised, and that within reason.

use std::io::Read;

/// Deflate's best: 258 bytes from 2 bits.
const BEST_RATIO: usize = 1032;

/// The contents of deflated bytes, `size` of them. Memory is taken as they come.
pub(super) fn inflate(packed: &[u8], size: usize) -> Result<Vec<u8>, String> {
    if size > packed.len().saturating_mul(BEST_RATIO) {
        return Err(format!("{} bytes cannot unpack to {size}", packed.len()));
    }
    let mut contents = Vec::with_capacity(size.min(packed.len().saturating_mul(4)));
    let mut stream = flate2::bufread::DeflateDecoder::new(packed);
    let read = stream.by_ref().take(size as u64 + 1).read_to_end(&mut contents);
    read.map_err(|e| format!("it does not unpack: {e}"))?;
    if contents.len() != size {
        let at_least = if contents.len() > size { "at least " } else { "" };
        return Err(format!("it unpacks to {at_least}{} bytes and says {size}", contents.len()));
    }
    if stream.total_in() != packed.len() as u64 {
        return Err(format!("its packed bytes end after {} of {}", stream.total_in(), packed.len()));
    }
    Ok(contents)
}
