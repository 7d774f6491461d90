//! A pass that was interrupted goes on as if it had not been.

use taper_data::{
    DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, SharedGenerator, Subset,
    SubsetRandomSampler, WeightedRandomSampler,
};
use taper_tensor::{State, StateError, Stateful, Tensor, get_rng_state, set_rng_state, tensor, with_seed};

/// What a run shows: the batches, and what the model drew after each.
type Seen = Vec<(Vec<i64>, Vec<i64>, Vec<f32>)>;
type Loader = DataLoader<Box<dyn Dataset<Item = (i64, Tensor)>>>;

/// Numbers below `n` with something random: a random transform.
fn set(n: usize) -> Box<dyn Dataset<Item = (i64, Tensor)>> {
    let numbers: Vec<i64> = (0..n as i64).collect();
    Box::new(
        Subset::new(numbers, (0..n).rev().collect::<Vec<_>>()).map(|i| (i, Tensor::randint(0, 1 << 20, 3))),
    )
}

fn own() -> SharedGenerator {
    SharedGenerator::new(7)
}

fn sampled(n: usize, sampler: impl Sampler + 'static) -> Loader {
    DataLoader::new(set(n)).batch_size(4).sampler(sampler)
}

/// A process that starts.
type Make = fn() -> Loader;

/// Every kind of order; made anew for each process that is played.
fn loaders() -> Vec<(&'static str, Make)> {
    vec![
        ("sequential", || DataLoader::new(set(13)).batch_size(4)),
        ("whole batches", || DataLoader::new(set(12)).batch_size(4).shuffle(true)),
        ("shuffled", || DataLoader::new(set(13)).batch_size(4).shuffle(true)),
        ("shuffled, drop_last", || DataLoader::new(set(13)).batch_size(4).shuffle(true).drop_last(true)),
        ("own generator", || DataLoader::new(set(13)).batch_size(4).shuffle(true).generator(own())),
        ("own generator, drop_last", || {
            DataLoader::new(set(13)).batch_size(4).shuffle(true).generator(own()).drop_last(true)
        }),
        ("own generator, in order", || DataLoader::new(set(13)).batch_size(4).generator(own())),
        ("sequential sampler", || sampled(13, SequentialSampler::new(13))),
        ("several orders", || sampled(5, RandomSampler::new(5).num_samples(17))),
        ("several orders, own", || sampled(5, RandomSampler::new(5).num_samples(17).generator(own()))),
        ("replacement", || sampled(30, RandomSampler::new(30).replacement(true).num_samples(70))),
        ("replacement, own", || {
            sampled(30, RandomSampler::new(30).replacement(true).num_samples(70).generator(own()))
        }),
        ("sampler's and loader's own", || {
            sampled(13, RandomSampler::new(13).generator(own())).generator(SharedGenerator::new(8))
        }),
        ("one own for both", || {
            let own = own();
            sampled(13, RandomSampler::new(13).generator(own.clone())).generator(own)
        }),
        ("weighted", || sampled(4, WeightedRandomSampler::new([1.0, 0.5, 3.0, 2.0], 14))),
        ("weighted, own", || {
            sampled(4, WeightedRandomSampler::new([1.0, 0.5, 3.0, 2.0], 14).generator(own()))
        }),
        ("subset", || sampled(30, SubsetRandomSampler::new((0..30).step_by(2).collect::<Vec<_>>()))),
    ]
}

/// A training loop. After each step it gives `step` the loader.
fn train(loader: &Loader, epochs: usize, mut step: impl FnMut(&Loader)) -> Seen {
    let mut seen = vec![];
    for _ in 0..epochs {
        for (x, noise) in loader {
            seen.push((x.to_vec(), noise.to_vec(), Tensor::rand(2).to_vec()));
            step(loader);
        }
    }
    seen
}

/// What the streams give next: the global one, and the own ones by the loader's state.
fn after(loader: &Loader) -> (Vec<u8>, String) {
    (get_rng_state(), bytes(&loader.state_dict()))
}

fn bytes(state: &State) -> String {
    let mut text = String::new();
    for (key, value) in state.as_map().unwrap().iter() {
        let value = value.as_tensor().map_or(format!("{value:?}"), |t| format!("{:?}", t.to_vec::<u8>()));
        text += &format!("{key:?}: {value}\n");
    }
    text
}

const EPOCHS: usize = 3;

#[test]
fn resume_in_the_middle() {
    for (name, make) in loaders() {
        // A checkpoint after each step of a run without workers.
        let mut saved = vec![];
        let (straight, end) = with_seed(42, || {
            let loader = make();
            let seen = train(&loader, EPOCHS, |loader| saved.push((get_rng_state(), loader.state_dict())));
            (seen, after(&loader))
        });
        let per_epoch = straight.len() / EPOCHS;
        assert_eq!(saved.len(), straight.len());
        for (at, (rng, state)) in saved.iter().enumerate() {
            for workers in if at % 3 == 0 { vec![0, 1, 3] } else { vec![at % 3] } {
                let case = format!("{name}, step {at}, {workers} workers");
                with_seed(1, || {
                    let loader = make().num_workers(workers);
                    loader.load_state_dict(state).unwrap();
                    set_rng_state(rng).unwrap();
                    assert_eq!(loader.iter().done(), at % per_epoch + 1, "{case}");
                    // That pass was left at once; it is taken up a second time.
                    loader.load_state_dict(state).unwrap();
                    set_rng_state(rng).unwrap();
                    let seen = train(&loader, EPOCHS - at / per_epoch, |_| ());
                    assert_eq!(seen, straight[at + 1..], "{case}");
                    assert_eq!(after(&loader), end, "{case}");
                });
            }
        }
    }
}

#[test]
fn workers_change_nothing() {
    for (name, make) in loaders() {
        let run = |workers: usize, prefetch: usize| {
            with_seed(3, || {
                let loader = make().num_workers(workers).prefetch_factor(prefetch);
                let mut states = vec![];
                let seen = train(&loader, 2, |loader| states.push(after(loader)));
                // A pass that is left early, and one more.
                let early: Vec<Vec<i64>> = loader.iter().take(2).map(|(x, _)| x.to_vec()).collect();
                states.push(after(&loader));
                (seen, states, early, train(&loader, 1, |_| ()))
            })
        };
        let alone = run(0, 2);
        for (workers, prefetch) in [(1, 1), (1, 2), (3, 2), (2, 7)] {
            assert!(run(workers, prefetch) == alone, "{name}, {workers} workers, {prefetch} batches ahead");
        }
    }
}

#[test]
fn states_between_passes_are_fresh() {
    for (name, make) in loaders() {
        with_seed(5, || {
            let loader = make();
            train(&loader, 1, |_| ());
            let (rng, state) = (get_rng_state(), loader.state_dict());
            assert!(matches!(state.get("base_seed"), Some(State::None)), "{name}");
            let expected = train(&loader, 1, |_| ());
            set_rng_state(&rng).unwrap();
            let other = make();
            other.load_state_dict(&state).unwrap();
            assert_eq!(train(&other, 1, |_| ()), expected, "{name}");
        });
    }
}

#[test]
fn a_pass_saved_before_its_first_batch() {
    for (name, make) in loaders() {
        with_seed(5, || {
            let loader = make();
            let batches = loader.iter();
            let (rng, state) = (get_rng_state(), loader.state_dict());
            let expected: Vec<Vec<i64>> = batches.map(|(x, _)| x.to_vec()).collect();
            set_rng_state(&rng).unwrap();
            let other = make();
            other.load_state_dict(&state).unwrap();
            // What was loaded is saved again until it is used.
            assert_eq!(bytes(&other.state_dict()), bytes(&state), "{name}");
            let seen: Vec<Vec<i64>> = other.iter().map(|(x, _)| x.to_vec()).collect();
            assert_eq!(seen, expected, "{name}");
        });
    }
}

#[test]
fn position_counts_what_was_handed_out() {
    let loader = DataLoader::new(vec![0i64; 10]).batch_size(3).num_workers(2);
    let mut batches = loader.iter();
    assert_eq!((batches.done(), batches.total(), batches.len()), (0, 4, 4));
    batches.next();
    batches.next();
    assert_eq!((batches.done(), batches.total(), batches.len()), (2, 4, 2));
    assert_eq!(loader.state_dict().get("batches").and_then(State::as_i64), Some(2));
    drop(batches);
    assert!(matches!(loader.state_dict().get("base_seed"), Some(State::None)));
}

#[test]
fn generators_are_stateful() {
    let (a, mut b) = (own(), SharedGenerator::new(1));
    a.with(|g| g.u32());
    b.load_state_dict(&a.state_dict()).unwrap();
    assert_eq!(a.with(|g| g.u64()), b.with(|g| g.u64()));
    let before = b.with(|g| g.clone());
    for wrong in [State::None, State::Int(1), tensor([1, 2]).into(), Tensor::zeros(3).into()] {
        b.load_state_dict(&wrong).unwrap_err();
    }
    assert!(b.with(|g| *g == before));
}

/// A state with one entry changed.
fn changed(state: &State, name: &str, value: impl Into<State>) -> State {
    let mut map = state.as_map().unwrap().clone();
    map.insert(name, value.into());
    State::Map(map)
}

#[test]
fn states_that_do_not_fit() {
    let make = |n: usize| DataLoader::new(vec![0i64; n]).batch_size(2).shuffle(true);
    let loader = make(8);
    let mut batches = loader.iter();
    batches.next();
    let state = loader.state_dict();
    let refused = |loader: &DataLoader<Vec<i64>>, state: &State| {
        let before = bytes(&loader.state_dict());
        let StateError { target, message } = loader.load_state_dict(state).unwrap_err();
        assert_eq!((target, bytes(&loader.state_dict())), ("DataLoader", before));
        message
    };
    assert_eq!(refused(&make(9), &state), "items was 8 and is 9 here");
    assert_eq!(refused(&make(8).batch_size(4), &state), "batch_size was 2 and is 4 here");
    assert_eq!(
        refused(&make(8).generator(own()), &state),
        "generator: this loader has such a generator, the saved one not"
    );
    let in_order = DataLoader::new(vec![0i64; 8]).batch_size(2);
    let one_shuffles = "order: one of the loaders shuffles, the other does not";
    assert_eq!(refused(&in_order, &state), one_shuffles);
    assert_eq!(refused(&loader, &changed(&state, "order", State::None)), one_shuffles);
    assert_eq!(refused(&loader, &changed(&state, "batches", 5)), "5 batches of 4 were handed out");
    assert_eq!(refused(&loader, &changed(&state, "batches", -1)), "batches is missing or no count");
    assert_eq!(refused(&loader, &changed(&state, "base_seed", "x")), "base_seed is missing or no integer");
    let short = refused(&loader, &changed(&state, "order", Tensor::from_vec(vec![1u8, 2], [2])));
    assert!(short.starts_with("order: ") && short.contains("2 bytes"), "{short}");
    assert_eq!(refused(&loader, &State::None), "items is missing or no count");
}
