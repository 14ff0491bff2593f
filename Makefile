# energyprof: `make demo` and `make test` need Go alone.

GO       ?= go
BIN      := bin/energyprof
FUZZTIME ?= 10s
# record's own flags for the demo; --energy auto takes the best source there is.
DEMO_FLAGS ?=

.PHONY: all build demo test bench accuracy gate-accuracy lint fuzz man bpf vmtest vmshell clean

all: build

# Without DWARF: a system-wide recording sees the profiler too, and unpacking its
# own line tables would cost more than the rest of the symbolisation. Names and
# panics need none.
#
# Without cgo: a static program starts 2 ms earlier, of the 10 that a short `stat` takes.
build:
	CGO_ENABLED=0 $(GO) build -ldflags=-w -o $(BIN) ./cmd/energyprof

# Builds, records a sample workload and shows where its joules went.
demo: build
	$(GO) build -o bin/demo ./testdata/demo
	$(BIN) record $(DEMO_FLAGS) -q -o bin/demo.pb.gz -- bin/demo
	@echo
	$(BIN) report -n 12 bin/demo.pb.gz
	@echo
	@echo 'The flame graph, in a browser:'
	@echo '    go tool pprof -http=localhost:8080 bin/demo.pb.gz'

test:
	$(GO) test ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Machines of known watts per function, 200 recordings of each kind: some ten minutes on two cores.
accuracy:
	$(GO) run ./report/attribution/simulate/accuracy -command 'make accuracy' -o docs/accuracy.md

# Simulated histories of changes of known size: what the gate finds, and what it says of programs that did not change.
gate-accuracy:
	$(GO) run ./report/gate/simulate/accuracy -command 'make gate-accuracy' -into docs/ci.md

lint:
	@fmt=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$fmt" ]; then echo "gofmt would change: $$fmt"; exit 1; fi
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(GO) vet -tags man ./cmd/energyprof
	$(GO) tool staticcheck ./...
	.ci/imports

# Every fuzz target in turn, FUZZTIME each.
fuzz:
	.ci/fuzz $(FUZZTIME)

# Compiles the BPF programs into what is embedded; needs clang and llvm-strip.
bpf:
	$(GO) generate ./internal/bpf

# The tests of the testbed, in virtual machines of Debian's kernels: testbed/README.md.
vmtest:
	$(GO) run ./testbed

# A person in a guest, with perf and energyprof at hand.
GUEST ?= icx-6.1
vmshell:
	$(GO) run ./testbed -shell $(GUEST)

# Man pages and shell completions, generated from the flags.
man: build
	$(GO) run -tags man ./cmd/energyprof man --dir bin/man
	for shell in bash zsh fish; do $(BIN) completion $$shell > bin/energyprof.$$shell; done

clean:
	rm -rf bin
