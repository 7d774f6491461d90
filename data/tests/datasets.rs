//! Datasets, batches and their misuse.

use std::sync::Arc;

use taper_data::{Collate, DataLoader, Dataset, RandomSampler, Subset, TensorDataset, random_split};
use taper_tensor::{DType, Tensor, tensor};

fn pairs(n: i64) -> TensorDataset {
    let x = Tensor::arange(0, 2 * n, 1).reshape([-1, 2]);
    TensorDataset::new((x, Tensor::arange(0, n, 1)))
}

#[test]
fn batch_equals_stacked_items() {
    let set = pairs(6);
    for indices in [vec![3, 0, 3], vec![2, 3, 4], vec![5], vec![], vec![1, 0]] {
        let (x, y) = set.batch(&indices);
        assert_eq!((x.shape(), y.shape()), (&[indices.len(), 2][..], &[indices.len()][..]));
        let expected: Vec<i64> = indices.iter().flat_map(|&i| [2 * i as i64, 2 * i as i64 + 1]).collect();
        assert_eq!(x.to_vec::<i64>(), expected);
        if !indices.is_empty() {
            let (x_2, y_2) = Collate::collate(indices.iter().map(|&i| set.get(i)).collect::<Vec<_>>());
            assert_eq!((x.to_vec::<i64>(), y.to_vec::<i64>()), (x_2.to_vec(), y_2.to_vec()));
        }
    }
}

#[test]
fn writing_to_a_batch_leaves_the_set_alone() {
    let set = pairs(4);
    let (mut x, _) = set.batch(&[0, 1, 2, 3]);
    x.fill_(-1);
    assert_eq!(set.get(1).0.to_vec::<i64>(), [2, 3]);
}

#[test]
fn collation_by_type() {
    let dtypes = [
        Collate::collate(vec![1.5f64, 2.0]).dtype(),
        Collate::collate(vec![1.5f32]).dtype(),
        Collate::collate(vec![3i64]).dtype(),
        Collate::collate(vec![3usize]).dtype(),
        Collate::collate(vec![3u8]).dtype(),
        Collate::collate(vec![true, false]).dtype(),
    ];
    assert_eq!(dtypes, [DType::F64, DType::F32, DType::I64, DType::I64, DType::U8, DType::Bool]);
    let (x, (y, name)) = Collate::collate(vec![
        (tensor([1.0]), (1i64, "a".to_string())),
        (tensor([2.0]), (2, "b".to_string())),
    ]);
    assert_eq!((x.shape(), y.to_vec::<i64>(), name), (&[2, 1][..], vec![1, 2], vec!["a".into(), "b".into()]));
    let good: Result<Tensor, String> = Collate::collate(vec![Ok(1i64), Ok(2)]);
    assert_eq!(good.unwrap().to_vec::<i64>(), [1, 2]);
    let bad: Result<Tensor, String> =
        Collate::collate(vec![Ok(1i64), Err("item 1".into()), Err("item 2".into())]);
    assert_eq!(bad.unwrap_err(), "item 1");
}

#[test]
fn items_that_can_fail_make_batches_that_can_fail() {
    struct Files;
    impl Dataset for Files {
        type Item = Result<(f32, i64), String>;
        fn len(&self) -> usize {
            5
        }
        fn get(&self, index: usize) -> Self::Item {
            if index == 4 { Err(format!("file {index} is damaged")) } else { Ok((0.5, index as i64)) }
        }
    }
    let loader = DataLoader::new(Files).batch_size(2);
    let results: Vec<_> = loader.iter().map(|b| b.map(|(_, y)| y.to_vec::<i64>())).collect();
    assert_eq!(results, [Ok(vec![0, 1]), Ok(vec![2, 3]), Err("file 4 is damaged".to_string())]);
}

#[test]
fn maps_subsets_and_sharing() {
    let set = Arc::new(pairs(5).map(|(x, y)| (x * 10, y)));
    let subset = Subset::new(set.clone(), [4, 1]);
    let (x, y) = subset.batch(&[1, 0]);
    assert_eq!((x.to_vec::<i64>(), y.to_vec::<i64>()), (vec![20, 30, 80, 90], vec![1, 4]));
    let [a, b] = random_split(subset, [0.5, 0.5], None);
    let mut both = [a.get(0).1.item(), b.get(0).1.item()];
    both.sort_by(f64::total_cmp);
    assert_eq!(both, [1.0, 4.0]);
    let boxed: Box<dyn Dataset<Item = (Tensor, Tensor)>> = Box::new(pairs(3));
    assert_eq!(DataLoader::new(boxed).batch_size(2).iter().count(), 2);
}

#[test]
fn custom_batches_and_samplers() {
    let loader = DataLoader::with_collate(vec![3usize, 1, 4, 1, 5], |items| items.into_iter().sum::<usize>())
        .batch_size(2)
        .sampler(RandomSampler::new(5).num_samples(7));
    assert_eq!(loader.len(), 4);
    let sums: Vec<usize> = loader.iter().collect();
    assert_eq!(sums.len(), 4);
    // One whole order, and two items of another.
    assert!((14 + 1 + 1..=14 + 5 + 4).contains(&sums.iter().sum::<usize>()));
}

#[test]
fn empty_sets_have_no_batch() {
    for shuffle in [false, true] {
        let loader = DataLoader::new(Vec::<f32>::new()).batch_size(3).shuffle(shuffle);
        assert_eq!((loader.len(), loader.iter().count()), (0, 0));
    }
}

/// The message of the panic of `f`.
fn panic_of<R>(f: impl FnOnce() -> R + std::panic::UnwindSafe) -> String {
    let error = std::panic::catch_unwind(f).err().expect("no panic");
    error
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| error.downcast_ref::<&str>().unwrap().to_string())
}

#[test]
fn misuse_is_told() {
    assert_eq!(
        panic_of(|| TensorDataset::new((Tensor::zeros([3, 2]), Tensor::zeros([4])))),
        "TensorDataset: the first dimensions must be equal, got shapes [[3, 2], [4]]"
    );
    assert_eq!(
        panic_of(|| TensorDataset::new(Tensor::zeros(()))),
        "TensorDataset: the first dimensions must be equal, got shapes [[]]"
    );
    assert_eq!(
        panic_of(|| random_split(vec![1i64, 2, 3], [2, 2], None)),
        "random_split: the lengths [2, 2] do not add up to the 3 items"
    );
    assert_eq!(
        panic_of(|| random_split(vec![1i64, 2, 3], [0.5, 0.6], None)),
        "random_split: the fractions [0.5, 0.6] must be in 0 ..= 1 and add up to 1"
    );
    assert_eq!(
        panic_of(|| Subset::new(vec![1i64, 2], [0, 2])),
        "Subset: index 2 is out of range for a dataset of 2 items"
    );
    assert_eq!(
        panic_of(|| DataLoader::new(vec![1i64]).batch_size(0)),
        "DataLoader: batch_size must be positive"
    );
    assert_eq!(
        panic_of(|| DataLoader::new(vec![1i64]).shuffle(true).sampler(RandomSampler::new(1))),
        "DataLoader: shuffle and a sampler exclude each other: the sampler decides the order"
    );
}
