//! `mp::main!` around a whole `main`.

use std::process::ExitCode;

mp::main! {
    fn main() -> ExitCode {
        mp_tests::doors::main_runs();
        match mp_tests::doors::named() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        }
    }
}
