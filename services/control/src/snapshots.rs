//! Pictures that lists are being read from, and the page tokens that name them: every page of a list is of one revision.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{clock, error::ApiError, publisher::Published};

/// Lists whose next page may still be asked for.
const MAX_LISTS: usize = 256;
/// For how long a next page may be asked for.
const KEPT: Duration = Duration::from_secs(300);

/// The pictures behind page tokens.
#[derive(Debug, Clone, Default)]
pub struct Snapshots {
    kept: Arc<Mutex<Kept>>,
}

/// By revision: when a page token was last made for it, and the picture.
type Kept = BTreeMap<i64, (Instant, Arc<Published>)>;

/// What a page token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    /// Revision of the list.
    pub revision: i64,
    /// Name of the last item of the page before.
    pub after: String,
}

impl PageToken {
    /// The text for the client. It promises no form; it is only handed back.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{:x}.{}", self.revision, self.after)
    }

    /// Reads a text of [`PageToken::encode`] for a list of `collection`.
    ///
    /// # Errors
    ///
    /// The text is not one, or it continues another kind of list.
    pub fn decode(text: &str, collection: &str) -> Result<Self, ApiError> {
        let (revision, after) = text.split_once('.').ok_or(ApiError::PageToken)?;
        let revision = i64::from_str_radix(revision, 16).map_err(|_| ApiError::PageToken)?;
        let fits = after.split_once('/').is_some_and(|(of, _)| of == collection);
        if fits { Ok(Self { revision, after: after.to_owned() }) } else { Err(ApiError::PageToken) }
    }
}

impl Snapshots {
    /// Keeps a picture for the next page of a list.
    pub fn keep(&self, published: &Arc<Published>) {
        let now = clock::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        kept.insert(published.picture.revision, (now, Arc::clone(published)));
        while kept.len() > MAX_LISTS {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at).map(|(revision, _)| *revision);
            let Some(oldest) = oldest else { return };
            kept.remove(&oldest);
        }
    }

    /// The picture that a list began with.
    ///
    /// # Errors
    ///
    /// It is no longer kept, or another replica has it.
    pub fn find(&self, revision: i64) -> Result<Arc<Published>, ApiError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&revision).map(|(_, published)| Arc::clone(published));
        found.ok_or(ApiError::PageTokenExpired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_only_for_its_kind_of_list() {
        let token = PageToken { revision: 4711, after: "users/Dana@example.com".into() };
        assert_eq!(PageToken::decode(&token.encode(), "users"), Ok(token.clone()));
        for (text, collection) in
            [(token.encode().as_str(), "lines"), ("", "users"), ("zz.users/a", "users"), ("1", "users")]
        {
            assert_eq!(PageToken::decode(text, collection), Err(ApiError::PageToken));
        }
    }
}
