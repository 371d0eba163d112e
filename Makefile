# The two commands are `make devnet` and `make test`; both set the machine up first.
SHELL := /bin/bash
export PATH := $(CURDIR)/.cache/cargo-tools/bin:$(PATH)
forge := $(CURDIR)/contracts/node_modules/@foundry-rs/forge-linux-amd64/bin/forge

.PHONY: help setup devnet build test format clippy deny nextest doctest contracts clean-devnet differential mutants

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

format:
	cargo fmt --all --check
	cd contracts && $(forge) fmt --check

clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny:
	cargo deny --locked check bans licenses sources

contracts:
	cd contracts && $(forge) test && ./slim-artifacts.sh --check

nextest: ## the tests of the Rust code, the small story included
	cargo build --locked --bins
	cargo nextest run --locked --workspace

doctest:
	cargo test --locked --workspace --doc --quiet

differential: ## compare the precompiles with the Solidity reference; STEPS= SEED=
	cargo run --locked --quiet -p openledger-differential -- --steps $(or $(STEPS),2000000) --seed $(or $(SEED),1) --coverage

mutants: ## plant faults in the precompiles, one at a time, which the comparison must find
	precompiles/differential/mutants.sh
