#!/bin/sh
# Compiles sched.bpf.c and stacks.bpf.c into what is embedded, here or in the directory that is given. Any clang from 11 on will do; what is
# committed is of Debian's clang 14.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
clang=${CLANG:-$(command -v clang-14 || command -v clang)}
strip=${LLVM_STRIP:-$(command -v llvm-strip-14 || command -v llvm-strip)}
flags="-O2 -g -Wall -Wextra -Wno-unused-parameter"
map=-fdebug-prefix-map=$PWD=internal/bpf
"$clang" $flags "$map" -target bpfel -mcpu=v2 -c sched.bpf.c -o "$out/sched.bpf.o"
"$strip" -g "$out/sched.bpf.o"
# The registers that a sample comes with differ between the two.
GOPACKAGE=bpf go run github.com/cilium/ebpf/cmd/bpf2go -cc "$clang" -strip "$strip" -target amd64,arm64 -output-dir "$out" \
	stacks stacks.bpf.c -- $flags "$map" -mcpu=v3
