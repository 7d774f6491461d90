//! Matrix products.

use crate::array::Array;
use crate::case::{Draw, Row, Size, case, row};
use taper::Tensor;

/// Sides of a product: small, or large enough for threads.
fn sides(d: &mut Draw) -> (usize, usize, usize) {
    match d.size {
        Size::Large => (150 + d.below(9), 90 + d.below(9), 140 + d.below(9)),
        Size::Tiny => (d.below(5), d.below(5), d.below(5)),
        Size::Small => (1 + d.below(4), 1 + d.below(4), 1 + d.below(4)),
    }
}

fn dot(a: &Array, b: &Array) -> f64 {
    a.data.iter().zip(&b.data).map(|(x, y)| x * y).sum()
}

fn column(a: &Array) -> Array {
    a.reshape(&[a.data.len(), 1])
}

pub fn rows() -> Vec<Row> {
    let products = vec![
        row("matmul", |d| {
            let (m, k, n) = sides(d);
            case([d.any(&[m, k]), d.any(&[k, n])], |x| x[0].matmul(&x[1]), |a| a[0].matmul(&a[1]))
        }),
        row("matmul, batched and broadcast", |d| {
            let (m, k, n) = sides(d);
            let (m, n) = (m.min(40), n.min(40));
            case([d.any(&[2, 1, m, k]), d.any(&[3, k, n])], |x| x[0].matmul(&x[1]), |a| a[0].matmul(&a[1]))
        }),
        row("matmul, vector and matrices", |d| {
            let (m, k, n) = sides(d);
            case(
                [d.any(&[k]), d.any(&[2, k, n.min(m)])],
                |x| x[0].matmul(&x[1]),
                |a| {
                    let row = a[0].reshape(&[1, a[0].data.len()]);
                    let y = row.matmul(&a[1]);
                    let shape = [y.shape[0], y.shape[2]];
                    y.reshape(&shape)
                },
            )
        }),
        row("mm", |d| {
            let (m, k, n) = sides(d);
            case([d.any(&[m, k]), d.any(&[k, n])], |x| x[0].mm(&x[1]), |a| a[0].matmul(&a[1]))
        }),
        row("bmm", |d| {
            let (m, k, n) = sides(d);
            let (m, n) = (m.min(50), n.min(50));
            case([d.any(&[3, m, k]), d.any(&[3, k, n])], |x| x[0].bmm(&x[1]), |a| a[0].matmul(&a[1]))
        }),
        row("mv", |d| {
            let (m, k, _) = sides(d);
            case(
                [d.any(&[m, k]), d.any(&[k])],
                |x| x[0].mv(&x[1]),
                move |a| a[0].matmul(&column(&a[1])).reshape(&[m]),
            )
        }),
        row("dot", |d| {
            let n = d.shape(1)[0];
            case([d.any(&[n]), d.any(&[n])], |x| x[0].dot(&x[1]), |a| Array::scalar(dot(&a[0], &a[1])))
        }),
        row("outer", |d| {
            let (m, _, n) = sides(d);
            case(
                [d.any(&[m]), d.any(&[n])],
                |x| x[0].outer(&x[1]),
                move |a| column(&a[0]).matmul(&a[1].reshape(&[1, n])),
            )
        }),
        row("addmm", |d| {
            let (m, k, n) = sides(d);
            case(
                [d.any(&[n]), d.any(&[m, k]), d.any(&[k, n])],
                |x| x[0].addmm(&x[1], &x[2], 0.5, 2.0),
                |a| a[1].matmul(&a[2]).zip(&a[0], |p, c| 2.0 * p + 0.5 * c),
            )
        }),
        row("baddbmm", |d| {
            let (m, k, n) = sides(d);
            let (m, n) = (m.min(50), n.min(50));
            case(
                [d.any(&[2, m, n]), d.any(&[2, m, k]), d.any(&[2, k, n])],
                |x| x[0].baddbmm(&x[1], &x[2], 1.0, 1.0),
                |a| a[1].matmul(&a[2]).zip(&a[0], |p, c| p + c),
            )
        }),
        row("linear", |d| {
            let (m, k, n) = sides(d);
            case(
                [d.any(&[2, m.min(60), k]), d.any(&[n, k]), d.any(&[n])],
                |x| x[0].linear(&x[1], Some(&x[2])),
                |a| a[0].matmul(&a[1].permute(&[1, 0])).zip(&a[2], |p, b| p + b),
            )
        }),
        row("linear without bias", |d| {
            let (m, k, n) = sides(d);
            case(
                [d.any(&[m, k]), d.any(&[n, k])],
                |x| x[0].linear(&x[1], None),
                |a| a[0].matmul(&a[1].permute(&[1, 0])),
            )
        }),
        row("einsum, a product of batches", |d| {
            let (m, k, n) = sides(d);
            let (m, n) = (m.min(40), n.min(40));
            case(
                [d.any(&[2, m, k]), d.any(&[n, 2, k])],
                |x| Tensor::einsum("bmk,nbk->mnb", &[&x[0], &x[1]]),
                |a| a[0].matmul(&a[1].permute(&[1, 2, 0])).permute(&[1, 2, 0]),
            )
        }),
        row("einsum, three operands", |d| {
            let (m, k, n) = (1 + d.below(4), 1 + d.below(4), 1 + d.below(4));
            case(
                [d.any(&[m, k]), d.any(&[k]), d.any(&[k, n])],
                |x| Tensor::einsum("mk,k,kn", &[&x[0], &x[1], &x[2]]),
                |a| a[0].zip(&a[1], |p, q| p * q).matmul(&a[2]),
            )
        }),
        row("einsum, diagonals and ellipsis", |d| {
            let (m, n) = (1 + d.below(4), 1 + d.below(4));
            case(
                [d.any(&[m, n, n])],
                |x| Tensor::einsum("...ii->...", &[&x[0]]),
                |a| {
                    Array::from_fn(&[a[0].shape[0]], |i| {
                        (0..a[0].shape[1]).map(|j| a[0].at(&[i[0], j, j])).sum()
                    })
                },
            )
        }),
    ];
    products.into_iter().map(|r| r.loose(30.0)).collect()
}
