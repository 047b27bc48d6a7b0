# Short names for what one does here. `make` alone lists them; .ci/run is the gate that a change has to pass.

BIN := bin
PACKAGES ?= ./...
FUZZ_TIME ?= 30s
PORTS ?=

export FUZZ_TIME

.DEFAULT_GOAL := help
.PHONY: help build test race integration bench fuzz lint demo gate servers-start servers-stop compose-check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the three programs into bin/, without cgo
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./cmd/extractor ./cmd/normalizer ./cmd/chatlake

test: ## all tests, on the embedded broker (PACKAGES=./kafka/... for some)
	go test $(PACKAGES)

race: ## all tests under the race detector
	CGO_ENABLED=1 go test -race -short $(PACKAGES)

integration: ## the suites of kafka and e2e on a real Kafka and registry, which are started and stopped
	.ci/run servers

bench: ## all benchmarks, with allocations (PACKAGES=./schemas for some)
	go test -run '^$$' -bench . -benchmem $(PACKAGES)

fuzz: ## each fuzz target for FUZZ_TIME (30s)
	.ci/run fuzz

lint: ## formatting, vet, modules, shell scripts, docker-compose.yml, golangci-lint
	.ci/run lint

demo: ## everything at work in one process, over simulated chats
	go run ./cmd/chatlake demo

gate: ## all steps of .ci/run
	.ci/run

servers-start: ## a real Kafka and registry that stay; prints how to reach them (PORTS='--kafka-port 29092')
	@scripts/servers start $(PORTS)

servers-stop: ## stop them; their data stay
	@scripts/servers stop

compose-check: ## docker-compose.yml with the settings of .env.example
	docker-compose --env-file .env.example config -q

clean: ## remove bin/
	rm -rf $(BIN)
