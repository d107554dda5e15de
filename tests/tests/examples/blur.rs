//! `blur`: real pictures in both formats, bad ones, and the figures.

use std::path::{Path, PathBuf};

use crate::programs::{both, program, run};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

#[test]
fn pictures_are_blurred() {
    // A single white pixel on black, 5 x 4, in the plainest of formats.
    let from = file("dot.pgm");
    let mut picture = b"P5\n5 4\n255\n".to_vec();
    picture.extend([0; 20]);
    let begin = picture.len() - 20;
    picture[begin + 5 + 2] = 255;
    std::fs::write(&from, &picture).unwrap();
    let (png, back) = (file("dot.png"), file("back.pgm"));
    let output = run("blur", &[text(&from), text(&png), "--passes", "1"]);
    assert!(output.contains("5 x 4 pixels, 1 passes"), "{output}");
    // PNG in, PGM out; blurred once more.
    run(
        "blur",
        &[text(&png), text(&back), "--passes", "1", "--workers", "1"],
    );
    let blurred = std::fs::read(&back).unwrap();
    let pixels = &blurred[blurred.len() - 20..];
    let brightest = pixels.iter().max().unwrap();
    assert!(pixels[5 + 2] == *brightest && *brightest < 64, "{pixels:?}");
    assert!(
        pixels[2] > 0 && pixels[10 + 2] > 0 && pixels[5] > 0,
        "{pixels:?}"
    );
    // The same on both sides of the middle.
    assert!(
        pixels
            .chunks(5)
            .all(|row| row[0] == row[4] && row[1] == row[3]),
        "{pixels:?}"
    );
}

#[test]
fn a_picture_is_made_where_none_is_given() {
    let output = run("blur", &[]);
    assert!(output.contains("640 x 480 pixels, 5 passes"), "{output}");
    let output = run("blur", &["--size", "3", "--passes", "2", "--workers", "3"]);
    assert!(output.contains("processes against threads"), "{output}");
}

#[test]
fn bad_pictures_and_arguments_are_named() {
    let none = file("no such picture.png");
    let bad = file("bad.png");
    std::fs::write(&bad, b"not a picture at all").unwrap();
    for (arguments, part) in [
        (vec![text(&none), "out.png"], "No such file"),
        (vec![text(&bad), "out.png"], "Format error"),
        (vec!["one.png"], "two pictures"),
        (vec!["--passes", "0"], "at least 1"),
        (vec!["--sharpen"], "no option --sharpen"),
    ] {
        let output = program("blur").args(&arguments).output().unwrap();
        let (_, errors) = both(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
}
