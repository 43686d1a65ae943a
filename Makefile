# Targets of cxha. `make` lists them. Go and make are all that is needed; the first build of the sandbox takes some minutes,
# because it compiles Kubernetes' control plane.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

export CXHA_SANDBOX := $(CURDIR)/bin/cxha-sandbox
# `make test RACE=-race` runs the tests under the race detector, as CI does. It needs a C compiler.
RACE :=
# Debug information and symbols take much of the linker's time, and vet runs in `make verify`.
QUICK := -ldflags='-s -w' -vet=off
# One way to compile for all programs: what they share is compiled once. Only the race detector and runc need C.
export CGO_ENABLED := 0
# Counts the packages that `go build -v` names, and passes everything else on.
PROGRESS := awk '/^[a-zA-Z0-9._\/@~-]+$$/ { n++; if (n % 200 == 0) { print "  " n " packages compiled"; fflush() } next } { print; fflush() }'

LINT := go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint

.PHONY: test-product test-sandbox test-suite contract lab lab-build lab-packages lab-programs lab-test lab-traefik help build test conformance demo bench soak lint verify docs clean sandbox

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

build: sandbox ## build bin/cxha and bin/cxha-sandbox
	go build -o bin/cxha ./cmd/cxha

sandbox:
	@echo "building bin/cxha-sandbox (with Kubernetes' control plane: some minutes the first time, seconds afterwards)"
	cd sandbox && go build -ldflags=-w -v -o ../bin/cxha-sandbox ./cmd/cxha-sandbox 2>&1 | $(PROGRESS)

# The three modules side by side: each alone leaves a third of two processors idle, waiting for clusters.
test: build ## run every test: unit, scripts, and the integration tests on the sandbox
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j 3) test-product test-sandbox test-suite

# More at a time would not be faster: control planes and the race detector keep the processors busy.
test-product:
	CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) $(QUICK) -parallel 5 -timeout 30m ./...

# Without cmd/rke2, which has no tests, and kubelet and kube-proxy in it: the lab alone needs them compiled.
test-sandbox:
	cd sandbox && go test $(QUICK) -timeout 20m $$(go list ./... | grep -v '/cmd/rke2$$')

# The suite itself; `make contract` runs it. What its tests read lies outside of their module, where go test does not see that it changed.
test-suite:
	cd sandbox/conformance && go test -short -count=1 $(QUICK) -timeout 20m ./...

contract: build ## hold the sandbox to sandbox/CONTRACT.md: a minute and a half, most of it waiting
	cd sandbox/conformance && go test -count=1 $(QUICK) -timeout 20m -run TestIntegration .

# Programs without symbols, static, with the flags of one cache: what two of them share is compiled once. The shim and containerd
# leave out what needs C libraries or devices; runc is the one program that needs a C compiler. crictl does not know its version.
LAB := $(CURDIR)/bin/lab
LEAN := go build -v -ldflags='-s -w'
CONTAINERD := github.com/containerd/containerd/v2/cmd
CNI := github.com/containernetworking/plugins/plugins

lab-programs: ## build what the lab's hosts run: bin/lab (ten minutes and more the first time, seconds afterwards)
	@pkg-config --exists libseccomp && command -v cc >/dev/null || { echo "runc needs a C compiler and libseccomp: apt-get install gcc libc6-dev pkg-config libseccomp-dev" >&2; exit 1; }
	@echo "bin/lab: RKE2's stand-in"
	@cd sandbox && $(LEAN) -o $(LAB)/rke2 ./cmd/rke2 2>&1 | $(PROGRESS)
	@echo "bin/lab: containerd, runc and the CNI plugins"
	@cd sandbox/programs/runtime && $(LEAN) -tags no_btrfs,no_zfs,no_devmapper,no_tracing -o $(LAB)/runtime/ \
	  $(CONTAINERD)/containerd $(CONTAINERD)/ctr $(CONTAINERD)/containerd-shim-runc-v2 2>&1 | $(PROGRESS)
	@cd sandbox/programs/runtime && CGO_ENABLED=1 go build -tags seccomp,netgo,osusergo \
	  -ldflags='-s -w -linkmode external -extldflags -static' -o $(LAB)/runtime/runc github.com/opencontainers/runc
	@cd sandbox/programs/runtime && $(LEAN) -o $(LAB)/cni/ $(CNI)/main/bridge $(CNI)/main/loopback $(CNI)/ipam/host-local $(CNI)/meta/portmap 2>&1 | $(PROGRESS)
	@echo "bin/lab: crictl, CoreDNS, local-path-provisioner, MetalLB"
	@cd sandbox/programs && go build -ldflags='-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=1.36.0' \
	  -o $(LAB)/runtime/crictl sigs.k8s.io/cri-tools/cmd/crictl
	@mkdir -p $(LAB)/programs
	@cd sandbox/programs && $(LEAN) -o $(LAB)/programs/ ./coredns github.com/rancher/local-path-provisioner 2>&1 | $(PROGRESS)
	@cd sandbox/programs/metallb && $(LEAN) -o $(LAB)/programs/ go.universe.tf/metallb/controller go.universe.tf/metallb/speaker 2>&1 | $(PROGRESS)
	@echo "bin/lab: images"
	@cd sandbox && $(LEAN) -o $(LAB)/programs/ ./images/pause ./images/volume ./images/web 2>&1 | $(PROGRESS)
	@cd sandbox && go run -ldflags=-w ./cmd/lab-images --programs $(LAB)/programs --to $(LAB)/images

# Apart because it costs as much as all of containerd, CoreDNS and MetalLB together, and only clusters from v1.36 on have it by default.
lab-traefik: ## add RKE2's ingress controller to bin/lab (four minutes on two cores the first time)
	@echo "bin/lab: Traefik"
	@sandbox/programs/traefik/build.sh $(LAB) 2>&1 | $(PROGRESS)
	@$(MAKE) --no-print-directory lab-programs

demo: build ## bring up the guide's cluster in the sandbox, break it, mend it
	sandbox/demo.sh

conformance: ## hold machines of yours to sandbox/CONTRACT.md: make conformance HOSTS=inventory.hcl
	@go build -C sandbox/conformance -o $(CURDIR)/bin/cxha-conformance ./cmd/cxha-conformance
	@bin/cxha-conformance $(HOSTS)

# What the lab needs of Debian. Only missing ones are installed.
LAB_PACKAGES := debootstrap systemd-container iproute2 nftables openssh-client util-linux mount kmod wget gcc libc6-dev pkg-config libseccomp-dev

lab-packages:
	@[ "$$(uname -s)" = Linux ] && [ "$$(id -u)" = 0 ] || { echo "the lab needs Linux and root" >&2; exit 1; }
	@command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || { echo "the lab needs Debian's packages, by the names they have there: $(LAB_PACKAGES)" >&2; exit 1; }
	@missing=; for p in $(LAB_PACKAGES); do dpkg-query -W -f='$${Status}\n' "$$p" 2>/dev/null | grep -q '^install ok installed$$' || missing="$$missing $$p"; done; \
	  [ -z "$$missing" ] || { echo "installing$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

lab-build: lab-packages build lab-programs
	cd sandbox && go build -ldflags=-w -o ../bin/cxha-lab ./cmd/cxha-lab

lab: lab-build ## bring up a web application's cluster on real Debian hosts in namespaces of this machine (Linux and root)
	sandbox/lab.sh

lab-test: lab-build ## run the tests that need the lab, and the cluster scripts on it; LAB_SCRIPTS='apply_first|lock' chooses (Linux and root)
	LAB_SCRIPTS='$(LAB_SCRIPTS)' sandbox/lab-test.sh $(QUICK)

bench: ## run the benchmarks; the table at the end has each beside its budget
	go test -run '^$$' -bench . -benchtime 2x -count 3 -p 1 ./engine/... ./plans ./internal/remote | awk -f tools/bench.awk

soak: build ## kill an apply after every single event of it; takes some minutes
	CXHA_SOAK=1 go test -timeout 4h -parallel 8 -run TestIntegrationKill -v ./cmd/cxha

lint: ## run the linters
	$(LINT) run ./...
	cd sandbox && $(LINT) run --config ../.golangci.yml ./...
	cd sandbox/conformance && $(LINT) run --config ../../.golangci.yml ./...

verify: ## what must hold before a commit: formatting, vet, lint, layers, docs up to date
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))" || { gofmt -l $$(git ls-files -co --exclude-standard '*.go'); echo "run gofmt -w on these files"; exit 1; }
	$(LINT) run ./...
	go test -count=1 . ./schema/...

docs: ## write docs/language.md anew from the schema
	go test ./schema -run TestReference -update

clean: ## remove what was built, and stop and remove sandboxes of this directory
	if [ -x bin/cxha-sandbox ] && [ -d .cxha-sandbox ]; then bin/cxha-sandbox down --dir .cxha-sandbox; fi
	rm -rf bin .cxha-sandbox .cxha-demo
