//! Making URIs of parts, and of other URIs. Parts are escaped, so no part can end another one.

use std::{borrow::Cow, fmt::Write};

use super::{
    Scheme, Uri,
    escape::{Part, escape},
};
use crate::{
    host::{Host, HostPort},
    scan::Span,
};

/// Text of a SIP URI in its parts, each escaped already.
struct Parts<'a> {
    scheme: &'a str,
    user: Option<Cow<'a, str>>,
    password: Option<&'a str>,
    host: HostPort,
    params: Cow<'a, str>,
    headers: Cow<'a, str>,
}

impl Uri {
    /// Makes `sip:user@host:port`; the user is text and is escaped, an empty one is left out.
    #[must_use]
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        assemble(&Parts {
            scheme: "sip",
            user: user.filter(|user| !user.is_empty()).map(|user| escape(user, Part::User)),
            password: None,
            host: HostPort { host, port },
            params: Cow::Borrowed(""),
            headers: Cow::Borrowed(""),
        })
    }

    /// The same SIP URI with another user (text, to be escaped) and without a password; other schemes are
    /// returned as they are.
    #[must_use]
    pub fn with_user(&self, user: Option<&str>) -> Self {
        self.edit(|parts| {
            parts.user = user
                .filter(|user| !user.is_empty())
                .map(|user| Cow::Owned(escape(user, Part::User).into_owned()));
            parts.password = None;
            if parts.user.is_none() {
                // Without a user in front, what stands behind the host must not look like one.
                parts.params = Cow::Owned(parts.params.replace('@', "%40"));
                parts.headers = Cow::Owned(parts.headers.replace('@', "%40"));
            }
        })
    }

    /// The same SIP URI at another host and port; other schemes are returned as they are.
    #[must_use]
    pub fn with_host_port(&self, host: HostPort) -> Self {
        self.edit(|parts| parts.host = host)
    }

    /// The same SIP URI with a parameter set, its value escaped; other schemes are returned as they are.
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        let mut params = self.params_without(name);
        let _ = write!(params, ";{}", escape(name, Part::Param));
        if let Some(value) = value {
            let _ = write!(params, "={}", escape(value, Part::Param));
        }
        self.edit(|parts| parts.params = Cow::Owned(params))
    }

    /// The same SIP URI without a parameter; other schemes are returned as they are.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        let params = self.params_without(name);
        self.edit(|parts| parts.params = Cow::Owned(params))
    }

    /// The same SIP URI without its headers, which no Request-URI may have (RFC 3261 §19.1.1 table 1).
    #[must_use]
    pub fn without_headers(&self) -> Self {
        self.edit(|parts| parts.headers = Cow::Borrowed(""))
    }

    /// The same SIP URI with a header appended, its value escaped; other schemes are returned as they are. It is no
    /// Request-URI then.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        self.edit(|parts| {
            let joint = if parts.headers.is_empty() { "" } else { "&" };
            let (name, value) = (escape(name, Part::Header), escape(value, Part::Header));
            parts.headers = Cow::Owned(format!("{}{joint}{name}={value}", parts.headers));
        })
    }

    fn params_without(&self, name: &str) -> String {
        let mut params = String::new();
        for (other, value) in
            self.params().filter(|(other, _)| !super::escape::same_text_no_case(other, name))
        {
            let _ = write!(params, ";{other}");
            if let Some(value) = value {
                let _ = write!(params, "={value}");
            }
        }
        params
    }

    fn edit<'a>(&'a self, change: impl FnOnce(&mut Parts<'a>)) -> Self {
        let (Scheme::Sip | Scheme::Sips, Some(host)) = (self.scheme, self.host.clone()) else {
            return self.clone();
        };
        let mut parts = Parts {
            scheme: self.scheme_text(),
            user: self.user().map(Cow::Borrowed),
            password: self.password(),
            host,
            params: Cow::Borrowed(self.params.of_text(&self.text)),
            headers: Cow::Borrowed(self.headers.of_text(&self.text)),
        };
        change(&mut parts);
        assemble(&parts)
    }
}

fn assemble(parts: &Parts<'_>) -> Uri {
    let mut text = String::with_capacity(64);
    let mut push = |part: &str| {
        let start = text.len();
        text.push_str(part);
        Span::new(start, text.len())
    };
    let scheme_end = push(parts.scheme).end();
    push(":");
    let user = parts.user.as_deref().map(&mut push);
    let password = parts.password.filter(|_| user.is_some()).map(|password| {
        push(":");
        push(password)
    });
    if user.is_some() {
        push("@");
    }
    push(&parts.host.to_string());
    let params = push(&parts.params);
    let headers = match &*parts.headers {
        "" => Span::default(),
        headers => {
            push("?");
            push(headers)
        }
    };
    Uri {
        scheme: if parts.scheme.eq_ignore_ascii_case("sips") { Scheme::Sips } else { Scheme::Sip },
        scheme_end: u32::try_from(scheme_end).unwrap_or(0),
        user,
        password,
        host: Some(parts.host.clone()),
        params,
        headers,
        text: text.into(),
    }
}
