//! TLS on the data listener: who is let in, and certificates that are replaced under a running daemon.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use sidegate::client::{Blocking, ClientError, Trust};
use tempfile::TempDir;

use crate::support::{Daemon, LIMIT, ana_may, good, run, until};

/// Somebody who signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn sign(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Pair {
        params.extended_key_usages.push(purpose);
        let key = KeyPair::generate().unwrap();
        Pair { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// For the daemon.
    fn server(&self) -> Pair {
        let mut params = CertificateParams::new(vec!["sidegate.test".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a client.
    fn client(&self) -> Pair {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::URI("spiffe://example.org/bots".try_into().unwrap()));
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// What a client trusts and shows.
    fn trust(&self, shows: Option<&Pair>) -> Trust {
        let identity = shows.map(|pair| (pair.certificate.clone().into_bytes(), pair.key.clone().into_bytes()));
        Trust { authorities: self.pem(), identity, name: None }
    }
}

/// The files that a daemon reads, in a directory like a kubelet's.
struct Files {
    directory: TempDir,
    version: usize,
}

impl Files {
    fn new(pair: &Pair, client_ca: Option<&Authority>) -> Self {
        let mut files = Self { directory: tempfile::tempdir().unwrap(), version: 0 };
        files.publish(&pair.certificate, &pair.key, client_ca);
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), files.path(name)).unwrap();
        }
        let client_ca = client_ca.map_or(String::new(), |_| format!("client_ca = {:?}\n", files.path("ca.crt")));
        let (certificate, key) = (files.path("tls.crt"), files.path("tls.key"));
        let text =
            format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n{client_ca}[limits]\nhandshake = \"2s\"\n");
        fs::write(files.path("sidegate.toml"), text).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Swaps all of them in one step.
    fn publish(&mut self, certificate: &str, key: &str, client_ca: Option<&Authority>) {
        self.version += 1;
        let name = format!("..v{}", self.version);
        fs::create_dir(self.path(&name)).unwrap();
        fs::write(self.path(&name).join("tls.crt"), certificate).unwrap();
        fs::write(self.path(&name).join("tls.key"), key).unwrap();
        if let Some(authority) = client_ca {
            fs::write(self.path(&name).join("ca.crt"), authority.pem()).unwrap();
        }
        symlink(name, self.path("..next")).unwrap();
        fs::rename(self.path("..next"), self.path("..data")).unwrap();
    }

    fn daemon(&self, listen: &str) -> Daemon {
        let config = self.path("sidegate.toml");
        Daemon::start_with(&good(), &["--config", config.to_str().unwrap(), "--listen", listen]).ready()
    }
}

fn connect(daemon: &Daemon, trust: &Trust) -> Result<Blocking, ClientError> {
    Blocking::connect_with(&daemon.data, LIMIT, Some(trust))
}

/// Whether a client is let in and answered: with TLS 1.3 a refusal shows at the first call at the latest.
fn is_answered(daemon: &Daemon, trust: &Trust) -> bool {
    let asked = connect(daemon, trust).and_then(|client| client.call(|client| client.health("")));
    asked.is_ok()
}

#[test]
fn tls_is_spoken_and_nothing_else() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), None);
    let daemon = files.daemon("127.0.0.1:0");
    assert!(ana_may(&connect(&daemon, &authority.trust(None)).unwrap()));
    let named = Trust { name: Some("sidegate.test".to_owned()), ..authority.trust(None) };
    assert!(is_answered(&daemon, &named));
    assert!(!is_answered(&daemon, &Trust { name: Some("other.test".to_owned()), ..named }));
    assert!(!is_answered(&daemon, &Authority::new("theirs").trust(None)));
    let plain = Blocking::connect(&daemon.data, LIMIT);
    assert!(plain.and_then(|client| client.call(|client| client.health(""))).is_err());
    until("it is counted", || daemon.metric("sidegate_connections_closed_total{listener=\"data\",why=\"tls\"}") >= 3);
}

#[test]
fn authzen_is_answered_in_tls_whichever_http_is_agreed_upon() {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), None);
    let daemon = files.daemon("127.0.0.1:0");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority.pem()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let body = crate::authzen::question("ana", "access").to_string();
    let head = "POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for protocols in [vec![b"http/1.1".to_vec()], Vec::new()] {
        let mut config = config.clone();
        config.alpn_protocols.clone_from(&protocols);
        let name = ServerName::try_from("sidegate.test").unwrap();
        let client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(&daemon.data).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut stream = rustls::StreamOwned::new(client, stream);
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), protocols.first().map(Vec::as_slice));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\"decision\":true}"), "{answer}");
    }
}

#[test]
fn a_handshake_that_stalls_is_ended() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), None);
    let daemon = files.daemon("127.0.0.1:0");
    let mut stream = TcpStream::connect(&daemon.data).unwrap();
    // The beginning of a hello.
    std::io::Write::write_all(&mut stream, &[22, 3, 1, 2, 0, 1, 0]).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
    until("it is counted", || {
        daemon.metric("sidegate_connections_closed_total{listener=\"data\",why=\"no_request\"}") == 1
    });
}

#[test]
fn clients_show_who_they_are_where_other_machines_can_reach_it() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours.server(), Some(&ours));
    let config = fs::read_to_string(files.path("sidegate.toml")).unwrap();
    let rule = "[[callers]]\nname = \"bots\"\ntls = [\"spiffe://example.org/bots\"]\n";
    fs::write(files.path("sidegate.toml"), config + rule).unwrap();
    // Not refused: who asks is known, by the name in the certificate.
    let daemon = files.daemon("0.0.0.0:0");
    assert_eq!(daemon.metric("sidegate_insecure_listen"), 0);
    assert!(ana_may(&connect(&daemon, &ours.trust(Some(&ours.client()))).unwrap()));
    assert!(!is_answered(&daemon, &ours.trust(None)), "without a certificate");
    assert!(!is_answered(&daemon, &ours.trust(Some(&theirs.client()))), "signed by somebody else");
    assert!(!is_answered(&daemon, &ours.trust(Some(&ours.server()))), "made for another purpose");
}

#[test]
fn a_reachable_address_without_client_certificates_is_refused() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), None);
    let config = files.path("sidegate.toml");
    let arguments = ["serve", "--snapshot", "p.yaml", "--config", config.to_str().unwrap(), "--listen", "0.0.0.0:0"];
    let ended = run(&arguments);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("tls.client_ca"), "{}", ended.err);
}

#[test]
fn files_that_do_not_fit_are_refused_at_the_start() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), None);
    fs::write(files.path("tls.key"), authority.server().key).unwrap();
    let config = files.path("sidegate.toml");
    let arguments = ["serve", "--snapshot", "p.yaml", "--listen", "127.0.0.1:0", "--ops-listen", "", "--config"];
    let ended = run(&[&arguments[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("tls.crt"), "{}", ended.err);
    fs::write(&config, format!("[tls]\ncertificate = {:?}\n", files.path("tls.crt"))).unwrap();
    let ended = run(&[&arguments[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("`tls.certificate` and `tls.key` go together"), "{}", ended.err);
}

#[test]
fn new_connections_meet_the_new_certificate_and_old_ones_go_on() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let mut files = Files::new(&first.server(), None);
    let daemon = files.daemon("127.0.0.1:0");
    let before = connect(&daemon, &first.trust(None)).unwrap();
    assert!(ana_may(&before));

    // The certificate of one pair and the key of another: never used.
    files.publish(&second.server().certificate, &second.server().key, None);
    until("it is refused", || daemon.metric("sidegate_tls_renewals_total{result=\"rejected\"}") == 1);
    daemon.logged("the new certificate cannot be used");
    assert!(is_answered(&daemon, &first.trust(None)) && !is_answered(&daemon, &second.trust(None)));

    let next = second.server();
    files.publish(&next.certificate, &next.key, None);
    daemon.process.signal(rustix::process::Signal::HUP);
    until("it is used", || daemon.metric("sidegate_tls_renewals_total{result=\"applied\"}") == 1);
    assert!(is_answered(&daemon, &second.trust(None)) && !is_answered(&daemon, &first.trust(None)));
    assert!(ana_may(&before), "it was opened before");
    assert_eq!(daemon.terminate().code, Some(0));
}

#[test]
fn the_command_line_reaches_it() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.server(), Some(&authority));
    let daemon = files.daemon("127.0.0.1:0");
    let client = authority.client();
    let write = |name: &str, text: &str| {
        fs::write(files.path(name), text).unwrap();
        files.path(name).to_str().unwrap().to_owned()
    };
    let ca = write("trusted.pem", &authority.0.pem());
    let (certificate, key) = (write("me.pem", &client.certificate), write("me.key", &client.key));
    let health = ["health", "--server", &daemon.data, "--tls-ca", &ca];
    let shows = ["--tls-certificate", &certificate, "--tls-key", &key];
    let asked = [&health[..], &shows].concat();
    until("health follows the snapshot", || run(&asked).code == Some(0));
    let ended = run(&asked);
    assert_eq!((ended.code, ended.out.trim()), (Some(0), "SERVING"), "{}", ended.err);
    assert_eq!(run(&health).code, Some(69), "it shows nothing");
    let check = ["check", "--server", &daemon.data, "--tls-ca", &ca, "user/ana", "access", "workspace/prod"];
    assert_eq!(run(&[&check[..], &shows].concat()).code, Some(0));
    let plain = ["health", "--server", "unix:/nowhere.sock", "--tls-ca", &ca];
    assert_eq!(run(&plain).code, Some(64), "it would go without TLS");
    assert_eq!(run(&[&health[..], &shows[..2]].concat()).code, Some(64), "a certificate without its key");
}
