//! The table of a model.

use taper_nn::*;
use taper_tensor::{DType, Tensor};

#[derive(Module)]
struct Net {
    act1: ReLU,
    act2: ReLU,
    embed: Embedding,
    norm: BatchNorm1d,
    unused: Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.norm.forward(&self.embed.forward(x));
        // Not in the order of the fields.
        self.act1.forward(&self.act2.forward(&x).mean_dim([1], false))
    }
}

#[test]
fn a_convolutional_network() {
    let net = sequential![
        Conv2d::new(1, 32, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(64 * 5 * 5, 128),
        ReLU::new(),
        Linear::new(128, 10),
    ];
    net[0].requires_grad_(false);
    let s = summary(&net, [1, 1, 28, 28]);
    let expected = "\
Layer            Output shape      Parameters
─────────────────────────────────────────────
Sequential       [1, 10]                    -
  0: Conv2d      [1, 32, 26, 26]          320
  1: ReLU        [1, 32, 26, 26]            -
  2: MaxPool2d   [1, 32, 13, 13]            -
  3: Conv2d      [1, 64, 11, 11]       18,496
  4: ReLU        [1, 64, 11, 11]            -
  5: MaxPool2d   [1, 64, 5, 5]              -
  6: Flatten     [1, 1600]                  -
  7: Linear      [1, 128]             204,928
  8: ReLU        [1, 128]                   -
  9: Linear      [1, 10]                1,290
─────────────────────────────────────────────
Parameters: 225,034 (224,714 trainable, 320 frozen)
Input [1, 1, 28, 28]: 0.00 MB; outputs: 0.27 MB; parameters: 0.90 MB; buffers: 0.00 MB";
    assert_eq!(s.to_string(), expected);
}

#[test]
fn outputs_are_found_by_layer_and_nothing_is_left_behind() {
    let net = Net {
        act1: ReLU::new(),
        act2: ReLU::new(),
        embed: Embedding::new(5, 4),
        norm: BatchNorm1d::new(3),
        unused: Linear::new(1, 1),
    };
    net.norm.eval();
    let input = Tensor::zeros_with([2, 3], DType::I64);
    let s = summary_of(&net, &input);
    let output = |name: &str| s.layers.iter().find(|l| l.name == name).unwrap().output.clone();
    assert_eq!(output(""), Some(vec![2, 4]));
    assert_eq!(output("act1"), Some(vec![2, 4]));
    assert_eq!(output("act2"), Some(vec![2, 3, 4]));
    assert_eq!(output("unused"), None);
    assert_eq!(s.buffer_bytes, 3 * 4 + 3 * 4 + 8);
    // The norm was in evaluation, as it is now; statistics have not moved.
    net.norm.forward(&Tensor::ones([2, 3]));
    assert_eq!(net.norm.num_batches_tracked().unwrap().value().item(), 0.0);
    net.norm.train(true);
    summary_of(&net, &input);
    net.norm.forward(&Tensor::from_vec(vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]));
    assert_eq!(net.norm.num_batches_tracked().unwrap().value().item(), 1.0);
}
