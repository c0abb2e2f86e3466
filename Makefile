# `make` lists what there is. CI runs the same commands: see .ci/run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What is expensive to build is kept here, outside the repository.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/serin

GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

VERSION ?= dev
IMAGE ?= serin.dev/serin
LOADTESTER_IMAGE ?= serin.dev/loadtester

# Modules that have code of ours. e2e/cluster/kube is one file around Kubernetes, deploy/tools has none.
MODULES := . e2e

# Tests check what is written against Gloo's own CRDs where a copy of them lies beside the checkout.
SERIN_GLOO_CRDS ?= $(abspath $(firstword $(wildcard ../*/crds/gloo)))
ifneq ($(SERIN_GLOO_CRDS),)
export SERIN_GLOO_CRDS
endif

# etcd, kube-apiserver and kubectl for tests on a real API server, built once.
ASSETS = $$(cd e2e && go run ./cluster assets)

##@ Try it

.PHONY: demo
demo: ## Two rollouts on a local cluster, one promoted, one rolled back (KEEP=1 leaves it up, CLUSTER=existing uses yours)
	cd e2e && KEEP="$(KEEP)" CLUSTER="$(CLUSTER)" go run ./demo

.PHONY: cluster-up
cluster-up: ## Start a one-node Kubernetes on this machine and print how to use it (Debian, root)
	cd e2e && go run ./cluster up

.PHONY: cluster-down
cluster-down: ## Stop it and remove every trace, also of a start that failed half way
	cd e2e && go run ./cluster down

.PHONY: cluster-load
cluster-load: ## Add an image archive to it: make cluster-load TAR=dist/serin.tar
	@test -n "$(TAR)" || { echo "which archive? make cluster-load TAR=dist/serin.tar" >&2; exit 2; }
	cd e2e && go run ./cluster load $(abspath $(TAR))

##@ Develop

.PHONY: generate
generate: ## Write CRDs, deep copies, the references of fields and states and the chart's copies anew
	go generate ./...
	go run ./deploy/gen

.PHONY: fmt
fmt: ## Format all Go files
	gofmt -s -w .

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint with the import rules (built on first use)
	@for module in $(MODULES); do \
	  echo "lint $$module"; \
	  (cd $$module && $(GOLANGCI) run --allow-serial-runners --config $(CURDIR)/.golangci.yml ./...); \
	done

# The version is in the name: another version is another file, and the old one stays for other branches.
$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION), once"
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	GOBIN=$$dir GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION); \
	mkdir -p $(@D); mv $$dir/golangci-lint $@

# These play simulated worlds in one goroutine: the race detector has nothing to find there, and takes minutes.
SIMULATED := ./pkg/rollout ./docs/gen/fields
.PHONY: test
test: tools ## All tests but e2e, in random order, and with the race detector but for worlds of one goroutine
	@assets=$(ASSETS); export KUBEBUILDER_ASSETS=$$assets; set -x; \
	go test -shuffle=on -timeout=30m $(SIMULATED); \
	go test -race -shuffle=on -timeout=30m $$(go list ./... | grep -vxF "$$(go list $(SIMULATED))"); \
	cd e2e; go test -race -shuffle=on -timeout=30m $$(go list ./... | grep -vE '/e2e/(suite|chaos)'); \
	cd chaos; go test -race -shuffle=on -timeout=30m

# Helm and kustomize are built before the tests that use them: a first build outlasts a test's time.
.PHONY: tools
tools:
	@cd deploy/tools && for tool in helm kustomize; do go tool -n $$tool >/dev/null; done

.PHONY: e2e
e2e: ## Rollouts on a whole local cluster with traffic (Debian, root; KEEP=1 leaves the cluster up)
	cd e2e && KEEP="$(KEEP)" go test -count=1 -timeout=60m -v -skip '$(MORE)' ./suite/...

# Scenes with other gateways, which have to be built and started, one that uninstalls the operator,
# one that waits for autoscalers, and those that take parts of the cluster away.
MORE := TestTraefik|TestContour|TestUninstall|TestAutoscaled|TestOutage
.PHONY: e2e-more
e2e-more: ## The scenes that make e2e leaves out: Traefik, Contour, an uninstall, an autoscaler, outages
	cd e2e && KEEP="$(KEEP)" go test -count=1 -timeout=60m -v -run '$(MORE)' ./suite/...

.PHONY: chaos
chaos: ## Kill the operator at every write, run two at once, fail every call, meddle in every state; print what was tried
	@assets=$(ASSETS); cd e2e/chaos; KUBEBUILDER_ASSETS=$$assets go test -count=1 -timeout=60m -full
	go test ./pkg/rollout -count=1 -run '^TestModel$$' -deep -v -timeout=60m

.PHONY: bench
bench: ## Measure speed and cost on a real API server, one `name value unit` a line
	@assets=$(ASSETS); cd e2e; KUBEBUILDER_ASSETS=$$assets go run ./bench

.PHONY: bench-scale
bench-scale: ## The same with many canaries and rollouts at once, as a table (SIZES="50 400 1000", ONLY=idle,10-rollouts)
	@assets=$(ASSETS); cd e2e; KUBEBUILDER_ASSETS=$$assets go run ./scale -only "$(ONLY)" $(SIZES)

.PHONY: mutants
mutants: ## Take safety measures away in a copy of the source, one by one, and see which test notices (ONLY=drained)
	@assets=$(ASSETS); cd e2e; KUBEBUILDER_ASSETS=$$assets go run ./mutants -only "$(ONLY)"

# Their seeds run with the tests; what a run finds is kept as a seed in testdata/fuzz.
FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME=30s
	@git grep -o 'func Fuzz[A-Za-z]*' -- '*_test.go' | sed 's/_test.go:func / /' | while read -r file target; do \
	  echo "$$target in $$(dirname $$file) for $(FUZZTIME)"; \
	  go test ./$$(dirname $$file) -run "^$$target$$" -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
	done

.PHONY: verify
verify: verify-generated verify-modules lint vulncheck ## What has to hold before a commit besides the tests

# Compared with the files as they are and not with a commit: it is of use in mid-work too.
.PHONY: verify-generated
verify-generated: ## Regenerate and format everything; fail if that changes a file
	@list() { git ls-files -z --cached --others --exclude-standard | sort -z | xargs -0 sha256sum 2>/dev/null || true; }; \
	before=$$(list); \
	$(MAKE) generate fmt; \
	if ! changed=$$(diff <(echo "$$before") <(list)); then \
	  echo "these files were not what their sources say, and are now:" >&2; \
	  echo "$$changed" | awk '/^[<>]/ {print "  " $$3}' | sort -u >&2; \
	  exit 1; \
	fi

.PHONY: verify-modules
verify-modules: ## Fail if a go.mod lists what nothing uses, or lacks what something does
	@for module in $(MODULES); do (cd $$module && go mod tidy -diff); done

.PHONY: vulncheck
vulncheck: ## Known vulnerabilities in what is linked (skipped without their database)
	@if ! curl -fsSo /dev/null --max-time 10 https://vuln.go.dev/index/db.json; then \
	  echo "vulncheck: SKIPPED, vuln.go.dev cannot be reached from here" >&2; exit 0; fi; \
	for module in $(MODULES); do (cd $$module && go run $(GOVULNCHECK) ./...); done

##@ Release

.PHONY: image
image: ## The operator's image as dist/serin.tar and what is in it as dist/serin.cdx.json, without a container engine (VERSION=, IMAGE=)
	go run ./deploy/image -o dist/serin.tar -version $(VERSION) -tag $(IMAGE):$(VERSION)

.PHONY: image-loadtester
image-loadtester: ## The load tester's image as dist/loadtester.tar (LOADTESTER_IMAGE=)
	go run ./deploy/image/loadtester -o dist/loadtester.tar -version $(VERSION) -tag $(LOADTESTER_IMAGE):$(VERSION)

.PHONY: plugin
plugin: ## kubectl serin as dist/kubectl-serin, for this machine or for GOOS= and GOARCH=
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o dist/kubectl-serin ./cmd/kubectl-serin

.PHONY: chart-package
chart-package: ## The Helm chart as dist/serin-*.tgz
	mkdir -p dist
	cd deploy/tools && go tool helm package ../charts/serin --destination ../../dist

.PHONY: clean
clean: ## Remove dist; the cache stays
	rm -rf dist

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET\n"} \
	  /^##@ / {printf "%s%s\n", sep, substr($$0, 5); sep = "\n"} \
	  /^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nBuilt parts are kept in %s.\n' "$(CACHE)"
