//! One pass over a loader.

use std::collections::VecDeque;

use taper_tensor::Generator;

use super::position::{Pass, Stream};
use super::workers::{Job, Workers};
use super::{DataLoader, lock};
use crate::dataset::Dataset;
use crate::generator::draw;
use crate::sampler::Order;

/// One pass over a [`DataLoader`].
pub struct Batches<'a, D: Dataset, B> {
    loader: &'a DataLoader<D, B>,
    /// The number of the pass, for the loader's record of it.
    pass: u64,
    seed: i64,
    order: Order,
    stream: Option<Stream>,
    /// Whether the order's first draw was made.
    begun: bool,
    /// Items of the order that were not asked for yet.
    left: usize,
    total: usize,
    done: usize,
    over: bool,
    ahead: VecDeque<Planned>,
    /// All of the order is in `ahead`.
    planned_all: bool,
    /// The order's stream as it is after what is in `ahead`, where that differs from the real one.
    stream_ahead: Option<Generator>,
    workers: Option<Workers<B>>,
}

/// The indices of a batch, asked for ahead of time.
struct Planned {
    len: usize,
    /// The order's own stream after them, where they cost a draw.
    after: Option<Generator>,
}

impl<'a, D: Dataset, B> Batches<'a, D, B> {
    pub(super) fn start(loader: &'a DataLoader<D, B>) -> Self {
        let saved = lock(&loader.position).take_pending();
        let pass = saved.unwrap_or_else(|| Pass {
            // The seed PyTorch draws for its workers, at every pass and with none of them too.
            base_seed: draw(&loader.generator, |g| g.random_i64()),
            order: None,
            batches: 0,
        });
        let mut batches = Batches {
            loader,
            pass: lock(&loader.position).start(pass.clone()),
            seed: pass.base_seed,
            order: loader.order(),
            stream: loader.stream(),
            begun: false,
            left: loader.items(),
            total: loader.len(),
            done: 0,
            over: false,
            ahead: VecDeque::new(),
            planned_all: false,
            stream_ahead: None,
            workers: None,
        };
        batches.go_to(&pass);
        batches
    }

    /// Draws the order again up to where the pass was, and leaves its stream as it is now.
    fn go_to(&mut self, pass: &Pass) {
        let replayed = self.stream.take().zip(pass.order.as_ref());
        let now = replayed.map(|(stream, before)| {
            let now = stream.state();
            stream.set_state(before);
            self.begun = true;
            (stream, now)
        });
        for _ in 0..pass.batches {
            let indices = self.indices();
            self.poll_end(indices.len());
        }
        self.done = pass.batches;
        self.stream = self.loader.stream();
        if let Some((stream, now)) = now {
            stream.set_state(&now);
        }
    }

    /// How many batches of the pass were handed out, before an interruption included.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The number of batches of the whole pass.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The next indices of the order: a batch of them, or what is left.
    fn indices(&mut self) -> Vec<usize> {
        let wanted = self.loader.batch_size.min(self.left);
        let indices: Vec<usize> = self.order.by_ref().take(wanted).collect();
        self.left = if indices.len() < wanted { 0 } else { self.left - wanted };
        indices
    }

    /// PyTorch asks an order for one more index where a batch is not full, which may cost a draw.
    fn poll_end(&mut self, len: usize) {
        if len < self.loader.batch_size {
            self.order.next();
        }
    }

    fn is_batch(&self, len: usize) -> bool {
        len > 0 && (len == self.loader.batch_size || !self.loader.drop_last)
    }

    /// Notes the stream of the order before its first draw.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true)
            && let Some(stream) = &self.stream
        {
            let state = stream.state();
            lock(&self.loader.position).update(self.pass, |pass| pass.order = Some(state));
        }
    }

    fn job(&self, number: usize, indices: Vec<usize>) -> Job {
        Job { number, first: number * self.loader.batch_size, indices }
    }

    /// Makes the next batch on this thread.
    fn make(&mut self) -> Option<Result<B, String>> {
        let indices = self.indices();
        self.poll_end(indices.len());
        let job = self.is_batch(indices.len()).then(|| self.job(self.done, indices))?;
        Some(job.run(&*self.loader.dataset, &*self.loader.fetch, self.seed as u64, None))
    }

    /// As [`indices`](Self::indices), ahead of time: an own stream of the order stays as it is until
    /// the batch is handed out, so that it never shows how far ahead the workers are.
    fn indices_ahead(&mut self) -> (Vec<usize>, Option<Generator>) {
        let Some(Stream::Own(own)) = &self.stream else { return (self.indices(), None) };
        let own = own.clone();
        let now = own.with(|g| g.clone());
        let before = self.stream_ahead.take().unwrap_or_else(|| now.clone());
        own.with(|g| *g = before.clone());
        let indices = self.indices();
        let after = own.with(|g| std::mem::replace(g, now));
        let drawn = (after != before).then(|| after.clone());
        self.stream_ahead = Some(after);
        (indices, drawn)
    }

    /// Keeps the workers busy.
    fn plan(&mut self, bound: usize) {
        while self.ahead.len() < bound && !self.planned_all {
            let number = self.done + self.ahead.len();
            let (indices, after) = self.indices_ahead();
            let len = indices.len();
            self.planned_all = len < self.loader.batch_size;
            self.ahead.push_back(Planned { len, after });
            if self.is_batch(len) {
                let job = self.job(number, indices);
                self.workers.as_ref().expect("started before").send(job);
            }
        }
    }

    /// Takes the next batch from the workers.
    fn take(&mut self, spawn: super::Spawn<D, B>) -> Option<Result<B, String>> {
        if self.workers.is_none() {
            self.workers = Some(spawn(self.loader, self.seed as u64));
        }
        let bound = self.loader.workers * self.loader.prefetch_factor;
        self.plan(bound);
        let planned = self.ahead.pop_front()?;
        if let (Some(Stream::Own(own)), Some(after)) = (&self.stream, planned.after) {
            own.with(|g| *g = after);
        }
        self.poll_end(planned.len);
        if !self.is_batch(planned.len) {
            return None;
        }
        let batch = self.workers.as_mut().expect("started above").receive(self.done);
        // The place that this batch leaves in the queue; `done` does not count it yet.
        self.done += 1;
        self.plan(bound);
        self.done -= 1;
        Some(batch)
    }
}

impl<D: Dataset, B> Iterator for Batches<'_, D, B> {
    type Item = B;

    /// The next batch.
    ///
    /// # Panics
    /// If loading an item panics, here or in a worker; the message tells which.
    #[track_caller]
    fn next(&mut self) -> Option<B> {
        if self.over {
            return None;
        }
        self.begin();
        let made = match self.loader.spawn {
            Some(spawn) if self.loader.workers > 0 => self.take(spawn),
            _ => self.make(),
        };
        let Some(batch) = made else {
            self.over = true;
            self.workers = None;
            lock(&self.loader.position).end(self.pass);
            return None;
        };
        self.done += 1;
        lock(&self.loader.position).update(self.pass, |pass| pass.batches = self.done);
        match batch {
            Ok(batch) => Some(batch),
            Err(message) => panic!("{message}"),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.over { 0 } else { self.total.saturating_sub(self.done) };
        (left, Some(left))
    }
}

impl<D: Dataset, B> ExactSizeIterator for Batches<'_, D, B> {}

impl<D: Dataset, B> Drop for Batches<'_, D, B> {
    fn drop(&mut self) {
        lock(&self.loader.position).end(self.pass);
    }
}
