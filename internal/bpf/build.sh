#!/bin/sh
# Compiles sched.bpf.c and stacks.bpf.c into what is embedded; any clang from 11 on will do.
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-$(command -v clang || command -v clang-14)}
strip=${LLVM_STRIP:-$(command -v llvm-strip || command -v llvm-strip-14)}
"$clang" -O2 -g -Wall -Wextra -Wno-unused-parameter -target bpfel -mcpu=v2 -fdebug-prefix-map="$PWD"=internal/bpf -c sched.bpf.c -o sched.bpf.o
"$strip" -g sched.bpf.o
# The registers that a sample comes with differ between the two.
GOPACKAGE=bpf go run github.com/cilium/ebpf/cmd/bpf2go -cc "$clang" -strip "$strip" -target amd64,arm64 stacks stacks.bpf.c -- \
	-O2 -g -Wall -Wextra -Wno-unused-parameter -mcpu=v3 -fdebug-prefix-map="$PWD"=internal/bpf
