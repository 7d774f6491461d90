//! Threads that load: order, panics, stopping, how far ahead they run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use taper_data::{DataLoader, Dataset, Subset, TensorDataset};
use taper_tensor::Tensor;

/// Waits until `done`; for what another thread is bound to do.
fn wait_for(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never happened");
        sleep(Duration::from_millis(1));
    }
}

/// The message of the panic of `f`.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("no panic");
    payload.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn batches_come_in_order() {
    // Early items take longest, so that workers finish out of order.
    let set = (0..40i64).collect::<Vec<_>>().map(|i| {
        sleep(Duration::from_millis(if i % 8 < 4 { 4 } else { 0 }));
        i
    });
    let loader = DataLoader::new(set).batch_size(4).num_workers(3);
    let seen: Vec<i64> = loader.iter().flat_map(|b| b.to_vec::<i64>()).collect();
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
}

#[test]
fn prefetch_runs_ahead_as_far_as_told() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = fetched.clone();
    let set = vec![0i64; 100].map(move |i| {
        count.fetch_add(1, SeqCst);
        i
    });
    let loader = DataLoader::new(set).batch_size(5).num_workers(2).prefetch_factor(3);
    let mut batches = loader.iter();
    assert_eq!(fetched.load(SeqCst), 0);
    for handed_out in 1..=3 {
        batches.next();
        // The batches handed out, and six more.
        wait_for(|| fetched.load(SeqCst) == (handed_out + 6) * 5);
        sleep(Duration::from_millis(20));
        assert_eq!(fetched.load(SeqCst), (handed_out + 6) * 5);
    }
}

#[test]
fn workers_work_at_the_same_time() {
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let set = vec![0i64; 12].map(move |i| {
        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        sleep(Duration::from_millis(20));
        now.fetch_sub(1, SeqCst);
        i
    });
    assert_eq!(DataLoader::new(set).num_workers(4).iter().count(), 12);
    assert!((2..=4).contains(&seen.load(SeqCst)), "{seen:?}");
}

#[test]
fn kernels_of_workers_stay_on_their_threads() {
    let threads = Arc::new(Mutex::new(vec![]));
    let log = threads.clone();
    let large = vec![0i64; 6].map(move |_| {
        let name = std::thread::current().name().unwrap_or("").to_string();
        log.lock().unwrap().push((name, rayon::current_num_threads()));
        Tensor::rand([300, 300]).matmul(Tensor::rand([300, 300]))
    });
    let loader = DataLoader::new(large).num_workers(2);
    assert_eq!(loader.iter().count(), 6);
    for (name, pool) in threads.lock().unwrap().iter() {
        assert!(name.starts_with("taper-loader-") && *pool == 1, "{name} has a pool of {pool}");
    }
}

#[test]
fn a_panic_names_the_item() {
    for workers in [0, 1, 3] {
        let numbers: Vec<i64> = (0..20).collect();
        let broken = numbers.map(|i| if i == 13 { panic!("cannot decode picture {i}") } else { i });
        let loader = DataLoader::new(broken).batch_size(4).num_workers(workers);
        let mut batches = loader.iter();
        for first in [0, 4, 8] {
            assert_eq!(batches.next().unwrap().to_vec::<i64>()[0], first);
        }
        let message = panic_of(|| batches.next());
        assert_eq!(message, "DataLoader: panic while loading item 13: cannot decode picture 13");
        // The next batch is whole.
        assert_eq!(batches.next().unwrap().to_vec::<i64>(), [16, 17, 18, 19]);
        assert!(batches.next().is_none());
    }
}

#[test]
fn a_panic_outside_items_names_the_batch() {
    for workers in [0, 2] {
        let collate = |items: Vec<i64>| assert!(items.len() == 2, "odd one");
        let loader = DataLoader::with_collate(vec![1i64, 2, 3], collate).batch_size(2).num_workers(workers);
        let message = panic_of(|| loader.iter().count());
        assert_eq!(message, "DataLoader: panic while making a batch of items [2]: odd one");
    }
}

#[test]
fn dropping_a_pass_stops_its_workers() {
    struct Slow(Arc<AtomicUsize>, Arc<AtomicBool>);
    impl Dataset for Slow {
        type Item = i64;
        fn len(&self) -> usize {
            1000
        }
        fn get(&self, index: usize) -> i64 {
            self.0.fetch_add(1, SeqCst);
            // The first batch passes; items after it wait to be let go.
            while index >= 4 && !self.1.load(SeqCst) {
                sleep(Duration::from_millis(1));
            }
            index as i64
        }
    }
    let (fetched, free) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let loader = DataLoader::new(Slow(fetched.clone(), free.clone())).batch_size(4).num_workers(2);
    let mut batches = loader.iter();
    assert!(batches.next().is_some());
    // Both workers are within an item of the next batches.
    wait_for(|| fetched.load(SeqCst) == 6);
    std::thread::scope(|s| {
        let dropped = s.spawn(|| drop(batches));
        sleep(Duration::from_millis(20));
        assert!(!dropped.is_finished(), "the workers were not waited for");
        free.store(true, SeqCst);
        dropped.join().unwrap();
    });
    // Nothing was begun after the two items at hand, although three batches were ordered.
    assert_eq!(fetched.load(SeqCst), 6);
    assert_eq!(Arc::strong_count(&fetched), 2);
}

#[test]
fn the_loader_can_be_used_after_a_pass_was_dropped() {
    let loader = DataLoader::new((0..50i64).collect::<Vec<_>>()).batch_size(7).num_workers(2);
    for _ in 0..3 {
        assert_eq!(loader.iter().take(3).count(), 3);
        assert_eq!(loader.iter().count(), 8);
    }
}

#[test]
fn sets_in_memory_draw_nothing_and_are_not_copied() {
    let x = Tensor::arange(0, 12, 1).reshape([6, 2]);
    let set = Subset::new(TensorDataset::new((x.clone(), x)), [1usize, 2, 3]);
    for workers in [0, 1] {
        let loader = DataLoader::new(set.clone()).batch_size(3).num_workers(workers);
        let (a, b) = loader.iter().next().unwrap();
        assert_eq!((a.to_vec::<i64>(), b.shape()), ((2..8).collect(), &[3, 2][..]));
    }
}

#[test]
#[should_panic(expected = "DataLoader: prefetch_factor must be positive")]
fn prefetch_of_nothing() {
    let _ = DataLoader::new(vec![1i64]).prefetch_factor(0);
}
