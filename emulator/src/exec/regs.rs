//! The registers of a warp: a plane of 32 lanes each.

pub(crate) const LANES: usize = 32;

/// One value a lane. Constants, special registers and addresses of variables have planes as
/// well, so an operand is always a plane's index.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Plane<T>(pub [T; LANES]);

/// All registers of a warp.
#[derive(Clone, Default)]
pub(crate) struct Regs {
    /// 8-, 16- and 32-bit values; those below 32 bits have zeros above.
    pub w: Vec<Plane<u32>>,
    /// 64-bit values.
    pub d: Vec<Plane<u64>>,
    /// Predicates, a bit a lane.
    pub p: Vec<u32>,
    /// The carry of `add.cc`, a bit a lane.
    pub carry: u32,
}

/// A type that planes hold.
pub(crate) trait Lane: Copy + Default + Send + Sync + 'static {
    fn plane(regs: &Regs, index: u32) -> &[Self; LANES];
    fn plane_mut(regs: &mut Regs, index: u32) -> &mut [Self; LANES];
}

impl Lane for u32 {
    #[inline(always)]
    fn plane(regs: &Regs, index: u32) -> &[u32; LANES] {
        &regs.w[index as usize].0
    }
    #[inline(always)]
    fn plane_mut(regs: &mut Regs, index: u32) -> &mut [u32; LANES] {
        &mut regs.w[index as usize].0
    }
}

impl Lane for u64 {
    #[inline(always)]
    fn plane(regs: &Regs, index: u32) -> &[u64; LANES] {
        &regs.d[index as usize].0
    }
    #[inline(always)]
    fn plane_mut(regs: &mut Regs, index: u32) -> &mut [u64; LANES] {
        &mut regs.d[index as usize].0
    }
}

/// Writes the lanes of `mask`.
#[inline(always)]
pub(crate) fn put<T: Lane>(regs: &mut Regs, index: u32, values: &[T; LANES], mask: u32) {
    let out = T::plane_mut(regs, index);
    if mask == !0 {
        *out = *values;
    } else {
        for lane in 0..LANES {
            out[lane] = if mask >> lane & 1 != 0 { values[lane] } else { out[lane] };
        }
    }
}

/// The lanes of a mask, lowest first.
pub(crate) fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        (rest != 0).then(|| {
            rest &= rest - 1;
            lane
        })
    })
}
