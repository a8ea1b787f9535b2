//! A caller far over its quota beside one within its own: what each gets. Both show who they are by certificates.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, KeyPair, SanType};
use sidegate::client::{Client, Trust};

use crate::daemon::Daemon;
use crate::load::{Got, block_on, percentile, spread, steadily_by};

const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 7;
/// What the noisy caller may ask in a second.
const QUOTA: u32 = 1_000;

pub(crate) fn run(binary: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let daemon = Daemon::start(binary, &authority.config(directory.path()));
    let (noisy, modest) = (authority.client("noisy.test"), authority.client("modest.test"));
    let both = |times: u32| {
        let (address, trust) = (daemon.data.clone(), noisy.clone());
        let noisy = thread::spawn(move || ask(&address, &trust, QUOTA * times));
        let modest = ask(&daemon.data, &modest, 100);
        (noisy.join().unwrap(), modest)
    };
    both(1);
    println!(
        "| round | within quota: p99 of the other | ten times over: answered | told to wait | lost | p99 of the other | ratio |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (_, mut calm) = both(1);
        let (noisy, mut crowded) = both(10);
        let [before, after] = [&mut calm, &mut crowded].map(|got| percentile(&mut got.answered, 0.99));
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        ratios.push(ratio);
        let lost = noisy.lost + calm.lost + crowded.lost + calm.shed.len() + crowded.shed.len();
        let (answered, told) = (noisy.answered.len(), noisy.shed.len());
        println!("| {round} | {before:.1?} | {answered} | {told} | {lost} | {after:.1?} | {ratio:.2} |");
    }
    println!("\nMedian ratio (range): {}", spread(&mut ratios));
}

fn ask(address: &str, trust: &Trust, per_second: u32) -> Got {
    block_on(async {
        let client = Client::connect_with(address, Duration::from_secs(30), Some(trust)).await.unwrap();
        steadily_by(client, per_second, TIME).await
    })
}

/// Who signs for all of them.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key.
    fn sign(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        params.extended_key_usages.push(purpose);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn client(&self, name: &str) -> Trust {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ClientAuth);
        Trust {
            authorities: self.0.pem().into_bytes(),
            identity: Some((certificate.into_bytes(), key.into_bytes())),
            name: None,
        }
    }

    /// The daemon's configuration, with the files that it names.
    fn config(&self, directory: &Path) -> String {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth);
        let mut text = String::from("[threads]\nworkers = 1\n[tls]\n");
        for (name, pem) in [("certificate", certificate), ("key", key), ("client_ca", self.0.pem())] {
            let path = directory.join(name);
            fs::write(&path, pem).unwrap();
            // A path in quotes is a string of TOML.
            writeln!(text, "{name} = \"{}\"", path.display()).unwrap();
        }
        for (name, rate) in [("noisy", QUOTA), ("modest", 1_000)] {
            write!(text, "[[callers]]\nname = \"{name}\"\ntls = [\"{name}.test\"]\nrate = {rate}\n").unwrap();
        }
        text
    }
}
