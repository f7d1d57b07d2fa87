//! What a call is meant to be.

use std::time::Duration;

use um_sip::{Diversion, NameAddr, Uri};

/// A call to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Request-URI.
    pub request_uri: Uri,
    /// To.
    pub to: NameAddr,
    /// From; its user is the user of Contact too.
    pub from: NameAddr,
    /// Diversion values, topmost first.
    pub diversions: Vec<Diversion>,
    /// Further headers, by name.
    pub headers: Vec<(String, String)>,
    /// Whether the INVITE has an offer; without one the offer of the 2xx is answered in the ACK (delayed offer).
    pub offers: bool,
    /// Time from the answer to the hang-up; `None` leaves the hang-up to the other side.
    pub hold: Option<Duration>,
    /// Time from the INVITE to the CANCEL, if it is not answered by then.
    pub cancel_after: Option<Duration>,
}

impl Plan {
    /// Plans a call with an offer, held for three seconds, To as the Request-URI says.
    #[must_use]
    pub fn new(request_uri: Uri, from: NameAddr) -> Self {
        Self {
            to: NameAddr::new(request_uri.without_headers().without_param("transport")),
            request_uri,
            from,
            diversions: Vec::new(),
            headers: Vec::new(),
            offers: true,
            hold: Some(Duration::from_secs(3)),
            cancel_after: None,
        }
    }
}
