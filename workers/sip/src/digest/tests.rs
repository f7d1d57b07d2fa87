//! The vectors of RFC 2617, RFC 7616 and RFC 8760, and what servers of every kind ask for.

use super::*;
use crate::{limits::Limits, method::Method};

fn response(headers: &str) -> Message {
    let text = format!(
        "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
    );
    Message::parse(text.into(), &Limits::default()).expect("valid")
}

fn challenges(value: &str) -> Vec<Challenge> {
    response(&format!("WWW-Authenticate: {value}\r\n")).challenges(Challenger::Server)
}

fn only(value: &str) -> Challenge {
    let mut found = challenges(value);
    assert_eq!(found.len(), 1, "{value}: {found:?}");
    found.remove(0)
}

fn mufasa(password: &str) -> Credentials {
    Credentials { username: "Mufasa".into(), password: password.into() }
}

fn get() -> Method {
    Method::from_bytes(b"GET").expect("a token")
}

fn field<'a>(value: &'a str, name: &str) -> &'a str {
    let at = value.find(&format!("{name}=")).unwrap_or_else(|| panic!("{name} in {value}"));
    value[at + name.len() + 1..].split([',', ' ']).next().unwrap_or_default().trim_matches('"')
}

/// RFC 7616 §3.9.1.
const BOTH: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=ALG, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

#[test]
fn md5_and_sha_256_answer_as_the_standard_does() {
    for (algorithm, wanted) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = only(&BOTH.replace("ALG", algorithm));
        assert_eq!(challenge.qop, Qop::Auth, "where there is a choice");
        let mut grant = Grant::new(challenge, &mufasa("Circle of Life"), CNONCE);
        let value = grant.authorize(&get(), "/dir/index.html", b"");
        assert_eq!(field(&value, "response"), wanted);
        assert_eq!((field(&value, "nc"), field(&value, "qop")), ("00000001", "auth"));
        assert_eq!((field(&value, "algorithm"), field(&value, "cnonce")), (algorithm, CNONCE));
        assert_eq!(field(&value, "opaque"), "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS");
    }
}

/// RFC 2617 §3.5, with the password that its errata corrects.
#[test]
fn the_sample_of_rfc_2617_is_answered_and_counted() {
    let challenge = only(
        "Digest realm=\"testrealm@host.com\",\r\n qop=\"auth,auth-int\",\r\n nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\",\r\n opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    let mut grant = Grant::new(challenge, &mufasa("Circle Of Life"), "0a4f113b");
    let first = grant.authorize(&get(), "/dir/index.html", b"");
    assert_eq!(field(&first, "response"), "6629fae49393a05397450978507c4ef1");
    assert!(!first.contains("algorithm"), "none was named");
    let second = grant.authorize(&get(), "/dir/index.html", b"");
    assert_eq!(field(&second, "nc"), "00000002");
    assert_ne!(field(&second, "response"), field(&first, "response"));
}

/// RFC 2069 §2.4 as its errata has it: no protection named, nothing counted.
#[test]
fn a_challenge_without_qop_is_answered_in_the_old_form() {
    let challenge = only(
        "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    let value = Grant::new(challenge, &mufasa("CircleOfLife"), "x").authorize(&get(), "/dir/index.html", b"");
    assert_eq!(field(&value, "response"), "1949323746fe6a43ef61f9606e7febea");
    assert!(!value.contains("cnonce") && !value.contains("nc=") && !value.contains("qop"));
}

#[test]
fn auth_int_protects_the_body() {
    let challenge = || only("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"");
    let mut one = Grant::new(challenge(), &mufasa("p"), "c");
    let mut other = one.clone();
    let value = one.authorize(&Method::Invite, "sip:a@b", b"v=0\r\n");
    assert_eq!(field(&value, "qop"), "auth-int");
    let hash =
        |parts: &[&str]| Algorithm::Md5.hash(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
    let request = hash(&["INVITE", "sip:a@b", &hash(&["v=0\r\n"])]);
    let wanted = hash(&[&hash(&["Mufasa", "r", "p"]), "n", "00000001", "c", "auth-int", &request]);
    assert_eq!(field(&value, "response"), wanted);
    assert_ne!(field(&other.authorize(&Method::Invite, "sip:a@b", b""), "response"), wanted);
}

/// RFC 7616 §3.4.2: the nonces of the first answer stay in the secret.
#[test]
fn a_session_keeps_the_nonces_of_its_first_answer() {
    let challenge = only("Digest realm=\"r\", nonce=\"n1\", qop=auth, algorithm=SHA-256-sess");
    let mut grant = Grant::new(challenge, &mufasa("p"), "c");
    grant.take_next_nonce(&AuthenticationInfo::parse(b"nextnonce=\"n2\"").expect("valid"));
    let value = grant.authorize(&Method::Bye, "sip:a@b", b"");
    let hash = |parts: &[&str]| {
        Algorithm::Sha256.hash(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
    };
    let secret = hash(&[&hash(&["Mufasa", "r", "p"]), "n1", "c"]);
    let wanted = hash(&[&secret, "n2", "00000001", "c", "auth", &hash(&["BYE", "sip:a@b"])]);
    assert_eq!((field(&value, "nonce"), field(&value, "response")), ("n2", wanted.as_str()));
}

#[test]
fn sha_512_256_hashes_as_fips_180_does() {
    let hash = Algorithm::Sha512.hash(&[b"abc"]);
    assert_eq!(hash, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

#[test]
fn what_cannot_be_answered_is_left_out() {
    for value in [
        "Basic realm=\"r\"",
        "NoOneKnowsThisScheme opaque-data=here",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD6",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\"",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest",
        "",
    ] {
        assert_eq!(challenges(value), [], "{value}");
    }
}

/// RFC 8760 §2.4, RFC 7616 §3.7: in one line or in several.
#[test]
fn the_topmost_challenge_of_each_realm_with_credentials_is_chosen() {
    let headers = "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=SHA-1024\r\n\
                   WWW-Authenticate: Digest realm=\"a\", nonce=\"2, x\", algorithm=SHA-256, Digest realm = \"a\", nonce=\"3\"\r\n\
                   WWW-Authenticate: Basic realm=\"a\", Digest realm=\"b\", nonce=\"4\"\r\n\
                   WWW-Authenticate: Digest realm=\"\\\"c\\\"\", nonce=\"5\"\r\n";
    let challenges = response(headers).challenges(Challenger::Server);
    let credentials = mufasa("p");
    let chosen = choose(&challenges, |realm| (realm != "b").then_some(&credentials));
    let nonces: Vec<_> =
        chosen.iter().map(|(challenge, _)| (&*challenge.nonce, challenge.algorithm)).collect();
    assert_eq!(nonces, [("2, x", Algorithm::Sha256), ("5", Algorithm::Md5)]);
    assert_eq!(chosen[1].0.realm(), "\"c\"");
    assert!(choose(&challenges, |_| None::<()>).is_empty());
}

#[test]
fn a_proxy_is_answered_in_its_own_header() {
    let message = response("Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\"\r\n");
    assert_eq!(message.challenges(Challenger::Server), []);
    let [challenge] = &message.challenges(Challenger::Proxy)[..] else { panic!("one challenge") };
    let grant = Grant::new(challenge.clone(), &mufasa("p"), "c");
    assert_eq!(grant.header(), HeaderName::ProxyAuthorization);
}

/// RFC 7616 §3.3 `stale`, §3.5 `nextnonce`.
#[test]
fn a_stale_nonce_is_replaced_and_a_refusal_is_told_apart() {
    let challenge = only("Digest realm=\"r\", nonce=\"1\", qop=auth");
    let mut grant = Grant::new(challenge.clone(), &mufasa("p"), "c");
    assert!(!grant.is_refused_by(&challenge), "nothing was answered yet");
    let _ = grant.authorize(&Method::Invite, "sip:a@b", b"");
    assert!(grant.is_refused_by(&only("Digest realm=\"r\", nonce=\"2\", qop=auth")));
    assert!(!grant.is_refused_by(&only("Digest realm=\"r\", nonce=\"2\", qop=auth, stale=TRUE")));
    assert!(!grant.is_refused_by(&only("Digest realm=\"other\", nonce=\"2\"")));
    let info = AuthenticationInfo::parse(b"qop=auth, nextnonce=\"9\", nc=00000001").expect("valid");
    grant.take_next_nonce(&info);
    let value = grant.authorize(&Method::Invite, "sip:a@b", b"");
    assert_eq!((field(&value, "nonce"), field(&value, "nc")), ("9", "00000001"));
    assert!(AuthenticationInfo::parse(b"qop=auth").is_err());
}

#[test]
fn credentials_cannot_break_out_of_their_quotes_and_are_not_shown() {
    let credentials = Credentials { username: "a\"b\r\nc".into(), password: "secret".into() };
    let mut grant = Grant::new(only("Digest realm=\"r\\\"s\", nonce=\"1\""), &credentials, "c");
    let value = grant.authorize(&Method::Invite, "sip:a@b", b"");
    assert!(value.starts_with("Digest username=\"a\\\"bc\", realm=\"r\\\"s\", nonce=\"1\""), "{value}");
    let shown = format!("{credentials:?} {grant:?}");
    assert!(!shown.contains("secret") && !shown.contains("a\\\"b"));
}
