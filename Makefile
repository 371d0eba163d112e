# The two commands are `make devnet` and `make test`; both set the machine up first.
SHELL := /bin/bash
export PATH := $(CURDIR)/.cache/cargo-tools/bin:$(PATH)
forge := $(CURDIR)/contracts/node_modules/@foundry-rs/forge-linux-amd64/bin/forge
shared := $(or $(OPENLEDGER_SHARED),../shared)

.PHONY: help setup devnet build test format clippy deny nextest doctest contracts conformance differential mutants \
	bench-attribution bench-gpu gaming bench-core bench-precompiles clean-devnet

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install what building and running needs; safe to run again
	@deploy/setup.sh

build: setup ## build the node and the sidecar
	cargo build --locked --bins

devnet: build ## the whole network and the story on this machine; ARGS=--once ends after the story
	cargo run --locked --quiet --bin openledger -- devnet --datadir $(or $(DATADIR),devnet) $(ARGS)

clean-devnet: ## remove the default devnet folder
	rm -rf devnet

test: setup format clippy deny contracts nextest doctest ## everything that CI checks
	@echo "make test: all passed"

bench-attribution: setup ## attribution beside its Python peers; installs them (3 GB) under target/bench; ARGS="transformer gaming" measures those too
	cargo build --locked --workspace --bin attributor --bin attributor-torch --example store_speed \
		--example projection_recall --example lm_rows
	bench/attribution/run.sh $(ARGS)

bench-gpu: ## the same program on a CUDA device beside the CPU; skipped without one; ARGS="--rows 64"
	bench/gpu/run.sh $(ARGS)

gaming: setup ## play a market with every attack on attribution, 20 times; ARGS="--seeds 4 --undefended"
	cargo build --locked --workspace --bin attributor --bin attributor-torch
	OMP_NUM_THREADS=1 $${CARGO_TARGET_DIR:-target}/debug/attributor gaming --input $(shared)/attribution/digits_lr.npz $(ARGS)

format:
	cargo fmt --all --check
	cd contracts && $(forge) fmt --check

clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny:
	cargo deny --locked check bans licenses sources

contracts:
	cd contracts && $(forge) test && ./slim-artifacts.sh --check

# Building the tests builds the programs too, which the tests of the network start.
nextest: ## the tests of the Rust code, the small story included
	cargo nextest run --locked --workspace

fixtures := target/conformance
suites := eest-blockchain eest-state ethereum-tests op-stack execution-apis

conformance: setup ## run the suites that others wrote, in OPENLEDGER_SHARED
	cargo build --locked --workspace --bin conformance
	rm -rf $(fixtures) && mkdir -p $(fixtures)
	for suite in $(suites); do tar xf $(shared)/conformance/$$suite.tar.xz -C $(fixtures) || exit 1; done
	target/debug/conformance roots $(fixtures)/ethereum-tests/TrieTests
	target/debug/conformance op-block $(fixtures)/kona-executor-json
	target/debug/conformance state $(fixtures)/eest-*/state_tests
	target/debug/conformance blocks $(fixtures)/eest-*/blockchain_tests
	OPENLEDGER_SHARED=$(abspath $(shared)) cargo nextest run --locked --workspace --test import -E 'test(imported)'

differential: ## compare the precompiles with the Solidity reference; STEPS= SEED=
	cargo run --locked --quiet --bin openledger-differential -- --steps $(or $(STEPS),2000000) --seed $(or $(SEED),1) --coverage

mutants: ## plant faults in the precompiles, one at a time, which the comparison must find
	precompiles/differential/mutants.sh

doctest:
	cargo test --locked --workspace --doc --quiet

PROFILE ?= release

bench-core: setup ## measure the core; ARGS="--only import" measures a part, see docs/benchmarks.md
	cargo build --locked --profile $(PROFILE) --workspace --bin bench-core
	target/$(PROFILE:dev=debug)/bench-core --docs docs/benchmarks.md --date $$(date -u +%F) \
		--command-line "make bench-core$(if $(filter-out release,$(PROFILE)), PROFILE=$(PROFILE))$(if $(ARGS), ARGS=\"$(ARGS)\")" $(ARGS)

bench-precompiles: setup ## measure the precompiles beside Solidity and bytecode; ARGS="--only contest" measures a part
	cargo build --locked --profile $(PROFILE) --workspace --bin bench-precompiles
	target/$(PROFILE:dev=debug)/bench-precompiles --docs docs/benchmarks.md --date $$(date -u +%F) \
		--command-line "make bench-precompiles$(if $(filter-out release,$(PROFILE)), PROFILE=$(PROFILE))$(if $(ARGS), ARGS=\"$(ARGS)\")" $(ARGS)
