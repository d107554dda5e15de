//! What the generator knows of a type: how it is written, what it looks like in a buffer, what it
//! may be put into.

use super::Maker;

/// A set of the kinds of value that serde's buffer tells apart.
pub(super) type Kinds = u16;

pub(super) const UNIT: Kinds = 1;
pub(super) const BOOL: Kinds = 2;
pub(super) const INT: Kinds = 4;
pub(super) const FLOAT: Kinds = 8;
pub(super) const CHAR: Kinds = 16;
pub(super) const STR: Kinds = 32;
pub(super) const SEQ: Kinds = 64;
pub(super) const MAP: Kinds = 128;
pub(super) const SOME: Kinds = 256;

/// A type, as fields and variants use it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// How it stands in the source.
    pub(super) text: String,
    /// What it reads out of a buffer.
    pub(super) accepts: Kinds,
    /// What it is written as.
    pub(super) emits: Kinds,
    /// About how many values one of it holds at the least.
    pub(super) weight: usize,
    /// Whether it may hold a number of 128 bits.
    pub(super) wide: bool,
    /// Whether every value of it arrives.
    pub(super) calm: bool,
    /// Whether a field of it that is missing is `None`.
    pub(super) option: bool,
    /// Whether the standard library has a default of it, or the test.
    pub(super) default: bool,
    /// Whether it can be the key of a map.
    pub(super) key: bool,
    /// Whether a variant of an internally tagged enum can hold it.
    pub(super) taggable: bool,
    /// Whether it can be flattened.
    pub(super) flat: bool,
    /// Whether it is a struct with a field that is always written and always wanted.
    pub(super) firm: bool,
}

impl Known {
    /// A type with one value inside, that is written as `kinds` and read from them.
    pub(super) fn leaf(text: &str, kinds: Kinds) -> Self {
        Known {
            text: text.to_owned(),
            accepts: kinds,
            emits: kinds,
            weight: 1,
            wide: false,
            calm: true,
            option: false,
            default: true,
            key: false,
            taggable: false,
            flat: false,
            firm: false,
        }
    }

    /// A type made of this one and others, without any of their abilities.
    pub(super) fn of(text: String, kinds: Kinds, parts: &[&Known]) -> Self {
        Known {
            weight: 1 + parts.iter().map(|part| part.weight).sum::<usize>(),
            wide: parts.iter().any(|part| part.wide),
            calm: parts.iter().all(|part| part.calm),
            ..Known::leaf(&text, kinds)
        }
    }
}

/// What a use of a type asks for.
#[derive(Clone, Copy)]
pub(super) struct Want {
    /// It will be read from a buffer: numbers of 128 bits are rare.
    pub(super) buffered: bool,
    pub(super) depth: usize,
}

impl Want {
    fn deeper(self) -> Self {
        Want {
            depth: self.depth + 1,
            ..self
        }
    }
}

const INTS: &[&str] = &[
    "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize",
];

/// The heaviest type that others may hold.
const HEAVIEST: usize = 24;

impl Maker {
    pub(super) fn leaf(&mut self, want: Want) -> Known {
        match self.rng.below(20) {
            0..6 => {
                let int = *self.rng.pick(INTS);
                Known {
                    key: true,
                    ..Known::leaf(int, INT)
                }
            }
            6 | 7 if !want.buffered || self.rng.percent(10) => {
                let wide = *self.rng.pick(&["i128", "u128"]);
                Known {
                    wide: true,
                    calm: true,
                    ..Known::leaf(wide, INT)
                }
            }
            6..10 => {
                let float = *self.rng.pick(&["f32", "f64"]);
                Known {
                    accepts: FLOAT | INT,
                    ..Known::leaf(float, FLOAT)
                }
            }
            10 => Known {
                key: true,
                ..Known::leaf("bool", BOOL)
            },
            11 => Known {
                accepts: CHAR | STR,
                key: true,
                ..Known::leaf("char", CHAR)
            },
            12..15 => Known {
                key: true,
                ..Known::leaf("String", STR)
            },
            15 => Known::leaf("Cow<'static, str>", STR),
            16 => {
                let (text, kinds) = *self.rng.pick(&[
                    ("IpAddr", STR),
                    ("NonZero<u32>", INT),
                    ("NonZero<i64>", INT),
                ]);
                Known {
                    default: false,
                    key: true,
                    ..Known::leaf(text, kinds)
                }
            }
            17 => Known {
                accepts: MAP | SEQ,
                key: !want.buffered,
                ..Known::leaf("Duration", MAP)
            },
            18 => Known::leaf("PathBuf", STR),
            _ => Known {
                accepts: UNIT,
                ..Known::leaf("()", UNIT)
            },
        }
    }

    /// One of the types that were made before, if one is found that fits.
    pub(super) fn earlier(&mut self, fits: impl Fn(&Known) -> bool) -> Option<Known> {
        for _ in 0..30 {
            if self.known.is_empty() {
                return None;
            }
            let at = self.rng.below(self.known.len());
            let known = &self.known[at];
            if fits(known) && known.weight <= HEAVIEST && (known.calm || self.rng.below(100) < 8) {
                return Some(self.known[at].clone());
            }
        }
        None
    }

    pub(super) fn key(&mut self) -> Known {
        if self.rng.percent(30)
            && let Some(key) = self.earlier(|known| known.key)
        {
            return key;
        }
        if self.rng.percent(15) {
            let (a, b) = (
                *self.rng.pick(INTS),
                *self.rng.pick(&["String", "u8", "char"]),
            );
            return Known {
                key: true,
                ..Known::leaf(&format!("({a}, {b})"), SEQ)
            };
        }
        let want = Want {
            buffered: true,
            depth: 0,
        };
        loop {
            let leaf = self.leaf(want);
            if leaf.key {
                return leaf;
            }
        }
    }

    /// Any type.
    pub(super) fn any(&mut self, want: Want) -> Known {
        if want.depth >= 3 {
            return self.leaf(want);
        }
        let deeper = want.deeper();
        match self.rng.below(20) {
            0..4 => {
                let allow_wide = !want.buffered || self.rng.percent(5);
                match self.earlier(|known| !known.wide || allow_wide) {
                    Some(known) => known,
                    None => self.leaf(want),
                }
            }
            4..7 => self.option(want),
            7 | 8 => {
                let inner = self.any(deeper);
                Known {
                    weight: 2,
                    ..Known::of(format!("Vec<{}>", inner.text), SEQ, &[&inner])
                }
            }
            9 => self.map(want),
            10 => {
                let inner = self.any(deeper);
                let count = self.rng.below(4);
                Known {
                    default: inner.default,
                    weight: 1 + count * inner.weight,
                    ..Known::of(format!("[{}; {count}]", inner.text), SEQ, &[&inner])
                }
            }
            11 => {
                let parts: Vec<Known> = (0..2 + self.rng.below(2))
                    .map(|_| self.any(deeper))
                    .collect();
                let texts: Vec<&str> = parts.iter().map(|part| &*part.text).collect();
                Known {
                    default: parts.iter().all(|part| part.default),
                    ..Known::of(
                        format!("({})", texts.join(", ")),
                        SEQ,
                        &parts.iter().collect::<Vec<_>>(),
                    )
                }
            }
            12 => {
                let inner = self.any(deeper);
                Known {
                    text: format!("Box<{}>", inner.text),
                    key: false,
                    ..inner
                }
            }
            _ => self.leaf(want),
        }
    }

    pub(super) fn option(&mut self, want: Want) -> Known {
        let inner = self.any(want.deeper());
        Known {
            text: format!("Option<{}>", inner.text),
            accepts: inner.accepts | UNIT | SOME,
            emits: inner.emits | UNIT | SOME,
            weight: 1,
            option: true,
            default: true,
            key: inner.key,
            taggable: false,
            flat: false,
            firm: false,
            ..inner
        }
    }

    pub(super) fn map(&mut self, want: Want) -> Known {
        let (key, value) = (self.key(), self.any(want.deeper()));
        let kind = *self.rng.pick(&["HashMap", "BTreeMap"]);
        Known {
            weight: 2,
            ..Known::of(
                format!("{kind}<{}, {}>", key.text, value.text),
                MAP,
                &[&value],
            )
        }
    }
}
