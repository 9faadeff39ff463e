#!/usr/bin/env bash
# Makes the system call tables of src/OciRuntime/Seccomp anew. Needs gcc and Debian's libseccomp-dev.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gcc -Wall -Wextra -Werror -O1 -o "$work/tables" "$repo/scripts/syscall-tables.c" -lseccomp
"$work/tables" >"$work/out.cs"
mv "$work/out.cs" "$repo/src/OciRuntime/Seccomp/SyscallTable.Data.cs"
