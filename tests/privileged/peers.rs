//! Unix sockets and other users: who may not open the file is refused by the kernel.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::launch::{Launch, NOBODY, public_directory, public_program};
use crate::support::{Daemon, Ended, good};

const STRANGER: u32 = 54_322;

/// Asks as another user, with a group of its own.
fn ask(daemon: &Daemon, user: u32, socket: &str) -> Ended {
    let program = daemon.directory.path().join("sidegate");
    let question = ["check", "--server", socket, "user/ana", "access", "workspace/prod"];
    Launch::new().of_user(user).program(&program).run(&question).end()
}

#[test]
fn the_mode_of_the_socket_keeps_other_users_out() {
    let sockets = public_directory();
    // The daemon's user owns it; everybody may look into it.
    rustix::fs::chown(sockets.path(), Some(rustix::fs::Uid::from_raw(NOBODY)), None).unwrap();
    let path = sockets.path().join("data.sock");
    let directory = public_directory();
    let program = public_program(directory.path());
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let launch = Launch::new().of_user(NOBODY).program(&program).with(&["--uds", path.to_str().unwrap()]);
    let daemon = Daemon::of(directory, launch.serve(source.to_str().unwrap())).ready();
    let socket = format!("unix:{}", path.display());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    assert_eq!(ask(&daemon, NOBODY, &socket).code, Some(0), "its own user");
    let refused = ask(&daemon, STRANGER, &socket);
    assert_eq!(refused.code, Some(69), "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("Permission denied"), "{}", refused.err);
    // Opened by hand for everybody, everybody gets through: the mode alone kept them out.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(ask(&daemon, STRANGER, &socket).code, Some(0));
}
