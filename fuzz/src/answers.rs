//! A buffered answer recast: what can be read can be written for any dialect, which can read it again; and streamed instead
//! it is a whole stream.

use trunkline_domain::chat::{ChatRequest, ChatResponse, unfold};
use trunkline_wire::recast::{AnswerIdentity, ChatCodec, Losses};

use crate::streams::{Ending, asking_for_usage, check_sequence, read, write};
use crate::{SERVERS, chat_codecs};

pub(crate) fn check(data: &[u8]) {
    let request = asking_for_usage();
    for from in chat_codecs() {
        let _ = from.read_error(data);
        for quirks in &SERVERS {
            let Ok(response) = from.decode_response(data, quirks) else {
                continue;
            };
            for to in chat_codecs() {
                check_written(to, &response, &request);
            }
        }
    }
}

fn check_written(to: &dyn ChatCodec, response: &ChatResponse, request: &ChatRequest) {
    let identity = AnswerIdentity { id: "ours", model: "alias", created: 7, request };
    let body = to.encode_response(response, &identity, &mut Losses::default());
    if let Err(problem) = to.decode_response(&body, &SERVERS[0]) {
        panic!("{:?} cannot read what it wrote: {problem:?}\n{body:?}", to.dialect());
    }
    let events = unfold(response.clone());
    check_sequence(&events);
    let (bytes, _) = write(to, &events, request);
    let (events, ending) = read(to, &SERVERS[1], [bytes.as_slice()]);
    check_sequence(&events);
    assert!(
        !matches!(ending, Ending::Problem(_)),
        "{:?} cannot read the stream it wrote: {ending:?}\n{}",
        to.dialect(),
        bytes.escape_ascii()
    );
}
