//! What is said once at the start about where the source is mounted: some mounts hide changes from whoever watches.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::Path, path::PathBuf};

/// File systems on which another machine changes files: the kernel here hears nothing of it.
const REMOTE: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "virtiofs", "fuse.sshfs"];

/// One mount.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    file_system: String,
}

/// Warns where changes of the source will not be seen, or late.
pub(super) fn warn_about(source: &Path) {
    let Ok(resolved) = source.canonicalize() else { return };
    // Whoever cannot read the table has other worries than a late reload.
    let Ok(table) = fs::read("/proc/self/mountinfo") else { return };
    if let Some(warning) = warning(&resolved, &mounts(&table)) {
        tracing::warn!(source = %source.display(), warning, "changes of the source may not be seen");
    }
}

fn warning(resolved: &Path, mounts: &[Mount]) -> Option<&'static str> {
    // The last mount at or above the path covers it.
    let covering = mounts.iter().filter(|mount| resolved.starts_with(&mount.point));
    let mount = covering.max_by_key(|mount| mount.point.components().count())?;
    if mount.point == resolved && !resolved.is_dir() {
        return Some(
            "the source is a file that is mounted by itself (a bind mount, or a Kubernetes subPath): a new file that \
             takes its place outside is never seen here; mount its directory instead",
        );
    }
    REMOTE.contains(&mount.file_system.as_str()).then_some(
        "the source is on a network file system, which tells nothing of changes: they are found by polling alone",
    )
}

/// The table of mounts as `proc(5)` describes it: fields by position, then a dash, then the file system.
fn mounts(table: &[u8]) -> Vec<Mount> {
    let lines = table.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let dash = fields.iter().position(|field| *field == b"-")?;
            let file_system = String::from_utf8_lossy(fields.get(dash + 1)?).into_owned();
            Some(Mount { point: PathBuf::from(OsString::from_vec(unescaped(fields.get(4)?))), file_system })
        })
        .collect()
}

/// Blanks, tabs, line ends and backslashes stand as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.first_chunk::<3>().filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        text.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{mounts, warning};

    const TABLE: &[u8] = b"22 27 0:21 / / rw - ext4 /dev/a rw\n\
        23 22 8:1 /x /etc/with\\040blank/policy.yaml rw,relatime shared:5 master:1 - ext4 /dev/b rw\n\
        24 22 0:5 / /srv rw - nfs4 host:/srv rw\n\
        25 24 0:6 / /srv/local rw - tmpfs tmpfs rw\n\nnot a line\n";

    #[test]
    fn a_file_that_is_a_mount_and_a_network_are_named() {
        let mounts = mounts(TABLE);
        assert_eq!(mounts.len(), 4);
        let about = |path: &str| warning(Path::new(path), &mounts);
        assert!(about("/etc/with blank/policy.yaml").is_some_and(|text| text.contains("mounted by itself")));
        assert!(about("/srv/policy/p.yaml").is_some_and(|text| text.contains("polling")));
        assert_eq!(about("/srv/local/p.yaml"), None);
        assert_eq!(about("/etc/policy.yaml"), None);
    }
}
