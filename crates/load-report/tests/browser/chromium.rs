//! Chromium without a window: opens a page, and tells what was drawn, said on the console and asked of a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longest time for one page. It takes less than a second here; a machine that is busy with other tests takes longer.
const LONGEST: Duration = Duration::from_mins(2);

/// Which colours the page is asked for; Blink's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Dark = 0,
    Light = 1,
}

/// What became of a page.
pub(crate) struct Seen {
    /// The screenshot.
    pub(crate) picture: Picture,
    /// The same, as a file.
    pub(crate) png: Vec<u8>,
    /// What was said on the console: errors, refused loads.
    pub(crate) console: Vec<String>,
    /// Addresses that the page asked a network for.
    pub(crate) asked: Vec<String>,
}

/// A decoded screenshot.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn decode(png: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        let samples = info.color_type.samples();
        assert!(
            samples >= 3,
            "a screenshot has colours, this one is {:?}",
            info.color_type
        );
        Self {
            width: info.width,
            height: info.height,
            pixels: data[..info.buffer_size()]
                .chunks_exact(samples)
                .map(|p| [p[0], p[1], p[2]])
                .collect(),
        }
    }

    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 3] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// How many pixels have exactly that colour.
    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    /// How many columns of pixels have that colour somewhere: how far a line goes from left to right.
    pub(crate) fn columns_with(&self, colour: [u8; 3]) -> usize {
        (0..self.width)
            .filter(|x| (0..self.height).any(|y| self.at(*x, y) == colour))
            .count()
    }

    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<std::collections::HashSet<_>>().len()
    }
}

/// Opens a page and waits for its screenshot. Nothing can be reached: no host name has an address.
pub(crate) fn open(chromium: &Path, page: &str, scheme: Scheme, width: u32, height: u32) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::write(file("page.html"), page).unwrap();
    let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--v=0",
        ])
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme as u8))
        .arg(format!("--window-size={width},{height}"))
        .arg(option("user-data-dir", &file("profile")))
        .arg(option("log-net-log", &file("net.json")))
        .arg(option("screenshot", &file("page.png")))
        .arg(option("page", &file("page.html")).replace("--page=", "file://"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(fs::File::create(file("stderr")).unwrap()));
    run(command);
    let said = String::from_utf8_lossy(&fs::read(file("stderr")).unwrap()).into_owned();
    let png =
        fs::read(file("page.png")).unwrap_or_else(|error| panic!("no screenshot: {error}; chromium said: {said}"));
    Seen {
        picture: Picture::decode(&png),
        png,
        console: said
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(ToOwned::to_owned)
            .collect(),
        asked: asked(&fs::read(file("net.json")).unwrap()),
    }
}

/// Runs a program to its end, or ends it when it takes too long.
fn run(mut command: Command) {
    let mut child = command.spawn().unwrap();
    let id = child.id();
    let (done, ended) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        // Nobody may be waiting any more.
        let _ = done.send(());
        status
    });
    if ended.recv_timeout(LONGEST).is_err() {
        let _ = Command::new("kill").arg("-9").arg(id.to_string()).status();
        panic!("chromium did not end within {LONGEST:?}");
    }
    let status = waiter.join().unwrap().unwrap();
    assert!(status.success(), "chromium ended with {status}");
}

/// Addresses that the page wanted, from the browser's log of its network; what the browser wants for itself is told by
/// its initiator.
fn asked(log: &[u8]) -> Vec<String> {
    let log: serde_json::Value =
        serde_json::from_slice(log).expect("the network log is whole when the browser has ended");
    let requests = log["events"]
        .as_array()
        .expect("a list of events")
        .iter()
        .filter_map(|event| {
            let params = event.get("params")?;
            let (url, initiator) = (params.get("url")?.as_str()?, params.get("initiator")?.as_str()?);
            let own = initiator == "not an origin" || url.starts_with("file:") || url.starts_with("data:");
            (!own).then(|| url.to_owned())
        });
    let mut requests: Vec<String> = requests.collect();
    requests.sort();
    requests.dedup();
    requests
}
