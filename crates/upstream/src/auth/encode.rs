//! Percent encoding (RFC 3986 §2.1) and forms made with it. Not a decoder.

use zeroize::Zeroizing;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Everything but RFC 3986's unreserved characters and those of `kept`, percent-encoded in upper case.
pub(super) fn percent(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                encoded.push(char::from(HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
        }
    }
    encoded
}

/// `name=value&…`, as `application/x-www-form-urlencoded`. Zeroed when dropped, since forms carry secrets.
pub(super) fn form(fields: &[(&str, &str)]) -> Zeroizing<String> {
    let mut form = Zeroizing::new(String::new());
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(&percent(name, b""));
        form.push('=');
        form.push_str(&Zeroizing::new(percent(value, b"")));
    }
    form
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 0xf] {
            let digit = HEX.get(usize::from(digit)).copied().unwrap_or(b'0');
            text.push(char::from(digit.to_ascii_lowercase()));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_hexadecimal_are_written_as_documented() {
        assert_eq!(form(&[("a b", "1&2"), ("c", "é/~")]).as_str(), "a%20b=1%262&c=%C3%A9%2F~");
        assert_eq!(percent("/a:b%20", b"/"), "/a%3Ab%2520");
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
    }
}
