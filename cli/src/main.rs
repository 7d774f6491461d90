//! `taper`, the command: looks into files of tensors, converts them, tells how two differ.
#![forbid(unsafe_code)]

mod args;
mod budget;
mod contents;
mod convert;
mod diff;
mod fail;
mod inspect;
mod kind;
mod output;
mod stats;
mod table;
mod text;
mod tree;

use args::{Args, Command};
use clap::Parser;
use fail::Fail;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Diff(args) => diff::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        // Whoever read has enough.
        Err(Fail::Closed) => ExitCode::SUCCESS,
        Err(Fail::Message(message)) => {
            output::complain(&message);
            ExitCode::from(fail::TROUBLE)
        }
    }
}
