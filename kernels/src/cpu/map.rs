//! The driver of elementwise kernels: any strides, any thread count, one contiguous kernel.

use super::copy::tiles;
use super::lane::{BLOCK, Lane};
use super::par;
use super::stream;
use super::walk::Walk;
use crate::*;
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Runs shorter than this are put together into blocks before the kernel is called.
const SHORT_RUN: usize = BLOCK / 4;

/// A kernel on `n` elements that lie side by side: inputs, output, `n`. The output may be one of the
/// inputs (the same address), and is otherwise apart from them. A kernel may store past the caches, where
/// [`stream::pays`] for the whole output.
pub(crate) type Kernel<'a, const K: usize> = &'a (dyn Fn([*const u8; K], *mut u8, usize) + Sync);

#[repr(align(64))]
struct Block(#[allow(dead_code)] MaybeUninit<[u8; BLOCK * 8]>);

/// An operand: memory and how to read it.
#[derive(Clone, Copy)]
struct Port {
    base: *mut u8,
    lane: &'static Lane,
    access: Access,
}

/// How kernels get at an operand's elements.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    /// Where they are.
    Direct,
    /// Through a block, gathered (or scattered) each time.
    Gather,
    /// Through a block that is filled once: a single element, or a short pattern that repeats.
    Pattern { period: usize },
}

/// Fills `out` with `kernel` of the inputs, elementwise. `lanes` says how each input is read, and
/// `scalar` gives a scalar's bytes in the block's type. `cost` is in nanoseconds per element.
///
/// `N` is `K + 1`. Positions are checked against the memory's size once, here.
pub(crate) fn map<const K: usize, const N: usize>(
    out: ViewMut,
    out_lane: &'static Lane,
    inputs: [Src; K],
    lanes: [&'static Lane; K],
    scalar: impl Fn(Scalar) -> u64,
    cost: f64,
    kernel: Kernel<K>,
) {
    const { assert!(N == K + 1) }
    let shape = out.layout.shape();
    let numel = out.layout.numel();
    if numel == 0 {
        return;
    }
    if numel as f64 * cost < par::GRAIN as f64 && at_once(&out, out_lane, &inputs, lanes) {
        let to = out.storage.as_cpu_mut().expect(ELSEWHERE).bytes_mut();
        let to = to[out.layout.offset() * out_lane.size..][..numel * out_lane.size].as_mut_ptr();
        let sources = std::array::from_fn(|k| match inputs[k] {
            Src::View(v) => {
                let from = v.storage.as_cpu().expect(ELSEWHERE).bytes();
                from[v.layout.offset() * lanes[k].size..][..numel * lanes[k].size].as_ptr()
            }
            _ => to.cast_const(),
        });
        return kernel(sources, to, numel);
    }
    let scalars: [u64; K] = inputs.map(|i| if let Src::Scalar(s) = i { scalar(s) } else { 0 });
    // Operands read badly in the output's order are put into it first.
    let moved: [Option<(Storage, Layout)>; K] = std::array::from_fn(|k| match inputs[k] {
        Src::View(v) => tiles::reordered(v, out.layout),
        _ => None,
    });
    let inputs: [Src; K] = std::array::from_fn(|k| match (inputs[k], &moved[k]) {
        (Src::View(v), Some((storage, layout))) => Src::View(View::new(storage, v.dtype, layout)),
        (input, _) => input,
    });
    let out_base = base_mut(out.storage, out.layout, out_lane);
    let mut ports = [Port { base: out_base, lane: out_lane, access: Access::Gather }; N];
    for k in 0..K {
        (ports[k + 1].base, ports[k + 1].lane) = match inputs[k] {
            Src::Out => (out_base, out_lane),
            Src::View(v) => (base(v.storage, v.layout, lanes[k]), lanes[k]),
            Src::Scalar(_) => ((&raw const scalars[k]).cast_mut().cast(), Lane::raw(lanes[k].wide)),
        };
    }
    let walk = walk(out.layout, shape, numel, &inputs);
    let short = walk.inner_len() < SHORT_RUN;
    // Blocks that hold whole periods keep a pattern's phase.
    let mut chunk = BLOCK;
    for (k, port) in ports.iter_mut().enumerate() {
        let contiguous = if short { walk.is_flat(k) } else { walk.inner_strides()[k] == 1 };
        port.access = match walk.period(k) {
            _ if contiguous && port.lane.direct => Access::Direct,
            _ if k > 0 && walk.is_constant(k) => Access::Pattern { period: 1 },
            Some(period) if k > 0 && short && period <= BLOCK / 2 && chunk - chunk % period > BLOCK / 2 => {
                if !chunk.is_multiple_of(period) && chunk == BLOCK {
                    chunk -= chunk % period;
                }
                if chunk.is_multiple_of(period) { Access::Pattern { period } } else { Access::Gather }
            }
            _ => Access::Gather,
        };
    }
    let job = Job { walk, ports, chunk, kernel };
    let may_stream = stream::pays(numel * out_lane.size);
    par::for_each_range(numel, chunk, cost, |r| {
        job.range(r);
        if may_stream {
            stream::finish();
        }
    });
}

/// Whether the operands lie side by side as the kernel wants them: what is small needs no driver then.
fn at_once<const K: usize>(
    out: &ViewMut,
    out_lane: &Lane,
    inputs: &[Src; K],
    lanes: [&'static Lane; K],
) -> bool {
    let plain = |layout: &Layout, lane: &Lane| lane.direct && layout.is_contiguous();
    plain(out.layout, out_lane)
        && inputs.iter().zip(lanes).all(|(input, lane)| match input {
            Src::Out => true,
            Src::View(v) => plain(v.layout, lane),
            Src::Scalar(_) => false,
        })
}

/// The walk over the output and the inputs, quickly where all are contiguous.
fn walk<const K: usize, const N: usize>(
    out: &Layout,
    shape: &[usize],
    numel: usize,
    inputs: &[Src; K],
) -> Walk<N> {
    let mut offsets = [out.offset(); N];
    let mut constant = [false; N];
    let mut dense = out.is_contiguous();
    for (k, input) in inputs.iter().enumerate() {
        match input {
            Src::Out => {}
            Src::Scalar(_) => (offsets[k + 1], constant[k + 1]) = (0, true),
            Src::View(v) => {
                debug_assert_eq!(v.layout.shape(), shape, "operands of one kernel differ in shape");
                offsets[k + 1] = v.layout.offset();
                dense &= v.layout.is_contiguous();
            }
        }
    }
    if dense {
        return Walk::dense(numel, offsets, constant);
    }
    let scalar = Layout::new(shape, SmallVec::from_elem(0, shape.len()), 0);
    let mut layouts = [out; N];
    for (k, input) in inputs.iter().enumerate() {
        layouts[k + 1] = match input {
            Src::Out => out,
            Src::Scalar(_) => &scalar,
            Src::View(v) => v.layout,
        };
    }
    Walk::any_order(layouts)
}

struct Job<'a, const K: usize, const N: usize> {
    walk: Walk<N>,
    ports: [Port; N],
    /// Elements of a block that are used.
    chunk: usize,
    kernel: Kernel<'a, K>,
}
// SAFETY: the pointers are to memory that the operands borrow for as long as the job lives; ranges
// handed to different threads write different elements of the output.
unsafe impl<const K: usize, const N: usize> Sync for Job<'_, K, N> {}

impl<const K: usize, const N: usize> Job<'_, K, N> {
    fn range(&self, range: Range<usize>) {
        let mut blocks = [const { Block(MaybeUninit::uninit()) }; N];
        let blocks: [*mut u8; N] = std::array::from_fn(|k| (&raw mut blocks[k]).cast());
        for (k, p) in self.ports.iter().enumerate() {
            let most = range.len().min(self.chunk);
            // SAFETY: a block holds `chunk` elements; the pattern's are in bounds.
            unsafe {
                let first = p.base.add(self.walk.offsets()[k] * p.lane.size);
                match p.access {
                    Access::Direct => {}
                    Access::Gather => blocks[k].write_bytes(0, most * p.lane.wide),
                    Access::Pattern { period: 1 } => (p.lane.load)(first, 0, blocks[k], most),
                    Access::Pattern { period } => {
                        let (mut filled, mut phase) = (0, range.start % period);
                        while filled < most {
                            let n = (period - phase).min(most - filled);
                            let to = blocks[k].add(filled * p.lane.wide);
                            (p.lane.load)(first.add(phase * p.lane.size), 1, to, n);
                            filled += n;
                            phase = 0;
                        }
                    }
                }
            }
        }
        if self.walk.inner_len() < SHORT_RUN {
            self.short_runs(range, blocks);
        } else {
            self.long_runs(range, blocks);
        }
    }

    /// The kernel on stretches of each run; operands with another step than 1 go through a block.
    fn long_runs(&self, range: Range<usize>, blocks: [*mut u8; N]) {
        let strides = self.walk.inner_strides();
        let all_direct = self.ports.iter().all(|p| p.access == Access::Direct);
        self.walk.runs(range, |at, len| {
            let chunk = if all_direct { len } else { self.chunk };
            for k in 1..N {
                let p = &self.ports[k];
                if strides[k] == 0 && p.access == Access::Gather {
                    // SAFETY: the element is in bounds; a block holds `chunk` elements.
                    unsafe { (p.lane.load)(p.base.add(at[k] * p.lane.size), 0, blocks[k], len.min(chunk)) }
                }
            }
            let mut i = 0;
            while i < len {
                let n = chunk.min(len - i);
                let place = |k: usize| {
                    let p: &Port = &self.ports[k];
                    let position = at[k] as isize + i as isize * strides[k];
                    // SAFETY: positions of the walk are in bounds, checked in `map`.
                    unsafe { p.base.offset(position * p.lane.size as isize) }
                };
                let sources = std::array::from_fn(|j| {
                    let k = j + 1;
                    match self.ports[k].access {
                        Access::Direct => return place(k).cast_const(),
                        // SAFETY: `n ≤ chunk` elements of the run, in bounds.
                        Access::Gather if strides[k] != 0 => unsafe {
                            (self.ports[k].lane.load)(place(k), strides[k], blocks[k], n)
                        },
                        _ => {}
                    }
                    blocks[k].cast_const()
                });
                if self.ports[0].access == Access::Direct {
                    (self.kernel)(sources, place(0), n);
                } else {
                    (self.kernel)(sources, blocks[0], n);
                    // SAFETY: as for the loads.
                    unsafe { (self.ports[0].lane.store)(blocks[0], place(0), strides[0], n) }
                }
                i += n;
            }
        });
    }

    /// Several runs at a time; only operands that are contiguous throughout are used where they lie.
    fn short_runs(&self, range: Range<usize>, blocks: [*mut u8; N]) {
        let strides = self.walk.inner_strides();
        let offsets = self.walk.offsets();
        let gathered: [bool; N] = std::array::from_fn(|k| k > 0 && self.ports[k].access == Access::Gather);
        let any_gathered = gathered.iter().any(|&g| g);
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + self.chunk);
            if any_gathered {
                let mut filled = 0;
                self.walk.runs(start..end, |at, len| {
                    for k in 1..N {
                        if gathered[k] {
                            let lane = self.ports[k].lane;
                            // SAFETY: a run in bounds, into what is left of the block.
                            unsafe {
                                let src = self.ports[k].base.add(at[k] * lane.size);
                                (lane.load)(src, strides[k], blocks[k].add(filled * lane.wide), len)
                            }
                        }
                    }
                    filled += len;
                });
            }
            let place = |k: usize| match self.ports[k].access {
                // SAFETY: the elements follow each other, in bounds.
                Access::Direct => unsafe {
                    self.ports[k].base.add((offsets[k] + start) * self.ports[k].lane.size)
                },
                _ => blocks[k],
            };
            (self.kernel)(std::array::from_fn(|j| place(j + 1).cast_const()), place(0), end - start);
            if self.ports[0].access != Access::Direct {
                let lane = self.ports[0].lane;
                let mut done = 0;
                self.walk.runs(start..end, |at, len| {
                    // SAFETY: a run in bounds, from the block's elements.
                    unsafe {
                        let dst = self.ports[0].base.add(at[0] * lane.size);
                        (lane.store)(blocks[0].add(done * lane.wide), dst, strides[0], len)
                    }
                    done += len;
                });
            }
            start = end;
        }
    }
}

const ELSEWHERE: &str = "a CPU kernel got memory of another device";

fn check(bytes: usize, layout: &Layout, lane: &Lane) {
    let end = layout.span().end * lane.size;
    assert!(end <= bytes, "{layout:?} of {}-byte elements reaches beyond its {bytes} bytes", lane.size);
}

/// Start of an operand's memory; all its positions are checked.
pub(crate) fn base(storage: &Storage, layout: &Layout, lane: &Lane) -> *mut u8 {
    let bytes = storage.as_cpu().expect(ELSEWHERE).bytes();
    check(bytes.len(), layout, lane);
    bytes.as_ptr().cast_mut()
}

/// Start of the output's memory; all its positions are checked.
pub(crate) fn base_mut(storage: &mut Storage, layout: &Layout, lane: &Lane) -> *mut u8 {
    let bytes = storage.as_cpu_mut().expect(ELSEWHERE).bytes_mut();
    check(bytes.len(), layout, lane);
    bytes.as_mut_ptr()
}
