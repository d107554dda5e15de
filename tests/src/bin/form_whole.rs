//! `mp::main!` with a whole `fn main`, its attributes kept; tasks are outside, and the end is an exit.

/// Stands for a runtime's attribute: it must still be on the function.
#[allow(dead_code)]
mod outside {
    #[mp::task]
    pub(super) fn square(x: u64) -> u64 {
        x * x
    }
}

mp::main! {
    #[deny(unused)]
    fn main() -> Result<(), mp::Error> {
        assert_eq!(outside::square.run(3)?, 9);
        println!("whole: ok");
        std::process::exit(0)
    }
}
