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

    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let bits = |word: u64| (0..u64::BITS).filter(move |bit| word & (1 << bit) != 0);
        (0..).zip(&self.words).flat_map(move |(at, word)| bits(*word).map(move |bit| at * u64::BITS + bit))
    }

    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn clear(&mut self) {
        self.words.clear();
    }
}

/// Numbers that were marked since they were last taken, each once. What it costs to take them depends on how many they are alone.
#[derive(Default)]
pub struct Marks {
    set: Bits,
    list: Vec<u32>,
}

impl Marks {
    #[inline]
    pub fn insert(&mut self, number: u32) {
        if self.set.insert(number) {
            self.list.push(number);
        }
    }

    pub fn list(&self) -> &[u32] {
        &self.list
    }

    pub fn take(&mut self) -> Vec<u32> {
        let list = std::mem::take(&mut self.list);
        list.iter().for_each(|number| self.set.remove(*number));
        list
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        let (short, long) = if self.words.len() < other.words.len() { (self, other) } else { (other, self) };
        let (first, rest) = long.words.split_at(short.words.len());
        short.words == first && rest.iter().all(|word| *word == 0)
    }
}
