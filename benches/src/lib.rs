//! What the benches share: the parts of `mp` one by one, and the budgets they are held to.

pub mod budgets;
pub mod parts;
