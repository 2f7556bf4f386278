//! Structs whose fields are spelt as they are declared.
//!
//! Many readers of JSON, Go's among them, take a field that is spelt in another case for the same one, and the last of
//! several. For them a document with `layers` and `Layers` has the second, for others the first: one document, two meanings.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Reads structs, which have `#[serde(remote = "Self")]`, and refuses fields that are spelt otherwise.
macro_rules! read_exactly {
    ($($name:ty),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::exact::Exact(deserializer))
            }
        }
    )+};
}
pub(crate) use read_exactly;

/// The same, and writes them.
macro_rules! exact {
    ($($name:ty),+) => {
        $crate::exact::read_exactly!($($name),+);
        $(impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        })+
    };
}
pub(crate) use exact;

/// Reads `null` as the empty value, as Go's reader does: for members that may be absent.
pub(crate) fn null_is_absent<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Deserializes one struct, from an object whose names are its fields' or nothing like them.
pub(crate) struct Exact<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Exact<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Fields { fields, inner: visitor })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// What serde made for a struct, asked about its fields' names before `inner` sees them.
struct Fields<T> {
    fields: &'static [&'static str],
    inner: T,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Fields<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Fields { fields: self.fields, inner: map })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Name { fields: self.fields, seed })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// One name in the object.
struct Name<K> {
    fields: &'static [&'static str],
    seed: K,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Name<K> {
    type Value = K::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<K::Value, E> {
        match self.fields.iter().find(|field| is_misspelt(name, field)) {
            Some(field) => Err(E::custom(format_args!("the field `{field}` is spelt in another case"))),
            None => self.seed.deserialize(name.into_deserializer()),
        }
    }
}

fn is_misspelt(name: &str, field: &str) -> bool {
    name != field && name.chars().map(folded).eq(field.chars().map(folded))
}

/// Unicode's simple case folding, as far as it ends at ASCII, of which names of fields are.
fn folded(character: char) -> char {
    match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => character.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_readers_take_for_the_same_name_is_misspelt() {
        for (name, field) in [
            ("Layers", "layers"),
            ("layer\u{17f}", "layers"),
            ("\u{212a}ey", "key"),
            ("MEDIATYPE", "mediaType"),
        ] {
            assert!(is_misspelt(name, field), "{name}");
        }
        for (name, field) in
            [("layers", "layers"), ("layer", "layers"), ("layers ", "layers"), ("läyers", "layers")]
        {
            assert!(!is_misspelt(name, field), "{name}");
        }
    }
}
