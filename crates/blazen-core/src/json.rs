//! JSON objects, field by field. Readers and writers that are derived for each of the small records here would be most of
//! the WASM module.

mod scan;

pub use scan::{Member, Nested, nested, shape};

use std::borrow::Cow;

/// What is wrong with a text, in words.
pub type Wrong = String;

/// The fields of an object that were not taken yet, their values as they are written.
pub struct Fields<'a>(Vec<Member<'a>>);

impl<'a> Fields<'a> {
    pub fn read(text: &'a str) -> Result<Self, Wrong> {
        scan::object(text).map(Fields).ok_or_else(|| "it is no JSON object".to_owned())
    }

    pub fn of(members: Vec<Member<'a>>) -> Self {
        Self(members)
    }

    /// All fields in their order, as they are written.
    pub fn into_entries(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.0.into_iter().map(|(name, value, _)| (name, value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, ..)| field == name)
    }

    pub fn raw(&mut self, name: &str) -> Option<&'a str> {
        self.take(name).map(|(_, raw, _)| raw)
    }

    fn take(&mut self, name: &str) -> Option<Member<'a>> {
        let at = self.0.iter().position(|(field, ..)| field == name)?;
        Some(self.0.swap_remove(at))
    }

    pub fn required(&mut self, name: &str) -> Result<&'a str, Wrong> {
        self.raw(name).ok_or_else(|| format!("\"{name}\" is missing"))
    }

    pub fn number(&mut self, name: &str) -> Result<u64, Wrong> {
        number(name, self.required(name)?)
    }

    pub fn maybe_number(&mut self, name: &str) -> Result<Option<u64>, Wrong> {
        self.raw(name).filter(|raw| *raw != "null").map(|raw| number(name, raw)).transpose()
    }

    pub fn small(&mut self, name: &str) -> Result<u32, Wrong> {
        small(name, self.number(name)?)
    }

    pub fn maybe_small(&mut self, name: &str) -> Result<Option<u32>, Wrong> {
        self.maybe_number(name)?.map(|number| small(name, number)).transpose()
    }

    pub fn text(&mut self, name: &str) -> Result<Cow<'a, str>, Wrong> {
        text(name, self.required(name)?)
    }

    pub fn maybe_text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Wrong> {
        self.raw(name).filter(|raw| *raw != "null").map(|raw| text(name, raw)).transpose()
    }

    pub fn texts(&mut self, name: &str) -> Result<Vec<Cow<'a, str>>, Wrong> {
        self.list(name)?.into_iter().map(|raw| text(name, raw)).collect()
    }

    pub fn numbers(&mut self, name: &str) -> Result<Vec<u64>, Wrong> {
        self.list(name)?.into_iter().map(|raw| number(name, raw)).collect()
    }

    pub fn smalls(&mut self, name: &str) -> Result<Vec<u32>, Wrong> {
        self.list(name)?.into_iter().map(|raw| small(name, number(name, raw)?)).collect()
    }

    /// The items of a list as they are written; none for a field that is not there.
    pub fn list(&mut self, name: &str) -> Result<Vec<&'a str>, Wrong> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some((_, raw, items)) if raw.starts_with('[') => Ok(items),
            Some(_) => Err(format!("\"{name}\" is no list")),
        }
    }

    pub fn pair(&mut self, name: &str) -> Result<Option<(u64, u64)>, Wrong> {
        if !self.has(name) {
            return Ok(None);
        }
        match self.list(name)?[..] {
            [first, second] => Ok(Some((number(name, first)?, number(name, second)?))),
            _ => Err(format!("\"{name}\" is no pair")),
        }
    }

    /// Absent is false.
    pub fn flag(&mut self, name: &str) -> Result<bool, Wrong> {
        match self.raw(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(format!("\"{name}\" is neither true nor false")),
        }
    }

    /// Nothing else is there.
    pub fn end(self) -> Result<(), Wrong> {
        self.0.first().map_or(Ok(()), |(name, ..)| Err(format!("there is no field \"{name}\", or there are two")))
    }
}

/// Whether a text is one value, whatever is in it.
pub fn is_json(text: &str) -> bool {
    scan::is_value(text)
}

pub fn number(name: &str, raw: &str) -> Result<u64, Wrong> {
    raw.parse().map_err(|_| format!("\"{name}\" is no whole number"))
}

pub fn small(name: &str, number: u64) -> Result<u32, Wrong> {
    u32::try_from(number).map_err(|_| format!("\"{name}\" is too large"))
}

pub fn text<'a>(name: &str, raw: &'a str) -> Result<Cow<'a, str>, Wrong> {
    scan::text(raw).ok_or_else(|| format!("\"{name}\" is no text"))
}

pub fn list<'a>(name: &str, raw: &'a str) -> Result<Vec<&'a str>, Wrong> {
    scan::list(raw).ok_or_else(|| format!("\"{name}\" is no list"))
}

/// Writes an object; `end` closes it.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Object<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, begun: false }
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.push(if self.begun { b',' } else { b'{' });
        self.begun = true;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub fn raw(&mut self, name: &str, json: &str) {
        self.name(name).extend_from_slice(json.as_bytes());
    }

    pub fn number(&mut self, name: &str, number: u64) {
        write_number(self.name(name), number);
    }

    /// One that is 0 is left out.
    pub fn count(&mut self, name: &str, number: u64) {
        if number > 0 {
            self.number(name, number);
        }
    }

    pub fn maybe(&mut self, name: &str, number: Option<u32>) {
        if let Some(number) = number {
            self.number(name, u64::from(number));
        }
    }

    pub fn text(&mut self, name: &str, text: &str) {
        write_text(self.name(name), text);
    }

    pub fn pair(&mut self, name: &str, (first, second): (u64, u64)) {
        let out = self.name(name);
        out.push(b'[');
        write_number(out, first);
        out.push(b',');
        write_number(out, second);
        out.push(b']');
    }

    pub fn numbers<N: Copy + Into<u64>>(&mut self, name: &str, numbers: &[N]) {
        write_list(self.name(name), numbers, |out, number| write_number(out, (*number).into()));
    }

    pub fn texts<T: AsRef<str>>(&mut self, name: &str, texts: &[T]) {
        write_list(self.name(name), texts, |out, text| write_text(out, text.as_ref()));
    }

    pub fn end(self) {
        self.out.extend_from_slice(if self.begun { b"}" } else { b"{}" });
    }
}

pub fn write_list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

pub fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// With the escapes that `JSON.stringify` uses.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        from = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}

/// Text of JSON that was put together from whole strings.
pub fn string(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
