# The only entry point, for people and for CI. `make help` lists what there is.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Tools that bootstrap builds are found before the system's.
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

# One build for all tests: whatever runs, the whole workspace is built in the same way and a filter chooses.
NEXTEST := cargo nextest run --locked --workspace
SEEDS ?= 1000
RUNS ?= 1000000

say = @printf '\n==> %s\n' "$(1)"

.PHONY: help bootstrap run build check fmt fmt-check lint doc tidy test test-build unit sim integration interop fuzz fuzz-keep bench deny \
	proto-check clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bootstrap: ## Install what building and testing need beyond Rust (packages, nextest, cargo-deny); quick when all is there.
	@tools/bootstrap

run: ## Build release and run the product with a demonstration; DEMO=1 exits after it.
	@tools/bootstrap build
	@deploy/dev/run.sh

build: ## Build everything in release form.
	@tools/bootstrap build
	cargo build --locked --release --workspace

check: ## Compile everything without building it.
	cargo check --locked --workspace --all-targets

fmt: ## Format the code.
	cargo fmt --all

fmt-check: ## Check the format.
	$(call say,format)
	cargo fmt --all --check

lint: bootstrap ## Run clippy over everything; a warning fails.
	$(call say,lint)
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc: bootstrap ## Build the documentation; a warning fails.
	$(call say,documentation)
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

deny: bootstrap ## Check licences, duplicate versions and sources of the dependencies, offline.
	$(call say,dependencies)
	cargo fetch --locked
	cargo deny --offline check bans licenses sources

test-build: bootstrap ## Build every test, and the binaries that tests start.
	$(call say,building tests and binaries)
	cargo build --locked --workspace --all-targets

tidy: test-build ## Check the house rules (lengths, headers, dependency table, purity, documents).
	$(call say,house rules)
	$(NEXTEST) -E 'package(um-tidy)'

proto-check: test-build ## Compile the API and check its names and comments.
	$(call say,API)
	$(NEXTEST) -E 'package(um-tidy) & test(proto)'

unit: test-build ## Run the tests that need nothing but the code.
	$(call say,unit tests)
	$(NEXTEST) -E 'not (package(um-simulation) + package(um-integration) + package(um-interop))'

sim: test-build ## Run the simulation; SEEDS=N seeds (default 1000), SEED=S repeats one and shows it.
	$(call say,simulation)
	$(if $(SEED),UM_SIM_SEED=$(SEED) $(NEXTEST) --no-capture -E 'package(um-simulation) & test(no_oracle_fires_in_any_seed)',\
	UM_SIM_SEEDS=$(SEEDS) $(NEXTEST) -E 'package(um-simulation)')

integration: test-build ## Run the tests with real processes, both stores.
	$(call say,integration tests)
	$(NEXTEST) -E 'package(um-integration)'

interop: test-build ## Run the tests against SIPp and baresip.
	$(call say,interop tests)
	$(NEXTEST) -E 'package(um-interop)'

# Without a sanitizer, for our crates forbid unsafe code: so the stable toolchain does, and a run takes half the time.
FUZZ := cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --features libfuzzer
FUZZ_TARGETS := $(notdir $(wildcard tests/fuzz/corpus/*))

fuzz: ## Fuzz every target RUNS times (default 1000000), or one: TARGET=engine. What it finds is kept below target/fuzz.
	@tools/bootstrap fuzz
	@mkdir -p $(addprefix target/fuzz/corpus/,$(FUZZ_TARGETS)) target/fuzz/found
	$(foreach target,$(or $(TARGET),$(FUZZ_TARGETS)),$(FUZZ) $(target) target/fuzz/corpus/$(target) tests/fuzz/corpus/$(target) -- \
		-runs=$(RUNS) -max_len=4096 -rss_limit_mb=2048 -artifact_prefix=target/fuzz/found/$(target)- $(newline))

fuzz-keep: ## Take into the corpora what fuzzing found that reaches more than they do.
	$(foreach target,$(or $(TARGET),$(FUZZ_TARGETS)),$(FUZZ) $(target) tests/fuzz/corpus/$(target) target/fuzz/corpus/$(target) -- \
		-set_cover_merge=1 -use_counters=0 -max_len=600 $(newline))

bench: ## Measure signalling, media and control on this machine (release build).
	@tools/bootstrap build
	cargo build --locked --release --workspace --bins
	target/release/um-load all

# Gates from the quickest to the slowest, then every test in one run: its summary is the last line.
test: bootstrap fmt-check deny lint doc test-build ## What CI runs: every check and every test.
	$(call say,house rules$(comma) API$(comma) unit$(comma) simulation$(comma) integration and interop tests)
	UM_SIM_SEEDS=$(SEEDS) $(NEXTEST)

comma := ,
define newline


endef

clean: ## Remove what was built and what runs left behind; the tools of bootstrap stay.
	rm -rf target/debug target/release target/doc target/nextest var
