//! Files that fit together, files that do not, and the names in certificates.

use std::{fs, path::Path};

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair, SanType};
use rustls::pki_types::CertificateDer;

use super::{Certificate, Renewal, Tls, TlsFiles, names};

fn write_pair(directory: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(directory.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(directory.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
}

fn files(directory: &Path) -> TlsFiles {
    TlsFiles {
        certificate: Some(directory.join("tls.crt")),
        key: Some(directory.join("tls.key")),
        client_ca: Some(directory.join("ca.crt")),
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn what_fits_is_used_and_what_does_not_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    assert!(Tls::load(&TlsFiles::default()).unwrap().is_none());
    assert!(Tls::load(&files(at)).unwrap_err().to_string().contains("tls.crt"));
    write_pair(at, "one");
    fs::write(at.join("ca.crt"), authority().pem()).unwrap();
    let tls = Tls::load(&files(at)).unwrap().unwrap();
    assert_eq!(tls.renew(), Renewal::Same);
    write_pair(at, "two");
    let key = fs::read(at.join("tls.key")).unwrap();
    assert_eq!(tls.renew(), Renewal::New);

    // A certificate whose key has not been written yet: not refused at the first look.
    write_pair(at, "three");
    let next = fs::read(at.join("tls.key")).unwrap();
    fs::write(at.join("tls.key"), &key).unwrap();
    assert_eq!(tls.renew(), Renewal::Same);
    assert!(matches!(tls.renew(), Renewal::Refused(_)));
    assert_eq!(tls.renew(), Renewal::Same, "told once");
    fs::write(at.join("tls.key"), next).unwrap();
    assert_eq!(tls.renew(), Renewal::New);

    for (name, text, part) in [
        ("ca.crt", "", "ca.crt`: holds no certificate"),
        ("tls.crt", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "tls.crt`: "),
        ("tls.key", "none", "tls.key`: "),
    ] {
        let kept = fs::read(at.join(name)).unwrap();
        fs::write(at.join(name), text).unwrap();
        assert_eq!(tls.renew(), Renewal::Same);
        let Renewal::Refused(problem) = tls.renew() else { panic!("{name}") };
        assert!(problem.contains(part), "{problem}");
        assert!(Tls::load(&files(at)).is_err());
        fs::write(at.join(name), kept).unwrap();
        assert_eq!(tls.renew(), Renewal::New);
    }
    fs::remove_file(at.join("tls.key")).unwrap();
    assert_eq!(tls.renew(), Renewal::Same);
    assert!(matches!(tls.renew(), Renewal::Refused(_)));
}

#[test]
fn a_certificate_says_its_names() {
    let mut params = CertificateParams::new(["bots.example.org".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::URI("spiffe://example.org/ns/prod/sa/bots".try_into().unwrap()));
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    params.distinguished_name.push(DnType::CommonName, "not.a.name");
    let made = params.signed_by(&KeyPair::generate().unwrap(), &authority()).unwrap();
    let expected = Certificate {
        uris: vec!["spiffe://example.org/ns/prod/sa/bots".to_owned()],
        dns: vec!["bots.example.org".to_owned()],
    };
    assert_eq!(names(Some(&[made.der().clone()])), Some(expected));
    assert_eq!(names(Some(&[CertificateDer::from(vec![1, 2, 3])])), None);
    assert_eq!(names(None), None);
}
