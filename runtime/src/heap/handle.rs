#![allow(unsafe_code)]
//! Handles of shared objects: what a process has of them, and how they travel.
//!
//! Relies on `object`. A process holds an object once ([`Held`], counted by an `Arc` of its own),
//! however many handles of it there are. A handle travels only inside messages of ours: it is a
//! newtype of serde's whose contents no serializer or deserializer can write or make but the
//! codec's own, which know the types on both sides ([`ticket_of`], [`TicketVisitor::admits`]). So
//! no safe code can forge one, from JSON or otherwise, and none can lose one in a file.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::de::{Deserializer, Error as _, Visitor};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::object::{self, Body, Kind, Object, Place};
use super::undertaker::Undertaker;
use super::{Heap, SlotId};
use crate::error::{self, Error};
use crate::sys::memory;

/// The name of the newtype that handles are to serde.
pub(crate) const NAME: &str = "mp handle";

/// In the first word of a buffer's body: nobody writes it any more.
pub(crate) const FROZEN: u32 = 1;

#[repr(C)]
struct Frozen(AtomicU32);

// SAFETY: an atomic.
unsafe impl Body for Frozen {}

/// What this process holds, by place, and the ids of the objects it makes.
#[derive(Default)]
pub(super) struct Registry {
    held: Mutex<BTreeMap<u64, Weak<Held>>>,
    made: AtomicU32,
    /// What is held for messages of this process that are on their way, by block.
    lent: Mutex<HashMap<u64, Vec<Arc<Held>>>>,
}

impl Registry {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Weak<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds an object for the message in a block, until `take_back`.
    pub(super) fn lend(&self, block: u64, held: &Arc<Held>) {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.entry(block).or_default().push(Arc::clone(held));
    }

    /// Holds for the message in another block what was held for this one.
    pub(super) fn lend_over(&self, from: u64, to: u64) {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = lent.remove(&from) {
            lent.insert(to, held);
        }
    }

    /// What was held for the message in a block; held no more when that is dropped.
    pub(super) fn take_back(&self, block: u64) -> Vec<Arc<Held>> {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.remove(&block).unwrap_or_default()
    }

    /// Holds all that is held here in the name of another process too; gives the entries of those holds.
    pub(super) fn hold_for(
        &self,
        heap: &Heap,
        other: SlotId,
    ) -> Result<Vec<(Arc<Held>, u32)>, Error> {
        let all: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        let hold = |held: Arc<Held>| {
            let entry = Object::with_id(heap, held.place)?.hold(object::process_entry(other))?;
            Ok((held, entry))
        };
        all.into_iter().map(hold).collect()
    }

    /// An id that no other object of the session has.
    fn new_id(&self, me: SlotId) -> u64 {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        u64::from(me.pack()) << 31 | u64::from(number & 0x7fff_ffff)
    }
}

/// This process's hold of one object; given back when it is dropped.
pub struct Held {
    heap: &'static Heap,
    place: Place,
    kind: u32,
    mark: u64,
    entry: AtomicU32,
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the pointer is to a body in a mapping that is never unmapped; what is done with it is up to those who use it.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Held {
    fn make(
        heap: &'static Heap,
        kind: Kind,
        mark: u64,
        bytes: usize,
        init: impl FnOnce(NonNull<u8>) -> Result<(), Error>,
    ) -> Result<Arc<Held>, Error> {
        let id = heap.objects.new_id(heap.me());
        let (object, entry) = Object::make(heap, kind, mark, bytes, id, init)?;
        let held = Held::register(heap, &object, entry)?;
        // The size was read back from the head, which a wild writer may have spoilt by now.
        if held.bytes < bytes {
            return Err(too_small());
        }
        Ok(held)
    }

    fn register(heap: &'static Heap, object: &Object<'_>, entry: u32) -> Result<Arc<Held>, Error> {
        let (base, bytes) = object.body()?;
        let held = Arc::new(Held {
            heap,
            place: object.place(),
            kind: object.kind(),
            mark: object.mark(),
            entry: AtomicU32::new(entry),
            base,
            bytes,
        });
        heap.objects
            .lock()
            .insert(held.place.offset, Arc::downgrade(&held));
        Ok(held)
    }

    /// This process's hold of the object that a message names, while the message holds it.
    pub(crate) fn attach(heap: &'static Heap, place: Place) -> Result<Arc<Held>, Error> {
        let known = heap
            .objects
            .lock()
            .get(&place.offset)
            .and_then(Weak::upgrade);
        if let Some(held) = known.filter(|held| held.place == place) {
            return Ok(held);
        }
        let object = Object::with_id(heap, place)?;
        let entry = object.hold(object::process_entry(heap.me()))?;
        Held::register(heap, &object, entry)
    }

    /// This process's hold of the object that the message in a block names by this number, and
    /// holds.
    pub(crate) fn named(block: u64, number: u64) -> Result<Arc<Held>, Error> {
        let heap = super::current()
            .ok_or_else(|| Error::new(error::Kind::Decode, "this process belongs to no session"))?;
        Held::attach(heap, heap.carried_place(block, number)?)
    }

    /// The object in whose body all these bytes are, if it is one that nobody writes any more and this process holds it.
    pub(crate) fn frozen_around(address: NonNull<u8>, len: usize) -> Option<Arc<Held>> {
        let heap = super::current()?;
        let offset = heap.segment.offset_at(address)?;
        let held = heap
            .objects
            .lock()
            .range(..=offset)
            .next_back()?
            .1
            .upgrade()?;
        let begin = held.place.offset + object::HEAD as u64;
        let end = begin + held.bytes as u64;
        let is_inside = begin <= offset && offset.checked_add(len as u64)? <= end;
        (is_inside && held.is_frozen()).then_some(held)
    }

    /// Whether it is of a kind that nobody writes any more once the first word of the body says so, and it says so.
    fn is_frozen(&self) -> bool {
        self.kind == Kind::Buffer as u32
            && body_at::<Frozen>(self.base, self.bytes)
                .is_some_and(|body| body.0.load(Ordering::Acquire) == FROZEN)
    }

    /// The bytes from `from` on of the frozen object that the message in a block names by this number, and holds.
    pub(crate) fn frozen_bytes(
        block: u64,
        index: u64,
        from: u64,
        len: usize,
    ) -> Result<NonNull<u8>, Error> {
        let none = || {
            Error::new(
                error::Kind::Decode,
                "the message names memory that it may not",
            )
        };
        let heap = super::current().ok_or_else(none)?;
        let object = Object::with_id(heap, heap.carried_place(block, index)?)?;
        let (base, bytes) = object.body()?;
        let frozen = body_at::<Frozen>(base, bytes).map(|body| body.0.load(Ordering::Acquire));
        let end = usize::try_from(from)
            .ok()
            .and_then(|from| from.checked_add(len));
        if object.kind() != Kind::Buffer as u32
            || frozen != Some(FROZEN)
            || end.is_none_or(|end| end > bytes)
        {
            return Err(none());
        }
        // SAFETY: inside the body (just checked).
        Ok(unsafe { base.add(from as usize) })
    }

    /// This process has become another, whose hold is in another entry.
    pub(super) fn set_entry(&self, entry: u32) {
        self.entry.store(entry, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The address of the body, and how many bytes it has. Good for as long as the hold.
    pub(crate) fn bytes(&self) -> (NonNull<u8>, usize) {
        (self.base, self.bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if memory::forked() {
            return;
        }
        {
            let mut known = self.heap.objects.lock();
            let is_gone = |held: &Weak<Held>| held.strong_count() == 0;
            if known.get(&self.place.offset).is_some_and(is_gone) {
                known.remove(&self.place.offset);
            }
        }
        if let Ok(object) = Object::with_id(self.heap, self.place) {
            let entry = self.entry.load(Ordering::Relaxed);
            object.let_go(entry, object::process_entry(self.heap.me()));
            let mut undertaker = Undertaker::new(self.heap);
            undertaker.consider(self.place);
            undertaker.run();
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {:#x} at {:#x}", self.place.id, self.place.offset)
    }
}

/// A body seen as a `B`, if it is large enough.
pub(super) fn body_at<'h, B: Body>(base: NonNull<u8>, bytes: usize) -> Option<&'h B> {
    if size_of::<B>() > bytes || !base.cast::<B>().is_aligned() {
        return None;
    }
    // SAFETY: inside a mapping that is never unmapped, aligned (just checked), and a `Body` is fit for any bytes, whoever
    // changes them.
    Some(unsafe { base.cast().as_ref() })
}

/// A handle of a shared object, of whatever kind: what the public handles are made of.
#[derive(Clone)]
pub(crate) struct Handle(Ticket);

impl Handle {
    /// Makes an object with a body of `bytes` bytes, filled in by `init` (what it finds there is undefined).
    ///
    /// # Errors
    /// The heap is at its limit, or `init` fails.
    pub(crate) fn make(
        heap: &'static Heap,
        kind: Kind,
        mark: u64,
        bytes: usize,
        init: impl FnOnce(NonNull<u8>) -> Result<(), Error>,
    ) -> Result<Handle, Error> {
        Held::make(heap, kind, mark, bytes, init).map(|held| Handle(Ticket(held)))
    }

    /// The handle of an object as another process of a test has it.
    #[cfg(test)]
    pub(crate) fn attach(heap: &'static Heap, place: Place) -> Result<Handle, Error> {
        Held::attach(heap, place).map(|held| Handle(Ticket(held)))
    }

    /// Makes an object whose body is a `B` of zeroes, which `init` may change before anybody else sees it.
    pub(crate) fn make_zeroed<B: Body>(
        heap: &'static Heap,
        kind: Kind,
        mark: u64,
        init: impl FnOnce(&B),
    ) -> Result<Handle, Error> {
        const { assert!(align_of::<B>() <= 64) };
        let bytes = size_of::<B>();
        Handle::make(heap, kind, mark, bytes, |base| {
            // SAFETY: the body is this large, and not yet anybody else's.
            unsafe { base.as_ptr().write_bytes(0, bytes) };
            body_at(base, bytes).map(init).ok_or_else(too_small)
        })
    }

    /// The body as a `B`, whose size was checked when the handle was made or came.
    ///
    /// # Panics
    /// The object is too small for it: a handle was taken for one of another kind.
    #[inline]
    pub(crate) fn body<B: Body>(&self) -> &B {
        let (base, bytes) = self.held().bytes();
        match body_at(base, bytes) {
            Some(body) => body,
            None => panic!("{}", too_small()),
        }
    }

    #[inline]
    pub(crate) fn held(&self) -> &Arc<Held> {
        &self.0.0
    }

    #[inline]
    pub(crate) fn heap(&self) -> &'static Heap {
        self.held().heap
    }

    pub(crate) fn place(&self) -> Place {
        self.held().place
    }

    /// What a handle's `Deserialize` is: takes a handle of this kind and mark, whose body has at least `bytes` bytes.
    pub(crate) fn of_kind<'de, D: Deserializer<'de>>(
        from: D,
        kind: Kind,
        mark: u64,
        bytes: usize,
    ) -> Result<Handle, D::Error> {
        let ticket = from.deserialize_newtype_struct(NAME, TicketVisitor(()))?;
        let held = &ticket.0;
        if held.kind != kind as u32 || held.mark != mark || held.bytes < bytes {
            let text = format!(
                "the shared object is not the {} that was expected",
                kind.name()
            );
            return Err(D::Error::custom(text));
        }
        Ok(Handle(ticket))
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_newtype_struct(NAME, &self.0)
    }
}

impl PartialEq for Handle {
    /// Whether both are of the same object.
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held().fmt(f)
    }
}

fn too_small() -> Error {
    Error::new(
        error::Kind::Protocol,
        "the body of a shared object is too small",
    )
}

/// A mark for objects that hold values of type `T`: equal in all processes of a session, and not for other types.
pub(crate) fn mark_of<T: 'static>() -> u64 {
    // Of a fixed key: children, which are the same program, compute the same.
    let mut hasher = std::hash::DefaultHasher::new();
    std::any::TypeId::of::<T>().hash(&mut hasher);
    hasher.finish()
}

/// The contents of a handle as serde sees it: nothing it could write or read.
#[derive(Clone)]
pub(crate) struct Ticket(Arc<Held>);

const ONLY_OURS: &str =
    "a handle of a shared object travels only in arguments, results and messages of mp";

impl Serialize for Ticket {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(ONLY_OURS))
    }
}

/// The hold behind the contents of a newtype, if they are a ticket.
pub(crate) fn ticket_of<T: ?Sized>(value: &T) -> Option<&Arc<Held>> {
    if typeid::of::<T>() != typeid::of::<Ticket>() {
        return None;
    }
    // SAFETY: `T` is `Ticket`, which has no lifetimes (just checked).
    let ticket = unsafe { &*std::ptr::from_ref(value).cast::<Ticket>() };
    Some(&ticket.0)
}

/// Makes a handle of what the codec shows it, itself or through a buffer of serde's.
pub(crate) struct TicketVisitor(());

impl TicketVisitor {
    /// Whether a visitor is one of these.
    pub(crate) fn admits<V>() -> bool {
        typeid::of::<V>() == typeid::of::<TicketVisitor>()
    }
}

impl<'de> Visitor<'de> for TicketVisitor {
    type Value = Ticket;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ONLY_OURS)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Ticket, D::Error> {
        if typeid::of::<D>() != typeid::of::<TicketSource<D::Error>>() {
            return super::buffered::held(from, ONLY_OURS).map(Ticket);
        }
        // SAFETY: `D` is a `TicketSource` (just checked; its one parameter is a marker), owned here and read once.
        let source = unsafe {
            let from = std::mem::ManuallyDrop::new(from);
            std::ptr::from_ref(&*from)
                .cast::<TicketSource<D::Error>>()
                .read()
        };
        Ok(Ticket(source.held))
    }
}

/// What the codec shows the visitor.
pub(crate) struct TicketSource<E> {
    held: Arc<Held>,
    error: PhantomData<fn() -> E>,
}

impl<E> TicketSource<E> {
    pub(crate) fn new(held: Arc<Held>) -> Self {
        TicketSource {
            held,
            error: PhantomData,
        }
    }
}

impl<'de, E: serde::de::Error> Deserializer<'de> for TicketSource<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(E::custom(ONLY_OURS))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// `Clone`, `Serialize`, `Deserialize` and `Debug` of a public handle: a newtype, in a field `handle`, of a [`Handle`].
///
/// `shared_handle! { Lock => Kind::Lock, body LockBody }`, or for one of values of a type
/// `shared_handle! { Value<T: Plain> => Kind::Value, mark mark_of::<T>(), bytes Layout::of::<T>() }`; then a
/// second field `of: PhantomData` is expected.
macro_rules! shared_handle {
    ($name:ident => $kind:expr, body $body:ty) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(
                &self,
                to: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                ::serde::Serialize::serialize(&self.handle, to)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                from: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let handle = $crate::heap::Handle::of_kind(from, $kind, 0, size_of::<$body>())?;
                Ok($name { handle })
            }
        }

        impl ::std::clone::Clone for $name {
            fn clone(&self) -> Self {
                $name {
                    handle: self.handle.clone(),
                }
            }
        }
    };
    ($name:ident<$param:ident: $bound:path> => $kind:expr, mark $mark:expr, bytes $bytes:expr) => {
        impl<$param: $bound> ::serde::Serialize for $name<$param> {
            fn serialize<S: ::serde::Serializer>(
                &self,
                to: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                ::serde::Serialize::serialize(&self.handle, to)
            }
        }

        impl<'de, $param: $bound> ::serde::Deserialize<'de> for $name<$param> {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                from: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let handle = $crate::heap::Handle::of_kind(from, $kind, $mark, $bytes)?;
                Ok($name {
                    handle,
                    of: ::std::marker::PhantomData,
                })
            }
        }

        impl<$param: $bound> ::std::clone::Clone for $name<$param> {
            fn clone(&self) -> Self {
                $name {
                    handle: self.handle.clone(),
                    of: ::std::marker::PhantomData,
                }
            }
        }
    };
}
#[allow(unused_imports)] // by the modules of shared objects
pub(crate) use shared_handle;
