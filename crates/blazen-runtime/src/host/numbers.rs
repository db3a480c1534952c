//! Small numbers for texts that the core knows only by number, each text's for the run's life.

use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub struct Numbers {
    numbers: HashMap<String, i32>,
    texts: BTreeMap<i32, String>,
}

impl Numbers {
    pub fn of(&mut self, text: &str) -> i32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.last_key_value().map_or(0, |(last, _)| last + 1);
        self.set(text.to_owned(), number);
        number
    }
    /// A stored text under the number that it had.
    pub fn set(&mut self, text: String, number: i32) {
        self.texts.insert(number, text.clone());
        self.numbers.insert(text, number);
    }
    pub fn has(&self, text: &str) -> bool {
        self.numbers.contains_key(text)
    }
    pub fn text(&self, number: i32) -> Option<&str> {
        self.texts.get(&number).map(String::as_str)
    }
    pub fn all(&self) -> impl Iterator<Item = (i32, &str)> {
        self.texts.iter().map(|(number, text)| (*number, text.as_str()))
    }
}
