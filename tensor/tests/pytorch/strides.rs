//! Where results of elementwise operations lie in memory.

use crate::fixture::{fixture, sizes};
use serde_json::Value;
use taper_tensor::{DType, Tensor};

fn steps(v: &Value) -> Vec<isize> {
    v.as_array().expect("steps").iter().map(|s| s.as_i64().expect("a step") as isize).collect()
}

#[test]
fn results_lie_as_in_pytorch() {
    let file: Value = fixture!("strides.json");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 200, "{}", cases.len());
    for case in cases {
        let operands: Vec<Tensor> = case["operands"]
            .as_array()
            .expect("operands")
            .iter()
            .map(|o| {
                let (shape, strides) = (sizes(&o["shape"]), steps(&o["strides"]));
                let reach: isize = shape.iter().zip(&strides).map(|(&n, s)| (n as isize - 1) * s).sum();
                let base = Tensor::ones([reach as usize + 1]);
                Tensor::try_from_storage(&base.untyped_storage(), DType::F32, &shape, &strides, 0)
                    .expect("a view")
            })
            .collect();
        let a = &operands[0];
        let (y, expected) = match case["op"].as_str().expect("an operation") {
            "relu" => (a.relu(), 1.0),
            "to" => (a.to_dtype(DType::F64), 1.0),
            "add" => (a + &operands[1], 2.0),
            "where" => (Tensor::where_(&a.gt(0.0), a, &operands[1]), 1.0),
            other => panic!("no operation {other}"),
        };
        let found: Vec<isize> =
            y.strides().iter().zip(y.shape()).map(|(&s, &n)| if n == 1 { 0 } else { s }).collect();
        assert_eq!(found, steps(&case["strides"]), "{case}");
        assert!(y.to_vec::<f64>().iter().all(|v| *v == expected), "{case}");
    }
}
