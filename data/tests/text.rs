//! Text by characters.

mod wounds;

use std::io::Read;

use flate2::Compression;
use flate2::read::GzEncoder;
use proptest::prelude::*;
use taper_data::{CharVocab, DataLoader, Dataset, Error, TextDataset, read_text, text_from};
use taper_tensor::Tensor;

#[test]
fn vocabulary_is_sorted_by_code_point() {
    let vocab = CharVocab::new("Über ähnliche\nÄxte — “ja”");
    let symbols: Vec<char> = vocab.symbols().chars().collect();
    assert!(symbols.is_sorted() && symbols[0] == '\n');
    assert_eq!(vocab.len(), 20);
    assert_eq!(CharVocab::new(&vocab.symbols()), vocab);
    let codes = vocab.encode("“ja” — nie");
    assert_eq!(codes.shape(), [10]);
    assert_eq!(vocab.decode(&codes.to_vec::<i64>()), "“ja” — nie");
    assert_eq!((vocab.code('\n'), vocab.code('z')), (Some(0), None));
    assert_eq!(vocab.encode("").shape(), [0]);
}

#[test]
#[should_panic(expected = "CharVocab::encode: character 2, 'z', is none of the 2 known: \"ab\"")]
fn unknown_characters() {
    CharVocab::new("ab").encode("abz");
}

#[test]
#[should_panic(expected = "CharVocab::decode: number 1 is -1, expected 0 .. 2")]
fn unknown_numbers() {
    CharVocab::new("ab").decode(&[0, -1]);
}

#[test]
fn windows() {
    let tokens = Tensor::arange(0, 10, 1);
    // The last window needs one token more for its targets.
    for (block, stride, starts) in [
        (3, 1, vec![0, 1, 2, 3, 4, 5, 6]),
        (3, 3, vec![0, 3, 6]),
        (4, 5, vec![0, 5]),
        (9, 1, vec![0]),
        (10, 1, vec![]),
        (30, 2, vec![]),
    ] {
        let set = TextDataset::new(&tokens, block).stride(stride);
        assert_eq!(set.len(), starts.len(), "{block} {stride}");
        for (i, &start) in starts.iter().enumerate() {
            let (x, y) = set.get(i);
            assert_eq!(x.to_vec::<i64>(), (start..start + block as i64).collect::<Vec<_>>());
            assert_eq!(y.to_vec::<i64>(), (start + 1..start + 1 + block as i64).collect::<Vec<_>>());
        }
    }
    let loader = DataLoader::new(TextDataset::new(&tokens, 3)).batch_size(4);
    let (x, y) = loader.iter().nth(1).unwrap();
    assert_eq!((x.shape(), x.to_vec::<i64>()), (&[3, 3][..], vec![4, 5, 6, 5, 6, 7, 6, 7, 8]));
    assert_eq!(y.to_vec::<i64>(), vec![5, 6, 7, 6, 7, 8, 7, 8, 9]);
}

#[test]
#[should_panic(expected = "TextDataset: index 7 is out of range for 7 windows")]
fn windows_out_of_range() {
    TextDataset::new(&Tensor::arange(0, 10, 1), 3).get(7);
}

fn packed(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    GzEncoder::new(text.as_bytes(), Compression::best()).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "Call me Ishmael. — Äh.").unwrap();
    assert_eq!(read_text(&path).unwrap(), "Call me Ishmael. — Äh.");
    assert_eq!(text_from(&b"ab\xffc"[..], "t").unwrap_err().to_string(), "t: byte 2: not UTF-8: byte ff");
    assert!(matches!(read_text("no/such"), Err(Error::Io { .. })));
    let license = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../LICENSE-MIT")).unwrap();
    let bytes = packed(&license);
    assert_eq!(text_from(&bytes[..], "license.gz").unwrap(), license);
    assert!(matches!(text_from(&bytes[..bytes.len() - 9], "license.gz"), Err(Error::Gzip { .. })));
}

/// A page of a real book, with letters of two and three bytes.
fn page() -> String {
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/moby-dick/chapters-1-19.txt");
    std::fs::read_to_string(book).unwrap().chars().take(2000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(wounds::cases()))]

    /// Whatever happens to a file, it is text or refused: never a panic.
    #[test]
    fn damaged_files(
        plain_file in wounds::wounded(page().into_bytes(), 20),
        packed_file in wounds::wounded(packed(&page()), 20),
    ) {
        for bytes in [plain_file, packed_file] {
            match text_from(&bytes[..], "page") {
                Ok(text) => prop_assert_eq!(CharVocab::new(&text).encode(&text).numel(), text.chars().count()),
                Err(error) => prop_assert!(error.to_string().starts_with("page: "), "{}", error),
            }
        }
    }
}
