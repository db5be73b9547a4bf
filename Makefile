# KGL backend. `make` lists the targets; every check that CI runs is one of them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS  += --no-print-directory

# One set of tags and flags for every build: SQLite needs FTS5 compiled in, and the Go resolver must be
# used because the C library's resolver accepts forbidden spellings of addresses. Tests are built with the
# same flags as the binary, so that SQLite is compiled once.
TAGS    := sqlite_fts5,netgo,osusergo
export GOFLAGS     := -buildvcs=false -trimpath -tags=$(TAGS)
export CGO_ENABLED := 1
export GOTOOLCHAIN ?= local

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -buildid= -X main.version=$(VERSION)

TOOL     := env GOFLAGS=-buildvcs=false\ -tags=$(TAGS) go tool -modfile=tools/go.mod
NODE_BIN := tools/ts/node_modules/.bin
POSTGRES := go run ./server/internal/pgtest/cmd/withpg --
ARCHTEST := go test ./server/internal/archtest -count=1

# The checks of the code also see the tests that `make test` leaves out: drills, and what needs Docker.
CHECKED_TAGS := $(TAGS),drill,container

# Modules of their own beside the main one: examples as other modules would write them, tools with
# dependencies that the backend does not have.
SIDE_MODULES := $(patsubst %/go.mod,%,$(shell find examples tools/perf tools/lossydisk -name go.mod -not -path '*/node_modules/*' 2>/dev/null | sort))

# Knobs: make test PKGS=./server/internal/feed/... TESTFLAGS=-v; make fuzz FUZZTIME=5m
PKGS      ?= ./...
TESTFLAGS ?=
FUZZTIME  ?= 30s

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  \033[36m%-20s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run

.PHONY: build
build: ## Build bin/kgl (reproducible: the same commit gives the same bytes)
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/kgl ./server/cmd/kgl

.PHONY: run
run: build ## Build and serve on port 8000 with SQLite in ./data
	@mkdir -p data
	./bin/kgl serve

.PHONY: demo
demo: build ## Build and serve bundled sample feeds (needs no internet)
	./bin/kgl demo

##@ Generate

.PHONY: generate
generate: $(NODE_BIN) ## Regenerate everything in gen/ and docs/erd.md
	@tools/generate.sh write all

.PHONY: generate-sql generate-api generate-ts generate-http generate-erd
generate-sql: ## Regenerate gen/sqlitedb and gen/pgdb from sql/
	@tools/generate.sh write sql
generate-api: ## Regenerate gen/api, gen/client, gen/aiclient and gen/aiserver from openapi/
	@tools/generate.sh write api
generate-ts: $(NODE_BIN) ## Regenerate gen/ts from openapi/
	@tools/generate.sh write ts
generate-http: $(NODE_BIN) ## Regenerate gen/http from openapi/
	@tools/generate.sh write http
generate-erd: ## Regenerate docs/erd.md from the migrated schema
	@tools/generate.sh write erd

$(NODE_BIN): tools/ts/package.json tools/ts/package-lock.json
	@echo 'installing the tools of tools/ts'
	@cd tools/ts && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $(NODE_BIN)

##@ Check

.PHONY: verify
verify: verify-format verify-modules verify-generated verify-sql verify-structs verify-layers verify-purity verify-vet verify-staticcheck verify-contract verify-compat verify-ts ## Every check that needs no running service
	@echo 'verify: clean'

.PHONY: verify-generated
verify-generated: $(NODE_BIN) ## gen/ and docs/erd.md are what the generators write now; sqlc diff
	@tools/generate.sh check all
	@$(TOOL) sqlc diff || { echo 'verify-generated: sqlc diff found stale code: run make generate-sql' >&2; exit 1; }

.PHONY: verify-sql
verify-sql: ## ASCII only, no banned SQL form, equal file and query names on both engines
	@$(ARCHTEST) -run '^TestSQL' || { echo 'verify-sql: see the rules in server/internal/archtest/sql.go' >&2; exit 1; }

.PHONY: verify-structs
verify-structs: ## sqlc's structs are equal field for field on both engines
	@$(ARCHTEST) -run '^TestStructs' || { echo 'verify-structs: the two dialects drifted apart' >&2; exit 1; }

.PHONY: verify-layers
verify-layers: ## The import rules of the layers, over go list
	@$(ARCHTEST) -run '^TestLayers' || { echo 'verify-layers: an import breaks a layer rule' >&2; exit 1; }

.PHONY: verify-purity
verify-purity: ## No clock, random source, network, default logger, init() or mutable global out of place
	@$(ARCHTEST) -run '^TestPurity' || { echo 'verify-purity: inject what is named above' >&2; exit 1; }

.PHONY: verify-format
verify-format: ## gofmt
	@out=$$(find . -name '*.go' -not -path './tools/ts/node_modules/*' -not -path './.git/*' -print0 | xargs -0 gofmt -l); \
	  [ -z "$$out" ] || { echo "verify-format: run gofmt -w on:" >&2; echo "$$out" >&2; exit 1; }

.PHONY: verify-modules
verify-modules: ## go.mod files are tidy, every version is pinned
	@go mod tidy -diff || { echo 'verify-modules: run go mod tidy' >&2; exit 1; }
	@for m in tools $(SIDE_MODULES); do (cd $$m && go mod tidy -diff) || { echo "verify-modules: run go mod tidy in $$m" >&2; exit 1; }; done
	@$(ARCHTEST) -run '^TestPins' || { echo 'verify-modules: a version is not pinned' >&2; exit 1; }

.PHONY: verify-vet
verify-vet: ## go vet in every module
	@go vet -tags=$(CHECKED_TAGS) ./... || { echo 'verify-vet: go vet found faults' >&2; exit 1; }
	@for m in $(SIDE_MODULES); do (cd $$m && go vet ./...) || { echo "verify-vet: go vet found faults in $$m" >&2; exit 1; }; done

.PHONY: verify-staticcheck
verify-staticcheck: ## staticcheck
	@$(TOOL) staticcheck -version >/dev/null # builds it, with its own flags
	@$$($(TOOL) -n staticcheck) -tags=$(CHECKED_TAGS) ./... || { echo 'verify-staticcheck: staticcheck found faults' >&2; exit 1; }

.PHONY: verify-contract
verify-contract: $(NODE_BIN) ## Lint the contracts in openapi/
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE_BIN)/redocly lint --config tools/ts/redocly.yaml --format=stylish $(wildcard openapi/openapi.yaml openapi/ai.yaml) \
	  || { echo 'verify-contract: the contract breaks a rule of tools/ts/redocly.yaml' >&2; exit 1; }

.PHONY: verify-ts
verify-ts: $(NODE_BIN) ## The TypeScript types compile in a small program that uses them
	@$(NODE_BIN)/tsc --noEmit -p tools/ts/tsconfig.json || { echo 'verify-ts: gen/ts does not compile' >&2; exit 1; }

.PHONY: vuln
vuln: ## Known vulnerabilities in what the binary calls (asks the Go vulnerability database)
	$(TOOL) govulncheck ./...

##@ Test

.PHONY: test
test: ## Every test, on both engines; starts a temporary Postgres itself
	$(POSTGRES) go test -timeout 15m $(TESTFLAGS) $(PKGS)
	@for m in $(SIDE_MODULES); do echo "module $$m" && (cd $$m && go test -timeout 5m $(TESTFLAGS) ./...); done
	@[ '$(PKGS)' != ./... ] || $(MAKE) test-clients

.PHONY: test-race
test-race: ## Every test under the race detector
	$(POSTGRES) go test -race -timeout 40m $(TESTFLAGS) $(PKGS)

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZTIME (default 30s)
	@$(POSTGRES) tools/fuzz.sh $(FUZZTIME) $(PKGS)

.PHONY: e2e-browser
e2e-browser: build $(NODE_BIN) ## Swagger UI in a real browser (needs chromium, found or in KGL_TEST_CHROMIUM)
	node --test tools/ts/browser.test.mjs

.PHONY: clean
clean: ## Remove what was built (never ./data)
	rm -rf bin dist tools/ts/node_modules

##@ Drills

# A drill is a test with the build tag `drill`: it runs for minutes, or needs what a test may not ask for.
# What each does, and what came of it, is in docs/drills.md.
DRILL := $(POSTGRES) go test -tags=$(TAGS),drill -count=1 -v -timeout 20m $(TESTFLAGS) ./server/internal/e2e -run

.PHONY: drill
drill: drill-crash drill-power drill-disk drill-stop ## Every drill, one after the other

.PHONY: drill-crash
drill-crash: ## Kill the server forty times under load; kill a worker in a job; fifty writers
	$(DRILL) '^TestDrill(Kill|KilledWorker|Writers)$$'

.PHONY: drill-power
drill-power: ## Cut the power: unsynced writes are lost, fsync fails (Linux, root, /dev/fuse)
	$(DRILL) '^TestDrill(PowerLoss|FailingSync)'

.PHONY: drill-disk
drill-disk: ## Fill the disk of the database and make room again (Linux, root)
	$(DRILL) '^TestDrillDiskFull'

.PHONY: drill-stop
drill-stop: ## SIGTERM in a request, a fetch, an enrichment, a migration, a backup; a second signal
	$(DRILL) '^(TestDrillStop|TestStop|TestSecondSignal)'

.PHONY: drill-cluster
drill-cluster: drill-postgres drill-replicas drill-memory drill-upgrade ## The drills of several machines, half an hour

.PHONY: drill-postgres
drill-postgres: ## Restart Postgres under load, promote a standby, let connections die silently
	$(DRILL) '^TestDrill(PostgresRestart|PostgresPromoted|HalfOpen)$$|^TestHalfOpenConnections$$'

.PHONY: drill-replicas
drill-replicas: ## 10,000 due sources on three replicas that are killed; slow worker, poison, clocks an hour off
	$(DRILL) '^TestDrill(Replicas|ManySources)$$|^Test(SlowWorker|PoisonTask|ClocksApart|ClockSteps)$$'

.PHONY: drill-memory
drill-memory: ## Hostile documents of the largest size for eight workers (Linux)
	$(DRILL) '^TestDrillMemory$$'

.PHONY: drill-upgrade
drill-upgrade: ## Old and new replicas side by side during a migration
	$(DRILL) '^TestDrillMigration$$'

# ROWS=1000000 takes about 40 GB of disk. The server of Postgres keeps its files on disk and syncs them.
ROWS ?= 100000

.PHONY: drill-move
drill-move: ## Move ROWS items from SQLite to Postgres and back, killed in the middle; figures in docs/operations.md
	go build -o bin/ ./server/internal/pgtest/cmd/withpg
	KGL_DRILL_ROWS=$(ROWS) bin/withpg -durable -- go test -tags=$(TAGS),drill -count=1 -v -timeout 90m $(TESTFLAGS) ./server/internal/e2e -run '^TestDrillMove$$'

##@ Container

# Static, for an image without a C library. Nothing loads an extension of SQLite, and that is what needs a
# dynamic linker.
.PHONY: build-static
build-static: ## Build bin/kgl without any shared library, as the image has it (Linux)
	@$(MAKE) build TAGS=$(TAGS),sqlite_omit_load_extension LDFLAGS="$(LDFLAGS) -linkmode external -extldflags -static"

IMAGE ?= kgl-backend:dev

.PHONY: image
image: ## Build the container image IMAGE and print its size
	docker build --tag $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) $(IMAGEFLAGS) .
	@docker image inspect --format '{{.Size}}' $(IMAGE) | awk '{printf "image: %.1f MB", $$1 / 1e6}'
	@docker save $(IMAGE) | gzip | wc -c | awk '{printf ", %.1f MB compressed\n", $$1 / 1e6}'

.PHONY: env
env: ## Make the secrets of compose.yaml's profile postgres in ./secrets (replaces none)
	@tools/env.sh

.PHONY: test-container
test-container: ## Run the image and both profiles of compose.yaml, kill and restart them (needs Docker, or Debian and root)
	@tools/container/base-images.sh
	@$(MAKE) image IMAGE=kgl-backend:test
	KGL_TEST_IMAGE=kgl-backend:test tools/container/test.sh \
	  go test -tags=$(TAGS),container -count=1 -v -timeout 15m $(TESTFLAGS) ./server/internal/e2e/container

##@ Contract

.PHONY: verify-compat
verify-compat: ## The contract breaks no client of the last release tag, or of BASE=ref; needs node
	@$(TOOL) oasdiff --version >/dev/null # builds it
	@out=$$(OASDIFF=$$($(TOOL) -n oasdiff) node --test --test-reporter=spec tools/compat/compat.test.mjs 2>&1) || { echo "$$out" >&2; echo 'verify-compat: tools/compat/compat.sh does not do what its tests say' >&2; exit 1; }
	@OASDIFF=$$($(TOOL) -n oasdiff) BASE=$(BASE) tools/compat/compat.sh

.PHONY: test-clients
test-clients: build $(NODE_BIN) ## Run examples/, the curl calls and gen/http against bin/kgl on the sample feeds
	node --test --test-reporter=spec tools/ts/clients.test.mjs

##@ Measure

# quick takes about a quarter of an hour on two quiet cores; full goes up to 1,000,000 items and takes twice
# that. BENCHFLAGS, such as '-parts ratio -engines sqlite -sizes 10000', measures less; see docs/performance.md.
BENCH      ?= quick
BENCHFLAGS ?=

.PHONY: bench
bench: ## Measure the service on both engines; BENCH=quick or full; writes bench-results/
	go build -o bin/ ./server/internal/pgtest/cmd/withpg
	cd tools/perf && go build -o ../../bin/ ./cmd/bench
	bin/withpg -durable -- bin/bench -set $(BENCH) -out bench-results $(BENCHFLAGS)

.PHONY: bench-docs
bench-docs: ## Write the tables of bench-results/report.json into docs/performance.md
	cd tools/perf && go run ./cmd/bench -render ../../bench-results/report.json -docs ../../docs/performance.md

##@ Duplicates

.PHONY: measure-duplicates
measure-duplicates: ## Measure how same articles are found: precision, recall by kind, ways to find candidates, cost
	go test ./server/internal/neardup -count 1 -v -run 'TestPlanted|TestGenerated|TestResemblanceAlone|TestCandidates' -documents 100000 -bench . -benchmem

##@ Safety

.PHONY: e2e-xss
e2e-xss: build $(NODE_BIN) ## Hostile markup through the whole service and into a real browser (needs chromium; more of it from KGL_SHARED); minutes
	node --test tools/ts/xss.test.mjs

##@ Damage

# The tables of docs/damage.md; all captured feeds and gofeed beside take about ten minutes.
.PHONY: damage
damage: ## Damage feeds in every way and print what is recovered; KGL_SHARED=folder with feeds/ for captured ones
	KGL_DAMAGE=all go test -count 1 -timeout 60m -v -run 'TestDamaged' ./server/internal/feed

##@ Graph

# About 26 GB of disk and half an hour for both engines; GRAPHFLAGS='-engines sqlite' runs one, RELATIONSHIPS=1000000 less.
RELATIONSHIPS ?= 10000000
GRAPHFLAGS    ?=

.PHONY: drill-graph
drill-graph: ## Neighborhoods and paths among RELATIONSHIPS relationships; figures in docs/performance.md
	@$(MAKE) bench BENCHFLAGS='-parts graph -relationships $(RELATIONSHIPS) -out bench-results/graph $(GRAPHFLAGS)'

##@ Enrichment

# WRITE=1 writes the measured precision of every rule into data/precision.txt: after a change of a rule.
.PHONY: measure-enrichment
measure-enrichment: ## Measure the builtin extractor: F1 by set and type, precision of every rule, cost; KGL_SHARED=folder with ner/
	go test ./server/internal/builtin -count 1 -v -run 'TestPrecision|TestMeasure|TestCoOccurrencePrecision' $(if $(WRITE),-write,-bench . -benchmem)

.PHONY: drill-ai
drill-ai: ## Work off what an outage of the AI module left; figures in docs/enrichment.md; twenty minutes
	$(POSTGRES) go test -tags=$(TAGS),drill -count=1 -v -timeout 40m $(TESTFLAGS) ./server/internal/enrich -run '^TestDrillAI'

##@ Names

.PHONY: bench-names
bench-names: ## Measure suggestions and resolutions of names among 100,000 entities on both engines; figures in docs/graph.md
	go test ./server/internal/graph -run '^$$' -bench Names -timeout 60m
	$(POSTGRES) sh -c 'KGL_BENCH_DATABASE=$$KGL_TEST_POSTGRES_URL go test ./server/internal/graph -run "^$$" -bench Names -timeout 60m'
