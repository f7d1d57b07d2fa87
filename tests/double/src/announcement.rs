//! Who a double is and whose mailbox it opened, as the one sentence that it says: `um1/6000/2001/a`.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// What a UM server does for a call (which greeting it plays).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// A diverted caller hears the greeting of the mailbox and may leave a message.
    CallAnswering,
    /// The owner of the mailbox is asked for the PIN.
    SubscriberAccess,
    /// An unknown caller dialled the pilot and is asked for an extension.
    Prompt,
}

impl Service {
    const ALL: [Self; 3] = [Self::CallAnswering, Self::SubscriberAccess, Self::Prompt];

    fn letter(self) -> &'static str {
        match self {
            Self::CallAnswering => "a",
            Self::SubscriberAccess => "s",
            Self::Prompt => "p",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CallAnswering => "call answering",
            Self::SubscriberAccess => "subscriber access",
            Self::Prompt => "prompt for an extension",
        })
    }
}

/// What a UM server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// Name of the server.
    pub server: String,
    /// The pilot number that was dialled.
    pub pilot: String,
    /// The mailbox; `None` when the caller has to say which.
    pub mailbox: Option<String>,
    /// What is done for the caller.
    pub service: Service,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, pilot, mailbox, service } = self;
        write!(f, "{server}/{pilot}/{}/{}", mailbox.as_deref().unwrap_or_default(), service.letter())
    }
}

/// The text is not what a UM server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an announcement: server/pilot/mailbox/service expected")]
pub struct NotAnAnnouncement;

impl FromStr for Announcement {
    type Err = NotAnAnnouncement;

    fn from_str(text: &str) -> Result<Self, NotAnAnnouncement> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(NotAnAnnouncement);
        let (server, pilot, mailbox, letter) = (part()?, part()?, part()?, part()?);
        let service = Service::ALL.into_iter().find(|service| service.letter() == letter);
        match (service, parts.next()) {
            (Some(service), None) => Ok(Self {
                server: server.into(),
                pilot: pilot.into(),
                mailbox: Some(mailbox).filter(|mailbox| !mailbox.is_empty()).map(Into::into),
                service,
            }),
            (None, _) | (_, Some(_)) => Err(NotAnAnnouncement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_reads_back() {
        for mailbox in [Some("2001"), Some("lee@example.com"), None] {
            for service in Service::ALL {
                let said = Announcement {
                    server: "um1".into(),
                    pilot: "6000".into(),
                    mailbox: mailbox.map(Into::into),
                    service,
                };
                assert_eq!(said.to_string().parse(), Ok(said));
            }
        }
        for text in ["", "um1/6000/2001", "um1/6000/2001/x", "um1/6000/2001/a/b"] {
            assert_eq!(text.parse::<Announcement>(), Err(NotAnAnnouncement), "{text}");
        }
    }
}
