//! baresip at both ends: a softphone calls, another one answers and echoes, and both hear real RTP.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use um_interop::plan::PILOT;
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Place, Process, Product, Transport, clock};

/// Seconds that the phone stays: it dials at once and hangs up when it ends.
const STAY: &str = "4";
/// Packets that two seconds of voice have at least.
const TWO_SECONDS: u64 = 100;

/// Starts a baresip on a loopback address; it sends its media from 127.0.0.1 all the same, as servers on the wildcard do.
fn baresip(
    place: &Place,
    name: &str,
    last: u8,
    user: &str,
    source: &str,
    arguments: &[&str],
) -> Result<Process> {
    let folder = place.file(name);
    std::fs::create_dir(&folder)?;
    let at = place.at(last, 5060);
    let config = format!(
        "sip_listen {at}\nnet_interface {}\naudio_player aubridge,echo\naudio_source {source}\n\
         module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\n\
         module_tmp account.so\nmodule_app menu.so\n",
        at.ip()
    );
    std::fs::write(folder.join("config"), config)?;
    let account = format!("<sip:{user}@{at}>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n");
    std::fs::write(folder.join("accounts"), account)?;
    std::fs::write(folder.join("contacts"), "")?;
    let folder = folder.display().to_string();
    let process =
        Process::start(place, name, Path::new("baresip"), [&["-v", "-f", &folder], arguments].concat())?;
    clock::until(&format!("{name} to start"), Duration::from_secs(10), || {
        ensure!(process.output().contains("baresip is ready"), "{}", process.output());
        Ok(())
    })?;
    Ok(process)
}

/// Writes ten seconds of a tone, 8 kHz, 16 bits, one channel (RIFF WAVE).
fn tone() -> Vec<u8> {
    let samples: u32 = 80_000;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + 2 * samples).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    for field in [1_u16, 1] {
        bytes.extend(field.to_le_bytes());
    }
    for field in [8_000_u32, 16_000] {
        bytes.extend(field.to_le_bytes());
    }
    for field in [2_u16, 16] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend((2 * samples).to_le_bytes());
    for sample in 0..samples {
        let level: i16 = if sample / 10 % 2 == 0 { 8_000 } else { -8_000 };
        bytes.extend(level.to_le_bytes());
    }
    bytes
}

#[test]
fn two_softphones_hear_each_other_through_the_worker() -> Result<()> {
    in_place(|place| {
        let servers = [place.at(11, 5060)];
        let server = baresip(place, "server", 11, PILOT, "aubridge,echo", &[])?;
        let mut topology = plan(place, Transport::Udp, Transport::Udp, &servers);
        topology.allow = "127.0.0.0/8";
        let product = Product::start(place, &topology)?;

        let tone_at = place.file("tone.wav");
        std::fs::write(&tone_at, tone())?;
        let dial = format!("/dial sip:{PILOT}@{}", product.callers());
        let source = format!("aufile,{}", tone_at.display());
        let mut phone = baresip(place, "phone", 20, "5551234", &source, &["-e", &dial, "-t", STAY])?;
        phone.wait(Duration::from_secs(20))?;

        for (name, log) in [("the phone", phone.output()), ("the server", server.output())] {
            ensure!(log.contains("Call established"), "{name} has no call:\n{log}");
            ensure!(log.contains("incoming rtp for 'audio' established"), "{name} hears nothing:\n{log}");
        }
        product.settled(Duration::from_secs(5))?;
        let received = product.metric("rtp_packets_total", "direction=\"in\"")?;
        let sent = product.metric("rtp_packets_total", "direction=\"out\"")?;
        ensure!(received >= 2 * TWO_SECONDS && sent == received, "{received} packets in, {sent} out");
        Ok(())
    })
}
