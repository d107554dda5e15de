//! What serde describes, by hand: each public attribute, shapes, hand-written impls, handles,
//! erased types, depth.
//!
//! Values go as a message, as an argument and as a result; where serde cannot carry one, its sender
//! has an error that names the type and the field.
#![allow(missing_docs)]

#[macro_use]
mod ways;
mod attributes;
mod containers;
mod deep;
mod erased;
mod handles;
mod impls;
mod shapes;
mod swallowed;
