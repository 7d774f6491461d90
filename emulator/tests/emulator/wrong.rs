//! Kernels with one mistake each, compiled from CUDA C++: check mode reports the mistake at its source line, and
//! says nothing about the twin that does not have it, in any order.

use ptx_emulator::{Device, Dim, Fault, FaultKind, Options, Profile};

/// A file of the folder `kernels`.
fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/kernels").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What stands above a pair.
struct Case {
    kinds: Vec<FaultKind>,
    grid: u32,
    block: u32,
    dynamic: u32,
    words: usize,
    says: String,
    name: String,
    /// Source lines with the mistake.
    lines: Vec<usize>,
}

fn cases() -> Vec<Case> {
    let mut out: Vec<Case> = Vec::new();
    let source = file("wrong.cu");
    let mut heads = source.lines();
    for (number, line) in source.lines().enumerate() {
        heads.next();
        if line.ends_with("// BUG") {
            out.last_mut().unwrap().lines.push(number + 1);
        }
        let Some(spec) = line.strip_prefix("//= ") else { continue };
        let words: Vec<&str> = spec.splitn(6, ' ').collect();
        let kind = |word: &str| match word {
            "race" => FaultKind::Race,
            "bounds" => FaultKind::OutOfBounds,
            "misaligned" => FaultKind::Misaligned,
            "uninitialised" => FaultKind::Uninitialised,
            "divergence" => FaultKind::Divergence,
            "mask" => FaultKind::Mask,
            "trap" => FaultKind::Trap,
            other => panic!("{other}"),
        };
        let head = heads.clone().next().unwrap();
        let name = head.split_once("NAME(").unwrap().1.split(')').next().unwrap();
        let number = |k: usize| words[k].parse::<u32>().unwrap();
        out.push(Case {
            kinds: words[0].split('|').map(kind).collect(),
            grid: number(1),
            block: number(2),
            dynamic: number(3),
            words: number(4) as usize,
            says: words[5].to_string(),
            name: name.to_string(),
            lines: Vec::new(),
        });
    }
    out
}

/// The words of `out` after a launch of `{name}_{twin}`.
fn run(device: &Device, module: &ptx_emulator::Module, case: &Case, twin: &str) -> Result<Vec<u8>, Fault> {
    let input = device.alloc(256 * 4).unwrap();
    let words: Vec<u8> = (0..256u32).flat_map(|k| (k * 7 % 61 + 1).to_le_bytes()).collect();
    device.write(input, &words).unwrap();
    let out = device.alloc(case.words as u64 * 4).unwrap();
    if case.kinds != [FaultKind::Uninitialised] {
        device.write(out, &vec![0; case.words * 4]).unwrap();
    }
    let params = [&input.to_le_bytes()[..], &out.to_le_bytes(), &(case.words as u32).to_le_bytes()].concat();
    let kernel = module.kernel(&format!("{}_{twin}", case.name)).unwrap();
    device.launch(kernel, Dim::x(case.grid), Dim::x(case.block), case.dynamic, &params)?;
    Ok(device.read(out, case.words * 4).unwrap())
}

fn device(check: bool, shuffle: Option<u64>) -> Device {
    Device::new(Profile::sm_80(), Options { check, shuffle, ..Options::default() })
}

#[test]
fn every_mistake_is_reported_where_it_is() {
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut failures = Vec::new();
    for shuffle in [None, Some(1), Some(2), Some(3)] {
        let device = device(true, shuffle);
        let module = device.load(&file("wrong.ptx")).unwrap();
        for case in &cases {
            // A flag that the other block has not set yet hides its missing fence.
            if shuffle.is_some() && case.name == "flag_without_fence" {
                continue;
            }
            let fault = match run(&device, &module, case, "wrong") {
                Ok(_) => {
                    failures.push(format!("{} ({shuffle:?}): no report", case.name));
                    continue;
                }
                Err(fault) => fault,
            };
            let line = fault.source.as_deref().and_then(|s| s.rsplit(':').nth(1)?.parse().ok()).unwrap_or(0);
            let text = fault.to_string();
            if !case.kinds.contains(&fault.kind) || !text.contains(&case.says) || !case.lines.contains(&line)
            {
                failures.push(format!("{} ({shuffle:?}): {:?}: {text}", case.name, fault.kind));
            }
            assert_eq!(fault.kernel, format!("{}_wrong", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn nothing_is_reported_of_what_is_right() {
    let mut failures = Vec::new();
    let cases = cases();
    let mut results: Vec<Option<Vec<u8>>> = vec![None; cases.len()];
    for check in [false, true] {
        for shuffle in [None, Some(1), Some(2), Some(3), Some(4)] {
            let device = device(check, shuffle);
            let module = device.load(&file("right.ptx")).unwrap();
            for (case, first) in cases.iter().zip(&mut results) {
                match run(&device, &module, case, "right") {
                    Err(fault) => {
                        failures.push(format!("{} (check {check}, {shuffle:?}): {fault}", case.name));
                    }
                    // What it computes does not depend on the order either.
                    Ok(out) if case.name != "flag_without_fence" => {
                        let first = first.get_or_insert_with(|| out.clone());
                        assert_eq!(*first, out, "{} (check {check}, {shuffle:?})", case.name);
                    }
                    Ok(_) => {}
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
