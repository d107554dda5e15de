//! Writes the types of the `serde_types` test: `serde_types [SEED [COUNT [FOLDER]]]`.

use std::path::PathBuf;

use mp_tests::serde_types::{COUNT, SEED, generate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(SEED), |text| text.parse())?;
    let count = arguments.next().map_or(Ok(COUNT), |text| text.parse())?;
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/serde_types/generated");
    let folder = arguments.next().map_or(own, PathBuf::from);
    for (name, text) in generate(seed, count) {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
