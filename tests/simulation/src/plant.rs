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
            | Self::GivenUp => false,
        };
        if swallowed {
            return Vec::new();
        }
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
            Self::Nothing
            | Self::ByeNotRelayed
            | Self::CancelForgotten
            | Self::AckForgotten
            | Self::SecondDiversion
            | Self::WrongMediaPort
            | Self::SecondFinal
            | Self::GivenUp => vec![bytes.clone()],
        }
    }
}

fn replaced(bytes: &Bytes, from: &str, to: &str) -> Bytes {
    Bytes::from(String::from_utf8_lossy(bytes).replacen(from, to, 1))
}
