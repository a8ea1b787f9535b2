//! TLS of the data listener: which certificate it shows, whom it asks for one, and the names in what clients show.
//!
//! The files are read again and again; a set that does not fit together is never used.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio_rustls::TlsAcceptor;

use super::peer::Certificate;

/// No set of certificates is larger; what is, is something else.
const MOST_BYTES: u64 = 1024 * 1024;

/// Which files TLS is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that vouch for it.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Who vouches for clients; `None` asks them for nothing.
    pub client_ca: Option<PathBuf>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {problem}", path.display())]
pub struct TlsError {
    path: PathBuf,
    problem: String,
}

/// What became of looking at the files again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing: they are what is used, or what was refused before, or are perhaps just being written.
    Same,
    /// New connections use them.
    New,
    /// They cannot be used, for this reason; what was used before still is.
    Refused(String),
}

/// What new connections use.
pub struct Tls {
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    looks: Mutex<Looks>,
}

/// The digests of what was found in the files.
#[derive(Debug, Clone, Copy)]
struct Looks {
    /// When they were last looked at.
    last: blake3::Hash,
    /// When they were last used or refused.
    judged: blake3::Hash,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Whether clients must show who they are.
    pub fn authenticates(&self) -> bool {
        self.certificate.is_some() && self.key.is_some() && self.client_ca.is_some()
    }
}

impl Tls {
    /// Reads the files; `None` where none are named.
    ///
    /// # Errors
    /// They cannot be read or do not fit together.
    pub fn load(files: &TlsFiles) -> Result<Option<Self>, TlsError> {
        if files.certificate.is_none() && files.key.is_none() {
            return Ok(None);
        }
        let contents = Contents::read(files)?;
        let digest = contents.digest();
        let looks = Mutex::new(Looks { last: digest, judged: digest });
        Ok(Some(Self { files: files.clone(), current: ArcSwap::from_pointee(contents.config()?), looks }))
    }

    /// Reads the files again and uses them if they are new and good. They are refused when two looks find the same:
    /// a certificate and its key are seldom replaced in one step.
    pub fn renew(&self) -> Renewal {
        let contents = Contents::read(&self.files);
        let digest = match &contents {
            Ok(contents) => contents.digest(),
            Err(error) => blake3::hash(error.to_string().as_bytes()),
        };
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = looks.last == digest;
        looks.last = digest;
        if looks.judged == digest {
            return Renewal::Same;
        }
        let renewal = match contents.and_then(|contents| contents.config()) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                Renewal::New
            }
            Err(_) if !settled => return Renewal::Same,
            Err(error) => Renewal::Refused(error.to_string()),
        };
        looks.judged = digest;
        renewal
    }

    /// For one handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

/// The names in a client's certificate, which the handshake has verified.
pub(super) fn names(presented: Option<&[CertificateDer<'_>]>) -> Option<Certificate> {
    let first = presented?.first()?;
    let certificate = webpki::EndEntityCert::try_from(first).ok()?;
    let owned = str::to_owned;
    Some(Certificate {
        uris: certificate.valid_uri_names().map(owned).collect(),
        dns: certificate.valid_dns_names().map(owned).collect(),
    })
}

/// The files as they were read, each with its path.
struct Contents {
    certificate: (PathBuf, Vec<u8>),
    key: (PathBuf, Vec<u8>),
    client_ca: Option<(PathBuf, Vec<u8>)>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let TlsFiles { certificate, key, client_ca } = files;
        let named = |path: &Option<PathBuf>| {
            let path = path.clone().unwrap_or_default();
            let bytes = read(&path).map_err(|error| TlsError { path: path.clone(), problem: error.to_string() })?;
            Ok((path, bytes))
        };
        let (certificate, key) = (named(certificate)?, named(key)?);
        let client_ca = client_ca.is_some().then(|| named(client_ca)).transpose()?;
        Ok(Self { certificate, key, client_ca })
    }

    /// One for everything: the key itself is not kept.
    fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (_, bytes) in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            hasher.update(&bytes.len().to_le_bytes()).update(bytes);
        }
        hasher.finalize()
    }

    fn config(&self) -> Result<ServerConfig, TlsError> {
        let problem =
            |path: &Path, problem: &dyn fmt::Display| TlsError { path: path.to_owned(), problem: problem.to_string() };
        let (path, bytes) = &self.certificate;
        let chain = certificates(path, bytes)?;
        let (key_path, bytes) = &self.key;
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|error| problem(key_path, &error))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| problem(path, &error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some((path, bytes)) => builder.with_client_cert_verifier(verifier(path, bytes, provider)?),
        };
        // Also compares the key with the certificate.
        let mut config = builder.with_single_cert(chain, key).map_err(|error| problem(path, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A resumed session would skip the look at the client's certificate; connections are few and last.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

fn verifier(
    path: &Path,
    bytes: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let problem = |problem: &dyn fmt::Display| TlsError { path: path.to_owned(), problem: problem.to_string() };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, bytes)? {
        roots.add(certificate).map_err(|error| problem(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| problem(&error))
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |problem: String| TlsError { path: path.to_owned(), problem };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let all = all.map_err(|error| problem(error.to_string()))?;
    if all.is_empty() { Err(problem("holds no certificate in PEM form".to_owned())) } else { Ok(all) }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large for certificates"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
