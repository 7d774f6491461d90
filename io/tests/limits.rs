//! What files may cost: memory is counted, so this is a program of its own.

#[path = "pt/build.rs"]
#[allow(dead_code, reason = "shared with the tests of what is read")]
mod build;

use build::{archive, of_pickle, packed, tensor, text};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use taper_io::pt::File;
use taper_tensor::Tensor;

/// Counts what is held, and the most that was.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator; sizes are only counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps `GlobalAlloc`'s rules.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps `GlobalAlloc`'s rules.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes held beyond those before, and the time, of looking into a file and loading it.
fn cost(bytes: &[u8]) -> (usize, Duration, bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    std::fs::write(&path, bytes).unwrap();
    let (before, start) = (HELD.load(Relaxed), Instant::now());
    PEAK.store(before, Relaxed);
    let listed = File::open(&path).map(|file| file.entries().len());
    let loaded = taper_io::load(&path);
    let done = (PEAK.load(Relaxed) - before, start.elapsed(), listed.is_ok() && loaded.is_ok());
    drop(loaded);
    done
}

/// One test alone: others beside it would be counted, too.
#[test]
fn memory_and_time_are_bounded_by_the_file() {
    // Worst for a reader: a byte that makes a value. In a `State` it has 32 bytes.
    let lists = |op: &[u8]| of_pickle(&[&b"]("[..], &op.repeat(200_000), b"e"].concat());
    let shared =
        |make: &[u8], each: &[u8], n: usize| of_pickle(&[make, b"q\x000](", &each.repeat(n), b"e"].concat());
    let text = text(&"a".repeat(100_000));
    let items = [&b"]("[..], &b"N".repeat(10_000), b"e"].concat();
    let mut laughs = b"]q\x000".to_vec();
    for level in 0u8..60 {
        laughs.extend([b']', b'q', level + 1, b'(']);
        laughs.extend([b'h', level].repeat(10));
        laughs.extend(b"e0");
    }
    laughs.extend(b"h\x3c");
    let bools = tensor("BoolStorage", 200, b"K\x00", b"K\x64\x85", b"K\x02\x85");
    let bools = [&b"\x80\x02]("[..], &bools.repeat(1000), b"e."].concat();
    let bools = archive(&[("x/data.pkl", &bools), ("x/data/0", &[7; 200])]);
    let bomb = [&b"\x80\x02]("[..], &b"K\x01K\x02h\x08".repeat(2_000_000), b"e."].concat();
    let attributes = [&b"ccollections\nOrderedDict\nq\x010}q\x00("[..], &wide(2000), b"u0]("].concat();
    let attributes = of_pickle(&[&attributes[..], &b"h\x01)Rh\x00b".repeat(5000), b"e"].concat());
    let files = [
        ("None", lists(b"N")),
        ("lists", lists(b"]")),
        ("tuples", lists(b")")),
        ("sets", lists(b"\x8f")),
        ("dicts", lists(b"}")),
        ("small tuples", lists(b"N\x85")),
        ("memo", lists(b"N\x94")),
        ("marks", of_pickle(&b"(".repeat(200_000))),
        ("nested", of_pickle(&b"]".repeat(200_000))),
        ("text, shared", shared(&text, b"h\x00", 100_000)),
        ("list, shared", shared(&items, b"h\x00", 100_000)),
        ("set of a list", shared(&items, b"cbuiltins\nset\nh\x00\x85R", 20_000)),
        ("key, shared", shared(&text, b"}h\x00Ns", 50_000)),
        ("billion laughs", of_pickle(&laughs)),
        ("bools of one storage", bools),
        ("attributes, shared", attributes),
        ("deflated", packed(&[("x/data.pkl", &bomb)], true)),
        ("announced text", of_pickle(b"X\xf0\xff\xff\xff")),
        ("announced bytes", of_pickle(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f")),
        ("memo's end", of_pickle(b"Nr\xff\xff\xff\xff")),
    ];
    for (name, bytes) in &files {
        let (peak, time, fine) = cost(bytes);
        let floor = 4 << 20;
        let ratio = peak.saturating_sub(floor) as f64 / bytes.len() as f64;
        println!(
            "{name}: {} bytes take {peak} and {time:?}, {ratio:.0} × beyond {floor}; fine: {fine}",
            bytes.len()
        );
        assert!(ratio < 200.0, "{name}: {} bytes take {peak}", bytes.len());
        assert!(time < Duration::from_secs(10), "{name}: {time:?}");
    }

    // And what is no attack: tensors are views of the file.
    let dir = tempfile::tempdir().unwrap();
    for name in ["x.pt", "x.safetensors"] {
        let path = dir.path().join(name);
        taper_io::save(&Tensor::ones([16_000_000]), &path).unwrap();
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let loaded = taper_io::load(&path).unwrap();
        let peak = PEAK.load(Relaxed) - before;
        println!("{name} of 64 MB: {peak} bytes");
        assert!(peak < 1_000_000, "{peak}");
        drop(loaded);
    }
}

/// Entries of a dict.
fn wide(count: u32) -> Vec<u8> {
    (0..count).flat_map(|i| [&text(&i.to_string())[..], b"N"].concat()).collect()
}
