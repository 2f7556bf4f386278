//! A Bloom filter over hash prefixes, in blocks of one cache line: no false "no", about 1 % false "maybe".

/// Which prefixes may be there.
pub(super) struct Filter {
    blocks: Vec<Block>,
}

/// 512 bits.
type Block = [u64; 8];

impl Filter {
    /// A filter for so many prefixes.
    pub(super) fn new(count: u64) -> Self {
        let blocks = usize::try_from(blocks_for(count)).unwrap_or(usize::MAX);
        Self { blocks: vec![[0; 8]; blocks] }
    }

    /// The bytes of the filter for so many prefixes.
    pub(super) fn bytes_for(count: u64) -> u64 {
        blocks_for(count) * 64
    }

    pub(super) fn insert(&mut self, prefix: u64) {
        let (block, bits) = self.place(prefix);
        if let Some(block) = self.blocks.get_mut(block) {
            for (word, bit) in bits {
                block.iter_mut().skip(word).take(1).for_each(|word| *word |= bit);
            }
        }
    }

    pub(super) fn may_have(&self, prefix: u64) -> bool {
        let (block, mut bits) = self.place(prefix);
        let block = self.blocks.get(block);
        block.is_some_and(|block| bits.all(|(word, bit)| block.get(word).is_some_and(|word| word & bit != 0)))
    }

    pub(super) fn encode(&self) -> impl Iterator<Item = u8> {
        self.blocks.as_flattened().iter().flat_map(|word| word.to_be_bytes())
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word)).collect();
        Self { blocks: words.as_chunks::<8>().0.to_vec() }
    }

    /// The block of a prefix, and its bits in there, as word and mask.
    fn place(&self, prefix: u64) -> (usize, impl Iterator<Item = (usize, u64)> + use<>) {
        // The high bits choose the block, as if the prefix were a fraction; mixed low bits the rest.
        let block = (u128::from(prefix) * self.blocks.len() as u128) >> 64;
        let mixed = prefix.wrapping_mul(MIX);
        let bits = (0..PROBES).map(move |probe| {
            let bit = (mixed >> (9 * probe)) & 511;
            (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
        });
        (usize::try_from(block).unwrap_or(usize::MAX), bits)
    }
}

fn blocks_for(count: u64) -> u64 {
    (count * BITS_PER_PREFIX).div_ceil(512).max(1)
}

const BITS_PER_PREFIX: u64 = 10;
/// An odd constant (2^64 divided by the golden ratio): its product's bits depend on all lower ones.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
const PROBES: u32 = 6;

#[cfg(test)]
mod tests {
    use signet_formats::merkle::leaf_hash;

    use super::*;

    fn prefixes(range: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        range.map(|number| u64::from_be_bytes(*leaf_hash(&number.to_be_bytes()).first_chunk().unwrap()))
    }

    #[test]
    fn what_was_put_in_is_always_found_and_little_else() {
        let mut filter = Filter::new(20_000);
        prefixes(0..20_000).for_each(|prefix| filter.insert(prefix));
        let again = Filter::decode(&filter.encode().collect::<Vec<_>>());
        assert!(prefixes(0..20_000).all(|prefix| filter.may_have(prefix) && again.may_have(prefix)));
        let wrong = prefixes(20_000..120_000).filter(|prefix| again.may_have(*prefix)).count();
        assert!(wrong < 3_000, "{wrong} of 100,000");
    }
}
