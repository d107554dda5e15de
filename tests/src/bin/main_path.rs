//! `mp::main!` with the path of a function.

use mp_tests::doors;

mp::main!(run);

fn run() -> mp::Result<()> {
    doors::main_runs();
    doors::named()
}
