//! Values under small integers that are used again, the lowest free one first: so what is there says all, and a snapshot
//! has nothing to keep of the order in which things were freed.

use std::ops::{Index, IndexMut};

use crate::bits::Marks;

const BITS: usize = u64::BITS as usize;

pub struct Slab<T> {
    entries: Vec<Option<T>>,
    /// Most slabs never have any.
    holes: Option<Box<Holes>>,
    len: usize,
    /// What was added, changed or removed, where anybody asks.
    touched: Option<Box<Marks>>,
}

/// Free ids below the largest that was ever used.
#[derive(Default)]
struct Holes {
    /// A bit for each id: it is free.
    free: Vec<u64>,
    /// A bit for each word of `free`: it is not zero.
    words: Vec<u64>,
}

impl Holes {
    fn lowest(&self) -> Option<usize> {
        let group = self.words.iter().position(|word| *word != 0)?;
        let at = group * BITS + self.words[group].trailing_zeros() as usize;
        Some(at * BITS + self.free[at].trailing_zeros() as usize)
    }

    fn take_lowest(&mut self) -> Option<usize> {
        let group = self.words.iter().position(|word| *word != 0)?;
        let at = group * BITS + self.words[group].trailing_zeros() as usize;
        let bit = self.free[at].trailing_zeros() as usize;
        self.free[at] &= self.free[at] - 1;
        if self.free[at] == 0 {
            self.words[group] &= self.words[group] - 1;
        }
        Some(at * BITS + bit)
    }

    fn add(&mut self, id: usize) {
        let at = id / BITS;
        let group = at / BITS;
        if self.free.len() <= at {
            self.free.resize(at + 1, 0);
        }
        if self.words.len() <= group {
            self.words.resize(group + 1, 0);
        }
        self.free[at] |= 1 << (id % BITS);
        self.words[group] |= 1 << (at % BITS);
    }

    fn clear(&mut self) {
        self.free.clear();
        self.words.clear();
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), holes: None, len: 0, touched: None }
    }
}

/// Of what must be there.
impl<T> Index<u32> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, id: u32) -> &T {
        match self.entries.get(id as usize) {
            Some(Some(value)) => value,
            _ => vacant(),
        }
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        self.touch(id);
        match self.entries.get_mut(id as usize) {
            Some(Some(value)) => value,
            _ => vacant(),
        }
    }
}

#[cold]
#[inline(never)]
#[allow(clippy::panic, reason = "like an index out of bounds")]
fn vacant() -> ! {
    panic!("nothing has this id");
}

impl<T> Slab<T> {
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if self.len <= self.entries.len()
            && let Some(id) = self.holes.as_mut().and_then(|holes| holes.take_lowest())
        {
            self.entries[id] = Some(value);
            self.touch(id as u32);
            return id as u32;
        }
        self.touch(self.entries.len() as u32);
        if self.entries.capacity() == 0 {
            // Many hold one value for as long as they live.
            self.entries.reserve_exact(1);
        }
        self.entries.push(Some(value));
        (self.entries.len() - 1) as u32
    }

    /// Puts values under the ids they had, given in ascending order, into an empty slab. False if there is no room for ids so large.
    pub fn restore(&mut self, values: Vec<(u32, T)>) -> bool {
        let room = values.last().map_or(0, |(id, _)| *id as usize + 1);
        if self.entries.try_reserve_exact(room).is_err() {
            return false;
        }
        for (id, value) in values {
            while self.entries.len() < id as usize {
                self.holes.get_or_insert_default().add(self.entries.len());
                self.entries.push(None);
            }
            self.entries.push(Some(value));
            self.len += 1;
        }
        true
    }

    pub fn get(&self, id: u32) -> Option<&T> {
        self.entries.get(id as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let value = self.entries.get_mut(id as usize)?.as_mut()?;
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
        Some(value)
    }

    #[inline]
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let value = self.entries.get_mut(id as usize)?.take()?;
        self.touch(id);
        self.len -= 1;
        if self.len == 0 {
            // Nothing is there: the next value gets the first id, as in a new one.
            self.clear();
        } else {
            self.holes.get_or_insert_default().add(id as usize);
        }
        Some(value)
    }

    /// From here on it remembers what is touched.
    pub fn track(&mut self) {
        self.touched.get_or_insert_default().take();
    }

    #[inline]
    fn touch(&mut self, id: u32) {
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
    }

    /// What was touched since it was tracked or taken.
    pub fn take_touched(&mut self) -> Vec<u32> {
        self.touched.as_mut().map(|touched| touched.take()).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries.iter().enumerate().filter_map(|(id, entry)| Some((id as u32, entry.as_ref()?)))
    }

    /// Whether none below this id is free: when it is removed, the next value gets it again.
    #[inline]
    pub fn is_lowest(&self, id: u32) -> bool {
        self.len == self.entries.len() || self.holes.as_ref().is_none_or(|holes| holes.lowest().is_none_or(|lowest| lowest > id as usize))
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Gives its memory back if nothing is in it: the next value gets the id it would have got.
    pub fn rest(&mut self) {
        if self.len == 0 {
            *self = Self { touched: self.touched.take(), ..Self::default() };
        }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        if let Some(holes) = &mut self.holes {
            holes.clear();
        }
        self.len = 0;
    }

    /// As `clear`, for another owner.
    pub fn reset(&mut self) {
        self.clear();
        self.touched = None;
    }
}
