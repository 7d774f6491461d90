//! CRC-32, by all threads where there is much of it.

use crc32fast::Hasher;
use rayon::prelude::*;

const PIECE: usize = 1 << 20;

/// The checksum of bytes.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    if bytes.len() < 4 * PIECE {
        return crc32fast::hash(bytes);
    }
    let piece = |bytes: &[u8]| {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher
    };
    let pieces: Vec<Hasher> = bytes.par_chunks(PIECE).map(piece).collect();
    let mut whole = Hasher::new();
    pieces.iter().for_each(|piece| whole.combine(piece));
    whole.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn pieces_make_the_whole() {
        let bytes: Vec<u8> = (0..9_000_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert_eq!(super::crc32(&bytes), crc32fast::hash(&bytes));
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
