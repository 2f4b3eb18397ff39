//! Asking again for an answer that a provider keeps: below `/responses/{id}`, without a body.
//!
//! Source: openai-python 3.57.0, `resources/responses/responses.py` (`retrieve`, `delete`, `cancel`) and
//! `resources/responses/input_items.py`. Where to look first: [`Recall`].

use http::Method;

use crate::codec::FieldError;

/// The longest value of a parameter, in bytes as written.
const VALUE_BYTES_MAX: usize = 256;

/// What is asked of a kept answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// The answer again.
    Retrieve,
    /// That it be forgotten.
    Delete,
    /// That it be stopped.
    Cancel,
    /// What it was made from.
    InputItems,
}

impl Recall {
    /// All of them.
    pub const ALL: [Recall; 4] = [Self::Retrieve, Self::Delete, Self::Cancel, Self::InputItems];

    /// How it is asked.
    pub const fn method(self) -> Method {
        match self {
            Self::Retrieve | Self::InputItems => Method::GET,
            Self::Delete => Method::DELETE,
            Self::Cancel => Method::POST,
        }
    }

    /// What follows the id in the path.
    pub const fn below(self) -> &'static str {
        match self {
            Self::Retrieve | Self::Delete => "",
            Self::Cancel => "/cancel",
            Self::InputItems => "/input_items",
        }
    }

    /// Parameters that are passed on.
    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Retrieve => &["include", "include_obfuscation"],
            Self::InputItems => &["after", "before", "include", "limit", "order"],
            Self::Delete | Self::Cancel => &[],
        }
    }

    /// The path below a provider's own `base`, of an answer with this id. Of the caller's query only parameters known here
    /// are passed on, short and without anything that could be more than a value.
    pub fn path(self, base: &str, id: &str, query: Option<&str>) -> Result<String, FieldError> {
        let mut path = format!("{base}/{id}{}", self.below());
        let mut separator = '?';
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name == "stream" && value == "false" {
                continue;
            }
            self.check(name, value)?;
            path.push(separator);
            path.push_str(pair);
            separator = '&';
        }
        Ok(path)
    }

    fn check(self, name: &str, value: &str) -> Result<(), FieldError> {
        // Of a list every element has brackets behind its name.
        let bare = name.trim_end_matches("[]").trim_end_matches("%5B%5D");
        if !self.parameters().contains(&bare) {
            let known = self.parameters();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let name: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
            let message = format!("`{name}` cannot be asked of a kept answer: known here are {known}");
            return Err(FieldError { field: name.into(), message: message.into() });
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'%');
        if value.len() > VALUE_BYTES_MAX || !value.bytes().all(plain) {
            let message = format!("`{bare}` must be a plain value of at most {VALUE_BYTES_MAX} bytes");
            return Err(FieldError { field: bare.to_owned().into(), message: message.into() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parameters_are_passed_on() {
        let path = |recall: Recall, query| recall.path("/responses", "resp_1", query);
        assert_eq!(path(Recall::Delete, None).unwrap(), "/responses/resp_1");
        assert_eq!(path(Recall::Cancel, Some("")).unwrap(), "/responses/resp_1/cancel");
        let query = "limit=2&include%5B%5D=reasoning.encrypted_content&after=msg_1";
        let asked = path(Recall::InputItems, Some(query)).unwrap();
        assert_eq!(asked, format!("/responses/resp_1/input_items?{query}"));
        assert_eq!(path(Recall::Retrieve, Some("stream=false")).unwrap(), "/responses/resp_1");
        for (recall, query, at_fault) in [
            (Recall::Retrieve, "stream=true", "stream"),
            (Recall::Retrieve, "limit=2", "limit"),
            (Recall::Delete, "a", "a"),
            (Recall::InputItems, "after=a/b", "after"),
            (Recall::InputItems, "after=a#b", "after"),
        ] {
            assert_eq!(path(recall, Some(query)).unwrap_err().field, at_fault);
        }
        let long = format!("after={}", "a".repeat(VALUE_BYTES_MAX + 1));
        assert!(path(Recall::InputItems, Some(&long)).is_err());
    }
}
