//! Just enough of Rust's syntax to tell code from comments and strings, and to find functions and test modules.
//!
//! It is no parser: braces, words and quotes are all that the rules need.

/// A file split in two texts of the same lines: what is not code (or not comment) is blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Code, with comments and the insides of strings blank.
    pub code: String,
    /// Comments, with all else blank.
    pub comments: String,
}

/// A function and how much code its body has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of the `fn`, from 1.
    pub line: usize,
    /// Lines of its body that hold code.
    pub lines: usize,
}

/// Splits a file.
#[must_use]
pub fn split(text: &str) -> Split {
    let chars = text.chars().collect::<Vec<_>>();
    let mut out =
        Split { code: String::with_capacity(text.len()), comments: String::with_capacity(text.len()) };
    let mut at = 0;
    while at < chars.len() {
        let (end, kind) = token(&chars, at);
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            out.code.push(if kind == Kind::Code { c } else { blank });
            out.comments.push(if kind == Kind::Comment { c } else { blank });
        }
        at = end;
    }
    out
}

/// Blanks every item under `#[cfg(test)]`.
#[must_use]
pub fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let rest = &out[start..];
        let end = match rest.find(['{', ';']) {
            Some(open) if rest[open..].starts_with('{') => start + closing(rest, open),
            Some(semicolon) => start + semicolon + 1,
            None => out.len(),
        };
        let blank = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect::<String>();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Every function with a body.
#[must_use]
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let before = code[..start].chars().next_back();
        let name =
            code[start + 3..].chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect::<String>();
        if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[start..];
        let Some(open) = rest.find(['{', ';']) else { continue };
        if rest[open..].starts_with(';') {
            continue;
        }
        let body = &rest[open + 1..closing(rest, open) - 1];
        let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
        found.push(Function { name, line: line_of(code, start), lines });
    }
    found
}

/// Line of a byte position, from 1.
#[must_use]
pub fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Positions where a word stands alone: not inside a longer identifier. A word may hold `::` or `.`.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(start, _)| start).filter(move |&start| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        let joins = |edge: Option<char>, neighbour: Option<char>| {
            edge.is_some_and(inside) && neighbour.is_some_and(inside)
        };
        !joins(word.chars().next(), before) && !joins(word.chars().next_back(), after)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

fn token(chars: &[char], at: usize) -> (usize, Kind) {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => (find(chars, at, |c| c == '\n'), Kind::Comment),
        '/' if next == Some('*') => (block_comment(chars, at), Kind::Comment),
        '"' => (string(chars, at), Kind::Text),
        'r' if !follows_word(chars, at) || at > 0 && chars[at - 1] == 'b' => match raw_string(chars, at) {
            Some(end) => (end, Kind::Text),
            None => (at + 1, Kind::Code),
        },
        '\'' => match character(chars, at) {
            Some(end) => (end, Kind::Text),
            None => (at + 1, Kind::Code),
        },
        _ => (at + 1, Kind::Code),
    }
}

fn follows_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|&c| wanted(c)).map_or(chars.len(), |offset| from + offset)
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut here) = (0, at);
    while here + 1 < chars.len() {
        match (chars[here], chars[here + 1]) {
            ('/', '*') => (depth, here) = (depth + 1, here + 2),
            ('*', '/') => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
        if depth == 0 {
            return here;
        }
    }
    chars.len()
}

fn string(chars: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < chars.len() && chars[here] != '"' {
        here += if chars[here] == '\\' { 2 } else { 1 };
    }
    (here + 1).min(chars.len())
}

fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut here = open + 1;
    while here < chars.len() {
        let closed = chars[here] == '"'
            && chars[here + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
        if closed {
            return Some(here + 1 + hashes);
        }
        here += 1;
    }
    Some(chars.len())
}

/// End of a character literal; `None` for a lifetime.
fn character(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at + 1)? {
        '\\' => Some((find(chars, at + 3, |c| c == '\'') + 1).min(chars.len())),
        _ => (chars.get(at + 2) == Some(&'\'')).then_some(at + 3),
    }
}

/// Position after the brace that closes the one at `open`.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests;
