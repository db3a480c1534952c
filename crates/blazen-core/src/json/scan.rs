//! Where the parts of a JSON text stand. Values stay slices of the text: the core looks into none but its own. The grammar is
//! RFC 8259's, to the letter; nothing recurses, so that no depth of nesting can exhaust the stack.

use std::borrow::Cow;

/// The members of an object, in order; None for anything else.
pub fn object(text: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut members = Vec::new();
    scanner.items(b'{', b'}', |scanner| {
        let key = scanner.string()?;
        scanner.expect(b':')?;
        members.push((unescaped(key)?, scanner.value()?));
        Some(())
    })?;
    Some(members)
}

/// The items of a list; None for anything else.
pub fn list(text: &str) -> Option<Vec<&str>> {
    let mut scanner = Scanner { text, at: 0 };
    let mut items = Vec::new();
    scanner.items(b'[', b']', |scanner| {
        items.push(scanner.value()?);
        Some(())
    })?;
    Some(items)
}

/// What a string says; None for anything else.
pub fn text(text: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner { text, at: 0 };
    let inner = scanner.string()?;
    scanner.end()?;
    unescaped(inner)
}

pub fn is_value(text: &str) -> bool {
    let mut scanner = Scanner { text, at: 0 };
    scanner.value().and_then(|_| scanner.end()).is_some()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.peek()
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

    /// All items between two brackets, which are all there is.
    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if self.next()? == close {
            self.at += 1;
            return self.end();
        }
        loop {
            item(self)?;
            let found = self.next()?;
            self.at += 1;
            if found == close {
                return self.end();
            }
            if found != b',' {
                return None;
            }
        }
    }

    /// What stands between the quotes of a string, with its escapes checked.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        self.text.get(from..self.at - 1)
    }

    /// A whole value, from its first to its last byte.
    fn value(&mut self) -> Option<&'a str> {
        self.next()?;
        let from = self.at;
        // The brackets that are open: true for those of objects.
        let mut open: Vec<bool> = Vec::new();
        loop {
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
                let Some(&object) = open.last() else { return self.text.get(from..self.at) };
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
                for (key, value) in &members {
                    prop_assert!(fields.contains_key(&**key));
                    prop_assert!(serde_json::from_str::<Value>(value).is_ok());
                }
            }
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
