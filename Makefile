# Targets of cxha. `make` lists them. Go and make are all that is needed; the first build of the sandbox takes some minutes,
# because it compiles Kubernetes' control plane.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

export CXHA_SANDBOX := $(CURDIR)/bin/cxha-sandbox
# `make test RACE=-race` runs the tests under the race detector, as CI does. It needs a C compiler.
RACE :=
# Debug information takes most of the linker's time, and vet runs in `make verify`.
QUICK := -ldflags=-w -vet=off
# Counts the packages that `go build -v` names, and passes everything else on.
PROGRESS := awk '/^[a-zA-Z0-9._\/@~-]+$$/ { n++; if (n % 200 == 0) { print "  " n " packages compiled"; fflush() } next } { print; fflush() }'

LINT := go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint

.PHONY: help build test demo bench soak lint verify docs clean sandbox

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

build: sandbox ## build bin/cxha and bin/cxha-sandbox
	go build -o bin/cxha ./cmd/cxha

sandbox:
	@echo "building bin/cxha-sandbox (with Kubernetes' control plane: some minutes the first time, seconds afterwards)"
	cd sandbox && go build -ldflags=-w -v -o ../bin/cxha-sandbox ./cmd/cxha-sandbox 2>&1 | $(PROGRESS)

# More at a time would not be faster: control planes and the race detector keep the processors busy.
test: build ## run every test: unit, scripts, and the integration tests on the sandbox
	go test $(RACE) $(QUICK) -parallel 5 -timeout 30m ./...
	cd sandbox && go test $(QUICK) -timeout 20m ./...

demo: build ## bring up the guide's cluster in the sandbox, break it, mend it
	sandbox/demo.sh

bench: ## run the benchmarks; the table at the end has each beside its budget
	go test -run '^$$' -bench . -benchtime 2x -count 3 -p 1 ./engine/... ./plans ./internal/remote | awk -f tools/bench.awk

soak: build ## kill an apply after every single event of it; takes some minutes
	CXHA_SOAK=1 go test -timeout 4h -parallel 8 -run TestIntegrationKill -v ./cmd/cxha

lint: ## run the linters
	$(LINT) run ./...
	cd sandbox && $(LINT) run --config ../.golangci.yml ./...

verify: ## what must hold before a commit: formatting, vet, lint, layers, docs up to date
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))" || { gofmt -l $$(git ls-files -co --exclude-standard '*.go'); echo "run gofmt -w on these files"; exit 1; }
	$(LINT) run ./...
	go test -count=1 . ./schema/...

docs: ## write docs/language.md anew from the schema
	go test ./schema -run TestReference -update

clean: ## remove what was built, and stop and remove sandboxes of this directory
	if [ -x bin/cxha-sandbox ] && [ -d .cxha-sandbox ]; then bin/cxha-sandbox down --dir .cxha-sandbox; fi
	rm -rf bin .cxha-sandbox .cxha-demo
