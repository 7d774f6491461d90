//! Tables of text, on Fisher's irises and on damaged copies of them.

mod wounds;

use proptest::prelude::*;
use taper_data::{Error, Table};
use taper_tensor::DType;

const IRIS: &[u8] = include_bytes!("fixtures/iris.csv");

#[track_caller]
fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("no error").to_string()
}

fn table(text: &str) -> Result<Table, Error> {
    Table::read_from(text.as_bytes(), "t.csv")
}

#[test]
fn irises() {
    let iris = Table::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/iris.csv")).unwrap();
    let names = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
    assert_eq!((iris.len(), &iris.columns()[..4]), (150, &names.map(String::from)[..]));
    let x = iris.numbers(&names, DType::F64).unwrap();
    assert_eq!((x.shape(), x.dtype()), (&[150, 4][..], DType::F64));
    assert_eq!(x.select(0, 149).to_vec::<f64>(), [5.9, 3.0, 5.1, 1.8]);
    // The means of the literature.
    for (mean, expected) in x.mean_dim(0, false).to_vec::<f64>().iter().zip([5.8433, 3.0573, 3.758, 1.1993]) {
        assert!((mean - expected).abs() < 1e-4, "{mean}");
    }
    let (y, classes) = iris.labels("species").unwrap();
    assert_eq!(classes, ["setosa", "versicolor", "virginica"]);
    let y = y.to_vec::<i64>();
    assert_eq!((y[0], y[49], y[50], y[149]), (0, 0, 1, 2));
    // Columns in the order that is asked for.
    let two = iris.numbers(&["petal_width", "sepal_length"], DType::F32).unwrap();
    assert_eq!(two.select(0, 0).to_vec::<f32>(), [0.2, 5.1]);
}

#[test]
fn forms() {
    let plain = Table::options().header(false).delimiter(b';').read_from(&b"1;2\n3; 4 \n"[..], "t").unwrap();
    assert_eq!(plain.columns(), ["0", "1"]);
    assert_eq!(plain.numbers(&["1", "0"], DType::I64).unwrap().to_vec::<i64>(), [2, 1, 4, 3]);
    let quoted = table("name,n\r\n\"a, \"\"b\"\"\",-1e3\r\n\"two\nlines\",inf\r\nlast,.5").unwrap();
    assert_eq!(quoted.text("name").unwrap(), ["a, \"b\"", "two\nlines", "last"]);
    assert_eq!(quoted.numbers(&["n"], DType::F32).unwrap().to_vec::<f32>(), [-1000.0, f32::INFINITY, 0.5]);
    let empty = table("a,b\n").unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.numbers(&["a", "b"], DType::F32).unwrap().shape(), [0, 2]);
    assert_eq!(table("").unwrap().columns(), [""; 0]);
}

#[test]
fn errors_name_line_and_column() {
    let bad = table("a,b\n1,2\n3,x\n").unwrap();
    let number = bad.numbers(&["a", "b"], DType::F32);
    assert_eq!(message(number), "t.csv: line 3, column \"b\": expected a number, found \"x\"");
    assert_eq!(
        message(bad.numbers(&["c"], DType::F32)),
        "t.csv: line 1, column \"c\": there is no such column; the columns are [\"a\", \"b\"]"
    );
    let gap = table("a,b\n\"1\n1\",2\n3,\n").unwrap();
    assert_eq!(message(gap.labels("b")), "t.csv: line 4, column \"b\": expected a name, found an empty cell");
    assert_eq!(message(table("a,b\n1,2\n3\n")), "t.csv: line 3: 1 cells where the lines before have 2");
    let latin = Table::read_from(&b"a,b\n1,2\n3,\xe4\n"[..], "t.csv");
    assert_eq!(message(latin), "t.csv: line 3: cell 1 is not UTF-8");
    assert!(message(Table::read("no/such.csv")).starts_with("no/such.csv: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(wounds::cases()))]

    /// Whatever happens to a file, it is read or refused with its line: never a panic.
    #[test]
    fn damaged_files(bytes in wounds::wounded(IRIS.to_vec(), 80)) {
        let read = || {
            let table = Table::read_from(&bytes[..], "iris.csv")?;
            let (y, classes) = table.labels("species")?;
            Ok((table.numbers(&["petal_width", "sepal_length"], DType::F32)?, y, classes))
        };
        match read() {
            Ok((x, y, classes)) => {
                prop_assert_eq!(x.size(0), y.size(0));
                prop_assert!(y.to_vec::<i64>().iter().all(|&l| l < classes.len() as i64));
            }
            Err(error @ Error::Cell { .. }) => {
                prop_assert!(error.to_string().starts_with("iris.csv: line "), "{}", error)
            }
            // The first bytes can become gzip's magic.
            Err(error) => prop_assert!(matches!(error, Error::Gzip { .. }), "{}", error),
        }
    }

    /// Numbers that are written are read back.
    #[test]
    fn round_trip(rows in prop::collection::vec((any::<f64>(), -1e9f64..1e9), 0..20)) {
        let text: String = rows.iter().map(|(a, b)| format!("{a:?},{b}\n")).collect();
        let read = table(&format!("a,b\n{text}")).unwrap().numbers(&["a", "b"], DType::F64).unwrap();
        let expected: Vec<u64> = rows.iter().flat_map(|(a, b)| [a.to_bits(), b.to_bits()]).collect();
        prop_assert_eq!(read.to_vec::<f64>().iter().map(|v| v.to_bits()).collect::<Vec<_>>(), expected);
    }
}
