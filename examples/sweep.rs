//! A parameter sweep: the same model run for many values of a parameter, spread over all cores by one `pool.map`.
//!
//! The model is the logistic map x → r·x·(1 − x), the textbook road from order to chaos. Its Lyapunov exponent says how
//! fast two nearby starts drift apart: below zero they meet again, above zero the system is chaotic. The sweep takes
//! twice as many values of r as there are cores; the results come back in the order of the values.
//!
//! Run it: `cargo run --release --example sweep`

use std::f64::consts::LN_2;

const STEPS: u32 = 5_000_000;

/// The Lyapunov exponent of the logistic map at `r`, over `steps` steps.
#[mp::task]
fn lyapunov(r: f64, steps: u32) -> f64 {
    let mut x = 0.4;
    let mut sum = 0.0;
    for _ in 0..steps {
        x = r * x * (1.0 - x);
        // At x = ½ the slope is 0; the floor keeps one unlucky step from deciding the whole sum.
        sum += (r * (1.0 - 2.0 * x)).abs().max(1e-12).ln();
    }
    sum / f64::from(steps)
}

mp::main!(run);

fn run() -> mp::Result<()> {
    let values = parameters(2 * mp::cpu_count());
    let pool = mp::Pool::new()?;
    let exponents = pool.map(lyapunov, values.iter().map(|&r| (r, STEPS)))?;

    println!("     r   exponent");
    for (r, exponent) in values.iter().zip(&exponents) {
        println!("{r:6.4}   {exponent:+8.4}   {}", verdict(*exponent));
    }
    match most_chaotic(&values, &exponents) {
        Some((r, exponent)) => println!(
            "most chaotic at r = {r:.4}: {:.0} % of the greatest exponent possible, ln 2",
            100.0 * exponent / LN_2
        ),
        None => println!("no value of r gave chaos"),
    }
    Ok(())
}

/// `count` values of r from 3.2 to 4, evenly spaced, both ends included.
fn parameters(count: usize) -> Vec<f64> {
    let gaps = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| 3.2 + 0.8 * i as f64 / gaps).collect()
}

fn verdict(exponent: f64) -> &'static str {
    if exponent > 0.0 { "chaos" } else { "order" }
}

/// The value with the greatest exponent, among those above zero.
fn most_chaotic(values: &[f64], exponents: &[f64]) -> Option<(f64, f64)> {
    values
        .iter()
        .copied()
        .zip(exponents.iter().copied())
        .filter(|(_, exponent)| *exponent > 0.0)
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_included() {
        let values = parameters(4);
        assert_eq!(values.len(), 4);
        assert!((values[0] - 3.2).abs() < 1e-12 && (values[3] - 4.0).abs() < 1e-12);
        assert_eq!(parameters(1), [3.2]);
    }

    #[test]
    fn the_model_is_right_where_the_answer_is_known() {
        assert!((lyapunov(4.0, 200_000) - LN_2).abs() < 0.01);
        assert!(lyapunov(3.2, 10_000) < -0.5);
    }

    #[test]
    fn the_most_chaotic_value_is_found() {
        assert_eq!(
            most_chaotic(&[1.0, 2.0, 3.0], &[0.1, 0.3, -0.5]),
            Some((2.0, 0.3))
        );
        assert_eq!(most_chaotic(&[1.0], &[-0.1]), None);
    }
}
