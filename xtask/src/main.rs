//! Chores of this repository, run as `cargo xtask …`.

#![forbid(unsafe_code)]

mod cuda;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask cuda gen            compile kernels/cuda/*.cu to the committed PTX, and say what changed
cargo xtask cuda gen --lines DIR        the same into DIR, with the lines of the sources, for reports of the
                                emulator (TAPER_CUDA_PTX=DIR makes taper load it)
cargo xtask cuda check [SM…]    PTX up to date; ptxas for every architecture (or those named, as 75 90)
                                with registers, spills and shared memory against kernels.toml; math
cargo xtask cuda math           the kernels' functions, compiled for this machine, against wider types
cargo xtask cuda test [MODE…]   the CUDA suites on the emulator: plain (with two examples), check (as a sanitizer),
                                shuffle (random order)
cargo xtask cuda counts [--update]
                                what a fixed list of calls costs on the emulator, against kernels/cuda/counts.json
cargo xtask cuda mutants [NAME] the tests, with one barrier or mask less in the kernels whose names contain NAME

Tools: clang-19 (apt-get install clang-19), ptxas (TAPER_PTXAS=path, or a wheel fetched by pip).
A tool that is missing is skipped with a warning, or an error with --require or where CI is set.
What ptxas said is kept in the build's outputs: only PTX that changed is assembled again.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let required = |word: &str| word == "--require";
    let strict = args.iter().any(|a| required(a)) || std::env::var_os("CI").is_some();
    let missing = if strict { cuda::Missing::Refused } else { cuda::Missing::Warned };
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|word| !required(word)).collect();
    let result = match words.as_slice() {
        ["cuda", "gen"] => cuda::generate(),
        ["cuda", "gen", "--lines", folder] => cuda::generate_with_lines(folder.as_ref()),
        ["cuda", "check", archs @ ..] => cuda::check(archs, missing),
        ["cuda", "test", modes @ ..] => cuda::test(modes),
        ["cuda", "math"] => cuda::math(missing),
        ["cuda", "counts"] => cuda::counts(false),
        ["cuda", "counts", "--update"] => cuda::counts(true),
        ["cuda", "mutants"] => cuda::mutants_of(""),
        ["cuda", "mutants", name] => cuda::mutants_of(name),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}
