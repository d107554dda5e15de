//! Which tag each type gets, and that the same line of code chooses it through aliases and lifetimes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::*;
use crate::codec::probe::{Probe, Travels};
use crate::codec::tag::name_of;

struct NoSer;

type Row<'a> = &'a [f64];
type Column = Vec<f64>;

#[test]
fn every_type_gets_its_level() {
    macro_rules! table {
        ($($ty:ty => $name:literal $fixed:expr;)*) => {$({
            fn fixed<G: Tag>(_: G) -> Option<usize> { G::FIXED }
            assert_eq!(name_of(tag!($ty)), $name, stringify!($ty));
            assert_eq!(fixed(tag!($ty)), $fixed, stringify!($ty));
        })*};
    }
    table! {
        u64 => "Raw" Some(8);
        f64 => "Raw" Some(8);
        bool => "Raw" Some(1);
        char => "Raw" Some(4);
        u128 => "Raw" Some(16);
        () => "Raw" Some(0);
        NonZeroU32 => "Raw" Some(4);
        [f64; 3] => "Raw" Some(24);
        [[bool; 2]; 5] => "Raw" Some(10);
        Padded => "Raw" Some(24);
        Vec<f64> => "Block" None;
        Vec<u8> => "Block" None;
        Vec<bool> => "Block" None;
        Vec<()> => "Block" None;
        Vec<[f64; 3]> => "Block" None;
        Vec<Padded> => "Block" None;
        Column => "Block" None;
        &[f64] => "Slice" None;
        &[u8] => "Slice" None;
        &[bool] => "Slice" None;
        &[Padded] => "Slice" None;
        Row<'_> => "Slice" None;
        &str => "Str" None;
        String => "Text" None;
        PathBuf => "PathName" None;
        OsString => "Os" None;
        &Path => "PathView" None;
        &OsStr => "OsView" None;
        Cow<'_, str> => "CowText" None;
        Cow<'_, OsStr> => "CowOs" None;
        Cow<'_, Path> => "CowPath" None;
        Cow<'_, [u32]> => "CowBlock" None;
        &u64 => "LentPlain" Some(8);
        &Padded => "LentPlain" Some(24);
        &[f64; 3] => "LentPlain" Some(24);
        &Vec<f64> => "LentValue" None;
        &String => "LentValue" None;
        &PathBuf => "LentValue" None;
        &OsString => "LentValue" None;
        &User => "LentValue" None;
        &Option<u64> => "LentValue" None;
        &Vec<String> => "LentValue" None;
        &[String] => "LentSeq" None;
        &[User] => "LentSeq" None;
        User => "Serde" None;
        Shape => "Serde" None;
        Option<u64> => "Serde" None;
        Option<Option<u64>> => "Serde" None;
        (u64, f64) => "Serde" None;
        (Vec<f64>, u64) => "Serde" None;
        Vec<String> => "Serde" None;
        Vec<Vec<f64>> => "Serde" None;
        HashMap<String, u64> => "Serde" None;
        BTreeMap<u32, User> => "Serde" None;
        Result<u64, String> => "Serde" None;
        Box<User> => "Serde" None;
        std::time::Duration => "Serde" None;
        NoSer => "Never" None;
        *const u64 => "Never" None;
        Vec<NoSer> => "Never" None;
        Option<&'static u64> => "Never" None;
        fn(u64) -> u64 => "Never" None;
        &NoSer => "NeverRef" None;
        &[NoSer] => "NeverRef" None;
        &dyn std::fmt::Debug => "NeverRef" None;
        &&u64 => "NeverRef" None;
    }
}

#[test]
fn what_may_travel_passes() {
    fn require<T: ?Sized, G: Travels<T>>(_: &Probe<T>, _: G) {}
    macro_rules! pass {
        ($($ty:ty;)*) => {$( require(&Probe::<$ty>::NEW, tag!($ty)); )*};
    }
    pass! {
        u64; Vec<f64>; &[f64]; &str; String; PathBuf; &Path; &OsStr; OsString; Cow<'_, str>; &u64; &User; &[String];
        User; Option<u64>;
    }
}
