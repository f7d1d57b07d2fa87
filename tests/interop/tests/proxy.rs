//! Proxies between us and both sides: Kamailio that stays in the route, over one transport and from UDP to TCP, a hop that
//! routes strictly (SIPp), and Kamailio that forks a call to two UM servers.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use um_interop::process::in_place;
use um_interop::product::plan;
use um_interop::{Behaviour, Caller, Kamailio, Place, Product, Server, Sipp, Transport, clock};

/// Longest time for any step here.
const PATIENCE: Duration = Duration::from_secs(20);
/// Calls of one SIPp.
const CALLS: u64 = 5;

/// Who hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HangsUp {
    Caller,
    Callee,
}

/// Calls through Kamailio, which adds itself to the route: every request of both sides has to come through it.
fn through_kamailio(inbound: Transport, who: HangsUp) -> Result<()> {
    in_place(|place| {
        let um = place.at(11, 5060);
        let topology = plan(place, inbound, Transport::Udp, &[um]);
        let product = Product::start(place, &topology)?;
        let parameter = match inbound {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        let route = format!("$du = \"sip:{}{parameter}\";", product.callers());
        let proxy = Kamailio::start(place, place.at(30, 5060), &route)?;
        let callee = callee(place, who)?;
        let caller_script = caller_script(who, "", "");
        calls(place, &caller_script, &proxy.local.to_string())?;
        let answered = callee.figures_within(PATIENCE, CALLS)?;
        ensure!(answered.failed == 0, "the UM server counts {answered:?}\n{}", callee.complaints());
        product.settled(PATIENCE)
    })
}

/// Runs SIPp as the caller; all its calls must end as its script wants.
fn calls(place: &Place, script: &str, to: &str) -> Result<()> {
    let count = CALLS.to_string();
    let more = [to, "-r", "5", "-m", &count, "-recv_timeout", "15000", "-timeout", "60", "-timeout_error"];
    let mut caller = Sipp::scripted(place, "caller", place.at(20, 5060), Transport::Udp, script, &more)?;
    let figures = caller.finish(Duration::from_secs(70))?;
    let all_well = figures.successful == CALLS && figures.failed == 0;
    ensure!(all_well, "the caller counts {figures:?}\n{}", caller.complaints());
    Ok(())
}

fn callee(place: &Place, who: HangsUp) -> Result<Sipp> {
    let script = match who {
        HangsUp::Caller => CALLEE.replace("ENDING", TAKES_BYE),
        HangsUp::Callee => CALLEE.replace("ENDING", CALLEE_BYE),
    };
    Sipp::scripted(place, "um", place.at(11, 5060), Transport::Udp, &script, &[])
}

/// `headers` are further lines of its INVITE, `check` an action on the BYE that it gets.
fn caller_script(who: HangsUp, headers: &str, check: &str) -> String {
    let ending = match who {
        HangsUp::Caller => CALLER_BYE.to_owned(),
        HangsUp::Callee => TAKES_BYE.replace("<!-- check -->", check),
    };
    CALLER.replace("HEADERS\n", headers).replace("ENDING", &ending)
}

#[test]
fn a_proxy_in_the_route_passes_every_request_of_the_caller() -> Result<()> {
    through_kamailio(Transport::Udp, HangsUp::Caller)
}

/// RFC 3261 §12.2.1.1, loose routing.
#[test]
fn our_requests_to_the_caller_follow_the_recorded_route() -> Result<()> {
    through_kamailio(Transport::Udp, HangsUp::Callee)
}

/// RFC 5658: a proxy between two transports records itself twice.
#[test]
fn a_proxy_between_udp_and_tcp_records_itself_twice_and_both_are_followed() -> Result<()> {
    through_kamailio(Transport::Tcp, HangsUp::Callee)
}

#[test]
fn a_caller_behind_a_proxy_between_udp_and_tcp_can_hang_up() -> Result<()> {
    through_kamailio(Transport::Tcp, HangsUp::Caller)
}

/// RFC 3261 §12.2.1.1, strict routing: the route is the Request-URI, the remote target the last Route.
#[test]
fn a_hop_that_routes_strictly_gets_its_own_address_as_request_uri() -> Result<()> {
    in_place(|place| {
        let product =
            Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &[place.at(11, 5060)]))?;
        let callee = callee(place, HangsUp::Callee)?;
        let hop = place.at(20, 5060).to_string();
        let check = format!(
            "<action>\n<ereg regexp=\"^BYE sip:{} SIP/2.0\" search_in=\"msg\" check_it=\"true\" assign_to=\"1\"/>\n\
             <ereg regexp=\"sip:5551234@{}\" search_in=\"hdr\" header=\"Route:\" check_it=\"true\" assign_to=\"2\"/>\n\
             </action>\n<!-- both were found -->",
            hop.replace('.', "[.]"),
            hop.replace('.', "[.]"),
        );
        let script = caller_script(HangsUp::Callee, "Record-Route: <sip:[local_ip]:[local_port]>\n", &check)
            .replace("</scenario>", "<Reference variables=\"1,2\"/>\n</scenario>");
        calls(place, &script, &product.callers().to_string())?;
        ensure!(callee.figures_within(PATIENCE, CALLS)?.failed == 0, "{}", callee.complaints());
        product.settled(PATIENCE)
    })
}

/// RFC 3261 §13.2.2.4: every 2xx of a fork is acknowledged, one is kept, the others are hung up.
#[test]
fn of_two_answers_from_behind_a_forking_proxy_one_is_kept_and_one_hung_up() -> Result<()> {
    in_place(|place| {
        let branches = [place.at(11, 5060), place.at(12, 5060)];
        let servers = [
            Server::start(branches[0], Transport::Udp, Behaviour::Answer)?,
            Server::start(branches[1], Transport::Udp, Behaviour::Answer)?,
        ];
        let [first, second] = branches.map(|branch| format!("sip:6000@{branch}"));
        let route = format!("$ru = \"{first}\"; append_branch(\"{second}\");");
        let proxy = Kamailio::start(place, place.at(30, 5060), &route)?;
        let product = Product::start(place, &plan(place, Transport::Udp, Transport::Udp, &[proxy.local]))?;
        let caller = Caller::new(place.host(20).into(), product.callers())?;
        let mut call = caller.call("6000", "")?;
        let answer = call.outcome(PATIENCE)?;
        ensure!(answer.status() == Some(200), "the caller got {}", answer.first_line());
        let tags: BTreeSet<_> = call
            .responses
            .iter()
            .filter(|(_, response)| response.status().is_some_and(|status| status > 100))
            .filter_map(|(_, response)| response.header("To").map(ToOwned::to_owned))
            .collect();
        ensure!(tags.len() == 1, "the caller saw the fork: {tags:?}");

        let left = clock::until("the other answer to be hung up", PATIENCE, || {
            let hung_up = servers.iter().position(|server| !server.seen("BYE").is_empty());
            hung_up.context("no BYE yet")
        })?;
        for server in &servers {
            server.first("ACK", PATIENCE)?;
        }
        let (left, kept) = (&servers[left], &servers[1 - left]);
        ensure!(kept.seen("BYE").is_empty(), "both were hung up");
        clock::until("the worker to count the call", PATIENCE, || {
            ensure!(product.status()?["calls"] == 1, "none");
            Ok(())
        })?;
        call.hang_up()?;
        let bye = kept.first("BYE", PATIENCE)?;
        ensure!(bye.message.headers("Via").count() == 2, "the BYE did not come through the proxy");
        ensure!(left.seen("BYE").len() == 1, "hung up more than once");
        product.settled(PATIENCE)
    })
}

const CALLER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500"><![CDATA[

INVITE sip:6000@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:5551234@pbx.example.com>;tag=c[pid]-[call_number]
To: <sip:6000@pbx.example.com>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:5551234@[local_ip]:[local_port]>
Max-Forwards: 70
HEADERS
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[

ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:5551234@pbx.example.com>;tag=c[pid]-[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
ENDING
</scenario>
"#;

const CALLER_BYE: &str = r#"<pause milliseconds="300"/>
<send retrans="500"><![CDATA[

BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:5551234@pbx.example.com>;tag=c[pid]-[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>"#;

const TAKES_BYE: &str = r#"<recv request="BYE"><!-- check --></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>"#;

const CALLEE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="um">
<recv request="INVITE" rrs="true">
<action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>
</action>
</recv>
<send retrans="500"><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
To:[$2];tag=u[pid]-[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:6000@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 41000 RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>
<recv request="ACK"/>
ENDING
<Reference variables="1,2"/>
</scenario>
"#;

const CALLEE_BYE: &str = r#"<pause milliseconds="300"/>
<send retrans="500"><![CDATA[

BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From:[$2];tag=u[pid]-[call_number]
To:[$1]
Call-ID: [call_id]
CSeq: 1 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>"#;
