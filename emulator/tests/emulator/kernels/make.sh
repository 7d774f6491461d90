#!/bin/sh
# Compiles the kernels of this folder into the PTX that the tests read; needs clang 19.
cd "$(dirname "$0")" || exit 1
compile() {
    clang-19 -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_80 -Xclang -target-feature -Xclang +ptx70 \
        -O1 -fno-unroll-loops -gline-directives-only -fdebug-compilation-dir=. -ffile-prefix-map="$PWD/=" -S -std=c++17 \
        -Wno-unused-value "$@" -o - | sed 's,[ \t]*//.*,,; /^[ \t]*$/d; s/^\t/ /; s/[ \t][ \t]*/ /g'
}
compile -DWRONG wrong.cu > wrong.ptx
compile wrong.cu > right.ptx
