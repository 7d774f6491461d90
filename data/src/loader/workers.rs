//! Threads that make batches ahead of time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Fetch;
use crate::dataset::Dataset;
use crate::fetch::Context;

/// A batch to be made.
pub(super) struct Job {
    /// Which of the pass, from 0.
    pub number: usize,
    /// The position in the pass of its first item.
    pub first: usize,
    /// Its items.
    pub indices: Vec<usize>,
}

impl Job {
    /// Makes the batch, or says why not.
    pub fn run<D, B>(
        &self,
        dataset: &D,
        fetch: &Fetch<D, B>,
        seed: u64,
        stop: Option<Arc<AtomicBool>>,
    ) -> Result<B, String> {
        let context = Context { seed, first: self.first, stop };
        context.run(&self.indices, || fetch(dataset, &self.indices))
    }
}

type Made<B> = (usize, Result<B, String>);

/// The threads of one pass. They take jobs as they come; batches are handed out in order.
///
/// Each thread is a rayon pool of one: kernels that it calls run on it alone, and neither wait for the
/// pool of the consumer's kernels nor occupy it.
pub(super) struct Workers<B> {
    jobs: Option<Sender<Job>>,
    made: Receiver<Made<B>>,
    /// Batches that were made before their turn.
    early: BTreeMap<usize, Result<B, String>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<B: Send + 'static> Workers<B> {
    /// Starts `n` threads.
    pub fn start<D: Dataset + 'static>(
        n: usize,
        dataset: &Arc<D>,
        fetch: &Arc<Fetch<D, B>>,
        seed: u64,
    ) -> Self {
        let (jobs, waiting) = channel::<Job>();
        let (done, made) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::with_capacity(n);
        for i in 0..n {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).spawn_handler(|thread| {
                let name = format!("taper-loader-{i}");
                threads.push(std::thread::Builder::new().name(name).spawn(|| thread.run())?);
                Ok(())
            });
            let pool = pool.build().unwrap_or_else(|e| panic!("DataLoader: cannot start worker {i}: {e}"));
            let (dataset, fetch) = (dataset.clone(), fetch.clone());
            let (waiting, done, stop) = (waiting.clone(), done.clone(), stop.clone());
            pool.spawn(move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    let batch = job.run(&*dataset, &*fetch, seed, Some(stop.clone()));
                    if stop.load(Ordering::Relaxed) || done.send((job.number, batch)).is_err() {
                        return;
                    }
                }
            });
        }
        Workers { jobs: Some(jobs), made, early: BTreeMap::new(), stop, threads }
    }
}

impl<B> Workers<B> {
    /// Orders a batch.
    pub fn send(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("open until dropped");
        jobs.send(job).unwrap_or_else(|_| unreachable!("workers hold the other end until dropped"));
    }

    /// Waits for a batch that was ordered.
    pub fn receive(&mut self, number: usize) -> Result<B, String> {
        loop {
            if let Some(batch) = self.early.remove(&number) {
                return batch;
            }
            let Ok((made, batch)) = self.made.recv() else {
                return Err("DataLoader: the worker threads are gone".into());
            };
            self.early.insert(made, batch);
        }
    }
}

impl<B> Drop for Workers<B> {
    /// Waits for the threads. They stop after the item at hand.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A batch's panics were caught; nothing else can come out of the thread.
            let _ = thread.join();
        }
    }
}
