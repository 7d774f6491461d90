//! A progress bar that is only there for someone who watches.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

const TEMPLATE: &str = "{prefix} {wide_bar:.cyan/blue} {human_pos}/{human_len} {per_sec:>10} {eta:>4} {msg}";

/// A bar on standard error: what is done, how fast, how long still, and a message.
///
/// Where standard error is no terminal (a file, a pipe, CI) nothing is written. The bar vanishes when
/// it is dropped, so that what the program prints is all that stays.
///
/// ```
/// use taper_train::Progress;
/// let progress = Progress::new("epoch 1", 600);
/// for batch in 0..10 {
///     progress.advance(60);
///     progress.message(format_args!("loss {:.4}", 1.0 / (batch + 1) as f64));
/// }
/// ```
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar from 0 to `total`, with a label before it.
    pub fn new(label: impl Display, total: usize) -> Self {
        Self::draw_to(label, total, ProgressDrawTarget::stderr_with_hz(10))
    }

    fn draw_to(label: impl Display, total: usize, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), target)
            .with_prefix(label.to_string())
            .with_finish(ProgressFinish::AndClear);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar }
    }

    /// `n` more are done.
    pub fn advance(&self, n: usize) {
        self.bar.inc(n as u64);
    }

    /// How many are done.
    pub fn done(&self) -> usize {
        self.bar.position() as usize
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }

    /// What stands after the bar. Costs nothing where there is no bar.
    pub fn message(&self, message: impl Display) {
        if !self.bar.is_hidden() {
            self.bar.set_message(message.to_string());
        }
    }

    /// Prints a line to standard output without tearing the bar.
    pub fn println(&self, line: impl Display) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// Whether nobody sees the bar.
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_using_style();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn add(&self, s: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(s);
            Ok(())
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.add(s)
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.add(s)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<cleared>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_sees_the_bar_and_then_nothing() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let progress = Progress::draw_to("epoch 1", 1200, target);
        progress.advance(300);
        progress.message("loss 0.25");
        assert!(!progress.is_hidden());
        assert_eq!(progress.done(), 300);
        let seen = paper.0.lock().unwrap().clone();
        for part in ["epoch 1", "300/1,200", "/s", "loss 0.25", "━"] {
            assert!(seen.contains(part), "{part} is not in {seen}");
        }
        drop(progress);
        assert!(paper.0.lock().unwrap().trim_end().ends_with("<cleared>"));
    }
}
