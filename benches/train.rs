//! Training steps as a user writes them: forward, loss, backward, optimizer, and the loss is read.

mod common;

use common::Work;
use common::steps::TRAINING;

fn main() {
    common::run("train", |f| {
        for t in TRAINING {
            f.bench(t.name, Work::Flops(t.batch * t.flops), || (t.step)(t.batch));
        }
    });
}
