//! Transforms against torchvision's steps in PyTorch (fixtures/make_transforms.py).

use serde_json::Value;
use taper_data::transforms::{
    CenterCrop, Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor, Transform,
};
use taper_data::{DataLoader, Dataset, TensorDataset};
use taper_tensor::{DType, Tensor, with_seed};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/transforms.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn picture() -> Tensor {
    Tensor::from_vec(bytes(&fixture()["picture"]), [3, 8, 11])
}

fn size(case: &Value) -> [usize; 2] {
    [0, 1].map(|i| case["size"][i].as_u64().unwrap() as usize)
}

#[test]
fn crops_and_flips_draw_as_torchvision_does() {
    for case in fixture()["crops"].as_array().unwrap() {
        let transform = Compose::new()
            .then(
                RandomCrop::new(size(case))
                    .padding(case["padding"].as_u64().unwrap() as usize)
                    .fill(case["fill"].as_f64().unwrap()),
            )
            .then(RandomHorizontalFlip::new(case["p"].as_f64().unwrap()));
        with_seed(case["seed"].as_u64().unwrap(), || {
            for expected in case["out"].as_array().unwrap() {
                let out = transform.apply(&picture());
                assert_eq!((out.shape(), out.dtype()), (&[3, size(case)[0], size(case)[1]][..], DType::U8));
                assert_eq!(out.to_vec::<u8>(), bytes(expected), "{}", case["size"]);
            }
            let next: Vec<i64> =
                case["next"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
            assert_eq!(Tensor::randint(0, 1 << 20, 3).to_vec::<i64>(), next);
        });
    }
}

#[test]
fn centers() {
    for case in fixture()["centers"].as_array().unwrap() {
        let out = CenterCrop::new(size(case)).apply(&picture());
        assert_eq!(out.shape()[1..], size(case));
        assert_eq!(out.to_vec::<u8>(), bytes(&case["out"]), "{}", case["size"]);
    }
}

#[test]
fn numbers() {
    let fixture = fixture();
    let x = ToTensor::new().apply(&picture());
    assert_eq!((x.shape(), x.to_vec::<f32>()), (&[3, 8, 11][..], floats(&fixture["to_tensor"])));
    let hwc = picture().permute([1, 2, 0]).contiguous();
    assert_eq!(ToTensor::hwc().apply(&hwc).to_vec::<f32>(), x.to_vec::<f32>());
    // Floats pass as they are.
    assert_eq!(ToTensor::new().apply(&x).to_vec::<f32>(), x.to_vec::<f32>());
    let [mean, std] = ["mean", "std"].map(|name| {
        let of = |i: usize| fixture[name][i].as_f64().unwrap();
        [of(0), of(1), of(2)]
    });
    let normalized = Normalize::new(mean, std).apply(&x);
    assert_eq!(normalized.to_vec::<f32>(), floats(&fixture["normalized"]));
    // One number for all channels, and a batch of pictures.
    let batch = Normalize::new([0.5], [0.25]).apply(&x.unsqueeze(0));
    let expected: Vec<f32> = x.to_vec::<f32>().iter().map(|v| (v - 0.5) / 0.25).collect();
    assert_eq!((batch.shape(), batch.to_vec::<f32>()), (&[1, 3, 8, 11][..], expected));
}

#[test]
fn functions_are_transforms() {
    let transform = Compose::new().then(ToTensor::new()).then(|x: &Tensor| 1.0 - x);
    let expected: Vec<f32> = floats(&fixture()["to_tensor"]).iter().map(|v| 1.0 - v).collect();
    assert_eq!(transform.apply(&picture()).to_vec::<f32>(), expected);
    assert_eq!(Compose::new().apply(&picture()).to_vec::<u8>(), picture().to_vec::<u8>());
}

#[test]
fn augmentation_in_a_loader_is_the_same_with_workers() {
    let run = |workers| {
        with_seed(1, || {
            let pictures = Tensor::stack(&[picture(), picture(), picture(), picture(), picture()], 0);
            let transform =
                Compose::new().then(RandomCrop::new(6).padding(1)).then(RandomHorizontalFlip::default());
            let set = TensorDataset::new((pictures, Tensor::arange(0, 5, 1)));
            let set = set.map(move |(x, y)| (transform.apply(&x), y));
            let loader = DataLoader::new(set).batch_size(2).shuffle(true).num_workers(workers);
            let passes = [&loader, &loader].map(|loader| {
                loader.iter().map(|(x, y)| (x.to_vec::<u8>(), y.to_vec::<i64>())).collect::<Vec<_>>()
            });
            let [first, second] = passes;
            assert_ne!(first, second);
            (first, second, Tensor::rand(2).to_vec::<f32>())
        })
    };
    let alone = run(0);
    // Equal pictures are not augmented alike.
    assert_ne!(alone.0[0].0[..108], alone.0[0].0[108..]);
    assert_eq!(run(1), alone);
    assert_eq!(run(3), alone);
}

#[test]
#[should_panic(expected = "RandomCrop: a piece of [9, 9] of a picture that has [8, 11] with padding")]
fn crops_larger_than_the_picture() {
    RandomCrop::new(9).apply(&picture());
}

#[test]
#[should_panic(expected = "Normalize: expected a floating-point picture, got uint8; ToTensor makes one")]
fn bytes_are_not_normalized() {
    Normalize::new([0.5], [0.5]).apply(&picture());
}

#[test]
#[should_panic(expected = "Normalize: 2 means for a picture of shape [3, 8, 11]")]
fn channels_that_do_not_fit() {
    Normalize::new([0.5, 0.5], [0.5, 0.5]).apply(&ToTensor::new().apply(&picture()));
}
