//! Documents that stand beside the messages: those of text that are to be cited. Not those of a tool's result, which stay
//! where they are.

use trunkline_domain::chat::{ChatRequest, Document, DocumentContent, OutputFormat, PartKind, Role};

use crate::json::Object;

/// Whether a document of text is to be cited, and may: beside a form of answer the dialect takes no documents.
pub(super) fn is_cited(document: &Document, request: &ChatRequest) -> bool {
    let free = matches!(request.output.format, None | Some(OutputFormat::Text));
    let text = matches!(document.content, DocumentContent::Text(_));
    free && text && document.citations == Some(true)
}

/// The documents of users' messages that are to be cited.
pub(super) fn encode(object: &mut Object<'_>, request: &ChatRequest) {
    let said = || {
        let parts = request.turns.iter().filter(|turn| turn.role == Role::User).flat_map(|turn| &turn.parts);
        parts.filter_map(
            |part| {
                if let PartKind::Document(document) = &part.kind { Some(document) } else { None }
            },
        )
    };
    if said().any(|document| is_cited(document, request)) {
        object.array("documents", |array| {
            for document in said().filter(|document| is_cited(document, request)) {
                array.object(|object| write_document(object, document));
            }
        });
    }
}

/// Writes the members of a document of text.
pub(super) fn write_document(object: &mut Object<'_>, document: &Document) {
    object.object("data", |data| {
        if let DocumentContent::Text(text) = &document.content {
            data.member("text", text);
        }
        data.optional("title", document.name.as_ref());
        data.optional("context", document.context.as_ref());
    });
}
