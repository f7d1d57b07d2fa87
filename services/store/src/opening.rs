//! From the text an operator writes to an open store: `embedded:PATH` or `etcd:URL[,URL…]`.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use crate::{
    embedded::{EmbeddedOptions, EmbeddedStore},
    error::StoreError,
    etcd::EtcdStore,
    store::Store,
};

/// Opens the store that `spec` names. Needs a tokio runtime.
///
/// # Errors
/// The embedded store's file cannot be opened. An unreachable etcd is no error here; it shows in the
/// first call.
pub async fn open(spec: &Spec) -> Result<Arc<dyn Store>, StoreError> {
    match spec {
        Spec::Embedded(path) => Ok(Arc::new(EmbeddedStore::open(path, EmbeddedOptions::default()).await?)),
        Spec::Etcd(endpoints) => Ok(Arc::new(EtcdStore::connect(endpoints.clone()).await?)),
    }
}

/// Which store to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// The embedded store in this file, created when missing.
    Embedded(PathBuf),
    /// The etcd cluster with these client URLs, `http://HOST:PORT`.
    Etcd(Vec<String>),
}

impl FromStr for Spec {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: &str| StoreError::Spec { spec: text.to_owned(), reason: reason.to_owned() };
        let (backend, rest) = text
            .split_once(':')
            .ok_or_else(|| refuse("expected embedded:PATH or etcd:http://HOST:PORT[,…]"))?;
        match backend {
            "embedded" if rest.is_empty() => Err(refuse("the path is missing")),
            "embedded" => Ok(Self::Embedded(PathBuf::from(rest))),
            "etcd" => {
                let endpoints: Vec<String> =
                    rest.split(',').map(|url| url.trim().trim_end_matches('/').to_owned()).collect();
                match endpoints.iter().find(|url| !is_endpoint(url)) {
                    Some(url) => Err(refuse(&format!("`{url}` is not http://HOST:PORT"))),
                    None => Ok(Self::Etcd(endpoints)),
                }
            }
            other => Err(refuse(&format!("unknown backend `{other}`"))),
        }
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded(path) => write!(f, "embedded:{}", path.display()),
            Self::Etcd(endpoints) => write!(f, "etcd:{}", endpoints.join(",")),
        }
    }
}

fn is_endpoint(url: &str) -> bool {
    url.strip_prefix("http://").is_some_and(|authority| {
        authority.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !authority.contains(['/', '?', '#', '@']) && port.parse::<u16>().is_ok()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_backends_are_named_by_text() {
        assert_eq!("embedded:/var/lib/um/store".parse(), Ok(Spec::Embedded("/var/lib/um/store".into())));
        assert_eq!(
            "etcd:http://127.0.0.1:2379, http://[::1]:2379/".parse(),
            Ok(Spec::Etcd(vec!["http://127.0.0.1:2379".to_owned(), "http://[::1]:2379".to_owned()]))
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["embedded:data/store", "etcd:http://a:1,http://b:2"] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        for text in [
            "",
            "embedded",
            "embedded:",
            "etcd:",
            "etcd:127.0.0.1:2379",
            "etcd:http://a",
            "etcd:http://a:1,,http://b:1",
            "etcd:http://a:1/path",
            "redis:x",
        ] {
            assert!(matches!(text.parse::<Spec>(), Err(StoreError::Spec { .. })), "{text}");
        }
    }
}
