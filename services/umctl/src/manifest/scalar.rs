//! What a plain YAML scalar means (YAML 1.2 core schema), and which texts need quotes to stay texts.

/// The type that a plain scalar has by its form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction or exponent.
    Real(f64),
    /// Anything else.
    Text,
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::Real(f64::NAN),
        _ => {}
    }
    if let Some(number) = whole(text) {
        return Plain::Whole(number);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Plain::Real(f64::INFINITY);
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    match text.parse::<f64>() {
        Ok(number) if numeric => Plain::Real(number),
        Ok(_) | Err(_) => Plain::Text,
    }
}

/// Says whether a text can stand without quotes, inside `[…]` too, and be read back as the same text.
pub(super) fn needs_no_quotes(text: &str) -> bool {
    let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | '=');
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/'))
        && text.chars().all(tame)
        && resolve(text) == Plain::Text
}

/// Writes a text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn whole(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i128::from_str_radix(digits, 8).ok();
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| text.parse().unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_type_of_their_form() {
        for (text, plain) in [
            ("~", Plain::Null),
            ("True", Plain::Bool(true)),
            ("yes", Plain::Text),
            ("5060", Plain::Whole(5060)),
            ("-1", Plain::Whole(-1)),
            ("0x10", Plain::Whole(16)),
            ("1.5", Plain::Real(1.5)),
            ("1e3", Plain::Real(1e3)),
            ("+12025550102", Plain::Whole(12_025_550_102)),
            ("10.0.0.1", Plain::Text),
            ("500ms", Plain::Text),
            ("inf", Plain::Text),
            (".", Plain::Text),
            ("e5", Plain::Text),
        ] {
            assert_eq!(resolve(text), plain, "{text}");
        }
    }

    #[test]
    fn texts_that_look_like_something_else_get_quotes() {
        for text in ["6000", "true", "", "~", "+1202", "- x", "a: b", "a #b", "*x", "sip:a@b", "1.5", "a,b"] {
            assert!(!needs_no_quotes(text), "{text}");
        }
        for text in ["eth0", "um-plain", "10.0.0.0/8", "500ms", "FAST_FAILOVER", "um1.example.com"] {
            assert!(needs_no_quotes(text), "{text}");
        }
    }
}
