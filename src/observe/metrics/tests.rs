//! Every metric has a name and a value, and no caller makes more of them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Exposition, Method, Metrics, ReloadResult, Shed};
use crate::{
    index::Counts,
    model::{Decision, Reason, Verdict},
    snapshot::{Applied, Freshness},
};

fn applied() -> Arc<Applied> {
    Arc::new(Applied {
        sequence: 7,
        generation: 2,
        digest: "abc".to_owned(),
        loaded_at: SystemTime::now(),
        took: Duration::from_millis(5),
        bytes: 4096,
        fresh: Arc::new(Freshness::default()),
        replaced: None,
        counts: Counts { types: 1, roles: 1, subjects: 1, resources: 1, bindings: 1, forbids: 0 },
        warnings: Vec::new(),
    })
}

#[test]
fn what_is_counted_together_is_what_is_counted_one_by_one() {
    let (one_by_one, together) = (Metrics::default(), Metrics::default());
    for _ in 0..2 {
        let mut tally = together.tally();
        for (number, reason) in (0..).zip(Reason::ALL) {
            let verdict = Verdict { undetermined: number % 3 == 0, ..Verdict::deny(reason) };
            let took = Duration::from_nanos(40 << number);
            one_by_one.decided(&verdict, took);
            tally.decided(&verdict, took);
        }
    }
    let decisions = |metrics: &Metrics| {
        let text = metrics.render();
        text.lines().filter(|line| line.contains("decision")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(decisions(&together), decisions(&one_by_one));
    assert!(decisions(&together).iter().any(|line| line.starts_with("sidegate_undetermined_decisions_total 16")));
}

#[test]
fn everything_has_a_name_and_a_value() {
    let metrics = Metrics::default();
    let allow = Verdict { decision: Decision::Allow, ..Verdict::deny(Reason::Granted) };
    metrics.decided(&allow, Duration::from_nanos(700));
    metrics.decided(&Verdict::deny(Reason::NoGrant), Duration::from_micros(3));
    metrics.reloaded(ReloadResult::Applied);
    metrics.reload_took(Duration::from_millis(3));
    metrics.shed(Shed::Connection);
    metrics.connected("data");
    metrics.live(applied());
    metrics.call(Method::Authorize, || None).note(0);
    metrics.call(Method::Authorize, || None).note(99);
    drop(metrics.call(Method::Explain, || None));
    let open = metrics.call(Method::AuthorizeStream, || None);
    let text = metrics.render();
    for line in [
        "sidegate_decisions_total{decision=\"allow\",reason=\"GRANTED\"} 1",
        "sidegate_decisions_total{decision=\"deny\",reason=\"NO_GRANT\"} 1",
        "sidegate_decision_seconds_bucket{le=\"0.000001\",decision=\"allow\"} 1",
        "sidegate_decision_seconds_bucket{le=\"0.000001\",decision=\"deny\"} 0",
        "sidegate_decision_seconds_bucket{le=\"+Inf\",decision=\"deny\"} 1",
        "sidegate_decision_seconds_count{decision=\"deny\"} 1",
        "sidegate_undetermined_decisions_total 0",
        "sidegate_calls_total{method=\"Authorize\",code=\"OK\"} 1",
        "sidegate_calls_total{method=\"Authorize\",code=\"UNKNOWN\"} 1",
        "sidegate_calls_total{method=\"Explain\",code=\"CANCELLED\"} 1",
        "sidegate_calls_in_flight{method=\"Authorize\"} 0",
        "sidegate_calls_in_flight{method=\"AuthorizeStream\"} 1",
        "sidegate_call_seconds_count{method=\"Authorize\"} 2",
        "sidegate_reloads_total{result=\"applied\"} 1",
        "sidegate_reload_seconds_count 1",
        "sidegate_shed_total{what=\"connection\"} 1",
        "sidegate_connections{listener=\"data\"} 1",
        "sidegate_snapshot_sequence 7",
        "sidegate_snapshot_generation 2",
        "sidegate_snapshot_stale 0",
        "sidegate_snapshot_load_seconds 0.005",
        "sidegate_snapshot_size_bytes 4096",
        "sidegate_snapshot_info{digest=\"abc\"} 1",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|is| is == line || is.starts_with(&format!("{line}.0"))),
            "{line} is missing from\n{text}"
        );
    }
    assert!(!text.contains("sidegate_call_seconds_count{method=\"AuthorizeStream\""), "{text}");
    for name in
        ["process_resident_memory_bytes ", "process_open_fds ", "process_threads ", "process_cpu_seconds_total "]
    {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing from\n{text}");
    }
    drop(open);
    assert!(metrics.render().contains("sidegate_calls_in_flight{method=\"AuthorizeStream\"} 0"));
    let older = metrics.expose(Exposition::Text);
    assert!(older.contains("# TYPE sidegate_decisions_total counter\n") && !older.contains("EOF"), "{older}");
}

#[test]
fn a_path_is_one_of_a_few_methods() {
    assert_eq!(Method::of("/sidegate.v1.AuthorizationService/Authorize"), Method::Authorize);
    assert_eq!(Method::of("/sidegate.v1.SnapshotService/GetSnapshot"), Method::GetSnapshot);
    assert_eq!(Method::of("/grpc.health.v1.Health/Watch"), Method::Health);
    for other in ["", "/", "/livez", "/sidegate.v1.AuthorizationService/authorize", "/a/Authorize", "/x.y.Z/é"] {
        assert_eq!(Method::of(other), Method::Other, "{other}");
    }
}

#[test]
fn all_that_can_happen_is_a_bounded_number_of_series() {
    let metrics = Metrics::default();
    for reason in Reason::ALL {
        metrics.decided(&Verdict::deny(reason), Duration::from_secs(1));
    }
    for method in Method::ALL {
        for code in [0, 3, 4, 7, 8, 9, 13, 14] {
            metrics.call(*method, || None).note(code);
        }
    }
    metrics.live(applied());
    let series = metrics.render().lines().filter(|line| !line.starts_with('#')).count();
    assert!(series <= 550, "{series} series");
}
