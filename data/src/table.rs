//! Tables of text (CSV) as tensors.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use taper_tensor::{DType, Tensor};

use crate::source::Source;
use crate::{Error, Result};

/// How a [`Table`] is written.
#[derive(Clone, Debug)]
pub struct TableOptions {
    header: bool,
    delimiter: u8,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { header: true, delimiter: b',' }
    }
}

impl TableOptions {
    /// Whether the first line names the columns. Default: true; without, they are called `0`, `1`, ….
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// What stands between cells. Default: a comma.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Reads a file, plain or gzip: see [`Table::read`].
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table> {
        self.parse(Source::open(path.as_ref())?)
    }

    /// Reads from any reader; `name` stands for the file in error messages.
    pub fn read_from(&self, reader: impl BufRead, name: impl AsRef<Path>) -> Result<Table> {
        self.parse(Source::new(name.as_ref(), reader)?)
    }

    fn parse(&self, mut source: Source<'_>) -> Result<Table> {
        // All of it at first: a damaged file is then told from a strange one.
        let bytes = source.rest()?;
        let path = source.path().to_path_buf();
        let mut reader =
            ReaderBuilder::new().has_headers(self.header).delimiter(self.delimiter).from_reader(&bytes[..]);
        let failed = |e: csv::Error| wrong_line(&path, e);
        let mut columns: Vec<String> = vec![];
        if self.header {
            columns = reader.headers().map_err(failed)?.iter().map(|name| name.trim().into()).collect();
        }
        let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(failed)?;
        if !self.header {
            columns = (0..rows.first().map_or(0, StringRecord::len)).map(|i| i.to_string()).collect();
        }
        Ok(Table { path, columns, rows })
    }
}

fn wrong_line(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells where the lines before have {expected_len}")
        }
        csv::ErrorKind::Utf8 { err, .. } => format!("cell {} is not UTF-8", err.field()),
        _ => error.to_string(),
    };
    Error::Cell { path: path.into(), line, column: String::new(), message }
}

/// A table of text: lines of cells below the names of the columns.
///
/// ```
/// use taper_data::Table;
/// use taper_tensor::DType;
/// let text = "height,weight,kind\n1.5,60,cat\n0.5,2,ant\n";
/// let table = Table::read_from(text.as_bytes(), "animals.csv")?;
/// let x = table.numbers(&["weight", "height"], DType::F32)?;
/// assert_eq!((x.shape(), x.to_vec::<f32>()), (&[2, 2][..], vec![60.0, 1.5, 2.0, 0.5]));
/// let (y, classes) = table.labels("kind")?;
/// assert_eq!((y.to_vec::<i64>(), classes), (vec![1, 0], vec!["ant".to_string(), "cat".to_string()]));
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<StringRecord>,
}

impl Table {
    /// Reads a file of comma-separated values (RFC 4180: cells may be quoted), plain or gzip, whose first
    /// line names the columns.
    ///
    /// Errors if it cannot be read or is damaged, and, with the line, where lines differ in length or
    /// are not UTF-8.
    pub fn read(path: impl AsRef<Path>) -> Result<Table> {
        TableOptions::default().read(path)
    }

    /// As [`read`](Self::read), from any reader; `name` stands for the file in error messages.
    pub fn read_from(reader: impl BufRead, name: impl AsRef<Path>) -> Result<Table> {
        TableOptions::default().read_from(reader, name)
    }

    /// Other forms: no header, other delimiters.
    pub fn options() -> TableOptions {
        TableOptions::default()
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of lines, without the header.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no line below the header.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn wrong(&self, line: u64, column: &str, message: String) -> Error {
        Error::Cell { path: self.path.clone(), line, column: column.into(), message }
    }

    fn position(&self, name: &str) -> Result<usize> {
        let at = self.columns.iter().position(|column| column == name);
        at.ok_or_else(|| {
            self.wrong(1, name, format!("there is no such column; the columns are {:?}", self.columns))
        })
    }

    /// The cells of a column without the blanks around them, each with its line.
    fn cells(&self, column: usize) -> impl Iterator<Item = (u64, &str)> {
        let line = |row: &StringRecord| row.position().map_or(0, csv::Position::line);
        self.rows.iter().map(move |row| (line(row), row.get(column).unwrap_or("").trim()))
    }

    /// The cells of a column, without the blanks around them.
    ///
    /// Errors if there is no such column.
    pub fn text(&self, name: &str) -> Result<Vec<String>> {
        let column = self.position(name)?;
        Ok(self.cells(column).map(|(_, cell)| cell.to_string()).collect())
    }

    /// Columns of numbers as a tensor `[N, names.len()]`.
    ///
    /// Errors if there is no such column, and, with the line, where a cell is no number.
    pub fn numbers(&self, names: &[&str], dtype: DType) -> Result<Tensor> {
        let mut values = vec![0.0f64; self.len() * names.len()];
        for (i, name) in names.iter().enumerate() {
            let column = self.position(name)?;
            for (row, (line, cell)) in self.cells(column).enumerate() {
                let number = cell.parse();
                values[row * names.len() + i] = number
                    .map_err(|_| self.wrong(line, name, format!("expected a number, found {cell:?}")))?;
            }
        }
        Ok(Tensor::from_vec(values, [self.len(), names.len()]).to_dtype(dtype))
    }

    /// A column of names as numbers: labels `[N]` as i64, and the names in alphabetical order, whose
    /// places the labels are.
    ///
    /// Errors if there is no such column, and, with the line, where a cell is empty.
    pub fn labels(&self, name: &str) -> Result<(Tensor, Vec<String>)> {
        let column = self.position(name)?;
        let classes: BTreeSet<&str> = self.cells(column).map(|(_, cell)| cell).collect();
        if let Some((line, _)) = self.cells(column).find(|(_, cell)| cell.is_empty()) {
            return Err(self.wrong(line, name, "expected a name, found an empty cell".into()));
        }
        let classes: Vec<&str> = classes.into_iter().collect();
        let place = |cell| classes.binary_search(&cell).expect("one of them") as i64;
        let labels: Vec<i64> = self.cells(column).map(|(_, cell)| place(cell)).collect();
        Ok((Tensor::from_vec(labels, [self.len()]), classes.iter().map(|c| c.to_string()).collect()))
    }
}
