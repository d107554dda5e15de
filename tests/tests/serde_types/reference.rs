//! A format without bytes, that keeps whatever serde's calls say: what arrives through it is what
//! serde can carry at best.
//!
//! It answers `deserialize_any` as serde_json does, and keeps what JSON loses: `Some(None)`, `NaN`,
//! keys that are no text. The oracles of the generated types are tried against it.

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    VariantAccess, Visitor,
};
use serde::ser::{self, Serialize, Serializer};
use serde::{Deserialize, forward_to_deserialize_any};

/// A value, as it was written.
#[derive(Debug)]
enum Node {
    Unit,
    None,
    Some(Box<Node>),
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    Seq(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// With its name, and what stands in it.
    Variant(&'static str, Option<Box<Node>>),
}

/// There and back.
pub(crate) fn travel<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, String> {
    let node = value.serialize(Write).map_err(|error| error.to_string())?;
    T::deserialize(node).map_err(|error| error.to_string())
}

struct Write;

macro_rules! write_leaf {
    ($($method:ident $type:ty => $node:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<Node, Error> {
            Ok(Node::$node(value.into()))
        }
    )*};
}

impl Serializer for Write {
    type Ok = Node;
    type Error = Error;
    type SerializeSeq = Compound;
    type SerializeTuple = Compound;
    type SerializeTupleStruct = Compound;
    type SerializeTupleVariant = Compound;
    type SerializeMap = Compound;
    type SerializeStruct = Compound;
    type SerializeStructVariant = Compound;

    write_leaf! {
        serialize_bool bool => Bool;
        serialize_i8 i8 => I8;
        serialize_i16 i16 => I16;
        serialize_i32 i32 => I32;
        serialize_i64 i64 => I64;
        serialize_i128 i128 => I128;
        serialize_u8 u8 => U8;
        serialize_u16 u16 => U16;
        serialize_u32 u32 => U32;
        serialize_u64 u64 => U64;
        serialize_u128 u128 => U128;
        serialize_f32 f32 => F32;
        serialize_f64 f64 => F64;
        serialize_char char => Char;
        serialize_str &str => Str;
        serialize_bytes &[u8] => Bytes;
    }

    fn serialize_none(self) -> Result<Node, Error> {
        Ok(Node::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Node, Error> {
        Ok(Node::Some(Box::new(value.serialize(Write)?)))
    }

    fn serialize_unit(self) -> Result<Node, Error> {
        Ok(Node::Unit)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Node, Error> {
        Ok(Node::Unit)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Node, Error> {
        Ok(Node::Variant(variant, None))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        value.serialize(Write)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        Ok(Node::Variant(
            variant,
            Some(Box::new(value.serialize(Write)?)),
        ))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound, Error> {
        Ok(Compound::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound, Error> {
        Ok(Compound::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound, Error> {
        Ok(Compound::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound, Error> {
        Ok(Compound::of(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound, Error> {
        Ok(Compound::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound, Error> {
        Ok(Compound::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound, Error> {
        Ok(Compound::of(variant))
    }
}

/// What has more than one part, while it is written.
#[derive(Default)]
struct Compound {
    variant: Option<&'static str>,
    items: Vec<Node>,
    entries: Vec<(Node, Node)>,
    key: Option<Node>,
}

impl Compound {
    fn of(variant: &'static str) -> Self {
        Compound {
            variant: Some(variant),
            ..Compound::default()
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(value.serialize(Write)?);
        Ok(())
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.entries
            .push((Node::Str(key.to_owned()), value.serialize(Write)?));
        Ok(())
    }

    fn finish(self, node: Node) -> Result<Node, Error> {
        Ok(match self.variant {
            Some(variant) => Node::Variant(variant, Some(Box::new(node))),
            None => node,
        })
    }
}

macro_rules! write_items {
    ($($trait:ident $method:ident;)*) => {$(
        impl ser::$trait for Compound {
            type Ok = Node;
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }
            fn end(mut self) -> Result<Node, Error> {
                let items = std::mem::take(&mut self.items);
                self.finish(Node::Seq(items))
            }
        }
    )*};
}
write_items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! write_entries {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Compound {
            type Ok = Node;
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.entry(key, value)
            }
            fn end(mut self) -> Result<Node, Error> {
                let entries = std::mem::take(&mut self.entries);
                self.finish(Node::Map(entries))
            }
        }
    )*};
}
write_entries! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Compound {
    type Ok = Node;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(key.serialize(Write)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self
            .key
            .take()
            .ok_or_else(|| Error::custom("a value without a key"))?;
        self.entries.push((key, value.serialize(Write)?));
        Ok(())
    }

    fn end(self) -> Result<Node, Error> {
        Ok(Node::Map(self.entries))
    }
}

impl IntoDeserializer<'_> for Node {
    type Deserializer = Node;

    fn into_deserializer(self) -> Node {
        self
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Unit | Node::None => visitor.visit_unit(),
            Node::Some(inner) => match *inner {
                Node::Unit | Node::None | Node::Some(_) => visitor.visit_some(*inner),
                _ => inner.deserialize_any(visitor),
            },
            Node::Bool(x) => visitor.visit_bool(x),
            Node::I8(x) => visitor.visit_i8(x),
            Node::I16(x) => visitor.visit_i16(x),
            Node::I32(x) => visitor.visit_i32(x),
            Node::I64(x) => visitor.visit_i64(x),
            Node::U8(x) => visitor.visit_u8(x),
            Node::U16(x) => visitor.visit_u16(x),
            Node::U32(x) => visitor.visit_u32(x),
            Node::U64(x) => visitor.visit_u64(x),
            Node::I128(x) => match (u64::try_from(x), i64::try_from(x)) {
                (Ok(x), _) => visitor.visit_u64(x),
                (_, Ok(x)) => visitor.visit_i64(x),
                _ => visitor.visit_i128(x),
            },
            Node::U128(x) => match u64::try_from(x) {
                Ok(x) => visitor.visit_u64(x),
                Err(_) => visitor.visit_u128(x),
            },
            Node::F32(x) => visitor.visit_f32(x),
            Node::F64(x) => visitor.visit_f64(x),
            Node::Char(x) => visitor.visit_char(x),
            Node::Str(x) => visitor.visit_string(x),
            Node::Bytes(x) => visitor.visit_byte_buf(x),
            Node::Seq(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Node::Map(entries) => {
                let mut entries = MapDeserializer::new(entries.into_iter());
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
            Node::Variant(name, None) => visitor.visit_str(name),
            Node::Variant(name, Some(inner)) => {
                Node::Map(vec![(Node::Str(name.to_owned()), *inner)]).deserialize_any(visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Unit | Node::None => visitor.visit_none(),
            Node::Some(inner) => visitor.visit_some(*inner),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::U128(x) => visitor.visit_u128(x),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::I128(x) => visitor.visit_i128(x),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Bytes(bytes) => {
                Node::Seq(bytes.into_iter().map(Node::U8).collect()).deserialize_any(visitor)
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, inside) = match self {
            Node::Variant(name, inside) => {
                (Node::Str(name.to_owned()), inside.map(|inside| *inside))
            }
            Node::Map(mut entries) if entries.len() == 1 => {
                let (name, inside) = entries.remove(0);
                (name, Some(inside))
            }
            name => (name, None),
        };
        visitor.visit_enum(ReadVariant { name, inside })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct ReadVariant {
    name: Node,
    inside: Option<Node>,
}

impl<'de> EnumAccess<'de> for ReadVariant {
    type Error = Error;
    type Variant = ReadInside;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, ReadInside), Error> {
        Ok((seed.deserialize(self.name)?, ReadInside(self.inside)))
    }
}

struct ReadInside(Option<Node>);

impl ReadInside {
    fn inside(self) -> Result<Node, Error> {
        self.0
            .ok_or_else(|| Error::custom("nothing stands in the variant"))
    }
}

impl<'de> VariantAccess<'de> for ReadInside {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.0.map_or(Ok(()), <()>::deserialize)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.inside()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.inside()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.inside()?.deserialize_any(visitor)
    }
}
