//! Owns parsing: which Rego syntax a pack is written in, and where its rules stand.

use pack_verify::{admit::VerifiedPack, manifest::RegoVersion};
use regorus::unstable::{Expr, Rule, RuleHead};
use serde::Serialize;

use super::{PreflightError, calls, shape};

/// Which Rego syntax the modules of a pack are taken for when its `pack.json` does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RegoChoice {
    /// v1 when every module parses as v1, else v0 when every module parses as v0, else each for itself.
    #[default]
    Auto,
    /// Rego v0 (`allow { ... }`).
    V0,
    /// Rego v1 (`allow if { ... }`).
    V1,
}

/// A module and the syntax it is loaded with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleVersion {
    /// Path in the pack.
    pub path: String,
    /// 0 or 1, as OPA's `rego_version` writes it.
    pub rego_version: u8,
}

/// A rule and where it stands under `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RulePath {
    /// The module that defines it.
    pub(super) file: String,
    /// The part of its path that is known before evaluation.
    pub(super) path: Vec<String>,
}

/// Everything that parsing tells.
pub(super) struct Parsed {
    pub(super) engine: regorus::Engine,
    pub(super) versions: Vec<ModuleVersion>,
    pub(super) rules: Vec<RulePath>,
}

/// Lines this long and files this large are written by generators, and OPA takes them.
fn lengths() -> regorus::PolicyLengthConfig {
    let mut config = regorus::PolicyLengthConfig::default();
    if let (Some(col), Some(bytes), Some(lines)) = (
        std::num::NonZeroU32::new(1 << 24),
        std::num::NonZeroUsize::new(64 << 20),
        std::num::NonZeroUsize::new(4 << 20),
    ) {
        config.max_col = col;
        config.max_file_bytes = bytes;
        config.max_lines = lines;
    }
    config
}

/// An interpreter set up as this house uses it: long lines allowed, five seconds for a query.
pub(crate) fn engine() -> regorus::Engine {
    let mut engine = regorus::Engine::new();
    engine.set_policy_length_config(lengths());
    if let Some(check_interval) = std::num::NonZeroU32::new(1024) {
        engine.set_execution_timer_config(regorus::utils::limits::ExecutionTimerConfig {
            limit: std::time::Duration::from_secs(5),
            check_interval,
        });
    }
    // OPA's default: a failing built-in makes the expression undefined instead of failing the query.
    engine.set_strict_builtin_errors(false);
    // Otherwise `print` in a policy writes to our stderr, between the log lines. Each decision has an engine of its own,
    // so what is gathered goes with it.
    engine.set_gather_prints(true);
    engine
}

/// Adds one module to `engine` in the given syntax.
pub(crate) fn add(engine: &mut regorus::Engine, path: &str, text: &str, version: u8) -> Result<(), String> {
    engine.set_rego_v0(version == 0);
    engine
        .add_policy(path.to_owned(), text.to_owned())
        .map(drop)
        .map_err(|error| one_line(&format!("{error:#}")))
}

fn parses(path: &str, text: &str, version: u8) -> Result<(), String> {
    add(&mut engine(), path, text, version)
}

/// Chooses the syntax of every module and parses them all.
pub(super) fn parse(pack: &VerifiedPack, choice: RegoChoice) -> Result<Parsed, PreflightError> {
    for file in pack.policies() {
        shape::check(file.text()).map_err(|message| PreflightError::Rego {
            file: file.path.clone(),
            tried: "v0 or v1",
            message,
        })?;
    }
    let stated = pack.manifest().and_then(|manifest| manifest.rego_version);
    let versions = match (stated, choice) {
        (Some(RegoVersion::V0), _) | (None, RegoChoice::V0) => all(pack, 0),
        (Some(RegoVersion::V1), _) | (None, RegoChoice::V1) => all(pack, 1),
        (None, RegoChoice::Auto) => detect(pack)?,
    };
    let mut engine = engine();
    for (module, file) in versions.iter().zip(pack.policies()) {
        add(&mut engine, &module.path, file.text(), module.rego_version).map_err(|message| PreflightError::Rego {
            file: module.path.clone(),
            tried: if module.rego_version == 0 { "v0" } else { "v1" },
            message,
        })?;
    }
    calls::check(engine.get_modules().iter().map(AsRef::as_ref))?;
    let rules = positions(&mut engine);
    analyse(&mut engine)?;
    Ok(Parsed {
        engine,
        versions,
        rules,
    })
}

/// Scheduling finds unsafe variables and recursion; it runs when a query is prepared.
fn analyse(engine: &mut regorus::Engine) -> Result<(), PreflightError> {
    engine
        .eval_query("1 == 1".to_owned(), false)
        .map(drop)
        .map_err(|error| {
            let message = one_line(&format!("{error:#}"));
            PreflightError::Rego {
                file: message
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .trim_start_matches("--> ")
                    .to_owned(),
                tried: "v0 or v1",
                message,
            }
        })
}

/// The syntax to load modules with that could not be parsed here: what is stated, else v1, which is where news appear.
pub(super) fn assumed(pack: &VerifiedPack, choice: RegoChoice) -> Vec<ModuleVersion> {
    let stated = pack.manifest().and_then(|manifest| manifest.rego_version);
    match (stated, choice) {
        (Some(RegoVersion::V0), _) | (None, RegoChoice::V0) => all(pack, 0),
        _ => all(pack, 1),
    }
}

fn all(pack: &VerifiedPack, rego_version: u8) -> Vec<ModuleVersion> {
    let module = |path: &str| ModuleVersion {
        path: path.to_owned(),
        rego_version,
    };
    pack.policies().iter().map(|file| module(&file.path)).collect()
}

/// One syntax for the whole pack where that works: the same text can mean different things in v0 and v1
/// (`deny["x"]` is a set in one and an object in the other), so a neutral module follows its neighbours.
fn detect(pack: &VerifiedPack) -> Result<Vec<ModuleVersion>, PreflightError> {
    let attempt = |version: u8| -> Vec<Result<(), String>> {
        let files = pack.policies().iter();
        files.map(|file| parses(&file.path, file.text(), version)).collect()
    };
    let as_v1 = attempt(1);
    if as_v1.iter().all(Result::is_ok) {
        return Ok(all(pack, 1));
    }
    // Only now: the interpreter writes a warning to stderr for each v1 keyword that it meets as v0.
    let as_v0 = attempt(0);
    if as_v0.iter().all(Result::is_ok) {
        return Ok(all(pack, 0));
    }
    let attempts = as_v1.into_iter().zip(as_v0);
    let files = pack.policies().iter().zip(attempts);
    files
        .map(|(file, attempts)| {
            let rego_version = match attempts {
                (Ok(()), _) => 1,
                (_, Ok(())) => 0,
                (Err(message), Err(_)) => {
                    return Err(PreflightError::Rego {
                        file: file.path.clone(),
                        tried: "v1 or v0",
                        message,
                    });
                }
            };
            Ok(ModuleVersion {
                path: file.path.clone(),
                rego_version,
            })
        })
        .collect()
}

/// The rules of all modules, as paths under `data`.
fn positions(engine: &mut regorus::Engine) -> Vec<RulePath> {
    let mut rules = Vec::new();
    for module in engine.get_modules() {
        let file = module.package.span.source.get_path().clone();
        let package = ground(&module.package.refr);
        for rule in &module.policy {
            let head = match rule.as_ref() {
                Rule::Spec { head, .. } => match head {
                    RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } => refr,
                    // A function is no document: data may stand beside it, and OPA agrees.
                    RuleHead::Func { .. } => continue,
                },
                Rule::Default { refr, args, .. } if args.is_empty() => refr,
                Rule::Default { .. } => continue,
            };
            let path = package.iter().cloned().chain(ground(head)).collect();
            rules.push(RulePath {
                file: file.clone(),
                path,
            });
        }
    }
    rules
}

/// The leading part of a reference that is made of names and literal strings.
pub(super) fn ground(expr: &Expr) -> Vec<String> {
    fn walk(expr: &Expr, path: &mut Vec<String>) -> bool {
        match expr {
            Expr::Var { span, .. } => {
                path.push(span.text().to_owned());
                true
            }
            Expr::RefDot { refr, field, .. } => {
                walk(refr, path) && {
                    path.push(field.0.text().to_owned());
                    true
                }
            }
            Expr::RefBrack { refr, index, .. } => {
                walk(refr, path)
                    && match index.as_ref() {
                        Expr::String { value, .. } | Expr::RawString { value, .. } => {
                            value.as_string().is_ok_and(|name| {
                                path.push(name.to_string());
                                true
                            })
                        }
                        _ => false,
                    }
            }
            _ => false,
        }
    }
    let mut path = Vec::new();
    walk(expr, &mut path);
    path
}

/// Error messages of the interpreter carry a picture of the source; logs want one line.
fn one_line(message: &str) -> String {
    let mut place = "";
    let mut error = "";
    for line in message.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("--> ") {
            place = rest;
        } else if let Some(rest) = line.strip_prefix("error: ") {
            error = rest;
        }
    }
    if error.is_empty() {
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        format!("{place}: {error}")
    }
}
