# The verbs of this repository. `make demo` and `make test` do their own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: tools ## Build and run the whole system on this machine
	cargo build --release --locked
	"$$(scripts/target-dir)/release/estelam" demo $(ARGS)

.PHONY: test
test: may-install tools lint unit end-to-end bench-smoke ## Everything that CI runs
	@echo "all checks passed"

# Who may not install packages hears which are missing before anything runs.
.PHONY: may-install
may-install:
	@scripts/tools check build node clients browser reader

.PHONY: tools
tools:
	@scripts/tools build

.PHONY: lint
lint: tools ## Format, lints, dependency rules
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	scripts/dependency-rules

.PHONY: unit
unit: tools ## Unit, layer, integration and compile-fail tests
	cargo test --locked --lib --bins --tests
	cargo test --locked --doc

.PHONY: end-to-end
end-to-end: may-install tools ## The real binary against curl, JOSE libraries, OAuth clients, an issuer, TLS stacks, scanners, a browser and a log reader from elsewhere
	# The binary of the test build: a plain `cargo build` would build half of the tree again with other features.
	cargo test --locked --no-run --test it
	scripts/tools node
	scripts/tools clients
	scripts/tools browser
	scripts/tools reader
	tests/e2e/run "$$(scripts/target-dir)/debug/estelam"

.PHONY: bench
bench: tools ## The verify path beside the floor, with durable records (ARGS="--baseline FILE": fails if the ratio is lower than what FILE says)
	cargo bench --locked --bench verify -- $(ARGS)

.PHONY: bench-log
bench-log: tools ## The access log at one and ten million entries (ARGS="--points 1000000,10000000,50000000 --dir DIR")
	cargo bench --locked --bench log -- $(ARGS)

.PHONY: timing
timing: tools ## Whether unknown, blocked and unprovable can be told apart by time (minutes; ARGS="--requests N")
	cargo bench --locked --bench timing -- $(ARGS)

.PHONY: cutoff
cutoff: tools ## From the command to the first refused request, p99 (ARGS="--rounds N")
	cargo bench --locked --bench cutoff -- $(ARGS)

.PHONY: freshness
freshness: tools ## From the registry's commit to the last answer that does not know of it, p99; with the feed down at most max_age (ARGS="--rounds N")
	cargo bench --locked --bench freshness -- $(ARGS)

.PHONY: chaos
chaos: tools ## Everything around the gateway breaks, one thing after another, then ten minutes for leaks: what was promised, what happened (ARGS="--minutes N", "--only GROUP")
	cargo bench --locked --bench chaos -- $(ARGS)

.PHONY: lanes
lanes: tools ## What somebody at a counter notices of another agency's batch, and of another agency's flood
	cargo bench --locked --bench verify -- --lanes $(ARGS)

.PHONY: memory
memory: tools ## A million remembered people against the stated limit (`registry.cache_mib`); minutes
	cargo test --release --locked --lib a_million_facts -- --ignored --nocapture

.PHONY: watch
watch: tools ## Precision and recall of the rules of watch.toml on a made-up week with planted abusers
	cargo run --release --locked --quiet -- policy watch-test --policies policies $(ARGS)

.PHONY: bench-smoke
bench-smoke: tools ## One short round of each bench, in the test build: it works, and cutting off takes a second at most, whatever the other figures
	cargo test --locked --bench verify -- --smoke
	cargo test --locked --bench timing -- --smoke
	cargo test --locked --bench cutoff -- --smoke
	cargo test --locked --bench log -- --smoke
	cargo test --locked --bench freshness -- --smoke
	cargo test --locked --bench chaos -- --smoke
