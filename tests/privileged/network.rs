//! Networks of its own: loopback that goes away and comes back, and neighbours who must not reach it.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sidegate::client::Blocking;
use tonic::Code;

use crate::namespace::Namespace;
use crate::privileges::ip;
use crate::support::{POLICY, ana_may, good, question, refusal, until};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn loopback_that_goes_ends_calls_and_that_returns_serves_new_ones() {
    let network = Namespace::of_network();
    let daemon = network.launch().set("SIDEGATE_LIMITS_KEEPALIVE", "1s").set("SIDEGATE_LIMITS_KEEPALIVE_TIMEOUT", "1s");
    let daemon = daemon.daemon(&good());
    network.within(|| {
        until("it is ready", || daemon.get("/readyz").0 == 200);
        let client = daemon.client();
        let hurried = Blocking::connect(&daemon.data, SHORT).unwrap();
        assert!(ana_may(&client) && ana_may(&hurried));
        assert!(daemon.metric("sidegate_connections{listener=\"data\"}") >= 2);
        network.run(&format!("{} link set lo down", ip()));
        let (code, ..) = refusal(hurried.call(|client| client.authorize(question("ana", "access"))));
        assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled | Code::Unavailable), "{code:?}");
        assert!(Blocking::connect(&daemon.data, SHORT).is_err(), "nobody gets through");
        // The source is no part of the network.
        daemon.write(POLICY);
        until("the change is live", || daemon.log("a snapshot is live").len() == 2);
        network.run(&format!("{} link set lo up", ip()));
        assert!(!ana_may(&daemon.client()), "a new connection is served, by what is live now");
        assert!(!ana_may(&client), "so is one that only stalled");
        drop((client, hurried));
        until("nothing is left of the connections", || daemon.metric("sidegate_connections{listener=\"data\"}") == 0);
    });
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn connections_that_a_dead_network_holds_are_let_go() {
    let network = Namespace::of_network();
    let launch = network.launch().set("SIDEGATE_LIMITS_KEEPALIVE", "1s").set("SIDEGATE_LIMITS_KEEPALIVE_TIMEOUT", "1s");
    let daemon = launch.daemon(&good());
    network.within(|| {
        until("it is ready", || daemon.get("/readyz").0 == 200);
        let clients: Vec<Blocking> = (0..8).map(|_| daemon.client()).collect();
        assert!(clients.iter().all(ana_may));
        network.run(&format!("{} link set lo down", ip()));
        let sockets = format!("/proc/{}/fd", daemon.process.pid().as_raw_nonzero());
        let open = || std::fs::read_dir(&sockets).unwrap().count();
        let held = open();
        until("keepalive ends them", || open() + clients.len() <= held);
        network.run(&format!("{} link set lo up", ip()));
        assert!(ana_may(&daemon.client()));
    });
}

#[test]
fn loopback_listeners_cannot_be_reached_from_another_network() {
    let (home, neighbour) = (Namespace::of_network(), Namespace::of_network());
    // A cable between the two.
    home.run(&format!(
        "{ip} link add cable0 type veth peer name cable1 netns {there}\n\
         {ip} address add 192.0.2.1/24 dev cable0\n{ip} link set cable0 up",
        ip = ip(),
        there = neighbour.pid()
    ));
    neighbour.run(&format!("{ip} address add 192.0.2.2/24 dev cable1\n{ip} link set cable1 up", ip = ip()));
    let daemon = home.launch().daemon(&good());
    home.within(|| {
        until("it is ready", || daemon.get("/readyz").0 == 200);
        let probe = std::net::TcpListener::bind("192.0.2.1:8699").unwrap();
        neighbour.within(|| TcpStream::connect("192.0.2.1:8699").map(drop).expect("the cable works"));
        drop(probe);
    });
    for address in [&daemon.data, &daemon.ops] {
        let port = address.parse::<SocketAddr>().unwrap().port();
        for host in ["127.0.0.1", "192.0.2.1"] {
            let to = SocketAddr::new(host.parse().unwrap(), port);
            let reached = neighbour.within(|| TcpStream::connect_timeout(&to, SHORT));
            assert!(reached.is_err(), "{to} can be reached");
        }
    }
}

#[test]
fn what_listens_for_all_does_so_only_when_told_that_this_is_meant() {
    let network = Namespace::of_network();
    let open = ["--listen", "0.0.0.0:0"];
    let ended = network.launch().run(&[&["serve", "--snapshot", "/nowhere"], open.as_slice()].concat()).end();
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("other machines can reach"), "{}", ended.err);
}
