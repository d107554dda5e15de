//! Writes the first corpus: an input for each type, made by encoding a value. `seeds FOLDER`.

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "corpus/decode".to_owned());
    std::fs::create_dir_all(&folder)?;
    for (number, seed) in mp_fuzz::seeds().into_iter().enumerate() {
        std::fs::write(format!("{folder}/seed-{number:02}"), seed)?;
    }
    Ok(())
}
