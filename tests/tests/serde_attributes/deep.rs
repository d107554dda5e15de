//! Depth: long lists travel on small stacks, and what is too deep is an error of its sender.

use std::thread;

use mp::Queue;
use serde::{Deserialize, Serialize};

/// A list of which each node stands inside of the one before.
#[derive(Serialize, Deserialize)]
struct List {
    value: u32,
    next: Option<Box<List>>,
}

impl List {
    fn of(length: u32) -> Self {
        let mut list = List {
            value: 0,
            next: None,
        };
        for value in 1..length {
            list = List {
                value,
                next: Some(Box::new(list)),
            };
        }
        list
    }

    /// How long it is, if its values are right.
    fn length(&self) -> Option<u32> {
        let (mut node, mut length) = (Some(self), 0);
        while let Some(this) = node {
            length += 1;
            let wanted = self.value.checked_sub(length - 1)?;
            if this.value != wanted {
                return None;
            }
            node = this.next.as_deref();
        }
        Some(length)
    }
}

/// Node by node: the drop that is derived overflows the stack by itself.
impl Drop for List {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}

#[mp::task]
fn echo(list: List) -> List {
    list
}

#[mp::task]
fn nodes_of(list: List) -> Option<u32> {
    list.length()
}

#[mp::task]
fn make(nodes: u32) -> List {
    List::of(nodes)
}

fn on_a_small_stack<T: Send + 'static>(work: fn() -> T) -> T {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(work);
    thread.expect("a thread").join().expect("its end")
}

#[mp::test]
fn ten_thousand_nodes_travel_on_a_small_stack() {
    let found = on_a_small_stack(|| -> mp::Result<_> {
        let queue = Queue::unbounded()?;
        queue.put(List::of(10_000))?;
        let found: List = queue.get()?;
        let pool = crate::ways::pool();
        let back = pool.apply(echo, List::of(10_000))?;
        Ok((found.length(), back.length()))
    });
    assert_eq!(found.expect("they travel"), (Some(10_000), Some(10_000)));
}

/// The error of what is too deep names the type, and says why.
fn says_why(error: &mp::Error) {
    let text = error.to_string();
    assert!(text.contains("List") && text.contains("deep"), "{text}");
}

#[mp::test]
fn what_is_far_too_deep_is_an_error_of_its_sender() {
    const NODES: u32 = 3_000_000;
    let error = on_a_small_stack(|| {
        let queue = Queue::unbounded().expect("a queue");
        let refused = queue.put(List::of(NODES)).expect_err("it is too deep");
        let (value, error) = refused.into_parts();
        assert_eq!(value.length(), Some(NODES), "the value comes back");
        error
    });
    assert!(error.is_encode(), "{error}");
    says_why(&error);
    let pool = crate::ways::pool();
    let error = pool
        .apply(nodes_of, List::of(NODES))
        .expect_err("it is too deep");
    assert!(error.is_encode(), "{error}");
    says_why(&error);
    let error = pool.apply(make, NODES).err().expect("it is too deep");
    assert!(!error.is_death(), "{error}");
    says_why(&error);
    // The worker is alive.
    assert_eq!(
        pool.apply(nodes_of, List::of(100)).expect("it works on"),
        Some(100)
    );
}
