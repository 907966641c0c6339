//! Where a run took place: asked of the system, each thing only where it is known.

use load_report::{Environment, environment::ci_system};

/// The whole of it.
pub(super) fn gather(threads: usize) -> Environment {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    Environment {
        kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
        cpus: std::thread::available_parallelism()
            .ok()
            .and_then(|count| u32::try_from(count.get()).ok()),
        memory_bytes: read("/proc/meminfo").as_deref().and_then(total_memory),
        cgroup_cpus: read("/sys/fs/cgroup/cpu.max").as_deref().and_then(cpu_limit),
        cgroup_memory_bytes: read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok()),
        ci: ci_system(|name| std::env::var(name).ok()),
        kubernetes: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        threads: u32::try_from(threads).ok().filter(|count| *count > 0),
        ..Environment::of_this_build()
    }
}

/// `MemTotal:  24659412 kB`.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// `50000 100000`: half a processor; `max 100000`: no limit.
fn cpu_limit(cpu_max: &str) -> Option<f64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        assert_eq!(total_memory("MemTotal:       2 kB\nMemFree: 1 kB\n"), Some(2048));
        assert_eq!(total_memory("nothing"), None);
        assert_eq!(cpu_limit("50000 100000\n"), Some(0.5));
        assert_eq!(cpu_limit("max 100000\n"), None);
    }
}
