//! Modules as text, as `print(module)` of PyTorch 2.15 gives it.

use taper_nn::*;

#[test]
fn layers_print_as_in_pytorch() {
    let pairs: [(String, &str); 30] = [
        (Linear::new(3, 4).to_string(), "Linear(in_features=3, out_features=4, bias=True)"),
        (
            Linear::builder(3, 4).bias(false).build().to_string(),
            "Linear(in_features=3, out_features=4, bias=False)",
        ),
        (Conv2d::new(1, 32, 3).to_string(), "Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1))"),
        (
            Conv2d::builder(2, 4, (1, 3))
                .stride(2)
                .padding(1)
                .dilation(2)
                .groups(2)
                .bias(false)
                .build()
                .to_string(),
            "Conv2d(2, 4, kernel_size=(1, 3), stride=(2, 2), padding=(1, 1), dilation=(2, 2), groups=2, bias=False)",
        ),
        (
            Conv2d::builder(2, 2, 3).padding(taper_tensor::Padding::Same).build().to_string(),
            "Conv2d(2, 2, kernel_size=(3, 3), stride=(1, 1), padding=same)",
        ),
        (
            Conv1d::builder(1, 2, 3).padding(1).build().to_string(),
            "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=(1,))",
        ),
        (
            BatchNorm1d::new(3).to_string(),
            "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
        ),
        (
            BatchNorm2d::builder(3).momentum(None).build().to_string(),
            "BatchNorm2d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)",
        ),
        (LayerNorm::new(4).to_string(), "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)"),
        (
            LayerNorm::builder([2, 3]).elementwise_affine(false).build().to_string(),
            "LayerNorm((2, 3), eps=1e-05, elementwise_affine=False, bias=False)",
        ),
        (Embedding::new(5, 3).to_string(), "Embedding(5, 3)"),
        (Embedding::builder(5, 3).padding_idx(-1).build().to_string(), "Embedding(5, 3, padding_idx=4)"),
        (Dropout::default().to_string(), "Dropout(p=0.5, inplace=False)"),
        (Flatten::new().to_string(), "Flatten(start_dim=1, end_dim=-1)"),
        (
            MaxPool2d::new(2).to_string(),
            "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
        ),
        (
            AvgPool2d::builder((2, 3)).stride(2).build().to_string(),
            "AvgPool2d(kernel_size=(2, 3), stride=2, padding=0)",
        ),
        (AdaptiveAvgPool2d::new((None, Some(2))).to_string(), "AdaptiveAvgPool2d(output_size=(None, 2))"),
        (AvgPool1d::new(2).to_string(), "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"),
        (
            ConvTranspose2d::builder(4, 6, (1, 3))
                .stride(2)
                .padding((0, 1))
                .output_padding(1)
                .groups(2)
                .bias(false)
                .build()
                .to_string(),
            "ConvTranspose2d(4, 6, kernel_size=(1, 3), stride=(2, 2), padding=(0, 1), output_padding=(1, 1), groups=2, bias=False)",
        ),
        (
            ConvTranspose1d::builder(1, 2, 3).dilation(2).build().to_string(),
            "ConvTranspose1d(1, 2, kernel_size=(3,), stride=(1,), dilation=(2,))",
        ),
        (LSTM::new(3, 4).to_string(), "LSTM(3, 4)"),
        (
            GRU::builder(3, 4)
                .num_layers(2)
                .bias(false)
                .batch_first(true)
                .dropout(0.25)
                .bidirectional(true)
                .build()
                .to_string(),
            "GRU(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.25, bidirectional=True)",
        ),
        (AlphaDropout::default().to_string(), "AlphaDropout(p=0.5, inplace=False)"),
        (ReLU::new().to_string(), "ReLU()"),
        (LeakyReLU::new().to_string(), "LeakyReLU(negative_slope=0.01)"),
        (Softplus::new().to_string(), "Softplus(beta=1.0, threshold=20.0)"),
        (GELU::new().to_string(), "GELU(approximate='none')"),
        (Softmax::new(1).to_string(), "Softmax(dim=1)"),
        (PReLU::new().to_string(), "PReLU(num_parameters=1)"),
        (CrossEntropyLoss::new().to_string(), "CrossEntropyLoss()"),
    ];
    for (got, expected) in pairs {
        assert_eq!(got, expected);
    }
}

#[test]
fn models_print_with_lists_folded() {
    #[derive(Module)]
    struct Net {
        blocks: Vec<Linear>,
        head: Sequential,
    }
    let net =
        Net { blocks: (0..2).map(|_| Linear::new(2, 2)).collect(), head: sequential!["act" => ReLU::new()] };
    let expected = "\
Net(
  (blocks): ModuleList(
    (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)
  )
  (head): Sequential(
    (act): ReLU()
  )
)";
    assert_eq!(net.to_string(), expected);
    let list = ModuleList::new([Linear::new(2, 2), Linear::new(2, 2), Linear::new(2, 3)]);
    let expected = "\
ModuleList(
  (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)
  (2): Linear(in_features=2, out_features=3, bias=True)
)";
    assert_eq!(list.to_string(), expected);
}
