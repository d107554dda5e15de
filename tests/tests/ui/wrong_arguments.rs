//! Arguments of other types than the task's parameters: the error is at the argument.
#![allow(unused)]

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

#[mp::task]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn main() -> mp::Result<()> {
    let pool = mp::Pool::new()?;
    let words = vec![String::new()];
    pool.map(square, ["a", "b"])?;
    pool.map(square, &words)?;
    pool.map(square, 7)?;
    pool.map(square, [(1, 2)])?;
    pool.map(dot, [(&[1.0], 2.0)])?;
    pool.map(dot, [&[1.0]])?;
    pool.apply(square, "a")?;
    pool.apply(dot, (&[1.0], "x"))?;
    pool.apply(dot, &[1.0])?;
    pool.apply_async(square, -1.5)?;
    mp::Process::new(dot, (&[1.0], 2)).start()?;
    square.start("a")?;
    square.run(1, 2)?;
    dot.run(&[1.0], &["a"])?;
    square("a");
    Ok(())
}
