//! The result of tests as `JUnit` XML, for the tools that show it. It holds no time and no host, so that equal results
//! are equal bytes.

use std::fmt;

use super::{Failure, Ran};

/// The tests of one source, or why they could not be run.
pub(super) type Suite = Result<Vec<Ran>, String>;

/// All sources as one document. A source that could not be tested is a test with an error: a tool that counts must not
/// take it for one without failures.
pub(super) fn document(suites: &[(String, Suite)]) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (name, suite) in suites {
        let name = escaped(name);
        match suite {
            Ok(tests) => {
                let failed = tests.iter().filter(|test| test.failure.is_some()).count();
                line(&mut xml, format_args!("  <testsuite{}>", counts(&name, tests.len(), failed, 0)));
                for test in tests {
                    one(&mut xml, &name, test);
                }
            }
            Err(problem) => {
                line(&mut xml, format_args!("  <testsuite{}>", counts(&name, 1, 0, 1)));
                line(&mut xml, format_args!("    <testcase name=\"the source\" classname=\"{name}\">"));
                line(&mut xml, format_args!("      <error message=\"cannot be tested\">{}</error>", escaped(problem)));
                line(&mut xml, format_args!("    </testcase>"));
            }
        }
        line(&mut xml, format_args!("  </testsuite>"));
    }
    line(&mut xml, format_args!("</testsuites>"));
    xml
}

fn one(xml: &mut String, suite: &str, test: &Ran) {
    let Ran { name, file, line: number, failure } = test;
    let (name, file) = (escaped(name), escaped(file));
    let head = format!("    <testcase name=\"{name}\" classname=\"{suite}\" file=\"{file}\" line=\"{number}\"");
    let Some(Failure { wanted, got }) = failure else {
        line(xml, format_args!("{head}/>"));
        return;
    };
    let message = escaped(&format!("wanted {wanted}, got {got}"));
    line(xml, format_args!("{head}>"));
    line(xml, format_args!("      <failure message=\"{message}\">{file}:{number}</failure>"));
    line(xml, format_args!("    </testcase>"));
}

fn counts(name: &str, tests: usize, failures: usize, errors: usize) -> String {
    format!(" name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn line(xml: &mut String, text: fmt::Arguments<'_>) {
    xml.push_str(&text.to_string());
    xml.push('\n');
}

/// Text for an attribute or an element. What XML cannot hold at all becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            // As they are, a reader turns them into spaces.
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{Failure, Ran, document, escaped};

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("a<b>&\"c\"'d'"), "a&lt;b&gt;&amp;&quot;c&quot;&apos;d&apos;");
        assert_eq!(escaped("]]>\n\u{0}\u{1b}\u{85}\u{ffff}é漢"), "]]&gt;&#10;\u{fffd}\u{fffd}\u{fffd}\u{fffd}é漢");
    }

    #[test]
    fn a_document_counts_what_failed_and_what_could_not_be_tested() {
        let ran = |name: &str, failure| Ran { name: name.to_owned(), file: "p.yaml".to_owned(), line: 7, failure };
        let failure = Failure { wanted: "DENY".to_owned(), got: "ALLOW".to_owned() };
        let suites = [
            ("p.yaml".to_owned(), Ok(vec![ran("a", None), ran("\"b\"", Some(failure))])),
            ("q.yaml".to_owned(), Err("it is <wrong>".to_owned())),
        ];
        let wanted = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="p.yaml" tests="2" failures="1" errors="0">
    <testcase name="a" classname="p.yaml" file="p.yaml" line="7"/>
    <testcase name="&quot;b&quot;" classname="p.yaml" file="p.yaml" line="7">
      <failure message="wanted DENY, got ALLOW">p.yaml:7</failure>
    </testcase>
  </testsuite>
  <testsuite name="q.yaml" tests="1" failures="0" errors="1">
    <testcase name="the source" classname="q.yaml">
      <error message="cannot be tested">it is &lt;wrong&gt;</error>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(document(&suites), wanted);
    }
}
