//! Threads that stand by for kernels.
//!
//! A step of training is dozens of kernels of 10 to 100 µs with a few µs between them. Putting a thread to
//! sleep and waking it takes as long as such a kernel. So here the caller works too, the others look for
//! the next job for a while before they sleep, and a job that is done before they have woken up does not
//! wait for them. One job runs at a time; whoever finds the team taken works alone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a thread looks for the next job before it sleeps.
const ALERT: Duration = Duration::from_micros(100);

/// A job: numbers below `n`, taken at least `grain` at a time.
struct Job<'a> {
    f: &'a (dyn Fn(usize) + Sync),
    n: usize,
    grain: usize,
    threads: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Takes numbers until none is left: half of a thread's share of what is left, so that most of its
    /// numbers lie together (memory is fastest in long runs) and the threads still end at the same time.
    fn work(&self) {
        let take = |start: usize| ((self.n - start) / (2 * self.threads)).max(self.grain);
        let next = |start| (start < self.n).then(|| start + take(start));
        let run = || {
            while let Ok(start) = self.next.fetch_update(Relaxed, Relaxed, next) {
                (start..(start + take(start)).min(self.n)).for_each(self.f);
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            self.next.store(self.n, Relaxed);
            lock(&self.panic).get_or_insert(panic);
        }
    }
}

/// What caller and threads share.
#[derive(Default)]
struct Shared {
    /// Taken by a caller.
    busy: AtomicBool,
    /// Goes up with every job: what waiting threads look at.
    count: AtomicUsize,
    /// The job while it may be entered.
    job: Mutex<Option<Entry>>,
    /// Threads inside the job.
    inside: AtomicUsize,
}

/// A job whose lifetime is forgotten: it lives until [`Team::run`] returns.
#[derive(Clone, Copy)]
struct Entry(*const Job<'static>);
// SAFETY: a job is Sync, and `Team::run` keeps it alive while anybody is inside.
unsafe impl Send for Entry {}

struct Helper {
    thread: Thread,
    asleep: Arc<AtomicBool>,
}

/// A few threads; see the module.
pub struct Team {
    shared: Arc<Shared>,
    helpers: Vec<Helper>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// A team of `threads`, the caller of [`run`](Self::run) included. The others live as long as the process.
    pub fn new(threads: usize) -> Team {
        let shared = Arc::new(Shared::default());
        let helpers = (1..threads).filter_map(|i| {
            let (shared, asleep) = (shared.clone(), Arc::new(AtomicBool::new(false)));
            let sleeps = asleep.clone();
            let name = std::thread::Builder::new().name(format!("taper-{i}"));
            // Without the thread the others do its work.
            let thread = name.spawn(move || help(&shared, &sleeps)).ok()?.thread().clone();
            Some(Helper { thread, asleep })
        });
        let helpers = helpers.collect();
        Team { shared, helpers }
    }

    /// Calls `f` with every number below `n`, `grain` in a row on one thread; on this thread alone where the
    /// team is taken. Panics as `f` does.
    pub fn run(&self, n: usize, grain: usize, f: &(dyn Fn(usize) + Sync)) {
        if self.shared.busy.swap(true, Acquire) {
            return (0..n).for_each(f);
        }
        let threads = self.helpers.len() + 1;
        let job =
            Job { f, n, grain: grain.max(1), threads, next: AtomicUsize::new(0), panic: Mutex::new(None) };
        *lock(&self.shared.job) = Some(Entry((&raw const job).cast()));
        self.shared.count.fetch_add(1, SeqCst);
        for helper in &self.helpers {
            if helper.asleep.load(SeqCst) {
                helper.thread.unpark();
            }
        }
        job.work();
        // Nobody comes in from here on; those who did are waited for.
        *lock(&self.shared.job) = None;
        let mut looks = 0u32;
        while self.shared.inside.load(Acquire) > 0 {
            looks += 1;
            if looks.is_multiple_of(1024) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        self.shared.busy.store(false, Release);
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }
}

/// The life of a thread of the team.
fn help(shared: &Shared, asleep: &AtomicBool) {
    let mut seen = 0;
    loop {
        seen = next_job(shared, asleep, seen);
        let entry = {
            let job = lock(&shared.job);
            // Under the lock, so that the caller, who takes the job away under it, sees who is inside.
            job.inspect(|_| {
                shared.inside.fetch_add(1, Relaxed);
            })
        };
        if let Some(Entry(job)) = entry {
            // SAFETY: `run` does not return, and the job lives, while anybody is inside.
            unsafe { (*job).work() };
            shared.inside.fetch_sub(1, Release);
        }
    }
}

/// Waits for a job after `seen`: awake for a while, then asleep.
fn next_job(shared: &Shared, asleep: &AtomicBool, seen: usize) -> usize {
    let start = Instant::now();
    while start.elapsed() < ALERT {
        for _ in 0..16 {
            let count = shared.count.load(Acquire);
            if count != seen {
                return count;
            }
            std::hint::spin_loop();
        }
    }
    asleep.store(true, SeqCst);
    loop {
        // After `asleep` is set: a caller that counts up later sees it, and wakes this thread.
        let count = shared.count.load(SeqCst);
        if count != seen {
            asleep.store(false, SeqCst);
            return count;
        }
        std::thread::park();
    }
}

// Waiting threads take all of Miri's time; there, loops run on plain threads.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn every_number_once_at_any_size() {
        let team = Team::new(3);
        for n in (0..200).chain([10_000]) {
            let seen: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            team.run(n, 1 + n % 5, &|i| {
                seen[i].fetch_add(1, Relaxed);
            });
            assert!(seen.iter().all(|s| s.load(Relaxed) == 1), "{n}");
            if n % 50 == 0 {
                std::thread::sleep(2 * ALERT);
            }
        }
    }

    #[test]
    fn jobs_inside_jobs_and_beside_them() {
        let team = Team::new(2);
        let sum = AtomicUsize::new(0);
        let twice = || {
            team.run(50, 1, &|i| {
                team.run(20, 3, &|j| {
                    sum.fetch_add(i * j, Relaxed);
                });
            });
        };
        std::thread::scope(|s| {
            s.spawn(twice);
            s.spawn(twice);
        });
        assert_eq!(sum.into_inner(), 2 * (49 * 50 / 2) * (19 * 20 / 2));
    }

    #[test]
    fn a_panic_comes_back_and_the_team_lives_on() {
        let team = Team::new(2);
        for _ in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| team.run(100, 1, &|i| assert!(i != 60, "sixty"))));
            let message = result.unwrap_err();
            assert_eq!(message.downcast_ref::<&str>(), Some(&"sixty"));
        }
        let sum = AtomicUsize::new(0);
        team.run(10, 1, &|i| {
            sum.fetch_add(i, Relaxed);
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
