//! Text by characters, for language models.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use taper_tensor::Tensor;

use crate::Result;
use crate::dataset::Dataset;
use crate::source::Source;

/// Reads a text file in UTF-8, plain or gzip.
///
/// Errors if it cannot be read, is damaged, or holds bytes that are no UTF-8; the error says where.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    decode(Source::open(path.as_ref())?)
}

/// As [`read_text`], from any reader; `name` stands for the file in error messages.
pub fn text_from(reader: impl BufRead, name: impl AsRef<Path>) -> Result<String> {
    decode(Source::new(name.as_ref(), reader)?)
}

fn decode(mut source: Source<'_>) -> Result<String> {
    let bytes = source.rest()?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        source.format(at as u64, format!("not UTF-8: byte {:02x}", e.as_bytes()[at]))
    })
}

/// The characters of a text, sorted, each with its number.
///
/// ```
/// use taper_data::CharVocab;
/// let vocab = CharVocab::new("hello");
/// assert_eq!((vocab.len(), vocab.symbols()), (4, "ehlo".to_string()));
/// let codes = vocab.encode("hole").to_vec::<i64>();
/// assert_eq!(codes, [1, 3, 2, 0]);
/// assert_eq!(vocab.decode(&codes), "hole");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharVocab {
    chars: Vec<char>,
}

impl CharVocab {
    /// All characters that occur in `text`, in the order of their code points.
    pub fn new(text: &str) -> Self {
        let mut chars: Vec<char> = text.chars().collect();
        chars.sort_unstable();
        chars.dedup();
        Self { chars }
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// All characters in order. `CharVocab::new` of it gives the same vocabulary, so it can be saved.
    pub fn symbols(&self) -> String {
        self.chars.iter().collect()
    }

    /// A character's number.
    pub fn code(&self, char: char) -> Option<i64> {
        self.chars.binary_search(&char).ok().map(|i| i as i64)
    }

    /// The numbers of a text's characters, i64 of shape `[N]`.
    ///
    /// # Panics
    /// For a character that is not in the vocabulary; ask [`code`](Self::code) first where text comes
    /// from outside.
    #[track_caller]
    pub fn encode(&self, text: &str) -> Tensor {
        let mut codes = Vec::with_capacity(text.len());
        for (i, char) in text.chars().enumerate() {
            match self.code(char) {
                Some(code) => codes.push(code),
                None => panic!(
                    "CharVocab::encode: character {i}, {char:?}, is none of the {} known: {:?}",
                    self.len(),
                    self.symbols()
                ),
            }
        }
        let n = codes.len();
        Tensor::from_vec(codes, [n])
    }

    /// The text of some numbers.
    ///
    /// # Panics
    /// For a number that no character has.
    #[track_caller]
    pub fn decode(&self, codes: &[i64]) -> String {
        let mut text = String::with_capacity(codes.len());
        for (i, &code) in codes.iter().enumerate() {
            match usize::try_from(code).ok().and_then(|c| self.chars.as_slice().get(c)) {
                Some(&char) => text.push(char),
                None => {
                    panic!("CharVocab::decode: number {i} is {code}, expected 0 .. {}", self.len())
                }
            }
        }
        text
    }
}

/// Windows of a long sequence for a model that foretells the next element: item `i` is
/// `(tokens[s .. s + block], tokens[s + 1 .. s + block + 1])` with `s = i · stride`, both i64.
///
/// ```
/// use taper_data::{Dataset, TextDataset};
/// use taper_tensor::Tensor;
/// let windows = TextDataset::new(&Tensor::arange(0, 6, 1), 3);
/// assert_eq!(windows.len(), 3);
/// let (x, y) = windows.get(1);
/// assert_eq!((x.to_vec::<i64>(), y.to_vec::<i64>()), (vec![1, 2, 3], vec![2, 3, 4]));
/// ```
#[derive(Clone, Debug)]
pub struct TextDataset {
    tokens: Arc<[i64]>,
    block: usize,
    stride: usize,
}

impl TextDataset {
    /// All windows of `block` tokens; `tokens` has shape `[N]`.
    ///
    /// # Panics
    /// If `tokens` has not one dimension, or `block` is 0.
    #[track_caller]
    pub fn new(tokens: &Tensor, block: usize) -> Self {
        assert!(tokens.ndim() == 1, "TextDataset: expected tokens of shape [N], got {:?}", tokens.shape());
        assert!(block > 0, "TextDataset: a window has at least one token");
        Self { tokens: tokens.to_vec::<i64>().into(), block, stride: 1 }
    }

    /// How far apart windows start. Default: 1; the block's length gives windows that do not overlap.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn stride(mut self, stride: usize) -> Self {
        assert!(stride > 0, "TextDataset: stride must be positive");
        self.stride = stride;
        self
    }

    /// `[indices.len() · block]` tokens, `shift` further.
    fn windows(&self, indices: &[usize], shift: usize) -> Vec<i64> {
        let mut tokens = Vec::with_capacity(indices.len() * self.block);
        for &i in indices {
            assert!(i < self.len(), "TextDataset: index {i} is out of range for {} windows", self.len());
            let start = i * self.stride + shift;
            tokens.extend_from_slice(&self.tokens[start..start + self.block]);
        }
        tokens
    }
}

impl Dataset for TextDataset {
    type Item = (Tensor, Tensor);
    fn len(&self) -> usize {
        self.tokens.len().saturating_sub(self.block).div_ceil(self.stride)
    }
    fn get(&self, index: usize) -> (Tensor, Tensor) {
        let [x, y] = [0, 1].map(|shift| Tensor::from_vec(self.windows(&[index], shift), [self.block]));
        (x, y)
    }
    fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        let shape = [indices.len(), self.block];
        let [x, y] = [0, 1].map(|shift| Tensor::from_vec(self.windows(indices, shift), shape));
        (x, y)
    }
}
