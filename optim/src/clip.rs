//! Limits on gradients.

use taper_nn::Parameter;
use taper_tensor::Tensor;
use taper_tensor::autograd::no_grad;

/// Scales all gradients so that their common norm (of the vector of all elements together) is at most
/// `max_norm`, and gives the norm as it was (`torch.nn.utils.clip_grad_norm_`; there by default
/// `norm_type` 2). Parameters without a gradient are passed over.
pub fn clip_grad_norm_(params: &[Parameter], max_norm: f64, norm_type: f64) -> f64 {
    no_grad(|| {
        let grads: Vec<Tensor> = params.iter().filter_map(Parameter::grad).collect();
        if grads.is_empty() {
            return 0.0;
        }
        let norms: Vec<Tensor> = grads.iter().map(|g| g.norm_dim(norm_type, [], false)).collect();
        let total = Tensor::stack(&norms, 0).norm_dim(norm_type, [], false);
        // PyTorch always multiplies, by at most 1, so that no host read is needed; so do the bits here.
        let scale = Tensor::clamp(&(max_norm / (&total + 1e-6)), None, 1.0);
        drop(grads);
        scale_grads(params, &scale);
        total.item()
    })
}

/// Limits every element of every gradient to `[−clip_value, clip_value]`.
pub fn clip_grad_value_(params: &[Parameter], clip_value: f64) {
    no_grad(|| {
        for p in params {
            if let Some(mut g) = p.grad() {
                p.set_grad(None); // so that the memory has one owner
                g.clamp_(-clip_value, clip_value);
                p.set_grad(Some(g));
            }
        }
    });
}

fn scale_grads(params: &[Parameter], scale: &Tensor) {
    for p in params {
        if let Some(mut g) = p.grad() {
            p.set_grad(None);
            g.mul_(scale);
            p.set_grad(Some(g));
        }
    }
}
