//! The types that were made, and a way through all of them.
#![allow(unused, clippy::all)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sample::{Cause, Sample, Source, Way, fixed};
use crate::tally::Tally;
use crate::ways::*;

macro_rules! try_all {
    ($($name:ident)*) => {
        pub(crate) fn all(tally: &mut Tally) {
            $(tally.of::<$name>(stringify!($name));)*
        }
    };
}

macro_rules! files {
    ($($name:ident)*) => {
        $(
            #[rustfmt::skip]
            mod $name;
            use $name::*;
        )*
        pub(crate) fn all(tally: &mut Tally) {
            $($name::all(tally);)*
        }
    };
}
files! { types_0 types_1 types_2 types_3 types_4 types_5 }
