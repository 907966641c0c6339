//! The HTML report in a real browser, in light and dark: it is drawn, it says nothing on the console, and it asks nobody
//! for anything.
//!
//! A harness of its own, because libtest cannot skip at run time: where there is no Chromium its tests count as ignored
//! (said on stderr), and under `CI=true` that is a failure. Reports and screenshots stay in the build's `tmp` folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chromium;
#[path = "../support/examples.rs"]
mod examples;

use chromium::{Picture, Scheme, Seen, open};
use libtest_mimic::{Arguments, Trial};
use load_report::{ResultDoc, render};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tools::Tool;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 2600;

/// The colours that the style sheet gives to parts of the page in one scheme.
struct Colours {
    page: [u8; 3],
    judged: [u8; 3],
    p99: [u8; 3],
    limit: [u8; 3],
    failed: [u8; 3],
    plain: [u8; 3],
}

const fn colours(scheme: Scheme) -> Colours {
    match scheme {
        Scheme::Light => Colours {
            page: [0xf4, 0xf5, 0xf8],
            judged: [0x1f, 0x5f, 0xe0],
            p99: [0x8a, 0x4f, 0xd8],
            limit: [0xb8, 0x50, 0x0f],
            failed: [0xd6, 0x29, 0x3e],
            plain: [0x71, 0x7b, 0x8a],
        },
        Scheme::Dark => Colours {
            page: [0x0d, 0x10, 0x16],
            judged: [0x5b, 0x9b, 0xff],
            p99: [0xb3, 0x88, 0xf5],
            limit: [0xf3, 0x9a, 0x4f],
            failed: [0xff, 0x62, 0x75],
            plain: [0x8d, 0x98, 0xa8],
        },
    }
}

/// Opens a report and keeps it, so that a person can look at it as well.
fn show(chromium: &Path, name: &str, doc: &ResultDoc, scheme: Scheme) -> Seen {
    let page = render::html(doc);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join(format!("{name}.html")), &page).unwrap();
    let seen = open(chromium, &page, scheme, WIDTH, HEIGHT);
    std::fs::write(folder.join(format!("{name}-{scheme:?}.png").to_lowercase()), &seen.png).unwrap();
    assert_eq!((seen.picture.width, seen.picture.height), (WIDTH, HEIGHT));
    assert_eq!(seen.console, Vec::<String>::new(), "nothing is wrong with the page");
    assert_eq!(seen.asked, Vec::<String>::new(), "everything is within the page");
    seen
}

fn is_drawn(chromium: &Path, scheme: Scheme) {
    let colours = colours(scheme);
    let Seen { picture, .. } = show(chromium, "failing", &examples::failing(), scheme);
    assert_eq!(picture.at(2, 2), colours.page, "the page has the colour of its scheme");
    assert!(picture.colours() > 200, "only {} colours", picture.colours());
    // The drawings are about 970 pixels wide; legends alone come to some 60.
    let far = |name: &str, colour, least: usize| {
        let columns = picture.columns_with(colour);
        assert!(
            columns >= least,
            "{name} goes through {columns} columns of pixels, expected {least} at least"
        );
    };
    far("the judged line", colours.judged, 500);
    far("the p99 line", colours.p99, 150);
    far("the limit", colours.limit, 400);
    far("the plain line", colours.plain, 150);
    assert!(picture.count(colours.failed) > 300, "failures are marked");
}

/// Every verdict has a page, and the page of the asked scheme.
fn follows_the_scheme(chromium: &Path) {
    for (name, doc) in examples::all() {
        let light = brightness(&show(chromium, name, &doc, Scheme::Light).picture);
        let dark = brightness(&show(chromium, name, &doc, Scheme::Dark).picture);
        assert!(light > 200 && dark < 60, "{name}: light {light}, dark {dark}");
    }
}

/// From 0 to 255.
fn brightness(picture: &Picture) -> u64 {
    let pixels = (0..picture.width).flat_map(|x| (0..picture.height).map(move |y| (x, y)));
    let all: u64 = pixels
        .map(|(x, y)| picture.at(x, y).iter().map(|part| u64::from(*part)).sum::<u64>())
        .sum();
    all / u64::from(picture.width * picture.height * 3)
}

/// Texts that try to become part of the page.
fn withstands_hostile_text(chromium: &Path) {
    const HOSTILE: &str = "\"><script>console.error('run')</script><img src=http://elsewhere.invalid/x onerror=console.error(1)>\
        </style></title></svg></code></pre><link rel=stylesheet href=http://elsewhere.invalid/y>\u{202e}\0";
    let mut doc = examples::failing();
    HOSTILE.clone_into(&mut doc.subject);
    HOSTILE.clone_into(&mut doc.tool.version);
    HOSTILE.clone_into(&mut doc.environment.os);
    doc.config = serde_json::json!({ HOSTILE: HOSTILE });
    doc.judgement.reasons = vec![HOSTILE.to_owned()];
    for threshold in &mut doc.judgement.thresholds {
        HOSTILE.clone_into(&mut threshold.reason);
        threshold.differs = Some(HOSTILE.to_owned());
        threshold.metric = format!("http_req_duration{{name:{HOSTILE}}}");
    }
    HOSTILE.clone_into(&mut doc.summary.checks[0].name);
    doc.summary.outcomes.insert(HOSTILE.to_owned(), 7);
    show(chromium, "hostile", &doc, Scheme::Light);
}

/// The other way round: what `show` asserts the absence of would be seen.
fn a_bad_page_is_noticed(chromium: &Path) {
    let page =
        "<!doctype html><title>x</title><img src='http://elsewhere.invalid/x.png'><script>console.error('oh')</script>";
    let seen = open(chromium, page, Scheme::Light, 300, 200);
    assert!(
        seen.console.iter().any(|line| line.contains("oh")),
        "{:?}",
        seen.console
    );
    assert_eq!(seen.asked, ["http://elsewhere.invalid/x.png"]);
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Listing must not install anything.
    let chromium = if arguments.list {
        tools::find(Tool::Chromium).ok()
    } else {
        tools::require(Tool::Chromium).ok()
    };
    let missing = chromium.is_none();
    let chromium: PathBuf = chromium.unwrap_or_default();
    let trial = |name: &str, test: fn(&Path)| {
        let chromium = chromium.clone();
        Trial::test(name, move || {
            test(&chromium);
            Ok(())
        })
        .with_ignored_flag(missing)
    };
    let trials = vec![
        trial("is_drawn_in_light", |chromium| is_drawn(chromium, Scheme::Light)),
        trial("is_drawn_in_dark", |chromium| is_drawn(chromium, Scheme::Dark)),
        trial("follows_the_scheme", follows_the_scheme),
        trial("withstands_hostile_text", withstands_hostile_text),
        trial("a_bad_page_is_noticed", a_bad_page_is_noticed),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
