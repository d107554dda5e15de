//! The guard's writing half: counts the elements that are declared and the depth. Relies on serde.

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::Place;
use crate::heap::{HANDLE, ticket_of};

/// A serializer, or one of its compound halves, at a place of the value.
pub(super) struct Guard<'b, S> {
    inner: S,
    place: Place<'b>,
}

impl<'b, S> Guard<'b, S> {
    pub(super) fn new(inner: S, place: Place<'b>) -> Self {
        Guard { inner, place }
    }
}

/// A part of the value, to be serialized at `place`.
struct Part<'a, 'b, T: ?Sized> {
    value: &'a T,
    place: Place<'b>,
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, '_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Guard::new(serializer, self.place))
    }
}

/// Scalars carry no parts: they go to the inner serializer as they are.
macro_rules! scalars {
    ($($method:ident($ty:ty);)*) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

/// The compound halves differ only in their names.
macro_rules! compounds {
    ($($compound:ident: $method:ident($($key:ty)?);)*) => {$(
        impl<C: $compound> $compound for Guard<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $(key: $key,)? value: &T) -> Result<(), C::Error> {
                let part = Part { value, place: self.place };
                self.inner.$method($({ let key: $key = key; key },)? &part)
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

impl<'b, S: Serializer> Serializer for Guard<'b, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Guard<'b, S::SerializeSeq>;
    type SerializeTuple = Guard<'b, S::SerializeTuple>;
    type SerializeTupleStruct = Guard<'b, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Guard<'b, S::SerializeTupleVariant>;
    type SerializeMap = Guard<'b, S::SerializeMap>;
    type SerializeStruct = Guard<'b, S::SerializeStruct>;
    type SerializeStructVariant = Guard<'b, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.place.deeper().map_err(S::Error::custom)?;
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.place.deeper().map_err(S::Error::custom)?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        self.inner.serialize_some(&Part { value, place })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        if name == HANDLE
            && let Some(held) = ticket_of(value)
        {
            return place.budget.note(held).serialize(self.inner);
        }
        self.inner
            .serialize_newtype_struct(name, &Part { value, place })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        self.inner
            .serialize_newtype_variant(name, index, variant, &Part { value, place })
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let place = self.counted(len)?;
        Ok(Guard::new(self.inner.serialize_seq(len)?, place))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let place = self.counted(len)?;
        Ok(Guard::new(self.inner.serialize_map(len)?, place))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        Ok(Guard::new(self.inner.serialize_tuple(len)?, place))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Guard::new(inner, place))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Guard::new(inner, place))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        let inner = self.inner.serialize_struct(name, len)?;
        Ok(Guard::new(inner, place))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let place = self.place.deeper().map_err(S::Error::custom)?;
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(Guard::new(inner, place))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'b, S: Serializer> Guard<'b, S> {
    /// The place inside a sequence or map of so many elements.
    fn counted(&self, len: Option<usize>) -> Result<Place<'b>, S::Error> {
        self.place
            .budget
            .declare(len.unwrap_or(0))
            .map_err(S::Error::custom)?;
        self.place.deeper().map_err(S::Error::custom)
    }
}

compounds! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}

impl<C: SerializeMap> SerializeMap for Guard<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let place = self.place;
        self.inner.serialize_key(&Part { value, place })
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let place = self.place;
        self.inner.serialize_value(&Part { value, place })
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
