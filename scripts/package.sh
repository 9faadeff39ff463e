# shellcheck shell=bash
# shellcheck disable=SC2154  # repo, out, binary and architecture are build.sh's
# Sourced by build.sh: the tree that `install` copies and `package` makes a Debian package of. dpkg-deb is all it takes; the same commit and
# the same compiler make the same bytes.

# stage DIR PREFIX: everything below DIR as it will be below PREFIX; the examples name the binary there.
stage() {
  local shell run=("$binary")
  if is_cross; then
    need_packages "${emulator_packages[@]}" >&2
    run=(qemu-aarch64-static "$binary")
  fi
  rm -rf "$1"
  install -D -m 755 "$binary" "$1/bin/ocirun"
  # By this name containerd finds it as a shim (docs/shim.md).
  ln -s ocirun "$1/bin/containerd-shim-ocirun-v2"
  mkdir -p "$1/share/man/man8"
  "${run[@]}" man --output "$1/share/man/man8"
  for shell in bash zsh fish; do
    install -D -m 644 /dev/null "$1/$(completion_path $shell)"
    "${run[@]}" completion $shell >"$1/$(completion_path $shell)"
  done
  stage_examples "$1/share/doc/ocirun/examples" "$2/bin/ocirun"
  chmod -R u=rwX,go=rX "$1"
}

completion_path() {
  case $1 in
    bash) echo share/bash-completion/completions/ocirun ;;
    zsh) echo share/zsh/site-functions/_ocirun ;;
    fish) echo share/fish/vendor_completions.d/ocirun.fish ;;
  esac
}

# stage_examples DIR BINARY: what `ocirun setup` writes where there is nothing yet, so that the examples say what it does.
stage_examples() {
  stage_example "$1/containers.conf.d/50-ocirun.conf" podman --default "$2"
  stage_example "$1/docker/daemon.json" docker --default "$2"
  stage_example "$1/containerd/config.toml" containerd --default "$2"
  stage_example "$1/crio.conf.d/50-ocirun.conf" crio --default "$2"
  stage_example "$1/runtimeclass.yaml" kubernetes --default=false "$2"
}

# stage_example FILE ENGINE OPTION BINARY: the file does not exist, so none of this machine's gets in.
stage_example() {
  mkdir -p "$(dirname "$1")"
  "${run[@]}" setup "$2" "$3" --binary "$4" --config "$1" 2>/dev/null >"$1.new"
  mv "$1.new" "$1"
}

# The files and links that stage makes, as seen from the prefix.
staged_files() { (cd "$1" && find . ! -type d -printf '%P\n' | sort); }

# --- The Debian package ------------------------------------------------------------------------------------------------

# package_deb VERSION FILE
package_deb() {
  local root=$out/package-$architecture
  stage "$root/usr" /usr
  # Where Debian's zsh looks.
  mkdir "$root/usr/share/zsh/vendor-completions"
  mv "$root/usr/share/zsh/site-functions/_ocirun" "$root/usr/share/zsh/vendor-completions/"
  rmdir "$root/usr/share/zsh/site-functions"
  package_documents "$root/usr/share/doc/ocirun"
  gzip -9n "$root"/usr/share/man/man8/*
  package_control "$root" "$1"
  find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group -Zxz --build "$root" "$2" >&2
  rm -rf "$root"
}

package_documents() {
  gzip -9nc "$repo/CHANGELOG.md" >"$1/changelog.gz"
  install -m 644 "$repo/THIRD-PARTY-NOTICES" "$1/"
  {
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: ocirun\n\n'
    printf 'Files: *\nCopyright: The ocirun authors\nLicense: Apache-2.0\n'
    sed 's/^[[:space:]]*$/./; s/^/ /' "$repo/LICENSE"
  } >"$1/copyright"
}

# package_control ROOT VERSION: no Depends, because the binary needs no library; that is looked at, not believed.
package_control() {
  if readelf --dynamic "$1/usr/bin/ocirun" | grep -q '(NEEDED)'; then fail "ocirun is linked to libraries, so the package would need Depends"; fi
  local size
  size=$(du --summarize --apparent-size --block-size=1024 "$1" | cut -f1)
  mkdir "$1/DEBIAN"
  cat >"$1/DEBIAN/control" <<TEXT
Package: ocirun
Version: $2
Architecture: $architecture
Maintainer: The ocirun authors <authors@ocirun.invalid>
Installed-Size: $size
Recommends: uidmap
Suggests: criu, systemd, podman | containerd | docker.io | buildah
Section: admin
Priority: optional
Description: OCI runtime that starts containers for engines
 Runs containers from OCI bundles, in the place of runc and crun under Podman,
 containerd, Docker, Buildah and CRI-O. One static binary, without a daemon.
 .
 "ocirun setup ENGINE" makes it a runtime of an engine; nothing is configured by
 installing it.
TEXT
  (cd "$1" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$1/DEBIAN/md5sums"
}
