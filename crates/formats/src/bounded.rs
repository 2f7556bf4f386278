//! Lists and maps of which no more is held than may be there, so that a short text of many small values
//! does not grow into much memory before it is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first `MAX` items of a list, and how many there are.
#[derive(Debug)]
pub(crate) struct List<T, const MAX: usize> {
    pub(crate) items: Vec<T>,
    pub(crate) count: usize,
}

/// The first `MAX` entries of a map with texts as keys, and how many there are.
#[derive(Debug)]
pub(crate) struct Map<T, const MAX: usize> {
    pub(crate) entries: BTreeMap<String, T>,
    pub(crate) count: usize,
}

impl<T, const MAX: usize> Default for Map<T, MAX> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), count: 0 }
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self { items: Vec::new(), count: 0 }
    }
}

/// A list to be written, which holds all that it is given.
impl<T, const MAX: usize> FromIterator<T> for List<T, MAX> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        Self { count: items.len(), items }
    }
}

/// A map to be written, which holds all that it is given.
impl<T, const MAX: usize> FromIterator<(String, T)> for Map<T, MAX> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(entries: I) -> Self {
        let entries: BTreeMap<String, T> = entries.into_iter().collect();
        Self { count: entries.len(), entries }
    }
}

impl<T: Serialize, const MAX: usize> Serialize for Map<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.items)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Map<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut list = List::default();
        while list.count < MAX {
            let Some(item) = access.next_element()? else { return Ok(list) };
            list.items.push(item);
            list.count += 1;
        }
        while access.next_element::<IgnoredAny>()?.is_some() {
            list.count += 1;
        }
        Ok(list)
    }
}

struct MapVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for MapVisitor<T, MAX> {
    type Value = Map<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::default();
        while map.count < MAX {
            let Some((key, value)) = access.next_entry()? else { return Ok(map) };
            map.entries.insert(key, value);
            map.count += 1;
        }
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            map.count += 1;
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_not_held() {
        let list: List<u8, 2> = serde_json::from_str("[1,2]").unwrap();
        assert_eq!((list.items, list.count), (vec![1, 2], 2));
        let list: List<u8, 2> = serde_json::from_str(r#"[1,2,"x",{}]"#).unwrap();
        assert_eq!((list.items, list.count), (vec![1, 2], 4));
        assert!(serde_json::from_str::<List<u8, 2>>(r#"[1,"x"]"#).is_err());
        let map: Map<u8, 1> = serde_json::from_str(r#"{"a":1,"b":{},"c":[]}"#).unwrap();
        assert_eq!((map.entries, map.count), (BTreeMap::from([("a".to_owned(), 1)]), 3));
        let map: Map<u8, 1> = serde_json::from_str("{}").unwrap();
        assert_eq!(map.count, 0);
    }
}
