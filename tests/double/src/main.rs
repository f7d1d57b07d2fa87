//! The process `um-double`: flags in, exit code out.

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
