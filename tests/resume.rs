//! Killed at any moment, a run goes on as if it had not been.
//!
//! A child process (this test binary again) trains and saves checkpoints in the middle of epochs. It runs
//! once straight, and once killed by SIGKILL again and again, at random moments, and started anew. At the
//! end both files are the same, byte for byte: weights, running statistics, Adam's moments, the schedule,
//! the generator's state, metrics, every loss; and so are the batches that would have come next.
//!
//! `TAPER_KILLS` sets how often the second run is killed (default 40).
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use taper::data::Dataset;
use taper::io::ToState;
use taper::nn::sequential;
use taper::optim::lr_scheduler::CosineAnnealingLR;
use taper::optim::{Adam, clip_grad_norm_};
use taper::prelude::*;
use taper::train::{Accuracy, Checkpoint, Mean};

const CHILD: &str = "TAPER_RESUME_CHILD";
const ITEMS: usize = 60;
const EPOCHS: usize = 6;
const EVERY: usize = 2;

/// Pictures, each time another random crop of them: what depends on the random stream of an item.
struct Cropped;

impl Dataset for Cropped {
    type Item = (Tensor, Tensor);
    fn len(&self) -> usize {
        ITEMS
    }
    fn get(&self, index: usize) -> Self::Item {
        // Decoding takes its time, and not always the same.
        std::thread::sleep(Duration::from_micros(200 * (index as u64 % 5)));
        let picture = (Tensor::arange_with(0.0, 100.0, 1.0, DType::F32) * (index as f64 / 30.0)).sin();
        let (y, x) = (corner(), corner());
        let crop = picture.reshape([1, 10, 10]).slice(1, y, y + 8, 1).slice(2, x, x + 8, 1);
        let crop = if corner() == 0 { crop.flip([2]) } else { crop };
        (crop + 0.1 * Tensor::randn([1, 8, 8]), Tensor::full_with((), (index % 3) as i64, DType::I64))
    }
}

fn corner() -> isize {
    Tensor::randint(0, 3, ()).item() as isize
}

/// Trains from the checkpoint, if there is one, to the end.
fn train(path: &Path) {
    manual_seed(11);
    let model = sequential![
        nn::Conv2d::new(1, 4, 3),
        nn::BatchNorm2d::new(4),
        nn::ReLU::new(),
        nn::Flatten::new(),
        nn::Dropout::new(0.3),
        nn::Linear::new(4 * 36, 3)
    ];
    let loader = DataLoader::new(Cropped).batch_size(7).shuffle(true).num_workers(2);
    let mut optimizer = Adam::new(model.parameters(), 1e-2);
    let mut scheduler = CosineAnnealingLR::new(&mut optimizer, EPOCHS * loader.len(), 0.0);
    let (mut loss_mean, mut accuracy) = (Mean::new(), Accuracy::new());
    let mut losses: Vec<f64> = Vec::new();
    let (mut start, mut step) = (0, 0);
    if let Some(saved) = Checkpoint::find(path).expect("a sound checkpoint or none") {
        saved.load_model(&model).unwrap();
        saved.load("optimizer", &mut optimizer).unwrap();
        saved.load("scheduler", &mut scheduler).unwrap();
        saved.load("loader", &mut &loader).unwrap();
        saved.load("loss", &mut loss_mean).unwrap();
        saved.load("accuracy", &mut accuracy).unwrap();
        losses = saved.value("losses").unwrap();
        (start, step) = (saved.value("epoch").unwrap(), saved.value("step").unwrap());
        saved.restore_rng().unwrap();
    }
    for epoch in start..EPOCHS {
        for (x, y) in &loader {
            let scores = model.forward(&x);
            let loss = F::cross_entropy(&scores, &y);
            optimizer.zero_grad();
            loss.backward();
            clip_grad_norm_(&model.parameters(), 1.0, 2.0);
            optimizer.step();
            scheduler.step(&mut optimizer);
            loss_mean.add(loss.item(), x.size(0));
            accuracy.add(&scores, &y);
            losses.push(loss.item());
            step += 1;
            if step % EVERY == 0 {
                Checkpoint::new()
                    .model(&model)
                    .with("optimizer", &optimizer)
                    .with("scheduler", &scheduler)
                    .with("loader", &loader)
                    .with("loss", &loss_mean)
                    .with("accuracy", &accuracy)
                    .value("losses", &losses)
                    .value("epoch", epoch)
                    .value("step", step)
                    .save(path)
                    .unwrap();
            }
        }
        loss_mean.reset();
        accuracy.reset();
    }
    let next: Vec<Tensor> = loader.iter().take(3).map(|(x, _)| x).collect();
    Checkpoint::new()
        .model(&model)
        .with("optimizer", &optimizer)
        .with("scheduler", &scheduler)
        .value("losses", &losses)
        .value("step", step)
        .value("next batches", next.to_state())
        .save(path.with_file_name("end.safetensors"))
        .unwrap();
}

/// Not a test by itself: what the child process runs.
#[test]
fn child() {
    if let Ok(path) = std::env::var(CHILD) {
        train(Path::new(&path));
    }
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Waits until the child ends, but no longer than `limit`; then kills it. The status says which.
fn wait(mut child: Child, limit: Duration) -> ExitStatus {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= end {
            child.kill().unwrap();
            return child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn step_of(path: &Path) -> usize {
    Checkpoint::find(path).expect("whole").map_or(0, |saved| saved.value("step").unwrap())
}

#[test]
fn killed_at_any_moment() {
    let kills: usize = std::env::var("TAPER_KILLS").map_or(40, |n| n.parse().expect("a number of kills"));
    let dir = tempfile::tempdir().unwrap();
    let (straight, killed) = (dir.path().join("straight"), dir.path().join("killed"));
    std::fs::create_dir(&straight).unwrap();
    std::fs::create_dir(&killed).unwrap();
    let (straight, killed) = (straight.join("run.safetensors"), killed.join("run.safetensors"));

    let began = Instant::now();
    let status = wait(start(&straight), Duration::from_secs(300));
    assert!(status.success(), "the straight run: {status}");
    let whole = began.elapsed();

    // The moments are chance; their seed is shown where the test fails.
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    println!("seed of the moments: {seed}");
    let mut moments = taper::Generator::new(seed);
    let (mut done, mut litter, mut places) = (0, 0, Vec::new());
    while done < kills {
        // Longer runs when they get nowhere, so that the end is reached on a busy machine too.
        let longest = whole.as_secs_f64() / 3.0 * (1.0 + done as f64 / kills as f64);
        let moment = longest * (moments.random_i64() as u32 as f64 / u32::MAX as f64);
        let status = wait(start(&killed), Duration::from_secs_f64(moment));
        if status.success() {
            // It reached the end before it was killed that often: once more from the start.
            same(&straight, &killed);
            std::fs::remove_file(&killed).unwrap();
            std::fs::remove_file(killed.with_file_name("end.safetensors")).unwrap();
            continue;
        }
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(status.signal(), Some(9), "the child failed by itself: {status}");
        done += 1;
        places.push(step_of(&killed));
        litter += std::fs::read_dir(killed.parent().unwrap()).unwrap().count().saturating_sub(1);
    }
    println!("killed {done} times, behind steps {places:?}; {litter} saves were cut off");
    let status = wait(start(&killed), Duration::from_secs(300));
    assert!(status.success(), "the last run: {status}");
    same(&straight, &killed);
    // Saves that were cut off left nothing that a later save has not cleared away.
    let mut names: Vec<_> =
        std::fs::read_dir(killed.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["end.safetensors", "run.safetensors"]);
}

/// The last checkpoints and the ends of both runs are the same, byte for byte.
#[track_caller]
fn same(a: &Path, b: &Path) {
    for name in ["run.safetensors", "end.safetensors"] {
        let [a, b] = [a, b].map(|p| std::fs::read(p.with_file_name(name)).unwrap());
        assert!(a.len() > 10_000 && a == b, "{name} differs");
    }
}
