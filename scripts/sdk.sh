# shellcheck shell=bash
# shellcheck disable=SC2154  # repo and out are build.sh's
# Sourced by build.sh: the .NET SDK, for this checkout only, where no package source offers it. Microsoft's own script fetches it: the script
# as it was at one commit, the SDK in one version, both with the checksum they had when they were chosen.

sdk_version=10.0.401
# From another place they have other checksums: a mirror, or a test's stand-in.
sdk_script=${OCIRUN_SDK_SCRIPT:-https://raw.githubusercontent.com/dotnet/install-scripts/47940ac9fc30a2f2dd19167165d0bb0774625f67/src/dotnet-install.sh}
sdk_script_sha256=${OCIRUN_SDK_SCRIPT_SHA256:-082f7685e156738a1b2e2ed8381a621870d4ce8e8c59278034556f05c186eb2e}

# Of dotnet-sdk-VERSION-linux-….tar.gz, as the release notes have it (dotnet/core, release-notes/10.0/10.0.12/release.json).
sdk_sha512() {
  if [[ -n ${OCIRUN_SDK_SHA512:-} ]]; then
    printf '%s' "$OCIRUN_SDK_SHA512"
    return
  fi
  case $(host_architecture) in
    amd64) printf 51c8b999af9e8dd9998c9edc5944e19a90788862068acd38694e098889054ce8c23d4f0c5cccfa16bf187d044562359e5ee69a9f8ad0bbe913ba90311fbce25b ;;
    arm64) printf 58ace73ced6b4360754689a686bdfb8a317f4da6cb8bb416dbc7d0ba9f47e43e3c09f5eb1f1a1cfaacbd10df9558da4882bf2a5e195d6ab56a02c1f9f76102ed ;;
  esac
}

# Into out/dotnet, which is there only when all of it is.
install_sdk() {
  local new=$out/sdk.new script=$out/sdk.new/dotnet-install.sh archive=$out/sdk.new/sdk.tar.gz
  rm -rf "$new"
  mkdir -p "$new"
  quietly "Fetching $sdk_script" curl --fail --silent --show-error --location --output "$script" "$sdk_script"
  check_sum sha256sum "$sdk_script_sha256" "$script"
  quietly "Installing the .NET SDK $sdk_version for this checkout only, into out/dotnet (some 200 MB to fetch)" \
    bash "$script" --version "$sdk_version" --install-dir "$new/dotnet" --no-path --keep-zip --zip-path "$archive"
  # It is unpacked by then, but nothing of it has run.
  check_sum sha512sum "$(sdk_sha512)" "$archive"
  mv -T "$new/dotnet" "$out/dotnet"
  rm -rf "$new"
}

# check_sum PROGRAM SUM FILE: a file with another checksum goes away.
check_sum() {
  local found
  found=$("$1" "$3") || fail "cannot read $3"
  if [[ ${found%% *} == "$2" ]]; then return; fi
  rm -rf "$out/sdk.new"
  fail "$(basename "$3") is not what it was when this checkout was made: its $1 is ${found%% *}, not $2. Nothing of it was used"
}
