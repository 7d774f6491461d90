use crate::common::*;
use taper_tensor::{DType, IntoPair, PoolOptions, Tensor, tensor};

fn cases() -> Vec<(&'static [usize], PoolOptions)> {
    fn o(kernel: impl IntoPair) -> PoolOptions {
        PoolOptions::new(kernel)
    }
    vec![
        (&[2, 3, 6, 4], o(2)),
        (&[1, 2, 5, 5], o([2, 3]).stride([1, 2])),
        (&[1, 2, 5, 6], o(3).stride(2).padding(1)),
        (&[1, 1, 6, 5], o(2).stride(2).ceil_mode(true)),
        (&[1, 1, 7, 7], o(3).stride(3).padding(1).ceil_mode(true)),
        (&[1, 1, 4, 4], o(2).stride(3).padding(1).ceil_mode(true)),
        (&[0, 2, 4, 4], o(2)),
    ]
}

/// Positions that window `i` of a direction covers: those inside, and how many with the border.
fn window(o: &PoolOptions, d: usize, n: usize, i: usize) -> (Vec<usize>, usize) {
    let taps: Vec<isize> = (0..o.kernel[d])
        .map(|k| (i * o.stride[d] + k * o.dilation[d]) as isize - o.padding[d] as isize)
        .collect();
    let inside = taps.iter().filter(|&&t| t >= 0 && (t as usize) < n).map(|&t| t as usize).collect();
    (inside, taps.iter().filter(|&&t| t < (n + o.padding[d]) as isize).count())
}

#[test]
fn maxima() {
    let mut all = cases();
    all.push((&[1, 1, 7, 6], PoolOptions::new(2).stride(1).dilation([2, 3])));
    for (shape, o) in all {
        let x = randn(shape, 1);
        let (y, at_) = x.max_pool2d_with_indices(o);
        let data = x.to_vec::<f64>();
        let mut places = vec![];
        let want = table(y.shape(), |i| {
            let ((rows, _), (columns, _)) = (window(&o, 0, shape[2], i[2]), window(&o, 1, shape[3], i[3]));
            let cells: Vec<(usize, usize)> =
                rows.iter().flat_map(|&h| columns.iter().map(move |&w| (h, w))).collect();
            let value = |&(h, w): &(usize, usize)| at(&data, shape, &[i[0], i[1], h, w]);
            let best =
                cells.iter().copied().reduce(|a, b| if value(&b) > value(&a) { b } else { a }).unwrap();
            places.push((best.0 * shape[3] + best.1) as i64);
            value(&best)
        });
        assert_near(&y, &want, 0.0);
        assert_eq!(at_.to_vec::<i64>(), places);
        check_dtypes(&[x.clone()], |x| x[0].max_pool2d(o));
        check_grads(&[x], |x| x[0].max_pool2d(o));
    }
}

#[test]
fn means() {
    let mut all = cases();
    all.extend(cases().into_iter().map(|(s, o)| (s, o.count_include_pad(false))));
    for (shape, o) in all {
        let x = randn(shape, 1);
        let y = x.avg_pool2d(o);
        let data = x.to_vec::<f64>();
        let want = table(y.shape(), |i| {
            let ((rows, h_all), (columns, w_all)) =
                (window(&o, 0, shape[2], i[2]), window(&o, 1, shape[3], i[3]));
            let cells = rows.iter().flat_map(|&h| columns.iter().map(move |&w| (h, w)));
            let sum: f64 = cells.map(|(h, w)| at(&data, shape, &[i[0], i[1], h, w])).sum();
            sum / if o.count_include_pad { h_all * w_all } else { rows.len() * columns.len() } as f64
        });
        assert_near(&y, &want, 1e-14);
        check_dtypes(&[x.clone()], |x| x[0].avg_pool2d(o));
        check_grads(&[x], |x| x[0].avg_pool2d(o));
    }
}

#[test]
fn cells() {
    for (shape, output) in [([2, 2, 5, 7], [3, 2]), ([1, 1, 4, 4], [1, 1]), ([1, 1, 3, 2], [5, 4])] {
        let x = randn(&shape, 1);
        let y = x.adaptive_avg_pool2d(output);
        let data = x.to_vec::<f64>();
        let want = table(&[shape[0], shape[1], output[0], output[1]], |i| {
            let range = |d: usize| {
                let (n, m, k) = (shape[2 + d], output[d], i[2 + d]);
                k * n / m..((k + 1) * n).div_ceil(m)
            };
            let cells: Vec<f64> = range(0)
                .flat_map(|h| range(1).map(move |w| (h, w)))
                .map(|(h, w)| at(&data, &shape, &[i[0], i[1], h, w]))
                .collect();
            cells.iter().sum::<f64>() / cells.len() as f64
        });
        assert_near(&y, &want, 1e-14);
        check_dtypes(&[x.clone()], |x| x[0].adaptive_avg_pool2d(output));
        check_grads(&[x], |x| x[0].adaptive_avg_pool2d(output));
    }
}

#[test]
fn sequences_are_images_of_height_one() {
    let x = randn(&[2, 3, 7], 1);
    let o = PoolOptions::new(3).stride(2).padding(1);
    let wide = PoolOptions::new([1, 3]).stride([1, 2]).padding([0, 1]);
    assert!(x.max_pool1d(o).equal(&x.unsqueeze(2).max_pool2d(wide).squeeze(2)));
    assert!(x.avg_pool1d(o).equal(&x.unsqueeze(2).avg_pool2d(wide).squeeze(2)));
    assert!(x.adaptive_avg_pool1d(3).equal(&x.unsqueeze(2).adaptive_avg_pool2d([1, 3]).squeeze(2)));
    assert!(x.select(0, 1).max_pool1d(o).equal(&x.max_pool1d(o).select(0, 1)));
    assert!(x.max_pool1d_with_indices(2).1.shape() == [2, 3, 3]);
    check_grads(&[x], |x| x[0].max_pool1d(2));
}

#[test]
fn nan_wins_and_ties_go_to_the_first() {
    let x = tensor([[[1.0, f64::NAN], [3.0, 2.0]]]);
    assert!(x.max_pool2d(2).item().is_nan());
    let x = tensor([[[2.0, 2.0], [2.0, 2.0]]]).requires_grad_(true);
    x.max_pool2d(2).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0]);
    let ints = Tensor::arange(0, 16, 1).reshape([1, 4, 4]).max_pool2d(2);
    assert_eq!((ints.dtype(), ints.to_vec::<i64>()), (DType::I64, vec![5, 7, 13, 15]));
}

#[test]
fn errors() {
    let x = Tensor::zeros([1, 1, 2, 2]);
    assert!(
        panic_of(|| x.max_pool2d(3))
            .contains("max_pool2d: the window [3, 3] is larger than the padded input")
    );
    assert!(
        panic_of(|| x.max_pool2d(PoolOptions::new(2).padding(2)))
            .contains("more than half of the kernel size")
    );
    assert!(
        panic_of(|| Tensor::zeros([2, 2]).avg_pool2d(1))
            .contains("expected an input [batch, channels, height")
    );
}
