//! Owns how the story looks: headings, steps, facts, ticks. Colours only on a terminal.

use std::io::Write;
use std::time::Duration;

use runtime::style::Palette;

use crate::text::{WIDTH, columns, duration, wrap};
use crate::timeline::Timeline;

/// Columns for a duration.
const TIME: usize = 8;

/// Tells the story.
pub(crate) struct Narrator {
    out: Box<dyn Write + Send>,
    palette: Palette,
    /// Whether the last line was empty.
    blank: bool,
}

impl Narrator {
    /// For people.
    pub(crate) fn on_stdout() -> Self {
        Self::new(Box::new(std::io::stdout()), Palette::stdout())
    }

    /// Beside a result for programs on stdout.
    pub(crate) fn on_stderr() -> Self {
        Self::new(Box::new(std::io::stderr()), Palette::stderr())
    }

    fn new(out: Box<dyn Write + Send>, palette: Palette) -> Self {
        Self {
            out,
            palette,
            blank: false,
        }
    }

    /// The colours in use.
    pub(crate) fn palette(&self) -> Palette {
        self.palette
    }

    /// Writes a text as it is. A reader that went away does not change what is shown to be true, so it is no error.
    pub(crate) fn raw(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
        self.blank = text == "\n" || text.ends_with("\n\n");
    }

    fn line(&mut self, text: &str) {
        let text = format!("{}\n", text.trim_end());
        self.raw(&text);
    }

    /// The name of the whole.
    pub(crate) fn title(&mut self, text: &str) {
        let rule = "━".repeat(columns(text));
        let (text, rule) = (self.palette.bold(text), self.palette.green(rule));
        self.raw(&format!("\n  {text}\n  {rule}\n"));
    }

    /// The heading of an act, and what it is about.
    pub(crate) fn act(&mut self, number: usize, title: &str, about: &str) {
        self.gap();
        let used = columns(&number.to_string()) + columns(title) + 6;
        let rule = "─".repeat(WIDTH.saturating_sub(used));
        let heading = format!(
            "{} {}  {} {}",
            self.palette.green("──"),
            self.palette.green(number),
            self.palette.bold(title),
            self.palette.green(rule)
        );
        self.line(&heading);
        self.paragraph(about);
    }

    /// A heading without a number.
    pub(crate) fn heading(&mut self, title: &str) {
        self.gap();
        let rule = "━".repeat(WIDTH.saturating_sub(columns(title) + 4));
        let heading = format!(
            "{} {} {}",
            self.palette.green("━━"),
            self.palette.bold(title),
            self.palette.green(rule)
        );
        self.line(&heading);
        self.line("");
    }

    /// A few sentences.
    pub(crate) fn paragraph(&mut self, text: &str) {
        for line in wrap(text, WIDTH - 4) {
            self.line(&format!("   {line}"));
        }
        self.line("");
    }

    /// Lines that are a picture: indented, otherwise as they are.
    pub(crate) fn picture(&mut self, lines: &[String]) {
        for line in lines {
            self.line(&format!("     {line}"));
        }
        self.line("");
    }

    /// Something that is done now.
    pub(crate) fn step(&mut self, text: &str) {
        for (number, line) in wrap(text, WIDTH - 5).into_iter().enumerate() {
            let mark = if number == 0 { "▸" } else { " " };
            let line = format!(" {} {line}", self.palette.yellow(mark));
            self.line(&line);
        }
    }

    /// A command line, in the notation of a shell.
    pub(crate) fn command(&mut self, words: &[String]) {
        let mut lines: Vec<String> = Vec::new();
        for word in words {
            match lines.last_mut() {
                Some(line) if columns(line) + 1 + columns(word) <= WIDTH - 12 => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.clone()),
            }
        }
        let last = lines.len().saturating_sub(1);
        for (number, line) in lines.into_iter().enumerate() {
            let mark = if number == 0 { "$" } else { " " };
            let more = if number == last { "" } else { " \\" };
            let line = format!("     {}", self.palette.dim(format!("{mark} {line}{more}")));
            self.line(&line);
        }
    }

    /// Names and values, in two columns. A decision stands out wherever it is told.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) {
        let widest = facts.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
        for (name, value) in facts {
            for (number, line) in wrap(value, WIDTH - widest - 7).into_iter().enumerate() {
                let name = self.palette.dim(if number == 0 { *name } else { "" });
                let line = if value.starts_with("allowed") {
                    self.palette.green(line)
                } else if value.starts_with("denied") {
                    self.palette.yellow(line)
                } else {
                    Palette::plain().bold(line)
                };
                self.line(&format!("     {name:<widest$}  {line}"));
            }
        }
    }

    /// A side remark, such as the words of a refusal.
    pub(crate) fn aside(&mut self, text: &str) {
        for line in wrap(text, WIDTH - 5) {
            let line = format!("     {}", self.palette.dim(line));
            self.line(&line);
        }
    }

    /// The picture of what took how long.
    pub(crate) fn timeline(&mut self, timeline: &Timeline) {
        let lines = timeline.draw(self.palette);
        for line in lines {
            self.line(&format!("     {line}"));
        }
    }

    /// A promise that was kept: what there is to note about it, and how long it took.
    pub(crate) fn kept(&mut self, text: &str, note: &str, took: Option<Duration>) {
        let took = took.map(duration).unwrap_or_default();
        let room = WIDTH.saturating_sub(columns(text) + columns(note) + TIME + 7);
        let line = format!(
            " {} {text} {} {}  {:>TIME$}",
            self.palette.green("✓"),
            self.palette.dim("·".repeat(room)),
            self.palette.dim(note),
            self.palette.bold(took)
        );
        self.line(&line);
    }

    /// A promise that was not.
    pub(crate) fn broken(&mut self, text: &str, why: &str) {
        let line = format!(" {} {}", self.palette.red("✗"), self.palette.bold(text));
        self.line(&line);
        for line in wrap(why, WIDTH - 5) {
            let line = format!("     {}", self.palette.red(line));
            self.line(&line);
        }
    }

    /// A promise that cannot be shown here.
    pub(crate) fn not_shown(&mut self, text: &str) {
        let line = format!(" {} {text}", self.palette.yellow("–"));
        self.line(&line);
    }

    /// Room to breathe.
    pub(crate) fn gap(&mut self) {
        if !self.blank {
            self.line("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn told(palette: Palette, tell: impl FnOnce(&mut Narrator)) -> String {
        let page = Page::default();
        tell(&mut Narrator::new(Box::new(page.clone()), palette));
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn ticks_end_in_one_column_and_lines_fit() {
        let text = told(Palette::plain(), |tell| {
            tell.act(1, "One", "About it.");
            tell.kept("Short", "", Some(Duration::from_millis(5)));
            tell.kept("A longer sentence", "with a note", Some(Duration::from_secs(2)));
            tell.aside(&"word ".repeat(60));
        });
        assert!(!text.contains('\x1b'));
        assert!(text.lines().all(|line| columns(line) <= WIDTH), "{text}");
        let ends: Vec<usize> = text.lines().filter(|line| line.contains('✓')).map(columns).collect();
        assert_eq!(ends, [WIDTH, WIDTH]);
    }

    #[test]
    fn facts_and_commands_are_aligned() {
        let text = told(Palette::plain(), |tell| {
            tell.facts(&[("pack", "p".to_owned()), ("signed by", "key".to_owned())]);
            tell.command(&["tool".to_owned(), "--long ".repeat(11), "--other".to_owned()]);
        });
        assert!(text.contains("     pack       p\n     signed by  key\n"), "{text}");
        assert!(text.contains(" \\\n       --other\n"), "{text}");
    }

    #[test]
    fn colours_appear_only_when_asked_for() {
        let broken = |palette| told(palette, |tell| tell.broken("It holds", "it did not"));
        assert_eq!(broken(Palette::plain()), " ✗ It holds\n     it did not\n");
        assert!(broken(Palette::coloured()).contains("\x1b[31m✗\x1b[0m"));
        let decisions = told(Palette::coloured(), |tell| {
            tell.facts(&[("now", "denied (why)".to_owned()), ("before", "allowed".to_owned())]);
        });
        assert!(decisions.contains("\x1b[33mdenied (why)\x1b[0m\n"), "{decisions}");
        assert!(decisions.contains("\x1b[32mallowed\x1b[0m\n"), "{decisions}");
    }
}
