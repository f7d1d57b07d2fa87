//! Is this INVITE right for a UM server, and whose mailbox does it want? The rules of an Exchange-family server, made strict.

use um_sip::{Message, NameAddr, StatusCode, Uri};

use super::ServerConfig;
use crate::announcement::{Announcement, Service};

/// What a server makes of an INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken, and this will be said.
    Take(Announcement),
    /// It is wrong.
    Refuse {
        /// Code of the refusal; never one that makes a gateway try the next server.
        status: StatusCode,
        /// What is wrong, for a person.
        why: String,
    },
}

/// Judges an INVITE.
#[must_use]
pub fn judge(config: &ServerConfig, invite: &Message) -> Verdict {
    match examine(config, invite) {
        Ok(announcement) => Verdict::Take(announcement),
        Err((status, why)) => Verdict::Refuse { status, why },
    }
}

type Refusal = (StatusCode, String);

fn examine(config: &ServerConfig, invite: &Message) -> Result<Announcement, Refusal> {
    let bad = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
    let uri = invite.request_uri().map_err(|fault| bad(&format!("Request-URI: {fault}")))?;
    let to = invite.to().map_err(|error| bad(&error.to_string()))?;
    let from = invite.from().map_err(|error| bad(&error.to_string()))?;
    let called = user(&uri).ok_or_else(|| bad("the Request-URI has no user part"))?;
    if user(&to.uri).as_deref() != Some(called.as_str()) {
        let why = format!("user of the Request-URI ({called}) is not that of To ({})", to.uri);
        return Err((StatusCode::BAD_REQUEST, why));
    }
    if !config.pilots.contains(&called) {
        let pilots = config.pilots.join(", ");
        return Err((StatusCode::NOT_FOUND, format!("{called} is no pilot number here (there is {pilots})")));
    }
    if invite.contacts().ok().is_none_or(|contacts| contacts.list().len() != 1) {
        return Err(bad("an INVITE has exactly one Contact"));
    }
    check_offer(invite)?;
    let (mailbox, service) = mailbox(config, invite, &from)?;
    Ok(Announcement { server: config.name.clone(), pilot: called, mailbox, service })
}

fn check_offer(invite: &Message) -> Result<(), Refusal> {
    if invite.body().is_empty() {
        let why = "delayed offer: a UM server wants the offer in the INVITE";
        return Err((StatusCode::NOT_ACCEPTABLE_HERE, why.into()));
    }
    let is_sdp = invite.content_type().is_ok_and(|kind| kind.is_some_and(|kind| kind.is_sdp()));
    if !is_sdp {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not application/sdp".into()));
    }
    Ok(())
}

fn mailbox(
    config: &ServerConfig,
    invite: &Message,
    from: &NameAddr,
) -> Result<(Option<String>, Service), Refusal> {
    let diversions = invite.diversions().map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    match diversions.as_slice() {
        [] => match find(config, &from.uri) {
            Some(mailbox) => Ok((Some(mailbox), Service::SubscriberAccess)),
            None => Ok((None, Service::Prompt)),
        },
        [diversion] => {
            let mailbox = find(config, diversion.uri()).ok_or_else(|| {
                (StatusCode::NOT_FOUND, format!("no mailbox for the diverting user {}", diversion.uri()))
            })?;
            Ok((Some(mailbox), Service::CallAnswering))
        }
        several => Err((
            StatusCode::BAD_REQUEST,
            format!("{} Diversion values: a UM server takes exactly one, the mailbox owner's", several.len()),
        )),
    }
}

/// Finds the mailbox that a URI means: by user and host where the mailbox has a host, else by user alone.
fn find(config: &ServerConfig, uri: &Uri) -> Option<String> {
    let user = user(uri)?;
    let full = uri.host().map(|host| format!("{user}@{host}"));
    let is_it = |mailbox: &&String| {
        **mailbox == user || full.as_ref().is_some_and(|full| full.eq_ignore_ascii_case(mailbox))
    };
    config.mailboxes.iter().find(is_it).cloned()
}

fn user(uri: &Uri) -> Option<String> {
    uri.user_text().map(|user| user.into_owned()).filter(|user| !user.is_empty())
}
