use crate::common::*;
use taper_tensor::Tensor;

#[track_caller]
fn check(equation: &str, shapes: &[&[usize]], composed: impl Fn(&[Tensor]) -> Tensor) {
    let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| randn(s, i as u64)).collect();
    let einsum = |x: &[Tensor]| Tensor::einsum(equation, &x.iter().collect::<Vec<_>>());
    assert_near(&einsum(&inputs), &composed(&inputs), 1e-12);
    check_grads(&inputs, einsum);
}

#[test]
fn equals_what_it_stands_for() {
    check("ij,jk->ik", &[&[2, 3], &[3, 4]], |x| x[0].matmul(&x[1]));
    check("ij , jk", &[&[2, 3], &[3, 4]], |x| x[0].matmul(&x[1]));
    check("ij,jk->ki", &[&[2, 3], &[3, 4]], |x| x[0].matmul(&x[1]).t());
    check("bij,bjk->bik", &[&[2, 2, 3], &[2, 3, 2]], |x| x[0].bmm(&x[1]));
    check("ij->ji", &[&[2, 3]], |x| x[0].t());
    check("ba", &[&[2, 3]], |x| x[0].t());
    check("ii->i", &[&[3, 3]], |x| x[0].diagonal(0, 0, 1));
    check("ii", &[&[3, 3]], |x| x[0].trace());
    check("iij->ij", &[&[2, 2, 3]], |x| x[0].diagonal(0, 0, 1).t());
    check("i,j->ij", &[&[2], &[3]], |x| x[0].outer(&x[1]));
    check("i,i->", &[&[3], &[3]], |x| x[0].dot(&x[1]));
    check("ij->", &[&[2, 3]], |x| x[0].sum());
    check("ij,ij->ij", &[&[2, 3], &[2, 3]], |x| &x[0] * &x[1]);
    check("ij,j->i", &[&[2, 3], &[3]], |x| x[0].matmul(&x[1]));
    check("ij,k->k", &[&[2, 3], &[2]], |x| x[0].sum() * &x[1]);
    check("...ij,...jk->...ik", &[&[2, 2, 3], &[3, 2]], |x| x[0].matmul(&x[1]));
    check("...ij,...jk", &[&[2, 1, 2, 3], &[4, 3, 2]], |x| x[0].matmul(&x[1]));
    check("i...->...", &[&[2, 3, 2]], |x| x[0].sum_dim(0, false));
    check("bhqd,bhkd->bhqk", &[&[1, 2, 2, 3], &[1, 2, 3, 3]], |x| x[0].matmul(x[1].mt()));
    check("ij,jk,kl->il", &[&[2, 3], &[3, 2], &[2, 2]], |x| x[0].matmul(&x[1]).matmul(&x[2]));
    check("ijk,ijl,kl->ij", &[&[2, 2, 3], &[2, 2, 2], &[3, 2]], |x| {
        (x[0].matmul(&x[2]) * &x[1]).sum_dim(-1, false)
    });
    check("ijab,jicb->ca", &[&[2, 3, 2, 2], &[3, 2, 2, 2]], |x| {
        (x[0].unsqueeze(2) * x[1].transpose(0, 1).unsqueeze(3)).sum_dim([0, 1, 4], false)
    });
    // Sizes of 1 broadcast, in what is summed too.
    check("ij,jk->ik", &[&[2, 1], &[3, 2]], |x| x[0].matmul(x[1].sum_dim(0, true)));
    check("ij,ij->ij", &[&[2, 1], &[2, 3]], |x| &x[0] * &x[1]);
    check("ij,jk->ik", &[&[2, 0], &[0, 3]], |x| x[0].matmul(&x[1]));
}

#[test]
fn errors() {
    let x = Tensor::zeros([2, 3]);
    let message = |equation: &str, operands: &[&Tensor]| {
        Tensor::try_einsum(equation, operands).unwrap_err().to_string()
    };
    assert_eq!(message("ij,jk->ik", &[&x]), "einsum: 2 subscripts for 1 operands in \"ij,jk->ik\"");
    assert_eq!(
        message("ijk->i", &[&x]),
        "einsum: \"ijk\" names 3 axes, but the operand has shape [2, 3] in \"ijk->i\""
    );
    assert_eq!(message("ij,ij->i", &[&x, &x.t()]), "einsum: 'i' has size 2 here and 3 there in \"ij,ij->i\"");
    assert!(message("ij->ii", &[&x]).contains("comes twice in the output"));
    assert!(message("ij->k", &[&x]).contains("no operand has"));
    assert!(message("ii", &[&x]).contains("a subscript comes twice for sizes 2 and 3"));
    assert!(message("i1->i", &[&x]).contains("unexpected '1'"));
    assert!(message("...i...", &[&x]).contains("more than one ellipsis"));
}
