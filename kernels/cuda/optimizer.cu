// Optimizer updates in one pass, in PyTorch's order of operations, fused where its vector code fuses.
// Scalars are computed by the host in f64 and rounded to the compute dtype. The parameter is `out`; input 0
// is its gradient, 1 to 3 are states, which are written. States are of the parameter's dtype, or of the
// compute dtype where `wide` says so.
#include "include/math.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

// Signs as PyTorch passes them on.
struct Rule {
    f64 weight_decay, momentum, undamped, lr;
    f64 shrink, weight1, beta2, weight2, root_correction2, eps;
    u32 maximize, nesterov, first, wide;
    // Adam: amsgrad. RMSprop: centered.
    u32 extra, decoupled;
};

DEVICE F state(const Map<4>& p, const Rule& r, int k, i64 at) {
    return r.wide ? ((const F*)p.in[k])[at] : widen(((const T*)p.in[k])[at]);
}
DEVICE void keep(const Map<4>& p, const Rule& r, int k, i64 at, F v) {
    if (r.wide) ((F*)p.in[k])[at] = v;
    else ((T*)p.in[k])[at] = narrow<T>(v);
}

// `end·weight + x·(1 − weight)`, from the nearer end.
DEVICE F lerp(F x, F end, F weight) {
    return weight < (F)0.5 && weight > (F)-0.5 ? fma(weight, end - x, x) : fma(x - end, 1 - weight, end);
}
// The gradient with its sign and penalty.
DEVICE F gradient(const Map<4>& p, const Rule& r, i64 at, F param) {
    F g = widen(((const T*)p.in[0])[at]);
    g = r.maximize ? -g : g;
    return r.weight_decay != 0 ? fma(param, (F)r.weight_decay, g) : g;
}

// State: momentum's buffer. `lr` is −lr, `undamped` 1 − dampening.
KERNEL(THREADS) NAME(sgd)(const Map<4> p, const Rule r) {
    each_element<4>(p, [&](Offsets<4> o) {
        F x = widen(((const T*)p.out)[o.at[0]]), g = gradient(p, r, o.at[1], x);
        if (r.momentum != 0) {
            F m = g;
            if (!r.first) m = fma(g, (F)r.undamped, state(p, r, 1, o.at[2]) * (F)r.momentum);
            keep(p, r, 1, o.at[2], m);
            g = r.nesterov ? fma(m, (F)r.momentum, g) : m;
        }
        ((T*)p.out)[o.at[0]] = narrow<T>(fma(g, (F)r.lr, x));
    });
}

// States: mean, mean of squares, the largest of those. `lr` is −lr / (1 − β₁ᵗ), `shrink` 1 − lr·decay.
KERNEL(THREADS) NAME(adam)(const Map<4> p, const Rule r) {
    each_element<4>(p, [&](Offsets<4> o) {
        F x = widen(((const T*)p.out)[o.at[0]]), g = gradient(p, r, o.at[1], x);
        if (r.decoupled) x *= (F)r.shrink;
        F mean = lerp(state(p, r, 1, o.at[2]), g, (F)r.weight1);
        keep(p, r, 1, o.at[2], mean);
        F square = fma((F)r.weight2 * g, g, state(p, r, 2, o.at[3]) * (F)r.beta2);
        keep(p, r, 2, o.at[3], square);
        if (r.extra) {
            F largest = state(p, r, 3, o.at[4]);
            // NaN wins.
            square = largest > square || is_nan(largest) ? largest : square;
            keep(p, r, 3, o.at[4], square);
        }
        F denominator = root(square) / (F)r.root_correction2 + (F)r.eps;
        ((T*)p.out)[o.at[0]] = narrow<T>(x + (F)r.lr * mean / denominator);
    });
}

// States: mean of squares, mean (centered), momentum's buffer. `beta2` is α, `weight2` 1 − α, `lr` −lr.
KERNEL(THREADS) NAME(rmsprop)(const Map<4> p, const Rule r) {
    each_element<4>(p, [&](Offsets<4> o) {
        F x = widen(((const T*)p.out)[o.at[0]]), g = gradient(p, r, o.at[1], x);
        F square = fma((F)r.weight2 * g, g, state(p, r, 1, o.at[2]) * (F)r.beta2), variance = square;
        keep(p, r, 1, o.at[2], square);
        if (r.extra) {
            F mean = lerp(state(p, r, 2, o.at[3]), g, (F)r.weight2);
            keep(p, r, 2, o.at[3], mean);
            variance = fma(-mean, mean, variance);
        }
        F size = root(variance) + (F)r.eps;
        if (r.momentum != 0) {
            F m = state(p, r, 3, o.at[4]) * (F)r.momentum + g / size;
            keep(p, r, 3, o.at[4], m);
            x = fma(m, (F)r.lr, x);
        } else {
            x = x + (F)r.lr * g / size;
        }
        ((T*)p.out)[o.at[0]] = narrow<T>(x);
    });
}

// State: sum of squares. `lr` is −lr / (1 + (t − 1)·decay).
KERNEL(THREADS) NAME(adagrad)(const Map<4> p, const Rule r) {
    each_element<4>(p, [&](Offsets<4> o) {
        F x = widen(((const T*)p.out)[o.at[0]]), g = gradient(p, r, o.at[1], x);
        F sum = fma(g, g, state(p, r, 1, o.at[2]));
        keep(p, r, 1, o.at[2], sum);
        ((T*)p.out)[o.at[0]] = narrow<T>(x + (F)r.lr * g / (root(sum) + (F)r.eps));
    });
}
