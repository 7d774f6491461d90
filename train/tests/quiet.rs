//! Where standard error is no terminal, no bar is drawn.

use std::process::Command;

use taper_train::Progress;

const CHILD: &str = "TAPER_TRAIN_QUIET_CHILD";

#[test]
fn nothing_is_written_to_a_pipe() {
    if std::env::var_os(CHILD).is_some() {
        let progress = Progress::new("a label", 100);
        assert!(progress.is_hidden());
        (0..100).for_each(|_| progress.advance(1));
        progress.message("a message");
        progress.println("a line");
        return;
    }
    // This very test again, in a process whose outputs are pipes.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_written_to_a_pipe", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("a line\n"));
}
