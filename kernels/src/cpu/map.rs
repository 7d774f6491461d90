//! The driver of elementwise kernels: any strides, any thread count, one contiguous kernel.

use super::copy::tiles;
use super::lane::{BLOCK, Lane};
use super::par;
use super::walk::Walk;
use crate::*;
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Runs shorter than this are put together into blocks before the kernel is called.
const SHORT_RUN: usize = BLOCK / 4;

/// A kernel on `n` elements that lie side by side: inputs, output, `n`. The output may be one of the
/// inputs (the same address), and is otherwise apart from them.
pub(crate) type Kernel<'a, const K: usize> = &'a (dyn Fn([*const u8; K], *mut u8, usize) + Sync);

#[repr(align(64))]
struct Block(#[allow(dead_code)] MaybeUninit<[u8; BLOCK * 8]>);

/// An operand: memory and how to read it.
#[derive(Clone, Copy)]
struct Port {
    base: *mut u8,
    lane: &'static Lane,
    /// Kernels use the memory as it is; otherwise a block.
    direct: bool,
    /// One element, repeated.
    constant: bool,
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
    scalar: impl Fn(Scalar) -> [u8; 8],
    cost: f64,
    kernel: Kernel<K>,
) {
    const { assert!(N == K + 1) }
    let shape = out.layout.shape();
    let numel = out.layout.numel();
    if numel == 0 {
        return;
    }
    let constant_layout = Layout::new(shape, SmallVec::from_elem(0, shape.len()), 0);
    let scalars: [[u8; 8]; K] = inputs.map(|i| if let Src::Scalar(s) = i { scalar(s) } else { [0; 8] });
    // Operands read badly in the output's order are put into it first.
    let moved: [Option<(Storage, Layout)>; K] = std::array::from_fn(|k| match inputs[k] {
        Src::View(v) => tiles::reordered(v, out.layout),
        _ => None,
    });
    let out_base = base_mut(out.storage, out.layout, out_lane);
    let mut ports = [Port { base: out_base, lane: out_lane, direct: false, constant: false }; N];
    let mut layouts = [out.layout; N];
    for k in 0..K {
        (ports[k + 1].base, ports[k + 1].lane, layouts[k + 1]) = match inputs[k] {
            Src::Out => (out_base, out_lane, out.layout),
            Src::View(_) if let Some((storage, layout)) = &moved[k] => {
                (base(storage, layout, lanes[k]), lanes[k], layout)
            }
            Src::View(v) => (base(v.storage, v.layout, lanes[k]), lanes[k], v.layout),
            Src::Scalar(_) => (scalars[k].as_ptr().cast_mut(), Lane::raw(lanes[k].wide), &constant_layout),
        };
        debug_assert_eq!(layouts[k + 1].shape(), shape, "operands of one kernel differ in shape");
    }
    let walk = Walk::any_order(layouts);
    let short = walk.inner_len() < SHORT_RUN;
    for (k, port) in ports.iter_mut().enumerate() {
        port.constant = k > 0 && walk.is_constant(k);
        let contiguous = if short { walk.is_flat(k) } else { walk.inner_strides()[k] == 1 };
        port.direct = port.lane.direct && contiguous && !port.constant;
    }
    let job = Job { walk, ports, kernel };
    par::for_each_range(numel, BLOCK, cost, |r| job.range(r));
}

struct Job<'a, const K: usize, const N: usize> {
    walk: Walk<N>,
    ports: [Port; N],
    kernel: Kernel<'a, K>,
}
// SAFETY: the pointers are to memory that the operands borrow for as long as the job lives; ranges
// handed to different threads write different elements of the output.
unsafe impl<const K: usize, const N: usize> Sync for Job<'_, K, N> {}

impl<const K: usize, const N: usize> Job<'_, K, N> {
    fn range(&self, range: Range<usize>) {
        let mut blocks = [const { Block(MaybeUninit::uninit()) }; N];
        let blocks: [*mut u8; N] = std::array::from_fn(|k| (&raw mut blocks[k]).cast());
        let offsets = self.walk.offsets();
        let most = range.len().min(BLOCK);
        for (k, p) in self.ports.iter().enumerate() {
            // SAFETY: the element is in bounds; a block holds BLOCK elements.
            unsafe {
                if p.constant {
                    (p.lane.load)(p.base.add(offsets[k] * p.lane.size), 0, blocks[k], most)
                } else if !p.direct {
                    blocks[k].write_bytes(0, most * p.lane.wide)
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
        let all_direct = self.ports.iter().all(|p| p.direct);
        self.walk.runs(range, |at, len| {
            let chunk = if all_direct { len } else { BLOCK };
            for k in 1..N {
                let p = &self.ports[k];
                if strides[k] == 0 && !p.constant {
                    // SAFETY: the element is in bounds; a block holds BLOCK elements.
                    unsafe { (p.lane.load)(p.base.add(at[k] * p.lane.size), 0, blocks[k], len.min(BLOCK)) }
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
                    if self.ports[k].direct {
                        return place(k).cast_const();
                    }
                    if strides[k] != 0 {
                        // SAFETY: `n ≤ BLOCK` elements of the run, in bounds.
                        unsafe { (self.ports[k].lane.load)(place(k), strides[k], blocks[k], n) }
                    }
                    blocks[k].cast_const()
                });
                if self.ports[0].direct {
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
        let gathered: [bool; N] =
            std::array::from_fn(|k| k > 0 && !self.ports[k].direct && !self.ports[k].constant);
        let any_gathered = gathered.iter().any(|&g| g);
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + BLOCK);
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
            let place = |k: usize| {
                // SAFETY: a flat operand's elements follow each other.
                unsafe { self.ports[k].base.add((offsets[k] + start) * self.ports[k].lane.size) }
            };
            let sources = std::array::from_fn(|j| {
                if self.ports[j + 1].direct { place(j + 1) } else { blocks[j + 1] }.cast_const()
            });
            if self.ports[0].direct {
                (self.kernel)(sources, place(0), end - start);
            } else {
                (self.kernel)(sources, blocks[0], end - start);
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

pub(crate) fn base(storage: &Storage, layout: &Layout, lane: &Lane) -> *mut u8 {
    let bytes = storage.as_cpu().expect(ELSEWHERE).bytes();
    check(bytes.len(), layout, lane);
    bytes.as_ptr().cast_mut()
}

pub(crate) fn base_mut(storage: &mut Storage, layout: &Layout, lane: &Lane) -> *mut u8 {
    let bytes = storage.as_cpu_mut().expect(ELSEWHERE).bytes_mut();
    check(bytes.len(), layout, lane);
    bytes.as_mut_ptr()
}
