//! A set of small numbers.

const BITS: usize = u64::BITS as usize;

#[derive(Default)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// False if it was there.
    pub fn insert(&mut self, number: u32) -> bool {
        let at = number as usize / BITS;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        let bit = 1 << (number as usize % BITS);
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        new
    }

    pub fn contains(&self, number: u32) -> bool {
        self.words.get(number as usize / BITS).is_some_and(|word| word & (1 << (number as usize % BITS)) != 0)
    }

    #[inline]
    pub fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut(number as usize / BITS) {
            *word &= !(1 << (number as usize % BITS));
        }
    }

    pub fn of(numbers: &[u32]) -> Self {
        let mut bits = Self::default();
        for number in numbers {
            bits.insert(*number);
        }
        bits
    }

    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn clear(&mut self) {
        self.words.clear();
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        let (short, long) = if self.words.len() < other.words.len() { (self, other) } else { (other, self) };
        let (first, rest) = long.words.split_at(short.words.len());
        short.words == first && rest.iter().all(|word| *word == 0)
    }
}
