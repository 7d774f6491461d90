//! Files by PyTorch.

use crate::Place;
use insta::assert_snapshot;
use serde_json::Value;

fn inspect(name: &str) -> String {
    Place::new().pytorch(name).run(&["inspect", "--stats", name]).ok().to_string()
}

#[test]
fn a_checkpoint() {
    let name = "checkpoint_adam.pt";
    assert_snapshot!(Place::new().pytorch(name).run(&["inspect", name]).ok(), @r#"
    checkpoint_adam.pt: PyTorch zip archive, pickle protocol 2, 34 tensors, 16.4 kB

      key                                          dtype    shape         bytes  memory
      model_state_dict.conv.weight                 float32  [2, 1, 3, 3]     72
      model_state_dict.conv.bias                   float32  [2]               8
      model_state_dict.norm.weight                 float32  [2]               8
      model_state_dict.norm.bias                   float32  [2]               8
      model_state_dict.norm.running_mean           float32  [2]               8
      model_state_dict.norm.running_var            float32  [2]               8
      model_state_dict.norm.num_batches_tracked    int64    []                8
      model_state_dict.fc.weight                   float32  [3, 2]           24
      model_state_dict.fc.bias                     float32  [3]              12
      optimizer_state_dict.state.0.step            float32  []                4
      optimizer_state_dict.state.0.exp_avg         float32  [2, 1, 3, 3]     72
      optimizer_state_dict.state.0.exp_avg_sq      float32  [2, 1, 3, 3]     72
      optimizer_state_dict.state.0.max_exp_avg_sq  float32  [2, 1, 3, 3]     72
      optimizer_state_dict.state.1.step            float32  []                4
      optimizer_state_dict.state.1.exp_avg         float32  [2]               8
      optimizer_state_dict.state.1.exp_avg_sq      float32  [2]               8
      optimizer_state_dict.state.1.max_exp_avg_sq  float32  [2]               8
      optimizer_state_dict.state.2.step            float32  []                4
      optimizer_state_dict.state.2.exp_avg         float32  [2]               8
      optimizer_state_dict.state.2.exp_avg_sq      float32  [2]               8
      optimizer_state_dict.state.2.max_exp_avg_sq  float32  [2]               8
      optimizer_state_dict.state.3.step            float32  []                4
      optimizer_state_dict.state.3.exp_avg         float32  [2]               8
      optimizer_state_dict.state.3.exp_avg_sq      float32  [2]               8
      optimizer_state_dict.state.3.max_exp_avg_sq  float32  [2]               8
      optimizer_state_dict.state.4.step            float32  []                4
      optimizer_state_dict.state.4.exp_avg         float32  [3, 2]           24
      optimizer_state_dict.state.4.exp_avg_sq      float32  [3, 2]           24
      optimizer_state_dict.state.4.max_exp_avg_sq  float32  [3, 2]           24
      optimizer_state_dict.state.5.step            float32  []                4
      optimizer_state_dict.state.5.exp_avg         float32  [3]              12
      optimizer_state_dict.state.5.exp_avg_sq      float32  [3]              12
      optimizer_state_dict.state.5.max_exp_avg_sq  float32  [3]              12
      rng                                          uint8    [16]             16  part of 5,056

    Values
      epoch                                                       2
      optimizer_state_dict.param_groups.0.lr                      0.0025
      optimizer_state_dict.param_groups.0.betas                   (0.9, 0.999)
      optimizer_state_dict.param_groups.0.eps                     1e-8
      optimizer_state_dict.param_groups.0.weight_decay            0
      optimizer_state_dict.param_groups.0.amsgrad                 True
      optimizer_state_dict.param_groups.0.maximize                False
      optimizer_state_dict.param_groups.0.foreach                 None
      optimizer_state_dict.param_groups.0.capturable              False
      optimizer_state_dict.param_groups.0.differentiable          False
      optimizer_state_dict.param_groups.0.fused                   None
      optimizer_state_dict.param_groups.0.decoupled_weight_decay  False
      optimizer_state_dict.param_groups.0.initial_lr              0.01
      optimizer_state_dict.param_groups.0.params                  [0, 1, 2, 3, 4, 5]
      scheduler.step_size                                         1
      scheduler.gamma                                             0.5
      scheduler.base_lrs                                          [0.01]
      scheduler.last_epoch                                        2
      scheduler._step_count                                       3
      scheduler._is_initial                                       False
      scheduler._get_lr_called_within_step                        False
      scheduler._last_lr                                          [0.0025]
      loss                                                        0.25
      best                                                        None

    Metadata
      model_state_dict._metadata  {"": {"version": 1}, "conv": {"version": 1}, "norm": {"version": 2}, "fc": {"version": 1}}

    34 tensors, 159 elements, 592 B in 5.6 kB of memory
    "#);
}

#[test]
fn shared_memory() {
    assert_snapshot!(inspect("views.pt"), @r#"
    views.pt: PyTorch zip archive, pickle protocol 2, 10 tensors, 2.8 kB

      key         dtype    shape      strides     bytes  min  max  mean       std  nan  inf  memory
      whole       float32  [2, 3, 4]                 96    0   23  11.5   7.07107    0    0
      transposed  float32  [4, 2, 3]  [1, 12, 4]     96    0   23  11.5   7.07107    0    0  shared with whole
      strided     float32  [2, 2, 3]  [12, 8, 1]     48    1   23    12   7.57988    0    0  shared with whole
      last        float32  []                         4   23   23    23         -    0    0  shared with whole
      row         float32  [4]                       16    4    7   5.5   1.29099    0    0  shared with whole
      expanded    float32  [2, 3]     [1, 0]         24    1    2   1.5  0.547723    0    0
      none        float32  [0, 4]                     0    -    -     -         -    0    0
      scalar      int64    []                         8    7    7     7         -    0    0
      tied_a      float32  [2, 2]                    16   -2  inf   inf       nan    0    1
      tied_b      float32  [2, 2]                    16   -2  inf   inf       nan    0    1  = tied_a

    10 tensors, 80 elements, 324 B in 128 B of memory
    "#);
}

#[test]
fn another_device() {
    assert_snapshot!(inspect("cuda.pth"), @r#"
    cuda.pth: PyTorch zip archive, pickle protocol 2, 9 tensors, 2.8 kB

      key                       dtype    shape         bytes         min         max        mean          std  nan  inf  device
      conv.weight               float32  [2, 1, 3, 3]     72    -0.30345    0.257366  -0.0251156     0.170093    0    0  cuda:0
      conv.bias                 float32  [2]               8    -0.21584    -0.14592    -0.18088    0.0494405    0    0  cuda:0
      norm.weight               float32  [2]               8    0.985577    0.985988    0.985782  0.000290771    0    0  cuda:0
      norm.bias                 float32  [2]               8  -0.0149952  0.00911099  -0.0029421    0.0170457    0    0  cuda:0
      norm.running_mean         float32  [2]               8  -0.0492187  -0.0304182  -0.0398185    0.0132939    0    0  cuda:0
      norm.running_var          float32  [2]               8     0.84306    0.850195    0.846628   0.00504548    0    0  cuda:0
      norm.num_batches_tracked  int64    []                8           2           2           2            -    0    0  cuda:0
      fc.weight                 float32  [3, 2]           24   -0.160308     0.57265    0.189093     0.309334    0    0  cuda:0
      fc.bias                   float32  [3]              12   -0.640966     0.62527   -0.148617     0.678444    0    0  cuda:0

    Metadata
      _metadata  {"": {"version": 1}, "conv": {"version": 1}, "norm": {"version": 2}, "fc": {"version": 1}}

    9 tensors, 38 elements, 156 B
    "#);
}

#[test]
fn a_file_from_before_1_6() {
    assert_snapshot!(inspect("legacy_dtypes.pth"), @r#"
    legacy_dtypes.pth: PyTorch legacy file, pickle protocol 2, 11 tensors, 1.8 kB

      key      dtype     shape   bytes   min  max      mean       std  nan  inf
      f64      float64   [2, 3]     48     0    5       2.5   1.87083    0    0
      f32      float32   [2, 3]     24     0    5       2.5   1.87083    0    0
      f16      float16   [2, 3]     12     0    5       2.5   1.87083    0    0
      bf16     bfloat16  [2, 3]     12     0    5       2.5   1.87083    0    0
      i64      int64     [2, 3]     48     0    5       2.5   1.87083    0    0
      i32      int32     [2, 3]     24     0    5       2.5   1.87083    0    0
      i16      int16     [2, 3]     12     0    5       2.5   1.87083    0    0
      i8       int8      [2, 3]      6     0    5       2.5   1.87083    0    0
      u8       uint8     [2, 3]      6     0    5       2.5   1.87083    0    0
      bool     bool      [2, 3]      6     0    1  0.833333  0.408248    0    0
      special  bfloat16  [3]         6  -inf   -0      -inf       nan    1    1

    11 tensors, 63 elements, 204 B
    "#);
}

#[test]
fn what_taper_has_not_got_is_listed() {
    assert_snapshot!(inspect("refused_uint16.pt"), @r#"
    refused_uint16.pt: PyTorch zip archive, pickle protocol 2, 2 tensors, 2.0 kB

      key        dtype    shape  bytes  min  max  mean  std  nan  inf
      fine       float32  [1]        4    1    1     1    -    0    0
      list.0.it  uint16   [2]        4    -    -     -    -    -    -

    2 tensors, 3 elements, 8 B
    "#);
    assert_snapshot!(inspect("refused_complex_number.pt"), @r#"
    refused_complex_number.pt: PyTorch zip archive, pickle protocol 2, 1 tensor, 1.9 kB

      key   dtype    shape  bytes  min  max  mean  std  nan  inf
      fine  float32  [1]        4    1    1     1    -    0    0

    Unsupported
      list.0.it  a complex number

    1 tensor, 1 element, 4 B
    "#);
    assert_snapshot!(inspect("refused_sparse.pt"), @r#"
    refused_sparse.pt: PyTorch zip archive, pickle protocol 2, 1 tensor, 2.5 kB

      key   dtype    shape  bytes  min  max  mean  std  nan  inf
      fine  float32  [1]        4    1    1     1    -    0    0

    Unsupported
      list.0.it  a sparse tensor

    1 tensor, 1 element, 4 B
    "#);
}

#[test]
fn programs_are_refused() {
    let refused = |name: &str| Place::new().pytorch(name).run(&["inspect", name]).trouble().to_string();
    assert_snapshot!(refused("refused_evil.pt"), @r#"refused_evil.pt: x/data.pkl, byte 13: it names posix.system; only tensors and plain values are loaded, and nothing is run"#);
    assert_snapshot!(refused("refused_model.pt"), @r#"refused_model.pt: refused_model/data.pkl, byte 2: it names project.models.Net; this looks like a whole model or another object of a class, which only the program that has the class can load: save `model.state_dict()` in PyTorch and load that"#);
    assert_snapshot!(refused("refused_script.pt"), @r#"refused_script.pt: a TorchScript archive (`torch.jit.save`): it holds a program, which is not run. Save `model.state_dict()` with `torch.save` and load that"#);
}

#[test]
fn every_file_is_shown_or_refused_in_one_line() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../io/tests/fixtures/pt");
    let mut shown = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".json") {
            continue;
        }
        let place = Place::new().pytorch(&name);
        let run = place.run(&["inspect", "--json", "--stats", &name]);
        if run.code() == 2 {
            assert!(run.trouble().starts_with(&format!("{name}: ")), "{}", run.err());
            assert!(name.starts_with("refused_"), "{}", run.err());
            continue;
        }
        let file: Value = serde_json::from_str(run.ok()).unwrap();
        assert_eq!(file["format"], "pt");
        shown += 1;
        if !name.starts_with("refused_") {
            // What can be loaded is the same after a way through another format.
            assert_eq!(place.run(&["convert", &name, "b.safetensors"]).code(), 0, "{name}");
            assert_eq!(place.run(&["convert", "b.safetensors", "c.pt"]).code(), 0, "{name}");
            place.run(&["diff", &name, "b.safetensors"]).ok();
            place.run(&["diff", &name, "c.pt"]).ok();
        }
    }
    assert!(shown > 20);
}
