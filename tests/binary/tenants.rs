//! `validate` by tenant: errors in groups, and one tenant's slice alone.

use std::fs;

use serde_json::Value as Json;

use crate::support::{Ended, good, run};

/// The good snapshot with a second tenant whose binding is wrong.
fn validate(more: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("policy.yaml"), good()).unwrap();
    let facts =
        "sidegate: 1\nresources: {account/moon: {}}\nbindings: [{subject: user/ana, role: ghost, at: account/moon}]\n";
    fs::write(directory.path().join("moon.yaml"), facts).unwrap();
    let mut words = vec!["validate", directory.path().to_str().unwrap()];
    words.extend(more);
    run(&words)
}

#[test]
fn errors_stand_under_their_tenant() {
    let told = validate(&[]);
    assert_eq!(told.code, Some(65));
    assert!(told.out.starts_with("tenant account/moon: 1 error\n\nerror: "), "{}", told.out);
    let object: Json = serde_json::from_str(&validate(&["--json"]).out).unwrap();
    assert_eq!(object["findings"][0]["tenant"], "account/moon");
}

#[test]
fn one_tenant_is_checked_alone() {
    let told = validate(&["--tenant", "account/orbit"]);
    assert_eq!(told.code, Some(0), "{}", told.out);
    assert!(told.out.starts_with("valid for tenant account/orbit: "), "{}", told.out);
    assert!(!told.out.contains("digest"), "a slice has none: {}", told.out);
    let object: Json = serde_json::from_str(&validate(&["--tenant", "account/orbit", "--json"]).out).unwrap();
    assert_eq!((&object["valid"], &object["tenant"]), (&true.into(), &"account/orbit".into()));
    assert!(object["digest"].is_null());
    assert_eq!(validate(&["--tenant", "account/moon"]).code, Some(65));
}

#[test]
fn an_unknown_tenant_names_the_known_ones() {
    let told = validate(&["--tenant", "account/mars"]);
    assert_eq!(told.code, Some(65));
    assert!(
        told.out.contains("`account/mars`") && told.out.contains("`account/moon`, `account/orbit`"),
        "{}",
        told.out
    );
    assert_eq!(validate(&["--tenant", "account"]).code, Some(64));
}
