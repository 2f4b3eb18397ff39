//! One Rust file as the rules see it: its code without what only tests compile, and its comments.
//! Where to look first: [`Source::new`].

use super::lexer::{Kind, Token, tokens};

/// A Rust file.
pub(super) struct Source<'a> {
    /// From the root, with `/`.
    pub(super) path: &'a str,
    /// The crate's folder, such as `crates/domain`.
    pub(super) folder: &'a str,
    /// Code that is shipped: no comments, nothing under `cfg(test)` or `cfg(loom)`. Empty in a file of tests.
    pub(super) code: Vec<Token<'a>>,
    /// All of the code, tests included, and all of its comments.
    pub(super) everything: Vec<Token<'a>>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<&'a str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Self {
        let everything = tokens(text);
        let folder = folder(path);
        let mut source = Self { path, folder, code: Vec::new(), everything, test_modules: Vec::new() };
        if !is_test_file(path) {
            let code = source.everything.iter().filter(|token| token.kind != Kind::Comment).copied();
            let code = code.collect::<Vec<_>>();
            source.split(&code);
        }
        source
    }

    /// Paths, without `.rs` or `/mod.rs`, of the modules in files of their own that only tests compile.
    pub(super) fn test_files(&self) -> impl Iterator<Item = String> {
        let own = self.path.trim_end_matches(".rs");
        let beside = ["/mod", "/lib", "/main"].iter().find_map(|name| own.strip_suffix(name)).unwrap_or(own);
        self.test_modules.iter().map(move |module| format!("{beside}/{module}"))
    }

    /// Keeps of the code what is compiled without tests.
    fn split(&mut self, mut code: &[Token<'a>]) {
        while let Some((first, rest)) = code.split_first() {
            let Some((attribute, after)) = attribute(code) else {
                self.code.push(*first);
                code = rest;
                continue;
            };
            if !is_test_attribute(attribute) {
                self.code.extend_from_slice(attribute);
                code = after;
                continue;
            }
            if attribute.get(1).is_some_and(|token| token.is("!")) {
                self.code.clear();
                return;
            }
            let (item, after) = item(after);
            if let [.., module, name, end] = item
                && module.is("mod")
                && end.is(";")
            {
                self.test_modules.push(name.text);
            }
            code = after;
        }
    }
}

/// `crates/NAME`, or the first folder.
fn folder(path: &str) -> &str {
    let depth = usize::from(path.starts_with("crates/"));
    path.match_indices('/').nth(depth).and_then(|(at, _)| path.get(..at)).unwrap_or("")
}

fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["/tests/", "/examples/", "/benches/"].iter().any(|folder| path.contains(folder))
        || name == "tests.rs"
        || name.ends_with("_tests.rs")
}

/// The attribute that code begins with, if it does, and what follows.
fn attribute<'s, 'a>(code: &'s [Token<'a>]) -> Option<(&'s [Token<'a>], &'s [Token<'a>])> {
    let opening = match code {
        [hash, open, ..] if hash.is("#") && open.is("[") => 1,
        [hash, bang, open, ..] if hash.is("#") && bang.is("!") && open.is("[") => 2,
        _ => return None,
    };
    let length = opening + group(code.get(opening..)?);
    code.split_at_checked(length)
}

fn is_test_attribute(attribute: &[Token<'_>]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.is(word));
    has("cfg") && !has("not") && (has("test") || has("loom"))
}

/// The item, field or variant that code begins with, further attributes included, and what follows.
fn item<'s, 'a>(code: &'s [Token<'a>]) -> (&'s [Token<'a>], &'s [Token<'a>]) {
    let mut length = 0;
    let mut is_item = false;
    while let Some([first, rest @ ..]) = code.get(length..) {
        is_item |= ITEMS.iter().any(|word| first.is(word));
        if CLOSING.iter().any(|bracket| first.is(bracket)) {
            break;
        }
        let opens = OPENING.iter().any(|bracket| first.is(bracket));
        length += if opens { group(code.get(length..).unwrap_or_default()) } else { 1 };
        let body = first.is("{") && !code.get(length).is_some_and(|next| next.is(";"));
        if body || first.is(";") || (first.is(",") && !is_item) || rest.is_empty() {
            break;
        }
    }
    code.split_at_checked(length).unwrap_or((code, &[]))
}

const OPENING: [&str; 3] = ["{", "(", "["];
const CLOSING: [&str; 3] = ["}", ")", "]"];
const ITEMS: [&str; 10] = ["const", "enum", "fn", "impl", "mod", "static", "struct", "trait", "type", "use"];

/// How many tokens lie from an opening bracket to the one that closes it, both included.
pub(super) fn group(code: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in code.iter().enumerate() {
        if OPENING.iter().any(|bracket| token.is(bracket)) {
            depth += 1;
        } else if CLOSING.iter().any(|bracket| token.is(bracket)) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn words(path: &str, text: &str) -> String {
        Source::new(path, text).code.iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_only_tests_compile_is_left_out() {
        let text = "fn a() {} #[cfg(test)] #[path = \"x\"] mod tests { fn b() { c([1]) } } fn d() {}";
        assert_eq!(words("crates/x/src/a.rs", text), "fn a ( ) { } fn d ( ) { }");
        assert_eq!(words("crates/x/src/a.rs", "#[cfg(test)] use x::{y, z}; e"), "e");
        assert_eq!(words("crates/x/src/a.rs", "#[cfg(test)] fn a<T, U>(b: T) {} e"), "e");
        assert_eq!(words("crates/x/src/a.rs", "{ a: A, #[cfg(test)] b: B, c: C }"), "{ a : A , c : C }");
        assert_eq!(words("crates/x/src/a.rs", "{ #[cfg(test)] b: B } c"), "{ } c");
        assert_eq!(words("crates/x/src/a.rs", "#![cfg(loom)] fn a() {}"), "");
        assert_eq!(words("crates/x/src/a/tests.rs", "fn a() {}"), "");
        assert_eq!(words("crates/x/tests/it/a.rs", "fn a() {}"), "");
    }

    #[test]
    fn what_tests_leave_out_is_code() {
        assert_eq!(words("crates/x/src/a.rs", "#![cfg(not(loom))] a"), "# ! [ cfg ( not ( loom ) ) ] a");
        assert_eq!(
            words("crates/x/src/a.rs", "#[derive(Debug)] struct A;"),
            "# [ derive ( Debug ) ] struct A ;"
        );
    }

    #[test]
    fn modules_of_tests_are_files_of_tests() {
        let files = |path| {
            Source::new(path, "#[cfg(all(test, not_windows))] pub(crate) mod samples;")
                .test_files()
                .collect::<Vec<_>>()
        };
        assert_eq!(files("crates/x/src/lib.rs"), ["crates/x/src/samples"]);
        assert_eq!(files("crates/x/src/a/mod.rs"), ["crates/x/src/a/samples"]);
        assert_eq!(files("crates/x/src/a.rs"), ["crates/x/src/a/samples"]);
    }
}
