//! mt19937 and one cached normal, as PyTorch's CPU generator keeps them, and where the devices' own stream
//! stands, as its CUDA generator keeps it.

use crate::{Error, Result};
use std::f64::consts::PI;
use std::hash::{BuildHasher, Hasher};

/// Words of the Mersenne Twister's state.
const N: usize = 624;
const M: usize = 397;
/// Below this length `randperm` draws 32 bits a step, from it on 64 (PyTorch: `(2³² − 1) / 20`).
const PERM_U32: usize = (u32::MAX / 20) as usize;

/// Where a stream of Philox numbers stands, which devices draw from: the state of PyTorch's CUDA generator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Philox {
    /// The key.
    pub seed: u64,
    /// Numbers that each thread of a device has been given, a multiple of 4.
    pub offset: u64,
}

impl Philox {
    /// A stream at its start.
    fn new(seed: u64) -> Self {
        Philox { seed, offset: 0 }
    }
}

/// PyTorch's CPU generator (`torch.Generator`): mt19937 and one cached normal. Beside it stands the stream
/// that devices draw from ([`Philox`]), seeded with it as `torch.manual_seed` seeds CUDA's generator too.
///
/// ```
/// use taper_kernels::random::Generator;
/// let mut g = Generator::new(42);
/// assert_eq!(g.unit_f32(), 0.88226926); // torch.manual_seed(42); torch.rand(1)
/// assert_eq!(g.initial_seed(), 42);
/// ```
#[derive(Clone, PartialEq)]
pub struct Generator {
    mt: Box<[u32; N]>,
    /// Words already given out; `N` where the next draw refills.
    used: usize,
    /// Nothing was drawn since seeding; PyTorch's state tells this from "all given out".
    fresh: bool,
    seed: u64,
    /// The sine half of the last serial normal pair.
    cached: Option<f64>,
    device: Philox,
}

impl Default for Generator {
    /// Seeded as a new `torch.Generator()` is: with 67280421310721.
    fn default() -> Self {
        Generator::new(67_280_421_310_721)
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Generator(seed {}, {} of {N} words used)", self.seed, self.used)
    }
}

/// The low 24 bits over 2²⁴.
#[inline(always)]
pub(super) fn unit_f32(word: u32) -> f32 {
    // Through i32, whose conversion is one instruction everywhere.
    (word & 0xFF_FFFF) as i32 as f32 * (1.0 / (1 << 24) as f32)
}

/// The low 53 bits over 2⁵³.
#[inline(always)]
pub(super) fn unit_f64(word: u64) -> f64 {
    (word & ((1 << 53) - 1)) as i64 as f64 * (1.0 / (1u64 << 53) as f64)
}

#[inline(always)]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C_5680;
    y ^= (y << 15) & 0xEFC6_0000;
    y ^ (y >> 18)
}

/// The recurrence: a word from itself, its successor and the word `M` further.
#[inline(always)]
fn twist(word: u32, next: u32, far: u32) -> u32 {
    let y = (word & 0x8000_0000) | (next & 0x7FFF_FFFF);
    far ^ (y >> 1) ^ (0x9908_B0DF & (y & 1).wrapping_neg())
}

impl Generator {
    /// As `torch.Generator().manual_seed(seed)`. A negative seed is passed as its two's complement.
    pub fn new(seed: u64) -> Self {
        let device = Philox::new(seed);
        let mut g = Generator { mt: Box::new([0; N]), used: N, fresh: true, seed, cached: None, device };
        g.manual_seed(seed);
        g
    }

    /// A generator with a seed that differs on every call, from the system's entropy.
    pub fn from_entropy() -> Self {
        let mut h = std::hash::RandomState::new().build_hasher();
        if let Ok(t) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            h.write_u128(t.as_nanos());
        }
        Generator::new(h.finish())
    }

    /// Starts over from a seed (`torch.Generator.manual_seed`). Only its low 32 bits matter to the
    /// numbers; the cached normal is forgotten. The devices' stream starts over from all of it.
    pub fn manual_seed(&mut self, seed: u64) -> &mut Self {
        let mut x = seed as u32;
        for (j, word) in self.mt.iter_mut().enumerate() {
            if j > 0 {
                x = (x ^ (x >> 30)).wrapping_mul(1_812_433_253).wrapping_add(j as u32);
            }
            *word = x;
        }
        (self.used, self.fresh, self.seed, self.cached) = (N, true, seed, None);
        self.device = Philox::new(seed);
        self
    }

    /// Where the devices' stream stands (`torch.cuda.get_rng_state()` has it as 16 bytes).
    pub fn device_stream(&self) -> Philox {
        self.device
    }

    /// Continues the devices' stream from there.
    pub fn set_device_stream(&mut self, stream: Philox) {
        self.device = stream;
    }

    /// The seed it was last seeded with, in full.
    pub fn initial_seed(&self) -> u64 {
        self.seed
    }

    fn refill(&mut self) {
        let mt = &mut *self.mt;
        // In three parts, so that no index wraps.
        for k in 0..N - M {
            mt[k] = twist(mt[k], mt[k + 1], mt[k + M]);
        }
        for k in N - M..N - 1 {
            mt[k] = twist(mt[k], mt[k + 1], mt[k + M - N]);
        }
        mt[N - 1] = twist(mt[N - 1], mt[0], mt[M - 1]);
        (self.used, self.fresh) = (0, false);
    }

    /// The next 32 bits.
    #[inline]
    pub fn u32(&mut self) -> u32 {
        if self.used == N {
            self.refill();
        }
        self.used += 1;
        temper(self.mt[self.used - 1])
    }

    /// The next 64 bits: two draws, the first one is the high half.
    #[inline]
    pub fn u64(&mut self) -> u64 {
        let high = self.u32() as u64;
        high << 32 | self.u32() as u64
    }

    /// As many draws of 32 bits as the slice holds.
    pub fn fill_u32(&mut self, mut out: &mut [u32]) {
        while !out.is_empty() {
            if self.used == N {
                self.refill();
            }
            let n = out.len().min(N - self.used);
            let (now, later) = out.split_at_mut(n);
            now.iter_mut().zip(&self.mt[self.used..]).for_each(|(o, &word)| *o = temper(word));
            self.used += n;
            out = later;
        }
    }

    /// Uniform in `[0, 1)`, in steps of 2⁻²⁴, from 32 bits.
    #[inline]
    pub fn unit_f32(&mut self) -> f32 {
        unit_f32(self.u32())
    }

    /// Uniform in `[0, 1)`, in steps of 2⁻⁵³, from 64 bits.
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        unit_f64(self.u64())
    }

    /// A standard normal, as PyTorch draws fewer than 16 of them: two uniforms give a pair
    /// (Box–Muller in f64), whose second half is kept for the next call.
    pub fn normal(&mut self) -> f64 {
        if let Some(v) = self.cached.take() {
            return v;
        }
        let u1 = self.unit_f64();
        let u2 = self.unit_f64();
        let r = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = 2.0 * PI * u1;
        self.cached = Some(r * theta.sin());
        r * theta.cos()
    }

    /// Uniform in `0 ..= 2⁶³ − 1`: `torch.empty((), dtype=torch.int64).random_()`.
    pub fn random_i64(&mut self) -> i64 {
        (self.u64() & i64::MAX as u64) as i64
    }

    /// A random order of `0..n` (`torch.randperm`).
    pub fn randperm(&mut self, n: usize) -> Vec<i64> {
        let mut a: Vec<i64> = (0..n as i64).collect();
        if n < PERM_U32 {
            for i in 0..n.saturating_sub(1) {
                let z = self.u32() % (n - i) as u32;
                a.swap(i, i + z as usize);
            }
        } else {
            self.inside_out(&mut a);
        }
        a
    }

    /// The shuffle of long permutations.
    fn inside_out(&mut self, a: &mut [i64]) {
        for i in 0..a.len() {
            let z = (self.u64() % (i as u64 + 1)) as usize;
            a[i] = a[z];
            a[z] = i as i64;
        }
    }

    /// Length of [`state`](Generator::state) in bytes, where no device has drawn.
    pub const STATE_LEN: usize = 5056;

    /// The state in the bytes of `torch.Generator.get_state()`, so that streams move between
    /// PyTorch and taper. Where a device has drawn, the 16 bytes of `torch.cuda.get_rng_state()` follow.
    pub fn state(&self) -> Vec<u8> {
        // seed: u64, left: i32, seeded: i32, next: u64, words: [u64; 624],
        // normal x, y, rho: f64, normal valid: i32 + padding, f32 normal and flag (unused).
        let (left, next) = if self.fresh { (1, 0) } else { (N + 1 - self.used, self.used) };
        let mut b = Vec::with_capacity(Self::STATE_LEN);
        b.extend(self.seed.to_le_bytes());
        b.extend((left as i32).to_le_bytes());
        b.extend(1i32.to_le_bytes());
        b.extend((next as u64).to_le_bytes());
        b.extend(self.mt.iter().flat_map(|&w| (w as u64).to_le_bytes()));
        b.extend([0; 8]);
        b.extend(self.cached.unwrap_or(0.0).to_le_bytes());
        b.extend([0; 8]);
        b.extend((self.cached.is_some() as u64).to_le_bytes());
        b.extend([0; 8]);
        if self.device != Philox::new(self.seed) {
            b.extend([self.device.seed, self.device.offset].into_iter().flat_map(u64::to_le_bytes));
        }
        b
    }

    /// Continues from a state that [`state`](Generator::state) or PyTorch gave. In a state of
    /// [`STATE_LEN`](Generator::STATE_LEN) bytes the devices' stream is at its start.
    ///
    /// # Errors
    /// Where the bytes are no such state; the generator is then unchanged.
    pub fn set_state(&mut self, state: &[u8]) -> Result {
        let bad = |why: String| Err(Error::GeneratorState(why));
        const WITH_DEVICE: usize = Generator::STATE_LEN + 16;
        if !matches!(state.len(), Self::STATE_LEN | WITH_DEVICE) {
            return bad(format!("{} bytes instead of {}", state.len(), Self::STATE_LEN));
        }
        let u64_at = |i: usize| u64::from_le_bytes(state[i..i + 8].try_into().expect("8 bytes"));
        let i32_at = |i: usize| i32::from_le_bytes(state[i..i + 4].try_into().expect("4 bytes"));
        let (left, seeded, next) = (i32_at(8), i32_at(12), u64_at(16));
        let fresh = (left, next) == (1, 0);
        if seeded != 1 {
            return bad(format!("seeded is {seeded}"));
        }
        let drawing = (1..=N as u64).contains(&next) && left as i64 + next as i64 == N as i64 + 1;
        if !fresh && !drawing {
            return bad(format!("{left} words left and {next} used of {N}"));
        }
        let mut mt = Box::new([0; N]);
        for (j, word) in mt.iter_mut().enumerate() {
            let Ok(w) = u32::try_from(u64_at(24 + 8 * j)) else {
                return bad(format!("word {j} has more than 32 bits"));
            };
            *word = w;
        }
        let cached = match i32_at(5040) {
            0 => None,
            1 => Some(f64::from_bits(u64_at(5024))),
            v => return bad(format!("normal flag is {v}")),
        };
        let seed = u64_at(0);
        let device = match state.len() {
            WITH_DEVICE => Philox { seed: u64_at(Self::STATE_LEN), offset: u64_at(Self::STATE_LEN + 8) },
            _ => Philox::new(seed),
        };
        if device.offset % 4 != 0 {
            return bad(format!("an offset of {}, which is no multiple of 4", device.offset));
        }
        let used = if fresh { N } else { next as usize };
        *self = Generator { mt, used, fresh, seed, cached, device };
        Ok(())
    }
}
