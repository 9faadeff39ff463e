# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, out, log, binary and architecture are build.sh's
# Sourced by build.sh: what lets others see what is in a package, who made it, and that it was made of this commit.

# sbom VERSION: what the binary is made of, as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/): NuGet's packages with the checksums that restoring
# them has compared, and the packages of Debian whose code is linked in.
sbom() {
  local commit created
  commit=$(git -C "$repo" rev-parse HEAD 2>/dev/null || echo unknown)
  created=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%FT%TZ)
  jq --sort-keys --arg version "$1" --arg commit "$commit" --arg created "$created" --arg architecture "$architecture" \
    --arg checksum "$(sha256sum "$binary" | cut -d' ' -f1)" --argjson system "$(linked_packages)" -f "$repo/scripts/sbom.jq" \
    "$binary.assets.json"
}

# linked_packages: the packages with the static libraries that the linker was given, as [{name, version}].
linked_packages() {
  local package=libc6-dev
  if is_cross; then package=libc6-dev-arm64-cross; fi
  if command -v dpkg-query >/dev/null; then
    dpkg-query --show --showformat='{"name":"${Package}","version":"${Version}"}\n' "$package" | jq --slurp --compact-output .
  else
    echo '[]'
  fi
}

# sign_checksums KEY SUMS FILE...: SUMS of the files beside it, and if KEY is one, SUMS.sig, which ssh-keygen verifies. Prints the paths of both.
sign_checksums() {
  local key=$1 sums=$2
  shift 2
  (cd "$(dirname "$sums")" && sha256sum "${@##*/}" >"$sums")
  echo "$sums"
  rm -f "$sums.sig"
  [[ -n $key ]] || return 0
  ssh-keygen -q -Y sign -f "$key" -n ocirun "$sums"
  echo "$sums.sig"
}

# reproduce: this commit compiled once more, by a clone in another directory, must give the same bytes.
reproduce() {
  local other=$out/reproduce/elsewhere
  [[ -z $(git -C "$repo" status --porcelain) ]] || fail "there are changes that are in no commit"
  rm -rf "$out/reproduce"
  quietly "Cloning this commit" git clone --quiet --no-hardlinks "$repo" "$other"
  "$other/build.sh" build
  cmp "$binary" "$other/out/ocirun" || fail "the same commit gave other bytes: compare ${binary#"$repo/"} with ${other#"$repo/"}/out/ocirun"
  rm -rf "$out/reproduce"
  say "the same bytes: $(sha256sum "$binary" | cut -d' ' -f1)"
}
