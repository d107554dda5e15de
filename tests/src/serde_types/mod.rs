//! Makes the types of the `serde_types` test: structs and enums with random serde attributes,
//! nested in each other.
//!
//! The output is a function of the seed alone. It is checked in below
//! `tests/serde_types/generated`; beside each type stands what must become of its values on their
//! way, in the words of that test's `sample!` macro.

mod enums;
mod fields;
mod kinds;
mod structs;

use kinds::Known;

/// What the checked-in types were made from.
pub const SEED: u64 = 1711;

/// How many types are made.
pub const COUNT: usize = 208;

/// How many types stand in one file.
const PER_FILE: usize = 40;

/// A small generator of random numbers (splitmix64): the same everywhere, and for ever.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// Panics if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    ///
    /// # Panics
    /// Panics if there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The types that were made so far, and the state of the generator.
struct Maker {
    rng: Rng,
    known: Vec<Known>,
    /// How many names were given away: no two fields of all types have one name.
    names: usize,
}

/// The text of one type, and what later types must know of it.
struct Made {
    text: String,
    known: Known,
}

const WORDS: &[&str] = &[
    "colour",
    "weight",
    "owner",
    "depth",
    "state",
    "label",
    "angle",
    "first_part",
];

impl Maker {
    /// A field's name that no other field has, whatever `rename_all` makes of it.
    fn name(&mut self) -> String {
        let word = *self.rng.pick(WORDS);
        format!("{word}_{}", self.suffix())
    }

    /// A variant's name that no other variant has.
    fn variant_name(&mut self) -> String {
        let word = *self.rng.pick(&["Open", "Move", "Stop", "BigStep", "Note"]);
        let suffix = self.suffix();
        let (first, rest) = suffix.split_at(1);
        format!("{word}{}{rest}", first.to_uppercase())
    }

    fn suffix(&mut self) -> String {
        self.names += 1;
        let mut left = self.names;
        let mut text = String::from("q");
        while left > 0 {
            text.push(char::from(b'a' + (left % 20) as u8));
            left /= 20;
        }
        text
    }

    fn one(&mut self, number: usize) -> Made {
        let name = format!("T{number}");
        match self.rng.below(100) {
            0..35 => self.named_struct(&name),
            35..45 => self.tuple_struct(&name),
            45..50 => self.newtype_struct(&name),
            50..53 => self.unit_struct(&name),
            53..57 => self.converted(&name),
            57..60 => self.recursive(&name),
            60..66 => self.key_enum(&name),
            66..80 => self.external(&name),
            80..87 => self.internal(&name),
            87..94 => self.adjacent(&name),
            _ => self.untagged(&name),
        }
    }
}

/// The files of `count` types: their names, and their text.
pub fn generate(seed: u64, count: usize) -> Vec<(String, String)> {
    let mut maker = Maker {
        rng: Rng::new(seed),
        known: Vec::new(),
        names: 0,
    };
    let mut files = Vec::new();
    for first in (0..count).step_by(PER_FILE) {
        let mut text = format!(
            "// Made by `cargo run -p mp-tests --bin serde_types` (seed {seed}); not to be changed by hand.\n\n\
             #[allow(unused_imports)]\nuse super::*;\n"
        );
        let numbers = first..count.min(first + PER_FILE);
        for number in numbers.clone() {
            let made = maker.one(number);
            text.push('\n');
            text.push_str(&made.text);
            maker.known.push(made.known);
        }
        text.push_str("\ntry_all! {");
        for number in numbers {
            text.push_str(&format!(" T{number}"));
        }
        text.push_str(" }\n");
        files.push((format!("types_{}.rs", first / PER_FILE), text));
    }
    files
}
