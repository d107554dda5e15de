//! Random values, what must become of them on their way, and equality to the last bit (`NaN` is
//! equal to itself).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use mp_tests::serde_types::Rng;

/// How deep values of recursive types may be.
const DEEPEST: usize = 5;

/// Makes values, and knows how deep it is in one.
pub(crate) struct Source {
    pub(crate) rng: Rng,
    depth: usize,
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Source {
            rng: Rng::new(seed),
            depth: 0,
        }
    }

    pub(crate) fn deeper<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let value = make(self);
        self.depth -= 1;
        value
    }

    /// A number of elements.
    pub(crate) fn count(&mut self) -> usize {
        match self.depth >= DEEPEST {
            true => 0,
            false => self.rng.below(4),
        }
    }
}

/// Why a value cannot arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The variant is not to be written.
    Skipped,
    /// What stands in a tagged variant has no place for the tag.
    NoMap,
    /// A number of 128 bits that is read from serde's buffer.
    Wide,
    /// It is written under another name than it is read.
    Names,
    /// A field that is wanted is not written.
    Missing,
    /// A field that is written is refused.
    Unknown,
    /// The variant is not to be read.
    NotRead,
    /// A tuple of another length is written than is read.
    Count,
}

impl Cause {
    /// Whether serde says so when the value is written.
    fn is_of_writing(self) -> bool {
        matches!(self, Cause::Skipped | Cause::NoMap)
    }
}

/// A reason why a value is refused, and what the sender's error must name (one of these).
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    pub(crate) names: Vec<&'static str>,
    /// Also where serde buffers it and nothing reads it.
    huge: bool,
}

/// Where in a value we are, and what was found.
#[derive(Default)]
pub(crate) struct Way {
    buffered: bool,
    pub(crate) refusals: Vec<Refusal>,
}

impl Way {
    pub(crate) fn refuse(&mut self, cause: Cause, names: &[&'static str]) {
        self.refusals.push(Refusal {
            cause,
            names: names.to_vec(),
            huge: false,
        });
    }

    /// A number of 128 bits.
    fn wide(&mut self, huge: bool) {
        if self.buffered {
            self.refuse(Cause::Wide, &["128"]);
            self.refusals.last_mut().expect("the one just noted").huge = huge;
        }
    }

    /// Inside of what serde reads from its buffer.
    pub(crate) fn buffered<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.buffered, true);
        let value = look(self);
        self.buffered = before;
        value
    }

    /// Inside of a type that tries its variants by turns: it forgets what they said, and names
    /// itself.
    pub(crate) fn untagged<T>(
        &mut self,
        name: &'static str,
        look: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.refusals.len();
        let value = self.buffered(look);
        for refusal in &mut self.refusals[before..] {
            if !refusal.cause.is_of_writing() {
                refusal.names.push(name);
            }
        }
        value
    }

    /// Inside of what is written and never read.
    pub(crate) fn written(&mut self, look: impl FnOnce(&mut Self)) {
        let (before, buffered) = (self.refusals.len(), self.buffered);
        look(self);
        let mut at = 0;
        self.refusals.retain(|refusal| {
            at += 1;
            at <= before || refusal.cause.is_of_writing() || buffered && refusal.huge
        });
    }
}

/// A type whose values are tried.
pub(crate) trait Sample: Clone + Debug {
    /// A random value.
    fn make(from: &mut Source) -> Self;

    /// What must arrive, unless a refusal is noted.
    fn arrive(&self, _way: &mut Way) -> Self {
        self.clone()
    }

    /// Whether both are the same value to the last bit.
    fn same(&self, other: &Self) -> bool;
}

/// A value that is the same each time: the default of fields that name it.
pub(crate) fn fixed<T: Sample>() -> T {
    T::make(&mut Source::new(7))
}

macro_rules! ints {
    ($($int:ty)*) => {$(
        impl Sample for $int {
            fn make(from: &mut Source) -> Self {
                match from.rng.below(8) {
                    0 => 0,
                    1 => <$int>::MAX,
                    2 => <$int>::MIN,
                    3 => (from.rng.bits() % 100) as $int,
                    _ => from.rng.bits() as $int,
                }
            }
            fn same(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}
ints! { u8 u16 u32 u64 usize i8 i16 i32 i64 isize }

macro_rules! wide {
    ($($int:ty)*) => {$(
        impl Sample for $int {
            fn make(from: &mut Source) -> Self {
                match from.rng.below(4) {
                    0 => <$int>::MAX,
                    1 => <$int>::MIN,
                    2 => from.rng.bits() as $int,
                    _ => (u128::from(from.rng.bits()) << 64 | u128::from(from.rng.bits())) as $int,
                }
            }
            fn arrive(&self, way: &mut Way) -> Self {
                way.wide(u64::try_from(*self).is_err() && i64::try_from(*self).is_err());
                *self
            }
            fn same(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}
wide! { u128 i128 }

macro_rules! floats {
    ($($float:ty)*) => {$(
        impl Sample for $float {
            fn make(from: &mut Source) -> Self {
                match from.rng.below(8) {
                    0 => <$float>::NAN,
                    1 => <$float>::NEG_INFINITY,
                    2 => -0.0,
                    3 => <$float>::MIN_POSITIVE / 2.0,
                    4 => 1.0,
                    _ => from.rng.bits() as $float / 3.0,
                }
            }
            fn same(&self, other: &Self) -> bool {
                self.to_bits() == other.to_bits()
            }
        }
    )*};
}
floats! { f32 f64 }

macro_rules! equal {
    ($($type:ty: $from:ident => $make:expr;)*) => {$(
        impl Sample for $type {
            fn make($from: &mut Source) -> Self {
                $make
            }
            fn same(&self, other: &Self) -> bool {
                self == other
            }
        }
    )*};
}
equal! {
    (): _from => ();
    bool: from => from.rng.percent(50);
    char: from => *from.rng.pick(&['a', 'ß', '\0', '🦀', '1']);
    String: from => text(from);
    Cow<'static, str>: from => match from.rng.percent(50) {
        true => Cow::Borrowed("borrowed"),
        false => Cow::Owned(text(from)),
    };
    PathBuf: from => PathBuf::from(text(from));
    Duration: from => Duration::new(from.rng.bits() >> from.rng.below(64), from.rng.below(1_000_000_000) as u32);
    NonZero<u32>: from => NonZero::new(u32::make(from)).unwrap_or(NonZero::<u32>::MAX);
    NonZero<i64>: from => NonZero::new(i64::make(from)).unwrap_or(NonZero::<i64>::MIN);
    IpAddr: from => match from.rng.percent(50) {
        true => Ipv4Addr::from_bits(from.rng.bits() as u32).into(),
        false => Ipv6Addr::from_bits(from.rng.bits().into()).into(),
    };
}

/// Text without a sign that stands in the name of a field.
fn text(from: &mut Source) -> String {
    let signs = ['A', '7', ' ', '"', '\\', '\0', '\n', 'ß', '🦀'];
    let count = from.rng.below(9);
    (0..count).map(|_| *from.rng.pick(&signs)).collect()
}

impl<T: Sample> Sample for Option<T> {
    fn make(from: &mut Source) -> Self {
        (from.count() > 0).then(|| from.deeper(T::make))
    }
    fn arrive(&self, way: &mut Way) -> Self {
        self.as_ref().map(|value| value.arrive(way))
    }
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(a), Some(b)) => a.same(b),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<T: Sample> Sample for Box<T> {
    fn make(from: &mut Source) -> Self {
        Box::new(from.deeper(T::make))
    }
    fn arrive(&self, way: &mut Way) -> Self {
        Box::new((**self).arrive(way))
    }
    fn same(&self, other: &Self) -> bool {
        (**self).same(other)
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn make(from: &mut Source) -> Self {
        let count = from.count();
        from.deeper(|from| (0..count).map(|_| T::make(from)).collect())
    }
    fn arrive(&self, way: &mut Way) -> Self {
        self.iter().map(|value| value.arrive(way)).collect()
    }
    fn same(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(a, b)| a.same(b))
    }
}

impl<T: Sample, const N: usize> Sample for [T; N] {
    fn make(from: &mut Source) -> Self {
        std::array::from_fn(|_| from.deeper(T::make))
    }
    fn arrive(&self, way: &mut Way) -> Self {
        std::array::from_fn(|at| self[at].arrive(way))
    }
    fn same(&self, other: &Self) -> bool {
        self.iter().zip(other).all(|(a, b)| a.same(b))
    }
}

macro_rules! tuples {
    ($($($name:ident $at:tt)*;)*) => {$(
        impl<$($name: Sample),*> Sample for ($($name,)*) {
            fn make(from: &mut Source) -> Self {
                ($(from.deeper($name::make),)*)
            }
            fn arrive(&self, way: &mut Way) -> Self {
                ($(self.$at.arrive(way),)*)
            }
            fn same(&self, other: &Self) -> bool {
                true $(&& self.$at.same(&other.$at))*
            }
        }
    )*};
}
tuples! { A 0 B 1; A 0 B 1 C 2; }

impl<K: Sample + Eq + Hash, V: Sample> Sample for HashMap<K, V> {
    fn make(from: &mut Source) -> Self {
        let count = from.count();
        from.deeper(|from| (0..count).map(|_| (K::make(from), V::make(from))).collect())
    }
    fn arrive(&self, way: &mut Way) -> Self {
        self.iter()
            .map(|(key, value)| (key.clone(), value.arrive(way)))
            .collect()
    }
    fn same(&self, other: &Self) -> bool {
        let found = |(key, value): (&K, &V)| other.get(key).is_some_and(|found| found.same(value));
        self.len() == other.len() && self.iter().all(found)
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn make(from: &mut Source) -> Self {
        let count = from.count();
        from.deeper(|from| (0..count).map(|_| (K::make(from), V::make(from))).collect())
    }
    fn arrive(&self, way: &mut Way) -> Self {
        self.iter()
            .map(|(key, value)| (key.clone(), value.arrive(way)))
            .collect()
    }
    fn same(&self, other: &Self) -> bool {
        let both = self.iter().zip(other);
        self.len() == other.len() && both.into_iter().all(|(a, b)| a.0 == b.0 && a.1.same(b.1))
    }
}

/// Makes a type a [`Sample`]: for each of its variants (a struct has one) its fields, and what
/// becomes of them.
///
/// The fate of a field: `keep` (it arrives), `same` (whatever is inside), `flat` (read from a
/// buffer), `gone X` (X arrives), `written X` (the same, but it is written), `unread X` (the same,
/// and serde buffers it), `gone_if (P) X`, `lost_if (P) cause [names]`, `odd cause [names]`
/// (refused). The fate of a variant: `keep`, `odd cause [names]`, `other (X)` (X arrives).
macro_rules! sample {
    ($name:ident $mode:ident $count:literal {
        $([$at:literal] $($path:ident)::+ { $($field:tt: $binding:ident $fate:tt),* } $whole:tt;)+
    }) => {
        impl Default for $name {
            fn default() -> Self {
                Self::make(&mut Source::new(11))
            }
        }
        impl Sample for $name {
            fn make(from: &mut Source) -> Self {
                let variant = from.rng.below($count);
                from.deeper(|from| match variant {
                    $($at => $($path)::+ { $($field: Sample::make(from)),* },)+
                    _ => unreachable!("there are {} variants", $count),
                })
            }
            fn arrive(&self, way: &mut Way) -> Self {
                within!(way $mode $name, |way: &mut Way| match self {
                    $($($path)::+ { $($field: $binding),* } => {
                        let value = $($path)::+ { $($field: fate!(way $binding $fate)),* };
                        whole!(way value $whole)
                    })+
                })
            }
            fn same(&self, other: &Self) -> bool {
                match self {
                    $($($path)::+ { $($field: $binding),* } => {
                        let mine = ($($binding,)*);
                        #[allow(irrefutable_let_patterns)]
                        if let $($path)::+ { $($field: $binding),* } = other {
                            all_same!(mine ($($binding,)*))
                        } else {
                            false
                        }
                    })+
                }
            }
        }
    };
}

macro_rules! within {
    ($way:ident plain $name:ident, $look:expr) => {
        ($look)($way)
    };
    ($way:ident buffered $name:ident, $look:expr) => {
        $way.untagged(stringify!($name), $look)
    };
    ($way:ident untagged $name:ident, $look:expr) => {
        $way.untagged(stringify!($name), $look)
    };
}

macro_rules! fate {
    ($way:ident $value:ident (keep)) => {
        $value.arrive($way)
    };
    ($way:ident $value:ident (same)) => {
        $value.clone()
    };
    ($way:ident $value:ident (flat)) => {
        $way.buffered(|way: &mut Way| $value.arrive(way))
    };
    ($way:ident $value:ident (gone $else:expr)) => {
        $else
    };
    ($way:ident $value:ident (written $else:expr)) => {{
        $way.written(|way: &mut Way| {
            let _ = $value.arrive(way);
        });
        $else
    }};
    ($way:ident $value:ident (unread $else:expr)) => {{
        $way.buffered(|way: &mut Way| {
            way.written(|way| {
                let _ = $value.arrive(way);
            });
        });
        $else
    }};
    ($way:ident $value:ident (gone_if ($when:expr) $else:expr)) => {
        if $when($value) { $else } else { $value.arrive($way) }
    };
    ($way:ident $value:ident (lost_if ($when:expr) $cause:ident [$($names:literal),*])) => {{
        if $when($value) {
            $way.refuse(Cause::$cause, &[$($names),*]);
        }
        $value.arrive($way)
    }};
    ($way:ident $value:ident (odd $cause:ident [$($names:literal),*])) => {{
        $way.refuse(Cause::$cause, &[$($names),*]);
        $value.clone()
    }};
}

macro_rules! whole {
    ($way:ident $value:ident (keep)) => {
        $value
    };
    ($way:ident $value:ident (other ($else:expr))) => {
        $else
    };
    ($way:ident $value:ident (odd $cause:ident [$($names:literal),*])) => {{
        $way.refuse(Cause::$cause, &[$($names),*]);
        $value
    }};
}

/// Whether two tuples of references hold the same.
pub(crate) trait AllSame {
    fn all_same(self, other: Self) -> bool;
}

macro_rules! all_same {
    ($mine:ident $other:tt) => {
        crate::sample::AllSame::all_same($mine, $other)
    };
}

macro_rules! all_same_of {
    ($($($name:ident $at:tt)*;)*) => {$(
        impl<$($name: Sample),*> AllSame for ($(&$name,)*) {
            fn all_same(self, _other: Self) -> bool {
                true $(&& self.$at.same(_other.$at))*
            }
        }
    )*};
}
all_same_of! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}
