//! Bugs planted on purpose between the worker and the network, to show that the oracles see them. They touch what the
//! engine put out, never the engine: what is tested is the product as it is built.

use bytes::Bytes;
use um_sip::{Flow, Message, Method};

use crate::wire;

/// A planted bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// None.
    #[default]
    Nothing,
    /// The BYE of one leg is not passed on to the far leg.
    ByeNotRelayed,
    /// An attempt that is given up is not cancelled.
    CancelForgotten,
    /// The answer of a UM server is not acknowledged.
    AckForgotten,
    /// A second Diversion goes to the UM server.
    SecondDiversion,
    /// The answer to the caller names a media port that is not his.
    WrongMediaPort,
    /// The caller gets a second final response.
    SecondFinal,
    /// The caller gets 503 although a server would have taken his call.
    GivenUp,
    /// The CSeq of a BYE leaves a number out.
    CseqSkipped,
    /// A BYE does not go by the route set.
    RouteForgotten,
    /// A BYE does not go to the remote target.
    WrongTarget,
    /// The 180 to the caller comes from another dialog than the answer.
    SecondTag,
    /// The answer to the caller has no description.
    NoAnswer,
    /// The answer to the caller says that our Contact is somewhere else.
    WrongContact,
}

impl Plant {
    /// What becomes of a message that the worker wants sent: none, one or two.
    #[must_use]
    pub fn spoil(self, flow: &Flow, message: &Message, bytes: &Bytes) -> Vec<Bytes> {
        let to_server = wire::server_at(flow.remote).is_some();
        let request = |method: Method| message.is_request() && *message.method() == method;
        let swallowed = match self {
            Self::ByeNotRelayed => to_server && request(Method::Bye),
            Self::CancelForgotten => request(Method::Cancel),
            Self::AckForgotten => to_server && request(Method::Ack),
            Self::Nothing
            | Self::SecondDiversion
            | Self::WrongMediaPort
            | Self::SecondFinal
            | Self::GivenUp
            | Self::CseqSkipped
            | Self::RouteForgotten
            | Self::WrongTarget
            | Self::SecondTag
            | Self::NoAnswer
            | Self::WrongContact => false,
        };
        if swallowed {
            return Vec::new();
        }
        let bye = request(Method::Bye);
        let answer = !message.is_request() && *message.method() == Method::Invite && !to_server;
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        match self {
            Self::SecondDiversion if request(Method::Invite) => {
                vec![replaced(bytes, "Diversion:", "Diversion: <sip:2002@pbx.example.com>\r\nDiversion:")]
            }
            Self::WrongMediaPort if answer && status == 200 => {
                vec![replaced(bytes, "m=audio 2", "m=audio 3")]
            }
            Self::SecondFinal if answer && status == 200 => {
                vec![bytes.clone(), replaced(bytes, "SIP/2.0 200", "SIP/2.0 603")]
            }
            Self::GivenUp if answer && status == 180 => vec![replaced(bytes, "SIP/2.0 180", "SIP/2.0 503")],
            Self::CseqSkipped if bye => vec![replaced(bytes, "CSeq: 2", "CSeq: 3")],
            Self::RouteForgotten if bye => vec![without(bytes, "Route: ")],
            Self::WrongTarget if bye => vec![replaced(bytes, "BYE sip:", "BYE sip:x")],
            Self::SecondTag if answer && status == 180 => vec![replaced(bytes, ";tag=um0-", ";tag=um0-0")],
            Self::NoAnswer if answer && status == 200 => vec![bodiless(bytes)],
            Self::WrongContact if answer && status == 200 => {
                vec![replaced(bytes, "@127.0.0.1:5060;um-shard", "@127.0.0.9:5060;um-shard")]
            }
            Self::Nothing
            | Self::ByeNotRelayed
            | Self::CancelForgotten
            | Self::AckForgotten
            | Self::SecondDiversion
            | Self::WrongMediaPort
            | Self::SecondFinal
            | Self::GivenUp
            | Self::CseqSkipped
            | Self::RouteForgotten
            | Self::WrongTarget
            | Self::SecondTag
            | Self::NoAnswer
            | Self::WrongContact => vec![bytes.clone()],
        }
    }
}

fn replaced(bytes: &Bytes, from: &str, to: &str) -> Bytes {
    Bytes::from(String::from_utf8_lossy(bytes).replacen(from, to, 1))
}

fn without(bytes: &Bytes, start: &str) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    Bytes::from(text.split_inclusive("\r\n").filter(|line| !line.starts_with(start)).collect::<String>())
}

fn bodiless(bytes: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").filter(|line| !line.starts_with("Content-"));
    let head: String = lines.map(|line| format!("{line}\r\n")).collect();
    Bytes::from(head + "Content-Length: 0\r\n\r\n")
}
