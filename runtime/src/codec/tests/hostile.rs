#![allow(unsafe_code)]
//! Messages that lie: random, mutated, cut off, forged, changing under the reader. Each is an error or a valid value;
//! nothing outside the message is read (it ends where a page begins that must not be touched).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::codec::OwnedTag;
use crate::codec::reader::ZERO_SIZED;

#[derive(Debug, Serialize, Deserialize)]
struct Chain {
    next: Option<Box<Chain>>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Fork(Vec<Tree>, Box<Tree>),
}

/// Decodes as `G` and, where that succeeds, looks at every byte of the value by encoding it again.
fn feed<G: Tag>(tag: G, from: &mut Reader<'_>) {
    let before = from.remaining();
    if let Ok(mut held) = tag.get(from) {
        let value = tag.lend(&mut held);
        let again = encoded(tag, &value);
        let read = before - from.remaining();
        assert!(
            again.len() <= read.max(1) * 64,
            "{read} bytes became {}",
            again.len()
        );
    }
    assert!(from.remaining() <= before);
}

type Feeder = Box<dyn Fn(&mut Reader<'_>)>;

fn every_level() -> Vec<Feeder> {
    macro_rules! feeder {
        ($ty:ty) => {
            Box::new(|from: &mut Reader<'_>| feed(tag!($ty), from))
        };
    }
    macro_rules! feeders {
        ($($ty:ty;)*) => { vec![$( feeder!($ty), )*] };
    }
    feeders! {
        u64; bool; char; (); NonZeroU32; Kind; Padded; [bool; 3]; [char; 2]; f64; u8;
        Vec<f64>; Vec<u8>; Vec<bool>; Vec<char>; Vec<()>; Vec<Padded>; Vec<[u8; 0]>; Vec<NonZeroU32>;
        &[f64]; &[u8]; &[bool]; &[char]; &[()]; &[Padded]; &[u128];
        String; &str; PathBuf; &Path; OsString; &OsStr; Cow<'_, str>; Cow<'_, [u16]>; Cow<'_, Path>;
        &u64; &bool; &Padded; &Kind; &[char; 2]; &Vec<bool>; &String; &PathBuf; &OsString;
        User; Shape; Option<u64>; Option<Option<bool>>; (u8, String); (Vec<char>, u64); Vec<String>; Vec<Vec<f64>>;
        HashMap<String, u64>; BTreeMap<u8, Vec<u8>>; Result<u64, String>; Vec<Vec<Vec<()>>>; Tree; Chain;
        Vec<Option<Box<str>>>; std::time::Duration; std::net::IpAddr;
        &User; &Shape; &Option<char>; &[String]; &[Shape]; &[User]; &Vec<String>;
    }
}

/// A page of memory with one behind it that nobody may touch.
struct Edge {
    page: NonNull<u8>,
}

const PAGE: usize = 4096;

impl Edge {
    #[cfg(not(miri))]
    fn new() -> Self {
        use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
        let length = std::num::NonZero::new(2 * PAGE).unwrap();
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: new memory; its second page is closed before anybody knows of it.
        unsafe {
            let page = mmap_anonymous(None, length, access, MapFlags::MAP_PRIVATE).unwrap();
            mprotect(page.add(PAGE), PAGE, ProtFlags::PROT_NONE).unwrap();
            Edge { page: page.cast() }
        }
    }

    /// Miri watches the bounds itself.
    #[cfg(miri)]
    fn new() -> Self {
        let page: &'static mut [u8] = vec![0; PAGE].leak();
        Edge {
            page: NonNull::from(page).cast(),
        }
    }

    /// Puts `bytes` directly before the forbidden page.
    fn reader(&mut self, bytes: &[u8], trusted: bool) -> Reader<'_> {
        assert!(bytes.len() <= PAGE);
        // SAFETY: the last bytes of the page, which only this value knows, and which nobody else writes meanwhile.
        unsafe {
            let at = self.page.add(PAGE - bytes.len());
            at.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            match trusted {
                true => Reader::trusted(at, bytes.len()),
                false => Reader::untrusted(at, bytes.len()),
            }
        }
    }
}

/// A small generator of random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A message that looks a little like one: small numbers, tags, text, among noise.
    fn message(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.next() % 8 {
            let value = self.next();
            match value % 7 {
                0 => bytes.extend((value >> 32).to_le_bytes()),
                1 | 2 => bytes.extend((value >> 61).to_le_bytes()),
                3 => bytes.extend(((value >> 62) as u32).to_le_bytes()),
                4 => bytes.push((value >> 63) as u8),
                5 => bytes.extend(&b"text \xC3\xA9"[..(value >> 60) as usize % 8]),
                _ if value.is_multiple_of(3) => {
                    bytes.extend(&value.to_be_bytes()[..(value >> 60) as usize % 9])
                }
                // A head: a kind, and a small number above it.
                _ => {
                    let kind = if value & 8 == 0 {
                        (value >> 4) % 20
                    } else {
                        32 + (value >> 4) % 44
                    };
                    let head = ((value >> 62) << 8 | kind).to_le_bytes();
                    bytes.extend(&head[..[1, 4, 8][(value >> 40) as usize % 3]]);
                }
            }
        }
        bytes
    }
}

#[test]
fn random_messages() {
    let rounds = match () {
        _ if cfg!(miri) => 30,
        _ if cfg!(debug_assertions) => 40_000,
        _ => 200_000,
    };
    let feeders = every_level();
    let mut edge = Edge::new();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..rounds {
        let bytes = random.message();
        for feeder in &feeders {
            feeder(&mut edge.reader(&bytes, round % 2 == 0));
        }
        let mut frames = edge.reader(&bytes, round % 2 == 0);
        while frames.remaining() > 0 && frames.skip_frame().is_ok() {}
    }
}

fn mutated() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>)>
{
    (
        proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        any::<Option<prop::sample::Index>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 400 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Valid messages with some bytes changed and the end cut off, read as what they were and as everything else.
    #[test]
    fn mutated_messages(
        name: String, list in proptest::collection::vec(any::<(bool, char)>(), 0..9), (flips, cut) in mutated(), trusted: bool,
    ) {
        let boss = User { name: name.clone(), age: 1, scores: vec![0.5; list.len()], boss: None };
        let user = User { boss: Some(Box::new(boss)), age: 2, ..User::clone(&User { name: name.clone(), age: 0, scores: vec![], boss: None }) };
        let shapes = Shape::Many(vec![Shape::Dot, Shape::Circle(1.0), Shape::Many(vec![Shape::Dot; list.len()])]);
        let padded = Padded { flag: true, count: 1, small: Inner { kind: Kind::One, at: 2 }, wide: 3 };
        let (flags, chars): (Vec<bool>, Vec<char>) = list.into_iter().unzip();
        let messages = [
            encoded(tag!(User), &user),
            encoded(tag!(Shape), &shapes),
            encoded(tag!(Vec<bool>), &flags),
            encoded(tag!(Vec<char>), &chars),
            encoded(tag!(Vec<Padded>), &vec![padded; chars.len()]),
            encoded(tag!(String), &name),
            encoded(tag!(Vec<String>), &vec![name.clone(); chars.len() % 4]),
        ];
        let feeders = every_level();
        let mut edge = Edge::new();
        for mut bytes in messages {
            for (at, value) in &flips {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *value;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes.truncate(PAGE);
            for feeder in &feeders {
                feeder(&mut edge.reader(&bytes, trusted));
            }
        }
    }
}

fn refuses<G: Tag>(tag: G, bytes: &[u8]) {
    let message = Message::new(bytes, 0);
    for trusted in [true, false] {
        let error = tag.get(&mut message.reader(trusted)).err();
        let name = std::any::type_name::<G>();
        assert!(error.expect(name).is_decode(), "{name}");
    }
}

#[test]
fn invalid_values() {
    refuses(tag!(bool), &[2]);
    refuses(tag!(&bool), &[2]);
    refuses(tag!(char), &0xD800u32.to_le_bytes());
    refuses(tag!(char), &0x11_0000u32.to_le_bytes());
    refuses(tag!(NonZeroU32), &[0; 4]);
    refuses(tag!(Kind), &[0]);
    refuses(tag!(Kind), &[3]);
    refuses(tag!([bool; 3]), &[0, 1, 2]);
    refuses(tag!([[bool; 1]; 3]), &[0, 1, 255]);
    refuses(tag!(Padded), &[2; 24]);
    refuses(tag!(Padded), &[0; 24]);
    let block = |elements: &[u8], count: u64| [&count.to_le_bytes()[..], elements].concat();
    refuses(tag!(Vec<bool>), &block(&[1, 0, 3], 3));
    refuses(tag!(&[bool]), &block(&[1, 0, 3], 3));
    refuses(tag!(&Vec<bool>), &block(&[1, 0, 3], 3));
    refuses(tag!(String), &block(&[0xC0, 0x80], 2));
    refuses(tag!(&str), &block(&[0xFF], 1));
    refuses(tag!(Cow<'_, str>), &block(&[0xFF], 1));
    let text = |kind: u8, bytes: &[u8]| {
        let head = (bytes.len() as u64) << 8 | u64::from(kind);
        [&head.to_le_bytes()[..], bytes].concat()
    };
    refuses(tag!(Option<bool>), &[3, 2]);
    refuses(tag!(Option<bool>), &[3, 99]);
    refuses(tag!(Option<bool>), &[3, 0]);
    refuses(
        tag!(Option<String>),
        &[&[3][..], &text(7, &[0xFF])].concat(),
    );
    refuses(tag!(Option<char>), &[6, 0, 0xD8, 0]);
    // Shapes of no session, and lists of names that are none.
    refuses(tag!(User), &[13, 7, 0, 0]);
    refuses(tag!(User), &[13, 0xFF, 0xFF, 0xFF]);
    refuses(tag!(User), &[13, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 1]);
    refuses(tag!(Shape), &[14, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
    refuses(
        tag!(Shape),
        &[14, 0xFF, 0xFF, 0xFF, 5, 0, 0, 0, 1, 0, 0, 0, b'?'],
    );
}

#[test]
fn forged_lengths() {
    for count in [
        9,
        1 << 20,
        1 << 32,
        1 << 60,
        (1 << 61) + 1,
        u64::MAX / 8,
        u64::MAX / 2,
        u64::MAX - 7,
        u64::MAX,
    ] {
        let bytes = [&count.to_le_bytes()[..], &[0; 8]].concat();
        refuses(tag!(Vec<u8>), &bytes);
        refuses(tag!(Vec<f64>), &bytes);
        refuses(tag!(Vec<Padded>), &bytes);
        refuses(tag!(&[u16]), &bytes);
        refuses(tag!(&str), &bytes);
        refuses(tag!(String), &bytes);
        refuses(tag!(PathBuf), &bytes);
        for kind in [7u8, 8, 9, 10, 11, 64, 67, 68, 75]
            .into_iter()
            .filter(|_| count < 1 << 56)
        {
            let head = (count << 8 | u64::from(kind)).to_le_bytes();
            let bytes = [&head[..], &[1; 8]].concat();
            refuses(tag!(Vec<String>), &bytes);
            refuses(tag!(Option<Vec<u64>>), &[&[3][..], &bytes].concat());
            refuses(tag!(HashMap<u8, String>), &bytes);
            refuses(tag!(Option<String>), &[&[3][..], &bytes].concat());
            refuses(tag!((Vec<()>, String)), &bytes);
            refuses(tag!(Vec<Vec<char>>), &bytes);
        }
        let mut frames = Reader::from_slice(&bytes);
        assert!(frames.frame().is_err_and(|error| error.is_decode()));
        if count as usize > ZERO_SIZED + 16 {
            refuses(tag!(Vec<()>), &bytes);
            refuses(tag!(&[()]), &bytes);
        }
    }
    // The writer knows the same bounds.
    let units = vec![(); ZERO_SIZED + 9];
    let mut store = VecStore::new();
    let mut out = Writer::new(&mut store);
    assert!(tag!(Vec<()>).put(&units, &mut out).unwrap_err().is_encode());
    // Through serde, each element takes a byte.
    let pair = (units, [0u8; 0]);
    let bytes = encoded(tag!((Vec<()>, [u8; 0])), &pair);
    assert!(bytes.len() > ZERO_SIZED);
    let message = Message::new(&bytes, 0);
    let again = tag!((Vec<()>, [u8; 0])).get_owned(&mut message.reader(false));
    assert_eq!(again.unwrap().0.len(), pair.0.len());
}

/// A link holds the next one, `depth` deep; taken apart one by one, since the own `Drop` of so many
/// would recurse.
struct Links(Option<Box<Chain>>);

impl Links {
    fn new(depth: usize) -> Links {
        Links((0..depth).fold(None, |next, _| Some(Box::new(Chain { next }))))
    }

    fn len(&self) -> usize {
        std::iter::successors(self.0.as_ref(), |link| link.next.as_ref()).count()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        while let Some(mut link) = self.0.take() {
            self.0 = link.next.take();
        }
    }
}

fn on_stack(bytes: usize, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(bytes);
    thread.spawn(work).unwrap().join().unwrap();
}

/// A list of 10,000 links travels on a thread's usual stack, without optimisation; one that is too
/// deep is an error that names type and depth, on both ends, and never a signal.
#[test]
#[cfg(not(miri))]
fn depth() {
    type List = Option<Box<Chain>>;
    on_stack(2 << 20, || {
        let list = Links::new(10_000);
        let bytes = encoded(tag!(List), &list.0);
        let message = Message::new(&bytes, 0);
        let again = Links(tag!(List).get_owned(&mut message.reader(false)).unwrap());
        assert_eq!(again.len(), 10_000);

        let list = Links::new(100_000);
        let mut store = VecStore::new();
        let mut out = Writer::new(&mut store);
        let error = tag!(List).put(&list.0, &mut out).unwrap_err();
        assert!(error.is_encode());
        for part in ["Chain", "levels deep", "stack"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    });
    // A thread that has more stack sends more than another one can take.
    let (to, from) = std::sync::mpsc::channel();
    on_stack(64 << 20, move || {
        let list = Links::new(100_000);
        to.send(encoded(tag!(List), &list.0)).unwrap();
    });
    let bytes = from.recv().unwrap();
    on_stack(2 << 20, move || {
        let message = Message::new(&bytes, 0);
        let error = tag!(List).get(&mut message.reader(false)).unwrap_err();
        assert!(
            error.is_decode() && error.to_string().contains("levels deep"),
            "{error}"
        );
    });
}

/// Values that are nested without an end, as forged messages can be.
#[test]
#[cfg(not(miri))]
fn forged_depth() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Nothing(()),
        Many(Vec<Any>),
        Maybe(Option<Box<Any>>),
    }
    on_stack(1 << 20, || {
        // A list with one element: for ever.
        let list = [&[10u8, 1, 0, 0][..], &[0; 4]].concat().repeat(1 << 17);
        refuses(tag!(Vec<Any>), &list);
        refuses(tag!(Tree), &list);
        refuses(tag!((Any, u8)), &list);
        refuses(tag!((Any, u8)), &vec![3; 1 << 20]);
        refuses(tag!(Option<Chain>), &vec![3; 1 << 20]);
    });
}

/// Memory that changes while it is read still gives errors or valid values.
#[test]
#[cfg(not(miri))]
fn changing_memory() {
    use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    static MEMORY: [AtomicU8; 64] = [const { AtomicU8::new(0) }; 64];
    static STOP: AtomicBool = AtomicBool::new(false);
    let scribbler = std::thread::spawn(|| {
        let mut random = Random(7);
        while !STOP.load(Ordering::Relaxed) {
            let value = random.next();
            MEMORY[value as usize % 64].store((value >> 62) as u8 * 0x55, Ordering::Relaxed);
            MEMORY[0].store((value >> 58) as u8 & 31, Ordering::Relaxed);
        }
    });
    let at = NonNull::from(&MEMORY).cast();
    for _ in 0..if cfg!(debug_assertions) {
        20_000
    } else {
        200_000
    } {
        // SAFETY: the memory is static; it is read as untrusted.
        let reader = || unsafe { Reader::untrusted(at, 64) };
        if let Ok(values) = tag!(Vec<bool>).get_owned(&mut reader()) {
            // SAFETY: `bool` has the size of `u8`.
            let bytes =
                unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), values.len()) };
            assert!(black_box(bytes).iter().all(|byte| *byte < 2));
        }
        if let Ok(text) = tag!(String).get_owned(&mut reader()) {
            assert!(std::str::from_utf8(black_box(text.as_bytes())).is_ok());
        }
        if let Ok(value) = tag!([char; 4]).get_owned(&mut reader()) {
            assert!(
                value
                    .iter()
                    .all(|value| char::from_u32(black_box(*value as u32)).is_some())
            );
        }
        let _ = black_box(tag!(Vec<Option<bool>>).get_owned(&mut reader()));
    }
    STOP.store(true, Ordering::Relaxed);
    scribbler.join().unwrap();
}
