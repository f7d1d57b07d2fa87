//! The ladders that fuzzing starts from do what they are named for, and stand in the corpus.

use std::fs;
use std::path::Path;

use um_fuzz::{engine, ladder};

#[test]
fn every_ladder_stands_in_the_corpus() {
    let mut old = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let ladders = ladder::engine().into_iter().map(|ladder| ("engine", ladder));
    for (target, (name, bytes)) in
        ladders.chain(ladder::endpoint().into_iter().map(|ladder| ("endpoint", ladder)))
    {
        let path = folder.join(target).join(format!("ladder-{name}"));
        if fs::read(&path).ok().as_deref() != Some(&bytes[..]) {
            fs::write(&path, &bytes).expect("the corpus can be written");
            old.push(name);
        }
    }
    assert!(old.is_empty(), "missing or old in {}, now written: {old:?}; commit them", folder.display());
}

#[test]
fn a_ladder_with_an_answer_reaches_an_answered_call() {
    let answered = ["udp", "tcp", "names", "hang-up-by-server", "failover", "redirected", "held", "glare"];
    for (name, bytes) in ladder::engine().into_iter().filter(|(name, _)| answered.contains(name)) {
        let sent = engine::play(&bytes);
        assert!(sent.iter().any(|sent| sent == "200 INVITE"), "{name}: {sent:?}");
    }
}

#[test]
fn the_plain_ladder_is_a_whole_call() {
    let ladders = ladder::engine();
    let (_, bytes) = ladders.iter().find(|(name, _)| *name == "udp").expect("the plain ladder");
    let sent = engine::play(bytes);
    for wanted in ["100 INVITE", "INVITE", "180 INVITE", "200 INVITE", "ACK", "200 BYE", "BYE"] {
        assert!(sent.iter().any(|sent| sent == wanted), "no {wanted} in {sent:?}");
    }
}
