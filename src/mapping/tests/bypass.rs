//! What has opened other gates: each of these reaches another thing behind some server than it seems to in front of it.

use super::{POLICY, Sent, Unmapped, index};

/// Targets that no server shall be trusted to read as we do.
pub(in crate::mapping) const PATHS: [&str; 62] = [
    "",
    "*",
    "ws/prod/bots/b1",
    "http://example.org/ws/prod/bots/b1",
    "//ws/prod/bots/b1",
    "/ws//prod/bots/b1",
    "/ws/prod/bots/b1/",
    "/ws/prod/bots//b1",
    "/ws/prod/./bots/b1",
    "/ws/prod/../prod/bots/b1",
    "/ws/prod/bots/..",
    "/ws/prod/bots/.",
    "/ws/prod/bots/...",
    "/./ws/prod/bots/b1",
    "/../ws/prod/bots/b1",
    "/ws/prod/%2e%2e/bots/b1",
    "/ws/prod/%2E%2E/bots/b1",
    "/ws/prod/.%2E/bots/b1",
    "/ws/prod/%2E/bots/b1",
    "/ws/prod/bots/%2e",
    "/ws%2Fprod/bots/b1",
    "/ws%2fprod/bots/b1",
    "/ws/prod/bots/b1%2F",
    "/ws/prod/bots/b1%5C",
    "/ws/prod/bots/b1%5c..",
    "/ws\\prod/bots/b1",
    "/ws/prod\\..\\bots/b1",
    "/ws/prod/bots/b1;p=1",
    "/ws/prod;x/bots/b1",
    "/;/ws/prod/bots/b1",
    "/ws/prod/..;/bots/b1",
    "/ws/prod/bots/b1%3Bp=1",
    "/ws/prod/bots/b1#x",
    "/ws/prod/bots/b1%23",
    "/ws/prod/bots/b1%3F",
    "/ws/prod/bots/b1?x#y",
    "/ws/prod/bots/b1%00",
    "/ws/prod/bots/b1\0",
    "/ws/prod/bots/b1%0A",
    "/ws/prod/bots/b1%0d%0a",
    "/ws/prod/bots/b1\n",
    "/ws/prod/bots/b1%7F",
    "/ws/prod/bots/b1%C2%85",
    "/ws/prod/bots/b1%",
    "/ws/prod/bots/b1%2",
    "/ws/prod/bots/b1%zz",
    "/ws/prod/bots/b1%u002e",
    "/ws/prod/bots/%62%31",
    "/ws/prod/bots/b%31",
    "/%77s/prod/bots/b1",
    "/ws/prod/bots/b1%252e",
    "/ws/prod/bots/b1%25",
    "/ws/prod/bots/%C0%AE",
    "/ws/prod/bots/%FF",
    "/ws/prod/bots/%E2%82",
    "/ws/prod/bots/b1!",
    "/ws/prod/bots/b1 ",
    "/ws/prod/bots/b1\u{e9}",
    "/ws/prod/bots/b1%c3%a9",
    "/ws/prod/bots/<b1>",
    "/ws/prod/bots/\"b1\"",
    "/ws/prod/bots/b1|x",
];

#[test]
fn a_path_with_two_readings_is_refused() {
    let index = index(POLICY);
    for path in PATHS {
        let answer = Sent::new("GET", path).ask(&index);
        assert!(matches!(answer, Err(Unmapped::Path(_) | Unmapped::NoRoute)), "{path:?}: {answer:?}");
    }
    // The same words in another case are nothing, or something that another server may take for them.
    for path in ["/WS/prod/bots/b1", "/ws/prod/Bots/b1", "/ws/prod/BOTS/latest", "/ws/prod/bots/LATEST"] {
        let answer = Sent::new("GET", path).ask(&index);
        assert!(matches!(answer, Err(Unmapped::Path(_))), "{path}: {answer:?}");
    }
}

#[test]
fn a_method_or_host_with_two_readings_is_refused() {
    let index = index(POLICY);
    for method in ["", "get", "Get", "GET ", "G\u{c9}T", "GET\0", "BREW", "CONNECT", "TRACE"] {
        let answer = Sent::new(method, "/ws/prod/bots/b1").ask(&index);
        assert!(matches!(answer, Err(Unmapped::Method(_) | Unmapped::NoRoute)), "{method:?}: {answer:?}");
    }
    for host in [
        "",
        "ADMIN.example.org",
        "admin.example.org.",
        "x@admin.example.org",
        "admin.example.org:",
        "admin.example.org:x",
        "admin.example.org/",
        "[::1]",
        " admin.example.org",
        "admin.example.org\0",
        "admin_example.org",
        "a,b",
    ] {
        let answer = Sent { host: host.to_owned(), ..Sent::new("GET", "/ws/prod/bots/b1") }.ask(&index);
        assert!(matches!(answer, Err(Unmapped::Host(_))), "{host:?}: {answer:?}");
    }
}

#[test]
fn a_header_with_two_readings_is_refused() {
    let index = index(POLICY);
    let plain = || Sent::new("GET", "/ws/prod/bots/b1").claims(&serde_json::json!({}));
    let bad = |sent: Sent| {
        let answer = sent.ask(&index);
        assert!(matches!(answer, Err(Unmapped::Header(_))), "{sent:?}: {answer:?}");
    };
    bad(plain().header("x-user", "ana").header("x-user", "ana"));
    bad((0..100).fold(plain(), |sent, _| sent.header("x-user", "ana")));
    for value in
        [&b"ana,bob"[..], b"ana,", b" ana", b"ana ", b"ana\0", b"al\xff", b"\xc0\xae", b"ana\r\nx: y", b"\xc2\x85"]
    {
        bad(plain().header("x-user", value));
    }
    bad(Sent { is_joined: true, ..plain().header("x-user", "al!ce") });
    for name in ["X-User", "x_user", "X_USER", "x_who", "X-Who", "x_risk", "X_Fixed"] {
        bad(plain().header("x-user", "ana").header(name, "bob"));
    }
    for name in ["x-http-method-override", "X-HTTP-Method", "x_method_override", "x-original-url", "X-Rewrite-URL"] {
        bad(plain().header("x-user", "ana").header(name, "DELETE"));
    }
    bad((0..513).fold(plain(), |sent, number| sent.header(&format!("x-{number}"), "")));
    let sent = plain().header("x-user", "ana").header(":path", "/ws/prod/bots/b2");
    assert_eq!(sent.ask(&index), Err(Unmapped::Path("is told in two ways")));
    let sent = plain().header("x-user", "ana").header(":method", "POST");
    assert_eq!(sent.ask(&index), Err(Unmapped::Method("is told in two ways")));
    for name in [":authority", "host"] {
        let sent = plain().header("x-user", "ana").header(name, "admin.example.org");
        assert_eq!(sent.ask(&index), Err(Unmapped::Host("is told in two ways")), "{name}");
        let host = plain().host;
        assert!(plain().header("x-user", "ana").header(name, host).ask(&index).is_ok(), "{name}");
    }
    // What does not matter may come as it likes.
    let sent = plain().header("x-user", "ana").header("cookie", "a,b").header("cookie", b"\xff").header("A_b", "");
    assert!(sent.ask(&index).is_ok());
}
