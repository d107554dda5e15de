//! Words and how often they occur: splitting bytes into words, counting, merging, ranking. No processes in here.
//!
//! Nearly every word has at most sixteen letters, so a word is a `u128` with its letters packed into it: the hot loop
//! neither allocates nor compares text. The few longer ones are kept as text. Both are plain values that can travel.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, ErrorKind, Read};

use serde::{Deserialize, Serialize};

/// How many letters fit into a packed word.
const PACKED: usize = 16;

/// How often each word occurs.
#[derive(Default, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Words {
    packed: HashMap<u128, u64, BuildHasherDefault<Mixer>>,
    long: HashMap<String, u64>,
    total: u64,
}

/// Takes a stream of bytes in pieces; a word may begin in one piece and end in another.
pub(crate) struct Counter<'w> {
    words: &'w mut Words,
    /// The letters of the word that is being read, packed with the first one highest. Zero between words.
    letters: u128,
    /// The whole of that word, once it is longer than `PACKED`.
    long: String,
}

impl Words {
    /// All words counted, repetitions included.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Adds everything `source` gives, piece by piece through `buffer`.
    ///
    /// On an error what was counted so far stays counted: throw the whole `Words` away if that is not wanted.
    pub(crate) fn read(&mut self, mut source: impl Read, buffer: &mut [u8]) -> io::Result<()> {
        let mut counter = Counter::new(self);
        loop {
            match source.read(buffer) {
                Ok(0) => break,
                Ok(length) => counter.feed(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        counter.finish();
        Ok(())
    }

    /// Adds the words of `other`.
    pub(crate) fn merge(&mut self, mut other: Words) {
        // The smaller table is poured into the larger one.
        if other.packed.len() > self.packed.len() {
            std::mem::swap(self, &mut other);
        }
        for (letters, count) in other.packed {
            *self.packed.entry(letters).or_default() += count;
        }
        for (word, count) in other.long {
            *self.long.entry(word).or_default() += count;
        }
        self.total += other.total;
    }

    /// The `limit` most frequent words with their counts, largest first, ties by word.
    pub(crate) fn most_frequent(&self, limit: usize) -> Vec<(u64, String)> {
        if limit == 0 {
            return Vec::new();
        }
        // Only words that can be among them are worth unpacking: those with the count of the last place, or more.
        let mut counts: Vec<u64> = self
            .packed
            .values()
            .chain(self.long.values())
            .copied()
            .collect();
        let enough = match counts.len().checked_sub(limit) {
            Some(at) if at > 0 => *counts.select_nth_unstable(at).1,
            _ => 0,
        };
        let packed = self
            .packed
            .iter()
            .map(|(&letters, &count)| (count, letters));
        let packed = packed
            .filter(|(count, _)| *count >= enough)
            .map(|(count, letters)| (count, unpack(letters)));
        let long = self
            .long
            .iter()
            .filter(|(_, count)| **count >= enough)
            .map(|(word, &count)| (count, word.clone()));
        let mut ranking: Vec<(u64, String)> = packed.chain(long).collect();
        ranking.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        ranking.truncate(limit);
        ranking
    }
}

impl<'w> Counter<'w> {
    pub(crate) fn new(words: &'w mut Words) -> Self {
        Counter {
            words,
            letters: 0,
            long: String::new(),
        }
    }

    /// Takes the next piece of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let mut letters = self.letters;
        for &byte in bytes {
            let letter = LETTERS[usize::from(byte)];
            if letter != 0 {
                // A letter in the highest place: the word is full, and goes on.
                if letters >> (8 * (PACKED - 1)) != 0 {
                    self.spill(letters);
                    letters = 0;
                }
                letters = letters << 8 | u128::from(letter);
            } else if letters != 0 {
                self.end_word(letters);
                letters = 0;
            }
        }
        self.letters = letters;
    }

    /// The stream has ended, and the last word with it.
    pub(crate) fn finish(mut self) {
        if self.letters != 0 {
            self.end_word(self.letters);
        }
    }

    #[inline]
    fn end_word(&mut self, letters: u128) {
        self.words.total += 1;
        if self.long.is_empty() {
            *self.words.packed.entry(letters).or_default() += 1;
        } else {
            self.spill(letters);
            match self.words.long.get_mut(&self.long) {
                Some(count) => *count += 1,
                None => drop(self.words.long.insert(self.long.clone(), 1)),
            }
            self.long.clear();
        }
    }

    #[cold]
    fn spill(&mut self, letters: u128) {
        self.long.push_str(&unpack(letters));
    }
}

/// Every byte that is an ASCII letter, lower-cased; zero for all others.
const LETTERS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        if byte.is_ascii_alphabetic() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

fn unpack(letters: u128) -> String {
    let bytes = letters.to_be_bytes();
    bytes
        .iter()
        .filter(|&&byte| byte != 0)
        .map(|&byte| char::from(byte))
        .collect()
}

/// The hasher of packed words: one multiplication folded onto itself. Not meant to withstand keys chosen by an enemy.
#[derive(Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write_u128(&mut self, letters: u128) {
        let product = u128::from((letters >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(letters as u64 ^ 0xd1b5_4a32_d192_ed03);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pieces: &[&[u8]]) -> Words {
        let mut words = Words::default();
        let mut counter = Counter::new(&mut words);
        for piece in pieces {
            counter.feed(piece);
        }
        counter.finish();
        words
    }

    fn all(words: &Words) -> Vec<(u64, String)> {
        words.most_frequent(usize::MAX)
    }

    fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
        expected
            .iter()
            .map(|&(count, word)| (count, word.to_string()))
            .collect()
    }

    #[test]
    fn a_word_is_a_run_of_ascii_letters_in_lower_case() {
        let words = count(&["It's 2 o'clock, IT IS; caf\u{e9}\u{0}s_x".as_bytes()]);
        let expected = [
            (2, "it"),
            (2, "s"),
            (1, "caf"),
            (1, "clock"),
            (1, "is"),
            (1, "o"),
            (1, "x"),
        ];
        assert_eq!(all(&words), pairs(&expected));
        assert_eq!(words.total(), 9);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(all(&count(&[])), pairs(&[]));
        assert_eq!(all(&count(&[b"", b" 12 \xff\xfe "])), pairs(&[]));
    }

    #[test]
    fn words_may_be_torn_between_pieces() {
        let text = b"counterrevolutionaries and counterrevolutionaries: abcdefghijklmnop Abcdefghijklmnopq x";
        let whole = count(&[text]);
        let expected = [
            (2, "counterrevolutionaries"),
            (1, "abcdefghijklmnop"),
            (1, "abcdefghijklmnopq"),
            (1, "and"),
            (1, "x"),
        ];
        assert_eq!(all(&whole), pairs(&expected));
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(count(&pieces), whole, "pieces of {size}");
        }
    }

    #[test]
    fn very_long_words_are_counted_whole() {
        let word = "Ab".repeat(50_000);
        let text = format!("{word} {word}");
        let words = count(&[text.as_bytes()]);
        assert_eq!(all(&words), vec![(2, word.to_lowercase())]);
    }

    #[test]
    fn merging_is_counting_the_two_together() {
        let (a, b) = (
            &b"one two two internationalisation"[..],
            &b"two three internationalisation"[..],
        );
        let mut merged = count(&[a]);
        merged.merge(count(&[b]));
        assert_eq!(merged, count(&[a, b" ", b]));
        let mut other_way = count(&[b]);
        other_way.merge(count(&[a]));
        assert_eq!(merged, other_way);
        merged.merge(Words::default());
        assert_eq!(merged.total(), 7);
    }

    #[test]
    fn the_most_frequent_come_first_and_ties_by_word() {
        let words = count(&[b"b a c b a d"]);
        assert_eq!(
            words.most_frequent(3),
            pairs(&[(2, "a"), (2, "b"), (1, "c")])
        );
        assert_eq!(words.most_frequent(0), pairs(&[]));
    }

    /// Gives its text in small pieces, with an interruption now and then, and perhaps an error at the end.
    struct Halting<'t>(&'t [u8], u32, bool);

    impl Read for Halting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() && self.2 {
                return Err(io::Error::other("gone"));
            }
            self.0.read(buffer)
        }
    }

    #[test]
    fn reading_survives_interruptions_and_reports_errors() {
        let mut words = Words::default();
        words
            .read(Halting(b"to be or not to be", 0, false), &mut [0; 4])
            .unwrap();
        assert_eq!(words, count(&[b"to be or not to be"]));
        assert!(words.read(Halting(b"to", 0, true), &mut [0; 4]).is_err());
    }

    #[test]
    fn agrees_with_a_count_written_down_the_plain_way() {
        let text = include_bytes!("words.rs");
        let mut plain: HashMap<String, u64> = HashMap::new();
        for word in text
            .split(|byte| !byte.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
        {
            *plain
                .entry(String::from_utf8(word.to_ascii_lowercase()).unwrap())
                .or_default() += 1;
        }
        let words = count(&[text]);
        assert_eq!(words.total(), plain.values().sum::<u64>());
        assert_eq!(
            all(&words)
                .into_iter()
                .map(|(count, word)| (word, count))
                .collect::<HashMap<_, _>>(),
            plain
        );
    }
}
