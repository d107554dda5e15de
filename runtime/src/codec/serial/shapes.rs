#![allow(unsafe_code)]
//! Shapes: lists of names as they were written, by number. The table of the session, and what this
//! process knows of it.
//!
//! Relies on `heap::ShapeTable`. A *sender* finds the number of a list in three steps: its
//! prediction for the struct (two ways a place, by the address of the struct's name), the process's
//! index by content, the table. A *reader* copies a shape at the first sight of its number and
//! keeps it; numbers never change their meaning, so nothing is ever taken out of either.
//!
//! | shared by threads | written | ordering |
//! |---|---|---|
//! | `WAYS`: leaked entries | by any sender, any time; either way is right | release / acquire |
//! | `KNOWN`: leaked shapes | once by each number | release / acquire; the loser of a race leaks its copy |
//! | `Entry::checked` | set once, never cleared | relaxed: they guard nothing else |
//! | `Shape::reader`: an address, or 0 | by any reader, any time | relaxed: what stands there never changes |

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fault::Fault;
use super::format::{INLINE, kind};
use crate::heap::{self, SHAPES};

/// A name packed with its length, as a sender compares it: two names are taken for one only where
/// they are one.
pub(super) type Packed = u64;

/// What no name is packed as: the end of a list.
const END: Packed = 0;
/// And what is not the end of a list either: a list that is being recorded is equal to nothing.
const RECORDED: [Packed; 1] = [1];

/// What a name is packed as that is in no entry.
const NEVER: Packed = 2;
/// The longest name that can be predicted; what no list in an entry has.
const LONG: usize = 1 << 16;

#[inline(always)]
pub(super) fn packed(name: &'static str) -> Packed {
    if name.len() < LONG {
        (name.as_ptr().addr() as u64) << 16 | name.len() as u64
    } else {
        NEVER
    }
}

/// Whether a name may stand in an entry: packed as no other name of this process is.
fn can_be_predicted(name: &str) -> bool {
    name.len() < LONG && (name.as_ptr().addr() as u64) < 1 << 48
}

/// What a list belongs to. A variant's list begins with its own name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) kind: u8,
    pub(super) name: &'static str,
    /// The enum of a variant.
    pub(super) of: &'static str,
    pub(super) fields: usize,
}

impl Owner {
    #[inline(always)]
    fn place(&self) -> usize {
        let at = self.name.as_ptr().addr() >> 2;
        at.wrapping_add(self.fields * 31 + (self.kind as usize) * 67) % PLACES
    }

    #[inline(always)]
    fn key(&self) -> (Packed, u64) {
        // Variants of one name in two enums are told apart; that they are is of no other use.
        let of = (self.of.as_ptr().addr() as u64) << 24;
        (
            packed(self.name),
            of ^ (self.fields as u64) << 8 ^ u64::from(self.kind),
        )
    }
}

/// A list that a sender of this process has written, and its number.
pub(super) struct Entry {
    key: (Packed, u64),
    pub(super) number: u32,
    /// The names as the sender compares them, up to [`END`].
    packed: Box<[Packed]>,
    names: Box<[&'static str]>,
    /// Whether a value with this list has been decoded again from its own bytes.
    pub(super) checked: AtomicBool,
}

const PLACES: usize = 512;
static WAYS: [[AtomicPtr<Entry>; 2]; PLACES] =
    [const { [const { AtomicPtr::new(std::ptr::null_mut()) }; 2] }; PLACES];

/// The names of an entry that are still to come; or of none, while a list is recorded.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    pub(super) entry: Option<&'static Entry>,
    at: *const Packed,
}

impl Rest {
    /// Nothing is predicted.
    pub(super) const NONE: Rest = Rest {
        entry: None,
        at: RECORDED.as_ptr(),
    };

    /// Whether this is the next name; goes on behind it if so.
    #[inline(always)]
    pub(super) fn take(&mut self, name: Packed) -> bool {
        // SAFETY: `at` points into a list that does not end without `END`, or to `RECORDED`; no
        // name is equal to either, so it is not moved beyond them.
        unsafe {
            let is_next = *self.at == name;
            if is_next {
                self.at = self.at.add(1);
            }
            is_next
        }
    }

    #[inline(always)]
    pub(super) fn is_at_end(&self) -> bool {
        // SAFETY: as in `take`.
        unsafe { *self.at == END }
    }

    /// The names before this place.
    pub(super) fn taken(&self) -> &'static [&'static str] {
        let Some(entry) = self.entry else {
            return &[];
        };
        let count = (self.at.addr() - entry.packed.as_ptr().addr()) / size_of::<Packed>();
        &entry.names[..count.min(entry.names.len())]
    }
}

impl Entry {
    fn start(&'static self) -> Rest {
        Rest {
            entry: Some(self),
            at: self.packed.as_ptr(),
        }
    }
}

#[inline(always)]
fn way(place: usize, way: usize) -> Option<&'static Entry> {
    let entry = WAYS[place % PLACES][way].load(Ordering::Acquire);
    // SAFETY: null, or a leaked entry.
    unsafe { entry.as_ref() }
}

/// The list that a value of this owner had last.
#[inline(always)]
pub(super) fn predicted(owner: Owner) -> Rest {
    let (place, key) = (owner.place(), owner.key());
    match way(place, 0) {
        Some(entry) if entry.key == key => entry.start(),
        _ => other_way(place, key),
    }
}

#[cold]
#[inline(never)]
fn other_way(place: usize, key: (Packed, u64)) -> Rest {
    way(place, 1)
        .filter(|entry| entry.key == key)
        .map_or(Rest::NONE, Entry::start)
}

/// Another list of the same owner, with the same names so far and this one next.
#[cold]
#[inline(never)]
pub(super) fn instead(owner: Owner, rest: Rest, name: Packed) -> Option<Rest> {
    let (place, key) = (owner.place(), owner.key());
    let (taken, entry) = (rest.taken().len(), rest.entry?);
    for number in 0..2 {
        let Some(other) = way(place, number).filter(|entry| entry.key == key) else {
            continue;
        };
        let same = other.packed.get(..taken) == entry.packed.get(..taken);
        if same && other.packed.get(taken) == Some(&name) {
            prefer(place, other);
            let mut rest = other.start();
            // SAFETY: the list has the names so far and the next one (just checked).
            rest.at = unsafe { rest.at.add(taken + 1) };
            return Some(rest);
        }
    }
    None
}

/// The next prediction is this one, the one before is the second.
fn prefer(place: usize, entry: &'static Entry) {
    let entry = std::ptr::from_ref(entry).cast_mut();
    let [first, second] = &WAYS[place % PLACES];
    let before = first.load(Ordering::Acquire);
    if before != entry {
        first.store(entry, Ordering::Release);
        second.store(before, Ordering::Release);
    }
}

/// What this process knows of the session's table.
#[derive(Default)]
struct Index {
    numbers: HashMap<Vec<u8>, u32>,
    /// How many entries of the table have been looked at.
    seen: usize,
    entries: HashMap<(Owner, Vec<Packed>), &'static Entry>,
}

static INDEX: Mutex<Option<Index>> = Mutex::new(None);

fn index() -> MutexGuard<'static, Option<Index>> {
    INDEX.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of a list that was written and not predicted.
pub(super) enum Recorded {
    Entry(&'static Entry),
    /// It has a number, and there are too many entries for one more.
    Number(u32),
    /// The table has no room, or there is no session.
    Nowhere,
}

/// Entries are kept for ever: a type whose lists are made up as it goes along gets no more.
const MOST_ENTRIES: usize = 2 * SHAPES;

/// Looks a list up, or gives it an entry.
#[cold]
pub(super) fn recorded(owner: Owner, names: &[&'static str]) -> Recorded {
    let can_be_predicted =
        can_be_predicted(owner.name) && names.iter().all(|name| can_be_predicted(name));
    let list: Vec<Packed> = names.iter().map(|name| packed(name)).collect();
    let mut index = index();
    let index = index.get_or_insert_default();
    let key = (owner, list);
    if let Some(entry) = index.entries.get(&key) {
        if can_be_predicted {
            prefer(owner.place(), entry);
        }
        return Recorded::Entry(entry);
    }
    // The parts of a tuple have no names: it has an entry to be checked by, and no number.
    let number = match owner.kind {
        kind::TUPLE => Some(INLINE),
        _ => index.number(&content(owner.kind, names)),
    };
    let Some(number) = number else {
        return Recorded::Nowhere;
    };
    if index.entries.len() >= MOST_ENTRIES {
        return Recorded::Number(number);
    }
    let mut list = key.1.clone();
    list.push(END);
    let entry: &'static Entry = Box::leak(Box::new(Entry {
        key: owner.key(),
        number,
        packed: list.into(),
        names: names.into(),
        checked: AtomicBool::new(false),
    }));
    if can_be_predicted {
        prefer(owner.place(), entry);
    }
    index.entries.insert(key, entry);
    Recorded::Entry(entry)
}

impl Index {
    /// The number of a list, which is appended if no process has yet.
    fn number(&mut self, content: &[u8]) -> Option<u32> {
        if let Some(number) = self.numbers.get(content) {
            return Some(*number);
        }
        let table = heap::current()?.shapes();
        while self.seen < table.len() {
            let number = u32::try_from(self.seen).ok()?;
            self.seen += 1;
            // What is spoilt, or was left by a process that was killed, is passed over.
            if let Ok(Some(text)) = table.get(number) {
                self.numbers.entry(text).or_insert(number);
            }
        }
        if let Some(number) = self.numbers.get(content) {
            return Some(*number);
        }
        let number = table.append(content)?;
        self.numbers.insert(content.to_vec(), number);
        Some(number)
    }
}

/// A list as it stands in the table: the kind, then the names.
fn content(kind: u8, names: &[&str]) -> Vec<u8> {
    let mut content = vec![kind];
    content.extend(listed(names));
    content
}

/// Names as they stand in a message or the table: each its length (`u32`) and its bytes.
pub(super) fn listed(names: &[&str]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        list.extend((name.len() as u32).to_le_bytes());
        list.extend(name.as_bytes());
    }
    list
}

/// The names in such a list.
pub(super) fn names_in(mut list: &[u8]) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    while !list.is_empty() {
        let (name, rest) = first_in(list)?;
        names.push(name);
        list = rest;
    }
    Some(names)
}

/// One of the names in such a list.
#[cold]
pub(super) fn name_in(mut list: &[u8], index: usize) -> Option<&str> {
    for _ in 0..index {
        list = first_in(list)?.1;
    }
    first_in(list).map(|(name, _)| name)
}

fn first_in(list: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = list.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// A list as a reader knows it.
pub(super) struct Shape {
    pub(super) names: &'static [&'static str],
    /// The code of a reader that takes just these fields, in this order.
    reader: AtomicUsize,
}

impl Shape {
    /// Whether a visitor of type `V` may be shown the values alone: it reads just the fields that
    /// are written behind the `first` names. `reader` is code that belongs to `V` alone.
    #[inline(always)]
    pub(super) fn has_just<V>(
        &self,
        first: usize,
        fields: &'static [&'static str],
        reader: usize,
    ) -> bool {
        self.names.len() == first + fields.len()
            && (self.reader.load(Ordering::Relaxed) == reader
                || self.compare::<V>(first, fields, reader))
    }

    #[cold]
    #[inline(never)]
    fn compare<V>(&self, first: usize, fields: &'static [&'static str], reader: usize) -> bool {
        let same = self.names[first..] == *fields && is_derived::<V>();
        if same {
            self.reader.store(reader, Ordering::Relaxed);
        }
        same
    }
}

/// Whether a visitor was written by serde's derive, which takes values in the order of its fields.
/// One that was written by hand may take them in another, and is shown their names.
fn is_derived<V>() -> bool {
    let name = std::any::type_name::<V>();
    name.ends_with("::__Visitor") || name.contains("::__Visitor<")
}

static KNOWN: [AtomicPtr<Shape>; SHAPES] = [const { AtomicPtr::new(std::ptr::null_mut()) }; SHAPES];

/// The shape with a number.
#[inline(always)]
pub(super) fn shape(number: u32, kind: u8) -> Result<&'static Shape, Fault> {
    let known = KNOWN
        .get(number as usize)
        .map(|known| known.load(Ordering::Acquire));
    // SAFETY: null, or a leaked shape.
    match known.and_then(|known| unsafe { known.as_ref() }) {
        Some(shape) => Ok(shape),
        None => learn(number, kind),
    }
}

#[cold]
#[inline(never)]
fn learn(number: u32, kind: u8) -> Result<&'static Shape, Fault> {
    let unknown = || Fault::new(format!("shape {number} is none of this session's"));
    debug_assert_ne!(number, INLINE);
    let known = KNOWN.get(number as usize).ok_or_else(unknown)?;
    let heap = heap::current().ok_or_else(unknown)?;
    let content = heap.shapes().get(number).map_err(Fault::own)?;
    let content = content.filter(|content| content.first() == Some(&kind));
    let content = content.filter(|content| names_in(&content[1..]).is_some());
    // Kept for ever, and so are at most as many as the table has.
    let content: &'static [u8] = Vec::leak(content.ok_or_else(unknown)?);
    let names = names_in(&content[1..]).ok_or_else(unknown)?;
    let shape = Box::leak(Box::new(Shape {
        names: Vec::leak(names),
        reader: AtomicUsize::new(0),
    }));
    match known.compare_exchange(
        std::ptr::null_mut(),
        shape,
        Ordering::AcqRel,
        Ordering::Acquire,
    ) {
        Ok(_) => Ok(shape),
        // SAFETY: not null: a leaked shape.
        Err(first) => Ok(unsafe { &*first }),
    }
}
