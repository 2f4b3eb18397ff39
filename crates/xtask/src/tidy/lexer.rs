//! Rust source as tokens: just enough grammar to tell code from comments and text. Not a parser: it never fails, and
//! knows no items. Where to look first: [`tokens`].

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A string literal; its text is what stands between the quotes, escapes included.
    Text,
    /// A comment of either form, documentation included.
    Comment,
    /// `::`, `=>`, or one other character.
    Sign,
    /// A number, a character or a lifetime.
    Other,
}

/// A piece of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The line it begins on, from 1.
    pub(super) line: usize,
}

impl Token<'_> {
    /// Whether it is this word or sign.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }
}

/// All tokens of a source, in order.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut cursor = Cursor { rest: source, line: 1 };
    let mut found = Vec::new();
    while let Some(first) = cursor.rest.chars().next() {
        if first.is_whitespace() {
            cursor.take(first.len_utf8());
            continue;
        }
        let line = cursor.line;
        let (kind, text) = cursor.token(first);
        found.push(Token { kind, text, line });
    }
    found
}

struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += head.matches('\n').count();
        self.rest = tail;
        head
    }

    fn take_while(&mut self, belongs: fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len()))
    }

    fn token(&mut self, first: char) -> (Kind, &'a str) {
        if self.rest.starts_with("//") {
            return (Kind::Comment, self.take(self.rest.find('\n').unwrap_or(self.rest.len())));
        }
        if self.rest.starts_with("/*") {
            return (Kind::Comment, self.take(block_comment(self.rest)));
        }
        if let Some(text) = self.raw_string().or_else(|| self.string()) {
            return (Kind::Text, text);
        }
        if first == '\'' || self.rest.starts_with("b'") {
            return (Kind::Other, self.take(character_or_lifetime(self.rest)));
        }
        if first.is_alphabetic() || first == '_' {
            return (Kind::Word, self.take_while(in_word));
        }
        if first.is_ascii_digit() {
            return (Kind::Other, self.take_while(in_word));
        }
        let pair = self.rest.starts_with("::") || self.rest.starts_with("=>");
        (Kind::Sign, self.take(if pair { 2 } else { first.len_utf8() }))
    }

    fn raw_string(&mut self) -> Option<&'a str> {
        let opening = self.rest.trim_start_matches(['b', 'c']).strip_prefix('r')?;
        if self.rest.len() - opening.len() > 2 {
            return None;
        }
        let content = opening.trim_start_matches('#');
        let hashes = "#".repeat(opening.len() - content.len());
        let content = content.strip_prefix('"')?;
        self.take(self.rest.len() - content.len());
        let closing = format!("\"{hashes}");
        let text = self.take(self.rest.find(&closing).unwrap_or(self.rest.len()));
        self.take(closing.len());
        Some(text)
    }

    fn string(&mut self) -> Option<&'a str> {
        let content = self.rest.strip_prefix(['b', 'c']).unwrap_or(self.rest).strip_prefix('"')?;
        self.take(self.rest.len() - content.len());
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let text = self.take(end.unwrap_or(self.rest.len()));
        self.take(1);
        Some(text)
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment that `source` begins with; such comments nest.
fn block_comment(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = source.get(at..) {
        let (step, change) = match rest.as_bytes() {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            [] => break,
            _ => (rest.chars().next().map_or(1, char::len_utf8), 0),
        };
        at += step;
        depth = depth.saturating_add_signed(change);
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the character literal or lifetime that `source` begins with.
fn character_or_lifetime(source: &str) -> usize {
    let content = source.trim_start_matches('b').strip_prefix('\'').unwrap_or("");
    let before = source.len() - content.len();
    let mut characters = content.char_indices();
    match characters.next() {
        Some((_, '\\')) => {
            let escaped = characters.next().map_or(0, |(at, c)| at + c.len_utf8());
            let closing = content.get(escaped..).and_then(|rest| rest.find('\''));
            before + escaped + closing.map_or(0, |at| at + 1)
        }
        Some((_, c)) if matches!(characters.next(), Some((_, '\''))) => before + c.len_utf8() + 1,
        _ => before + content.find(|c| !in_word(c)).unwrap_or(content.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    fn of(kind: Kind, source: &str) -> Vec<&str> {
        tokens(source).into_iter().filter(|token| token.kind == kind).map(|token| token.text).collect()
    }

    #[test]
    fn strings_hold_their_content_only() {
        let source = r##"a("x\"y", r#"raw "quoted" \"#, b"bytes", br"\", c"c", "")"##;
        assert_eq!(of(Kind::Text, source), [r#"x\"y"#, r#"raw "quoted" \"#, "bytes", r"\", "c", ""]);
        assert_eq!(of(Kind::Word, source), ["a"]);
    }

    #[test]
    fn comments_hide_code_and_strings_hide_comments() {
        let source = "x /* a /* nested */ b */ y // async \"\n \"// no comment\" z";
        assert_eq!(of(Kind::Word, source), ["x", "y", "z"]);
        assert_eq!(of(Kind::Comment, source), ["/* a /* nested */ b */", "// async \""]);
        assert_eq!(of(Kind::Text, source), ["// no comment"]);
    }

    #[test]
    fn characters_and_lifetimes_do_not_open_strings() {
        let source = r#"f::<'a>('"', '\'', b'"', '\u{7f}', 'é') => &'static "s""#;
        assert_eq!(of(Kind::Text, source), ["s"]);
        assert_eq!(of(Kind::Other, source), ["'a", "'\"'", r"'\''", "b'\"'", r"'\u{7f}'", "'é'", "'static"]);
    }

    #[test]
    fn raw_names_and_words_before_quotes_are_no_strings() {
        assert_eq!(of(Kind::Word, "r#type rb bar r"), ["r", "type", "rb", "bar", "r"]);
        assert_eq!(of(Kind::Text, "br(\"x\")"), ["x"]);
    }

    #[test]
    fn lines_are_counted_through_text_and_comments() {
        let lines: Vec<usize> =
            tokens("a \"1\n2\" b\n/* \n */ c").into_iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 1, 2, 3, 4]);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["\"open", "r#\"open", "/* open", "'", "b'", "'\\", "\\"] {
            tokens(source);
        }
    }
}
