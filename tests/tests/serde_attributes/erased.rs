//! Types behind a trait (typetag): as a parameter, a result, a message; handles among them are
//! refused.

use mp::Queue;
use serde::{Deserialize, Serialize};

use crate::ways::{pool, travel};

#[typetag::serde(tag = "shape")]
trait Shape: Send + Sync {
    fn area(&self) -> u64;
}

#[derive(Serialize, Deserialize)]
struct Square {
    side: u64,
    name: Option<String>,
}

#[typetag::serde]
impl Shape for Square {
    fn area(&self) -> u64 {
        self.side * self.side + self.name.as_ref().map_or(0, |name| name.len() as u64)
    }
}

#[derive(Serialize, Deserialize)]
struct Group(Vec<Box<dyn Shape>>);

#[typetag::serde]
impl Shape for Group {
    fn area(&self) -> u64 {
        self.0.iter().map(|shape| shape.area()).sum()
    }
}

/// Written with a name outside, not with a tag inside.
#[typetag::serde]
trait Step: Send {
    fn steps(&self) -> u64;
}

#[derive(Serialize, Deserialize)]
enum Walk {
    Far(u64),
    Near { steps: u8 },
}

#[typetag::serde]
impl Step for Walk {
    fn steps(&self) -> u64 {
        match self {
            Walk::Far(steps) => *steps,
            Walk::Near { steps } => u64::from(*steps),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Answering {
    reply: Queue<u64>,
}

#[typetag::serde]
impl Step for Answering {
    fn steps(&self) -> u64 {
        self.reply.len() as u64
    }
}

fn square(side: u64) -> Box<dyn Shape> {
    let name = side.is_multiple_of(2).then(|| "even".to_owned());
    Box::new(Square { side, name })
}

#[mp::task]
fn area(shape: Box<dyn Shape>) -> u64 {
    shape.area()
}

#[mp::task]
fn larger(shape: Box<dyn Shape>, by: Vec<Box<dyn Shape>>) -> Box<dyn Shape> {
    let mut all = by;
    all.push(shape);
    Box::new(Group(all))
}

#[mp::task]
fn count_steps(walk: Box<dyn Step>) -> u64 {
    walk.steps()
}

#[mp::test]
fn types_behind_a_trait() {
    let pool = pool();
    assert_eq!(pool.apply(area, square(3)).expect("it travels"), 9);
    let grouped = pool.apply(larger, (square(2), vec![square(1), square(3)]));
    assert_eq!(grouped.expect("it travels").area(), 8 + 1 + 9);
    assert_eq!(travel(vec![square(5)]).expect("it travels")[0].area(), 25);
    assert_eq!(
        pool.apply(count_steps, Box::new(Walk::Far(7)))
            .expect("it travels"),
        7
    );
    assert_eq!(
        pool.apply(count_steps, Box::new(Walk::Near { steps: 3 }))
            .expect("it travels"),
        3
    );
}

#[mp::test]
fn a_handle_behind_a_trait_is_refused_where_it_is_sent() {
    let pool = pool();
    let answering = || -> Box<dyn Step> {
        let reply = Queue::unbounded().expect("a queue");
        Box::new(Answering { reply })
    };
    let message = travel(answering()).err().expect("it is refused");
    let argument = pool
        .apply(count_steps, answering())
        .expect_err("it is refused");
    for error in [message, argument] {
        let text = error.to_string();
        assert!(
            error.is_encode() && text.contains("Step") && text.contains("dyn"),
            "{text}"
        );
    }
}
