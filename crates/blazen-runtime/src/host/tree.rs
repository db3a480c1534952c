//! JSON values as trees of the stored form, and back: `docs/format.md`. Most values are their own tree.

use serde_json::{Map, Number, Value, json};

/// Levels of a value that can be stored: what reads it back takes few more.
const DEEPEST: usize = 100;
/// The whole numbers that every reader takes for what they are.
const SAFE: u64 = (1 << 53) - 1;

/// Whether a value can be stored.
pub fn check(value: &Value) -> Result<(), String> {
    fn within(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => levels > 0 && items.iter().all(|item| within(item, levels - 1)),
            Value::Object(fields) => levels > 0 && fields.values().all(|field| within(field, levels - 1)),
            _ => true,
        }
    }
    if within(value, DEEPEST) { Ok(()) } else { Err(format!("it has more than {DEEPEST} levels, which cannot be stored")) }
}

/// The tree of a value that was checked.
pub fn encode(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(encode).collect(),
        Value::Object(fields) => {
            let encoded: Map<_, _> = fields.iter().map(|(name, field)| (name.clone(), encode(field))).collect();
            if fields.contains_key("$") { json!({ "$": "object", "fields": encoded }) } else { encoded.into() }
        }
        Value::Number(number) => encode_number(number),
        plain => plain.clone(),
    }
}

fn encode_number(number: &Number) -> Value {
    let large = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()).is_some_and(|size| size > SAFE);
    if large {
        json!({ "$": "bigint", "value": number.to_string() })
    } else if number.as_f64().is_some_and(|value| value == 0.0 && value.is_sign_negative()) {
        json!({ "$": "number", "value": "-0" })
    } else {
        number.clone().into()
    }
}

/// The value of a tree. An error says what it has that is no JSON.
pub fn decode(tree: &Value) -> Result<Value, String> {
    match tree {
        Value::Array(items) => items.iter().map(decode).collect(),
        Value::Object(fields) => match fields.get("$") {
            None => decode_fields(fields).map(Value::Object),
            Some(kind) => tagged(kind.as_str().unwrap_or_default(), fields),
        },
        plain => Ok(plain.clone()),
    }
}

fn decode_fields(fields: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    fields.iter().map(|(name, field)| Ok((name.clone(), decode(field)?))).collect()
}

/// What would be another value when it is stored again is none.
fn tagged(kind: &str, tree: &Map<String, Value>) -> Result<Value, String> {
    let no_json = || format!("a value of the kind \"{kind}\", which is no JSON");
    let value = match (kind, tree.get("value").and_then(Value::as_str), tree.get("fields")) {
        ("object", _, Some(Value::Object(fields))) => Value::Object(decode_fields(fields)?),
        ("number", Some("-0"), _) => json!(-0.0),
        ("bigint", Some(digits), _) => {
            let number = digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from));
            Value::Number(number.map_err(|_| format!("the number {digits}, which has more than 64 bits"))?)
        }
        _ => return Err(no_json()),
    };
    if encode(&value)["$"] == kind { Ok(value) } else { Err(no_json()) }
}

/// Parts of an error that are none of its own fields.
const PARTS: [&str; 5] = ["type", "name", "message", "stack", "cause"];

/// The error of a StepFailedEvent: an object that is stored as an error, or another value that was thrown.
pub fn encode_error(error: &Value) -> Value {
    let Some(fields) = error.as_object() else { return encode(error) };
    let mut tree = json!({ "$": "error", "type": "Error", "fields": {} });
    for (name, field) in fields {
        match name.as_str() {
            "cause" => tree[name] = encode_error(field),
            part if PARTS.contains(&part) => tree[name] = field.clone(),
            _ => tree["fields"][name] = encode(field),
        }
    }
    tree
}

/// The same back, with its own fields beside `name`, `message` and so on.
pub fn decode_error(tree: &Value) -> Result<Value, String> {
    let Some(parts) = tree.as_object() else { return decode(tree) };
    let own = parts.get("fields").and_then(Value::as_object).filter(|_| tree["$"] == "error" && !parts.contains_key("errors"));
    let Some(own) = own.filter(|own| !PARTS.iter().any(|part| own.contains_key(*part))) else {
        return Err("what was thrown, which is no error of a kind that JSON can tell".to_owned());
    };
    let mut error = decode_fields(own)?;
    for part in PARTS.iter().filter(|part| tree["type"] != "Error" || **part != "type") {
        if let Some(field) = parts.get(*part) {
            error.insert((*part).to_owned(), if *part == "cause" { decode_error(field)? } else { field.clone() });
        }
    }
    Ok(error.into())
}

/// A hash of an answer, whatever the order of its keys: the same in every language.
pub fn digest(value: &Value) -> String {
    let mut text = String::new();
    write_ordered(&encode(value), &mut text);
    blazen_core::digest(text.as_bytes())
}

fn write_ordered(tree: &Value, out: &mut String) {
    match tree {
        Value::Array(items) => list(items, out, write_ordered),
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            // As JavaScript compares strings.
            pairs.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push_str("{\"\":");
            list(&pairs, out, |(name, field), out| {
                out.push('[');
                out.push_str(&json!(name).to_string());
                out.push(',');
                write_ordered(field, out);
                out.push(']');
            });
            out.push('}');
        }
        Value::Number(number) => out.push_str(&number_text(number)),
        plain => out.push_str(&plain.to_string()),
    }
}

fn list<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// A number as JavaScript writes it, so that 1 and 1.0 are one.
pub fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{:e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.replace('.', "");
    let point: i32 = exponent.parse::<i32>().unwrap_or(0) + 1;
    let length = digits.len() as i32;
    let sign = if value < 0.0 { "-" } else { "" };
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match point {
        _ if length <= point && point <= 21 => format!("{sign}{digits}{}", zeros(point - length)),
        1..=21 => format!("{sign}{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("{sign}0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let plus = if point > 0 { "+" } else { "" };
            format!("{sign}{first}{dot}{rest}e{plus}{}", point - 1)
        }
    }
}

/// A key of the state as it stands in the name of an entry: percent-encoded as by `encodeURIComponent`.
pub fn encode_key(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The same back; None for what is none.
pub fn decode_key(part: &str) -> Option<String> {
    let mut bytes = part.bytes();
    let mut out = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_does() {
        for (value, text) in [
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (123_456.75, "123456.75"),
            (1.25e-7, "1.25e-7"),
            (0.000_001, "0.000001"),
            (5e-324, "5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
        ] {
            assert_eq!(Number::from_f64(value).map(|number| number_text(&number)).as_deref(), Some(text));
        }
    }

    #[test]
    fn values_come_back() {
        let value =
            json!({ "$": "cash", "list": [1, -0.0, 1.5, u64::MAX, i64::MIN, 9_007_199_254_740_993_u64, null, "x"], "in": { "$": [] } });
        let tree = encode(&value);
        assert_eq!(tree["$"], "object");
        assert_eq!(tree["fields"]["list"][3], json!({ "$": "bigint", "value": "18446744073709551615" }));
        assert_eq!(decode(&tree), Ok(value));
        for no_json in [json!({ "$": "date", "value": null }), json!({ "$": "bigint", "value": "5" }), json!({ "$": "dict", "fields": {} })]
        {
            assert!(decode(&json!([no_json])).is_err_and(|why| why.ends_with("which is no JSON")));
        }
    }

    #[test]
    fn errors_come_back() {
        let cause = json!({ "$": "error", "type": "TypeError", "name": "TypeError", "message": "fetch failed", "fields": {} });
        let error = decode_error(&encode_error(&json!("thrown"))).and(decode_error(&json!({
            "$": "error", "type": "Error", "message": "declined", "cause": cause, "fields": { "code": "E", "n": { "$": "number", "value": "-0" } }
        })));
        let error = error.unwrap_or_default();
        assert_eq!((&error["message"], &error["code"], &error["cause"]["type"]), (&json!("declined"), &json!("E"), &json!("TypeError")));
        assert_eq!(decode_error(&encode_error(&error)), Ok(error));
        assert!(decode_error(&json!({ "message": "an object, and no error" })).is_err());
    }

    #[test]
    fn depth_is_limited() {
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(check(&deep(DEEPEST)), Ok(()));
        assert!(check(&deep(DEEPEST + 1)).is_err());
    }

    #[test]
    fn keys_come_back() {
        for key in ["total/day", "ä%", "a b", "", "~!"] {
            assert_eq!(decode_key(&encode_key(key)).as_deref(), Some(key));
        }
        assert_eq!(encode_key("total/ä"), "total%2F%C3%A4");
        assert_eq!(decode_key("%4"), None);
    }

    /// The hash that the TypeScript side gives for the same answer.
    #[test]
    fn digests_do_not_depend_on_order() {
        let [a, b] =
            [r#"{"b":[1.0,2],"a":null}"#, r#"{"a":null,"b":[1,2]}"#].map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
        assert_eq!(digest(&a), digest(&b));
        assert_eq!(digest(&a), blazen_core::digest(br#"{"":[["a",null],["b",[1,2]]]}"#));
    }
}
