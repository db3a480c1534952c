//! Where the parts of a JSON text stand. Values stay slices of the text: the core looks into none but its own. The grammar is
//! RFC 8259's, to the letter; nothing recurses, so that no depth of nesting can exhaust the stack.

use std::borrow::Cow;

/// A member of an object: its key, its value as it is written, and the items of a value that is a list.
pub type Member<'a> = (Cow<'a, str>, &'a str, Vec<&'a str>);

/// The members of an object, in order; None for anything else.
pub fn object(text: &str) -> Option<Vec<Member<'_>>> {
    let mut scanner = Scanner::new(text);
    let mut members = Vec::new();
    scanner.items(b'{', b'}', |scanner| {
        let key = scanner.key()?;
        let (value, items) = scanner.value_and_items()?;
        members.push((key, value, items));
        Some(())
    })?;
    scanner.end()?;
    Some(members)
}

/// An object of which one member is an object itself, in one pass.
pub struct Nested<'a> {
    pub outer: Vec<Member<'a>>,
    pub inner: Vec<(Cow<'a, str>, &'a str)>,
    /// A value has white space between its tokens.
    pub spaced: bool,
}

pub fn nested<'a>(text: &'a str, name: &str) -> Option<Nested<'a>> {
    let mut scanner = Scanner::new(text);
    let mut outer = Vec::new();
    let mut inner = Vec::new();
    let mut found = false;
    scanner.items(b'{', b'}', |scanner| {
        let key = scanner.key()?;
        if key == name && !found {
            found = true;
            return scanner.items(b'{', b'}', |scanner| {
                inner.push((scanner.key()?, scanner.value()?));
                Some(())
            });
        }
        let (value, items) = scanner.value_and_items()?;
        outer.push((key, value, items));
        Some(())
    })?;
    scanner.end()?;
    found.then_some(Nested { outer, inner, spaced: scanner.spaced_within })
}

/// The items of a list; None for anything else.
pub fn list(text: &str) -> Option<Vec<&str>> {
    let mut scanner = Scanner::new(text);
    let items = scanner.list()?;
    scanner.end()?;
    Some(items)
}

/// What a string says; None for anything else.
pub fn text(text: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner::new(text);
    let inner = scanner.string()?;
    scanner.end()?;
    unescaped(inner)
}

pub fn is_value(text: &str) -> bool {
    shape(text).is_some()
}

/// What a value is like, without what it says.
pub struct Shape {
    /// Levels of lists and objects.
    pub depth: usize,
    /// A string in it is `$`: it may be tagged.
    pub tagged: bool,
}

pub fn shape(text: &str) -> Option<Shape> {
    let mut scanner = Scanner::new(text);
    scanner.value()?;
    scanner.end()?;
    Some(scanner.shape)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// There was white space since the value began; in any value before.
    spaced: bool,
    spaced_within: bool,
    shape: Shape,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, spaced: false, spaced_within: false, shape: Shape { depth: 0, tagged: false } }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                found => return found,
            }
            self.spaced = true;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.next()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        if self.next().is_none() { Some(()) } else { None }
    }

    fn key(&mut self) -> Option<Cow<'a, str>> {
        let key = self.string()?;
        self.expect(b':')?;
        unescaped(key)
    }

    fn list(&mut self) -> Option<Vec<&'a str>> {
        let mut items = Vec::new();
        self.items(b'[', b']', |scanner| {
            items.push(scanner.value()?);
            Some(())
        })?;
        Some(items)
    }

    fn value_and_items(&mut self) -> Option<(&'a str, Vec<&'a str>)> {
        if self.next()? != b'[' {
            return Some((self.value()?, Vec::new()));
        }
        let from = self.at;
        let items = self.list()?;
        Some((self.text.get(from..self.at)?, items))
    }

    /// All items between two brackets.
    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if self.next()? == close {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            let found = self.next()?;
            self.at += 1;
            if found == close {
                return Some(());
            }
            if found != b',' {
                return None;
            }
        }
    }

    /// What stands between the quotes of a string, with its escapes checked.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        let from = self.at;
        let mut at = from;
        loop {
            at += plain(bytes.get(at..)?);
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    at += match bytes.get(at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                        b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        self.at = at + 1;
        self.shape.tagged |= matches!(bytes.get(from..at)?, b"$" | b"\\u0024");
        self.text.get(from..at)
    }

    /// A whole value, from its first to its last byte.
    fn value(&mut self) -> Option<&'a str> {
        self.next()?;
        let from = self.at;
        // The brackets that are open: true for those of objects.
        let mut open: Vec<bool> = Vec::new();
        self.spaced = false;
        loop {
            self.shape.depth = self.shape.depth.max(open.len());
            // A value begins here.
            match self.next()? {
                b'{' => {
                    self.at += 1;
                    if self.next()? != b'}' {
                        open.push(true);
                        self.string()?;
                        self.expect(b':')?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.next()? != b']' {
                        open.push(false);
                        continue;
                    }
                    self.at += 1;
                }
                b'"' => {
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                _ => self.word()?,
            }
            // A value has ended here.
            loop {
                let Some(&object) = open.last() else {
                    self.spaced_within |= self.spaced;
                    return self.text.get(from..self.at);
                };
                match (self.next()?, object) {
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b',', true) => {
                        self.at += 1;
                        self.string()?;
                        self.expect(b':')?;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let word: &[u8] = match rest.first()? {
            b't' => b"true",
            b'f' => b"false",
            _ => b"null",
        };
        if !rest.starts_with(word) {
            return None;
        }
        self.at += word.len();
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && zero {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// How many there are, one at least.
    fn digits(&mut self) -> Option<usize> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > from { Some(self.at - from) } else { None }
    }
}

/// The text that a string's inner part stands for; None where an escape is half of a character.
fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        text.push(match letters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = hex(&mut letters)?;
                if (0xd800..0xdc00).contains(&unit) {
                    if (letters.next()?, letters.next()?) != ('\\', 'u') {
                        return None;
                    }
                    let low = hex(&mut letters)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)?
                } else {
                    char::from_u32(unit)?
                }
            }
            other => other,
        });
    }
    Some(Cow::Owned(text))
}

/// How many bytes of a string come before a quote, a backslash or a control character. Most of a text is in strings: eight
/// bytes at a time, by their bits, whatever the compiler makes of loops.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // Of the bytes below n the lowest is marked for sure, and higher ones perhaps.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & (ONES * 0x80);
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = is(word, b'"') | is(word, b'\\') | below(word, 0x20);
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20);
    bytes.len() - rest.len() + end.unwrap_or(rest.len())
}

fn hex(letters: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | letters.next()?.to_digit(16)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The scanner takes what a well-known parser takes, and nothing else.
        #[test]
        fn as_serde_json(text in "[ \\n{}\\[\\],:\"\\\\ubnx0-9.eE+a-f-]{0,12}|(\\[|\\{|\"a\":|\"\\\\u00e4\"|1|,|true|null|-0|\\]|\\}| ){0,12}") {
            let expected = serde_json::from_str::<Value>(&text);
            // It has no numbers that are too large, and says so.
            let too_large = expected.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            // Halves of characters are right by the grammar; where a text is wanted they are refused.
            let half = expected.as_ref().is_err_and(|error| error.to_string().contains("surrogate") || error.to_string().contains("hex escape"));
            prop_assert!(is_value(&text) == expected.is_ok() || too_large || half, "{text}: {expected:?}");
            if let Ok(Value::Object(fields)) = &expected {
                let members = object(&text).ok_or_else(|| TestCaseError::fail("no object"))?;
                for (key, value, _) in &members {
                    prop_assert!(fields.contains_key(&**key));
                    prop_assert!(serde_json::from_str::<Value>(value).is_ok());
                }
            }
        }

        #[test]
        fn plain_bytes(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(0x1f), Just(b'\\')], 0..40)) {
            let expected = bytes.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20);
            prop_assert_eq!(plain(&bytes), expected.unwrap_or(bytes.len()));
        }

        #[test]
        fn texts_come_back(any in any::<String>()) {
            let mut out = Vec::new();
            super::super::write_text(&mut out, &any);
            let written = String::from_utf8(out).map_err(|_| TestCaseError::fail("no UTF-8"))?;
            prop_assert_eq!(&written, &serde_json::to_string(&any).map_err(|_| TestCaseError::fail("no text"))?);
            let back = text(&written).ok_or_else(|| TestCaseError::fail("no text"))?;
            prop_assert_eq!(back, any);
        }
    }
}
