//! The `ostiary` command: see [`control::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    control::cli::main()
}
