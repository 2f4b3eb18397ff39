//! Messages of an event stream: a prelude with its checksum, headers, a payload, the checksum of all
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>).

use bytes::Bytes;
use serde_json::Value;

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// CRC-32 as in gzip: the reversed polynomial.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// An event.
pub(crate) fn event(name: &str, payload: &Value) -> Bytes {
    message(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

/// An exception, which ends a stream.
pub(crate) fn exception(name: &str, payload: &Value) -> Bytes {
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, payload)
}

fn message(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    let mut named = Vec::new();
    for (name, value) in headers {
        named.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        named.extend_from_slice(name.as_bytes());
        named.push(TEXT);
        named.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        named.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut message = Vec::new();
    message.extend_from_slice(&length(named.len() + payload.len() + 16).to_be_bytes());
    message.extend_from_slice(&length(named.len()).to_be_bytes());
    message.extend_from_slice(&checksum(&message).to_be_bytes());
    message.extend_from_slice(&named);
    message.extend_from_slice(payload.as_bytes());
    message.extend_from_slice(&checksum(&message).to_be_bytes());
    message.into()
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}
