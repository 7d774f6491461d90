//! Chores of this repository, run as `cargo xtask …`.

#![forbid(unsafe_code)]

mod cuda;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask cuda gen            compile kernels/cuda/*.cu to the committed PTX, and say what changed
cargo xtask cuda check [SM…]    PTX up to date; ptxas for every architecture (or those named, as 75 90)
                                with registers, spills and shared memory against kernels.toml; math
cargo xtask cuda math           the kernels' functions, compiled for this machine, against wider types

Tools: clang-19 (apt-get install clang-19), ptxas (TAPER_PTXAS=path, or a wheel fetched by pip).
A tool that is missing is skipped with a warning, or an error where CI is set.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["cuda", "gen"] => cuda::generate(),
        ["cuda", "check", archs @ ..] => cuda::check(archs),
        ["cuda", "math"] => cuda::math(),
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
