//! The splitter against the corners of Rust's quoting.

use super::*;

#[test]
fn comments_and_strings_are_no_code() {
    let text =
        "let a = \"todo!() // not \\\" here\"; // Instant::now\nlet b = 1; /* x /* y */ z */ let c = 2;";
    let split = split(text);
    assert!(!split.code.contains("todo") && !split.code.contains("Instant") && !split.code.contains('z'));
    assert!(split.code.contains("let b = 1;") && split.code.contains("let c = 2;"));
    assert!(split.comments.contains("Instant::now") && !split.comments.contains("let"));
    assert_eq!(split.code.lines().count(), text.lines().count());
}

#[test]
fn raw_strings_characters_and_lifetimes_are_told_apart() {
    let split = split("fn f<'a>(x: &'a str) -> char { let _ = r#\"{ \"quoted\" {\"#; let _ = br\"{\"; '{' }");
    assert_eq!(split.code.matches('{').count(), 1);
    assert_eq!(split.code.matches('}').count(), 1);
    assert!(split.code.contains("&'a str"));
    let escaped = super::split("let q = '\\''; let n = '\\n'; let b = '\\\\'; call();");
    assert!(escaped.code.contains("call();"));
}

#[test]
fn test_modules_are_blanked_and_lines_kept() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { now() }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
    let kept = without_tests(code);
    assert!(!kept.contains("now") && !kept.contains("more"));
    assert!(kept.contains("fn a") && kept.contains("fn c") && kept.contains("fn d"));
    assert_eq!(kept.lines().count(), code.lines().count());
}

#[test]
fn a_function_counts_its_lines_of_code() {
    let code = split("trait T { fn open(&self); }\n\nfn long(\n    a: u8,\n) {\n    // why\n    one();\n\n    two(|| {\n        three()\n    });\n}\n").code;
    assert_eq!(functions(&code), [Function { name: "long".to_owned(), line: 3, lines: 4 }]);
}

#[test]
fn words_stand_alone() {
    assert_eq!(words("a_prost prost prosty prost::x", "prost").count(), 2);
    assert_eq!(words("x.elapsed() elapsed()", ".elapsed(").count(), 1);
}
