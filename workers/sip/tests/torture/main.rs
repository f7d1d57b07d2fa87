//! The messages of RFC 4475 and RFC 5118 against the wire layer: what is valid can be used, what is not is
//! refused with the response that the standard asks for. Whatever follows from a message's meaning (416, 420,
//! 501 …) belongs to the layers above.

mod corpus;
mod invalid;
mod valid;

use um_sip::{Cause, Contact, HeaderName, Limits, Message, NameAddr, ParseError, Uri, Via};

/// A message of the standards: name there, text with `\n` for a line break and `LEN` for the body's length.
struct Sample {
    name: &'static str,
    text: &'static str,
}

impl Sample {
    fn parse(&self) -> Result<Message, ParseError> {
        let (head, body) = self.text.split_once("\n\n").unwrap_or((self.text, ""));
        let body = body.replace('\n', "\r\n");
        let head = head.replace('\n', "\r\n").replace("LEN", &body.len().to_string());
        Message::parse(format!("{head}\r\n\r\n{body}").into(), &Limits::default())
    }

    fn valid(&self) -> Message {
        self.parse().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// What was wrong, and the status of the response that can be addressed.
    fn refused(&self) -> (Cause, Option<u16>) {
        let error = self.parse().map(|_| ()).expect_err(self.name);
        (error.cause, error.salvage.map(|salvage| salvage.status().code()))
    }
}

/// Everything that a gateway needs of a message can be read.
fn assert_usable(name: &str, message: &Message) {
    let check = |what: &str, fault: Option<String>| assert_eq!(fault, None, "{name}: {what}");
    check("Via", message.list::<Via>(HeaderName::Via).err().map(|error| error.to_string()));
    check("From", message.from().err().map(|error| error.to_string()));
    check("To", message.to().err().map(|error| error.to_string()));
    check("Contact", message.list::<Contact>(HeaderName::Contact).err().map(|error| error.to_string()));
    check("Route", message.list::<NameAddr>(HeaderName::Route).err().map(|error| error.to_string()));
    check(
        "Record-Route",
        message.list::<NameAddr>(HeaderName::RecordRoute).err().map(|error| error.to_string()),
    );
    if message.is_request() {
        check("Request-URI", message.request_uri().err().map(|fault| fault.to_string()));
    }
}

fn uri(message: &Message) -> Uri {
    message.request_uri().expect("valid")
}
