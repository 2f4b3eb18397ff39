//! Responses whole, cut anywhere, and those that two readers could read differently.

use proptest::prelude::*;

use super::*;

/// What came of reading a response to the connection's end.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    reusable: bool,
    left: Vec<u8>,
}

/// How a response that is none ended.
#[derive(Debug, PartialEq, Eq)]
enum Bad {
    Malformed,
    Cut,
}

impl From<Malformed> for Bad {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

fn read<'a>(asked: Asked, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Result<Read, Bad>) {
    let mut body = Vec::new();
    let result = read_into(asked, pieces, &mut body);
    (body, result)
}

fn read_into<'a>(
    asked: Asked,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    body: &mut Vec<u8>,
) -> Result<Read, Bad> {
    let mut pieces = pieces.into_iter();
    let (mut answer, mut buffer) = (Answer::new(asked), BytesMut::new());
    let head = loop {
        if let Some(head) = answer.head(&mut buffer)? {
            break head;
        }
        let Some(piece) = pieces.next() else {
            answer.ended_in_head(&buffer)?;
            return Err(Bad::Cut);
        };
        buffer.extend_from_slice(piece);
    };
    loop {
        match answer.body(&mut buffer)? {
            Step::Piece(piece) => {
                assert!(!piece.is_empty());
                body.extend_from_slice(&piece);
            }
            Step::End => break,
            Step::More => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None if answer.ended() == Ending::Complete => break,
                None => return Err(Bad::Cut),
            },
        }
    }
    pieces.for_each(|piece| buffer.extend_from_slice(piece));
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    Ok(Read {
        status: head.status,
        headers: head.headers.iter().map(header).collect(),
        body: body.clone(),
        reusable: answer.leaves_connection_open(),
        left: buffer.to_vec(),
    })
}

fn whole(response: impl AsRef<[u8]>) -> Result<Read, Bad> {
    read(Asked::Whole, [response.as_ref()]).1
}

fn body_of(response: &str) -> Vec<u8> {
    whole(response).unwrap().body
}

fn chunked(body: &str) -> Result<Read, Bad> {
    whole(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"))
}

#[test]
fn a_body_ends_where_its_length_says() {
    let read = whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhelloHTTP/1.1").unwrap();
    assert_eq!(
        (read.status, read.body.as_slice(), read.left.as_slice()),
        (200, &b"hello"[..], &b"HTTP/1.1"[..])
    );
    assert!(read.reusable);
    assert!(read.headers.contains(&("x-a".to_owned(), b"1".to_vec())));
}

#[test]
fn chunks_read_at_once_are_one_piece() {
    let (mut answer, mut buffer) = (Answer::new(Asked::Whole), BytesMut::new());
    buffer.extend_from_slice(b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n");
    buffer.extend_from_slice(b"5\r\nhello\r\n1\r\n,\r\n6;a=\"b\"\r\n world\r\n3\r\n");
    assert_eq!(answer.head(&mut buffer).unwrap().unwrap().status, 200);
    assert_eq!(answer.body(&mut buffer), Ok(Step::Piece(Bytes::from_static(b"hello, world"))));
    assert_eq!(answer.body(&mut buffer), Ok(Step::More));
    buffer.extend_from_slice(b"!!!\r\n0\r\n\r\n");
    assert_eq!(answer.body(&mut buffer), Ok(Step::Piece(Bytes::from_static(b"!!!"))));
    assert!(answer.is_complete());
    assert_eq!(answer.body(&mut buffer), Ok(Step::End));
}

#[test]
fn trailers_and_extensions_are_read_over() {
    let body =
        "3 \t;name=value;\"quoted\"\r\nabc\r\n00A\r\n0123456789\r\n0;last\r\nx-sum: 1\r\nx-b: 2\r\n\r\nnext";
    let read = chunked(body).unwrap();
    assert_eq!((read.body.as_slice(), read.left.as_slice()), (&b"abc0123456789"[..], &b"next"[..]));
}

#[test]
fn chunks_that_are_none_are_malformed() {
    for body in [
        "\r\nabc",
        "x\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        " 3\r\nabc\r\n",
        "3 4\r\nabc\r\n",
        "-1\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\rXabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3;a\nb\r\nabc\r\n",
        "3;a\rb\r\nabc\r\n",
        "3;\0\r\nabc\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "10000000000000000\r\n",
        "ffffffffffffffffffff\r\n",
    ] {
        assert_eq!(chunked(body), Err(Bad::Malformed), "{body:?}");
    }
}

#[test]
fn what_was_good_before_an_error_is_handed_out() {
    let response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz";
    assert_eq!(read(Asked::Whole, [response.as_slice()]), (b"abc".to_vec(), Err(Bad::Malformed)));
}

#[test]
fn lines_without_end_are_malformed() {
    let long = "a".repeat(20 * 1024);
    for body in [format!("3;{long}"), format!("0\r\nx: {long}"), "0".repeat(20 * 1024)] {
        assert_eq!(chunked(&body), Err(Bad::Malformed));
    }
}

#[test]
fn bodies_cut_short_are_cut() {
    for response in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        assert_eq!(whole(response), Err(Bad::Cut), "{response:?}");
    }
}

#[test]
fn heads_that_two_readers_could_read_differently_are_malformed() {
    for lines in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3, 4",
        "content-length: +3",
        "content-length: 3 3",
        "content-length: 0x3",
        "content-length: -1",
        "content-length:",
        "content-length: 3,",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding:",
        "x-a: 1\r\n folded: yes",
        "x-a: 1\r\n\tfolded",
        " x-a: 1",
        "x-a : 1",
        "x-a: 1\0 2",
        "x-a: 1\r2",
        "x\0a: 1",
        "no colon",
        ": no name",
    ] {
        for rest in ["3\r\nabc\r\n0\r\n\r\n", ""] {
            let response = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}");
            assert_eq!(whole(&response), Err(Bad::Malformed), "{response:?}");
        }
    }
}

#[test]
fn what_is_not_http_1_is_malformed() {
    for response in [
        "SSH-2.0-server\r\n",
        "hello",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 two OK\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "\x15\x03\x01\x00\x02\x02\x16",
    ] {
        assert_eq!(whole(response), Err(Bad::Malformed), "{response:?}");
    }
}

#[test]
fn garbage_is_not_waited_for() {
    let mut buffer = BytesMut::from(&b"SSH-2.0-server"[..]);
    assert!(Answer::new(Asked::Whole).head(&mut buffer).is_err());
}

#[test]
fn lengths_that_agree_are_one() {
    assert_eq!(body_of("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3 , 3\r\n\r\nabcd"), b"abc");
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for status in [204, 304] {
        let read = whole(format!("HTTP/1.1 {status} X\r\ncontent-length: 3\r\n\r\nabc")).unwrap();
        assert_eq!((read.body.len(), read.left.as_slice()), (0, &b"abc"[..]));
    }
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
    assert_eq!(read(Asked::HeadOnly, [response.as_slice()]).1.unwrap().body, b"");
}

#[test]
fn without_a_length_the_connection_is_the_end() {
    let read = whole("HTTP/1.1 200 OK\r\n\r\nall of it").unwrap();
    assert_eq!((read.body.as_slice(), read.reusable), (&b"all of it"[..], false));
}

#[test]
fn interim_responses_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let read = whole(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")).unwrap();
    assert_eq!((read.status, read.body.as_slice(), read.headers.len()), (200, &b"ok"[..], 1));
    assert_eq!(whole("HTTP/1.1 100 Continue\r\n\r\n".repeat(17)), Err(Bad::Malformed));
}

#[test]
fn a_connection_is_reused_where_both_versions_say_so() {
    for (response, reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: Close\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", true),
    ] {
        assert_eq!(whole(response).unwrap().reusable, reusable, "{response:?}");
    }
}

#[test]
fn heads_have_limits() {
    let with = |lines: String| whole(format!("HTTP/1.1 204 X\r\n{lines}\r\n"));
    assert!(with("a: b\r\n".repeat(HEADERS_MAX)).is_ok());
    assert_eq!(with("a: b\r\n".repeat(HEADERS_MAX + 1)), Err(Bad::Malformed));
    assert!(with(format!("a: {}\r\n", "b".repeat(HEAD_MAX - 100))).is_ok());
    assert_eq!(with(format!("a: {}\r\n", "b".repeat(HEAD_MAX))), Err(Bad::Malformed));
    let mut endless = BytesMut::from(format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(HEAD_MAX)).as_bytes());
    assert!(Answer::new(Asked::Whole).head(&mut endless).is_err());
}

/// Responses, most of them good ones, that use all there is.
fn responses() -> impl Strategy<Value = Vec<u8>> {
    let head = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\nx: y\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n\n",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
        "HTTP/1.0 404 No\r\ncontent-length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n folded\r\n\r\n",
        "HTTP/1.1 abc\r\n",
    ]);
    let chunk = prop::sample::select(vec![
        "5\r\nhello\r\n",
        "1;x=y\r\n\n\r\n",
        "0010 \r\n0123456789abcdef\r\n",
        "A\r\nabcdefghij\r\n",
        "3\r\nabcd\r\n",
        "g\r\n",
    ]);
    let end = prop::sample::select(vec!["0\r\n\r\n", "0;e\r\nt: u\r\n\r\nmore", "0\r\n", "0\r\nt\n\r\n", ""]);
    (head, prop::collection::vec(chunk, 0..6), end)
        .prop_map(|(head, chunks, end)| [head, &chunks.concat(), end].concat().into_bytes())
}

proptest! {
    #[test]
    fn any_cutting_reads_the_same(
        response in responses(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(response.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&response[from..cut]);
            from = cut;
        }
        pieces.push(&response[from..]);
        let expected = read(Asked::Whole, [response.as_slice()]);
        prop_assert_eq!(read(Asked::Whole, pieces), expected);
    }

    #[test]
    fn cut_at_every_byte_reads_the_same(response in responses()) {
        let expected = read(Asked::Whole, [response.as_slice()]);
        prop_assert_eq!(read(Asked::Whole, response.chunks(1)), expected);
    }

    #[test]
    fn no_bytes_break_it(garbage in prop::collection::vec(any::<u8>(), 0..64), response in responses()) {
        let spliced = [&response, garbage.as_slice()].concat();
        let expected = read(Asked::Whole, [spliced.as_slice()]);
        prop_assert_eq!(read(Asked::Whole, spliced.chunks(3)), expected);
    }
}
