# The commands of this house. `make` alone lists them.
#
# Only Rust (through rustup), a C compiler and make are needed. Everything else is optional: `make tools` fetches
# what the tests want to run against.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

CARGO ?= cargo
# Static binaries are built for a named target, so that procedural macros, which must be dynamic, still build.
TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
TARGET_DIR ?= $(or $(CARGO_TARGET_DIR),target)
BINS := $(patsubst bins/%/Cargo.toml,%,$(wildcard bins/*/Cargo.toml))
RELEASE_DIR = $(TARGET_DIR)/$(TARGET)/release
STATIC = $(addprefix $(RELEASE_DIR)/,$(BINS))
FUZZ_SECONDS ?= 60

# A release aborts on a panic, so it needs no unwind tables; packed relocations halve what position independence costs
# (glibc 2.36, binutils 2.38). Together a sixth of a binary. The same flags are in bins/Dockerfile.
RELEASE_FLAGS := -C target-feature=+crt-static -C force-unwind-tables=no -C link-arg=-Wl,-z,pack-relative-relocs
RELEASE = RUSTFLAGS="$${RUSTFLAGS:-} $(RELEASE_FLAGS)" $(CARGO)
RELEASE_ARGS = --release --locked --target $(TARGET)
TOOLS := $(CARGO) run --quiet --locked --package tools --

.PHONY: help
help: ## List these commands
	@bold=; blue=; plain=; \
	if [ -t 1 ] && [ -z "$${NO_COLOR:-}" ]; then bold=$$'\e[1m'; blue=$$'\e[36m'; plain=$$'\e[0m'; fi; \
	printf '\n%sSmall tools that decide how a service is released.%s  Start with %smake demo%s.\n\n' "$$bold" "$$plain" "$$blue" "$$plain"; \
	sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
	while IFS=$$'\t' read -r name text; do printf '  %smake %-11s%s %s\n' "$$blue" "$$name" "$$plain" "$$text"; done; \
	echo

.PHONY: demo
demo: ## See it happen: forged packs refused, decisions changing, releases let through and stopped
	@$(CARGO) build --locked --package policy-reloader --package load-gate --package retention-job --package demo
	@$(TARGET_DIR)/debug/demo

.PHONY: test
test: fmt-check clippy docs ## Everything that must hold: format, lints, documentation, all tests; ends with the totals
	@if ! $(TOOLS) ensure; then \
	  case "$${CI:-}" in true|1) echo "error: under CI nothing may be missing" >&2; exit 1;; esac; \
	  echo "warning: what needs the missing programs will be SKIPPED" >&2; \
	  export TOOLS_INSTALL=never; \
	fi; \
	$(TOOLS) tally $(CARGO) test --workspace --all-features --locked --no-fail-fast

# What runs against PostgreSQL and does not choose its version itself.
POSTGRES_TESTS := retention-engine retention-faults retention-oracle retention-job
.PHONY: test-majors
test-majors: ## The tests of retention-job once more, on the oldest and the newest PostgreSQL that it supports
	@$(TOOLS) ensure
	@failed=0; for major in 14 18; do \
	  echo "== PostgreSQL $$major"; \
	  PG_CLUSTER_MAJOR=$$major $(TOOLS) tally $(CARGO) test --locked --no-fail-fast \
	    $(addprefix --package ,$(POSTGRES_TESTS)) || failed=1; \
	done; exit $$failed

.PHONY: lint
lint: fmt-check clippy docs ## Format, clippy, documentation, and the dependency rules of deny.toml
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	  $(CARGO) deny --locked --all-features check bans licenses sources; \
	else \
	  echo "warning: cargo-deny is not installed, so deny.toml was NOT checked (cargo install --locked cargo-deny)" >&2; \
	fi

.PHONY: fmt
fmt: ## Format the code
	@$(CARGO) fmt --all

.PHONY: fmt-check
fmt-check:
	@$(CARGO) fmt --all --check

.PHONY: clippy
clippy:
	@$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings

.PHONY: docs
docs: ## Build the API documentation; a broken link is an error
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --all-features --locked

.PHONY: build
build: ## Build the small static release binaries
	@$(RELEASE) build $(RELEASE_ARGS) $(addprefix --package ,$(BINS))
	@ls -lh $(STATIC)

.PHONY: scratch
scratch: build ## Prove that the release binaries run in an empty root, as in a FROM scratch image
	@tests/tools/scratch.sh $(STATIC)

.PHONY: bench
bench: build ## Measure, side by side with the peers; figures are explained in docs/benchmarks.md
	@$(TOOLS) ensure opa oha wrk k6
	@POLICY_RELOADER="$(RELEASE_DIR)/policy-reloader" LOAD_GATE="$(RELEASE_DIR)/load-gate" \
	RETENTION_JOB="$(RELEASE_DIR)/retention-job" \
	  $(RELEASE) run $(RELEASE_ARGS) --package bench

.PHONY: tools
tools: ## Find or install the real programs that the tests run (OPA, two cosigns, Chromium, Pushgateway, two PostgreSQLs)
	@$(TOOLS) ensure

.PHONY: fuzz
fuzz: ## Fuzz what reads foreign bytes, FUZZ_SECONDS (60) for each target
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo "error: cargo-fuzz is not installed: cargo install --locked cargo-fuzz" >&2; exit 2; }
	@found=; \
	for file in $$(find . -path '*/fuzz/fuzz_targets/*.rs' -not -path './target/*' | sort); do \
	  found=yes; name=$$(basename "$$file" .rs); dir=$${file%/fuzz_targets/*}; \
	  echo "== fuzzing $$name for $(FUZZ_SECONDS) s"; \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir "$$dir" "$$name" -- -max_total_time=$(FUZZ_SECONDS); \
	done; \
	[ -n "$$found" ] || { echo "error: no fuzz targets found" >&2; exit 2; }

.PHONY: clean
clean: ## Remove what cargo built; installed programs stay (rm -r .tools)
	@$(CARGO) clean
