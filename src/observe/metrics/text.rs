//! The older text format of Prometheus, for scrapers that do not ask for `OpenMetrics`.

/// The same metrics: a counter is declared under its sample's name, infos are gauges, units and the end are left out.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        let declared = |keyword: &str| line.strip_prefix(keyword)?.split_once(' ');
        if let Some(described) = declared("# HELP ") {
            help = Some(described);
        } else if let Some((name, kind)) = declared("# TYPE ") {
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, help)) = help.take() {
                older.extend(["# HELP ", name, end, " ", help, "\n"]);
            }
            older.extend(["# TYPE ", name, end, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            older.push_str(line);
            older.push('\n');
        }
    }
    older
}

#[cfg(test)]
mod tests {
    use super::from_open_metrics;

    #[test]
    fn declares_what_its_readers_know() {
        let open = "# HELP a_calls Calls.\n# TYPE a_calls counter\na_calls_total{m=\"x\"} 1\n# HELP a_t_seconds T.\n\
                    # TYPE a_t_seconds gauge\n# UNIT a_t_seconds seconds\na_t_seconds 2.0\n# HELP a B.\n# TYPE a info\n\
                    a_info{v=\"1\"} 1\n# EOF\n";
        let older = "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\na_calls_total{m=\"x\"} 1\n\
                     # HELP a_t_seconds T.\n# TYPE a_t_seconds gauge\na_t_seconds 2.0\n# HELP a_info B.\n\
                     # TYPE a_info gauge\na_info{v=\"1\"} 1\n";
        assert_eq!(from_open_metrics(open), older);
    }
}
