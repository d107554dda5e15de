#![allow(unsafe_code)]
//! Paths that are no text: serde's own implementation refuses them, so they are told by their type
//! and go round it.
//!
//! Relies on the crate typeid. What is text goes as text, so that any reader of text takes it.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::Serializer;

/// The bytes of a path that is no text, if the value is one.
#[inline(always)]
pub(super) fn not_text<T: ?Sized>(value: &T) -> Option<&[u8]> {
    let path = path_in(value)?;
    odd(path)
}

#[cold]
fn odd(path: &Path) -> Option<&[u8]> {
    match path.to_str() {
        Some(_) => None,
        None => Some(path.as_os_str().as_bytes()),
    }
}

#[inline(always)]
fn path_in<T: ?Sized>(value: &T) -> Option<&Path> {
    let id = typeid::of::<T>();
    if id == typeid::of::<Path>() {
        // SAFETY: `T` is `Path`, so both references are the same.
        return Some(unsafe { std::mem::transmute_copy::<&T, &Path>(&value) });
    }
    macro_rules! look {
        ($($ty:ty)*) => {$(
            if id == typeid::of::<$ty>() {
                // SAFETY: `T` is this type but for its lifetimes, and lives as long as `value`.
                let value: &$ty = unsafe { &*std::ptr::from_ref(value).cast::<$ty>() };
                let path: &Path = value;
                return Some(path);
            }
        )*};
    }
    look! {
        PathBuf &PathBuf &Path &&Path &&PathBuf Box<Path> &Box<Path> Cow<'_, Path> &Cow<'_, Path>
        Rc<Path> Arc<Path> Box<PathBuf> &Box<PathBuf> Rc<PathBuf> Arc<PathBuf> &Arc<PathBuf> &Arc<Path>
    }
    None
}

/// A value of the type that is asked for, if that is a path.
#[inline(always)]
pub(super) fn made<V>(bytes: &[u8]) -> Option<V> {
    if typeid::of::<V>() != typeid::of::<PathBuf>() {
        return None;
    }
    let path = std::mem::ManuallyDrop::new(PathBuf::from(OsString::from_vec(bytes.to_vec())));
    // SAFETY: `V` is `PathBuf`, and the one that is copied out of is not dropped.
    Some(unsafe { std::mem::transmute_copy::<PathBuf, V>(&path) })
}

/// Writes a path as bytes, so that it can be read back whatever they are: for `#[serde(with =
/// "mp::serde_path")]`.
///
/// Only needed where serde buffers values (`untagged`, `tag`, `flatten`) or another attribute
/// stands between: everywhere else paths travel whatever their bytes.
///
/// ```
/// # use serde::{Serialize, Deserialize};
/// # use std::path::PathBuf;
/// #[derive(Serialize, Deserialize)]
/// #[serde(untagged)]
/// enum Source {
///     File {
///         #[serde(with = "mp::serde_path")]
///         path: PathBuf,
///     },
///     Text(String),
/// }
/// ```
///
/// # Errors
/// Those of the serializer.
pub fn serialize<P: AsRef<Path> + ?Sized, S: Serializer>(
    path: &P,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(path.as_ref().as_os_str().as_bytes())
}

/// Reads a path that [`serialize`] wrote, or one that was written as text.
///
/// # Errors
/// What is read is neither bytes nor text.
pub fn deserialize<'de, P: From<PathBuf>, D: Deserializer<'de>>(from: D) -> Result<P, D::Error> {
    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the bytes of a path")
        }

        fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
            Ok(text.as_bytes().to_vec())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Vec<u8>, A::Error> {
            let mut all = Vec::new();
            while let Some(byte) = bytes.next_element()? {
                all.push(byte);
            }
            Ok(all)
        }
    }

    let bytes = from.deserialize_byte_buf(Bytes)?;
    if bytes.contains(&0) {
        return Err(D::Error::custom("a path has a zero byte"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)).into())
}
