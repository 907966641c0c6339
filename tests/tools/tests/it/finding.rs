//! Which program is taken: the first on `PATH` whose version will do, else the installed one.

use tools::{Installing, Tool, Why};

use crate::fake::{World, says};

#[test]
fn the_first_on_path_that_is_new_enough_is_taken() {
    let world = World::new();
    world.program(0, "opa", &says("Version:", "1.21.2"));
    world.program(1, "opa", "exit 3");
    let good = world.program(2, "opa", &says("Version:", "1.21.3"));
    world.installed("opa", &says("Version:", "1.22.2"));
    assert_eq!(world.toolbox(Installing::Never).find(Tool::Opa).unwrap(), good);
}

#[test]
fn the_installed_one_is_taken_when_path_has_only_others() {
    let world = World::new();
    world.program(0, "cosign", &says("GitVersion:", "v2.4.0"));
    let own = world.installed("cosign-2.2.4", &says("GitVersion:", "v2.2.4"));
    assert_eq!(world.toolbox(Installing::Never).ensure(Tool::Cosign2).unwrap(), own);
}

#[test]
fn the_two_cosigns_live_side_by_side() {
    let world = World::new();
    let three = world.program(0, "cosign", &says("GitVersion:", "v3.1.3"));
    let two = world.installed("cosign-2.2.4", &says("GitVersion:", "v2.2.4"));
    let toolbox = world.toolbox(Installing::Never);
    assert_eq!(toolbox.find(Tool::Cosign3).unwrap(), three);
    assert_eq!(toolbox.find(Tool::Cosign2).unwrap(), two);
}

#[test]
fn a_file_that_is_no_program_is_passed_over() {
    let world = World::new();
    let file = world.program(0, "opa", &says("Version:", "1.22.2"));
    let mut mode = file.metadata().unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    std::fs::set_permissions(&file, mode).unwrap();
    let missing = world.toolbox(Installing::Never).ensure(Tool::Opa).unwrap_err();
    assert_eq!(missing.tool, Tool::Opa);
    assert!(matches!(missing.why, Why::NotInstalled { .. }), "{:?}", missing.why);
}

#[test]
fn a_version_is_asked_for_once() {
    let world = World::new();
    let journal = world.journal();
    let script = format!("echo asked >> '{}'\n{}", journal.display(), says("Version:", "1.22.2"));
    world.program(0, "opa", &script);
    world.toolbox(Installing::Never).ensure(Tool::Opa).unwrap();
    assert_eq!(world.journal_lines(), ["asked"]);
}
