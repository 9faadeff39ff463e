# shellcheck shell=bash
# shellcheck disable=SC2154  # work, group, names and paths are world.sh's
# Sourced by world.sh: rows of engines. They run in the mount, network and PID namespaces of the world, and store their things where they
# always do, which is memory there. Storage is overlay, as it is by default; no container has a network, which would cost all the same.

# What engines would find and leave on the host is out of sight; mounts are shared, as systemd makes them.
private_host() {
  local hidden
  mount --make-rshared /
  for hidden in /run /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$hidden"; done
  mount -t tmpfs tmpfs /dev/shm
  ip link set lo up
  mkdir "$work/rootfs"/{tmp,run,var,root} "$work/engines"
  ln -s true "$work/rootfs/bin/sh"
  tar --directory "$work/rootfs" --create --file "$work/engines/rootfs.tar" .
}

# daemon NAME WORD...: in the background, for as long as the world is there.
daemon() { "${@:2}" </dev/null >"$work/engines/$1.log" 2>&1 & }

# await NAME COMMAND...: until it succeeds; the daemon's log tells why it does not.
await() {
  local try
  for try in {1..300}; do
    if "${@:2}" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  tail "$work/engines/$1.log" >&2
  fail "$1 did not come up in a minute, at attempt $try"
}

# --- Podman --------------------------------------------------------------------------------------------------------------

# The limits are Podman's own, except where the host allows less.
start_podman() {
  podman=(podman --storage-driver overlay --cgroup-manager cgroupfs --events-backend file)
  if [[ -e $work/engines/containers.conf ]]; then return; fi
  printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[network]\nnetwork_backend = "netavark"\n' \
    >"$work/engines/containers.conf"
  export CONTAINERS_CONF=$work/engines/containers.conf
  "${podman[@]}" import --quiet --change 'CMD ["/bin/sleep", "1000"]' "$work/engines/rootfs.tar" bench >/dev/null
  # With its name, for containerd.
  "${podman[@]}" tag bench docker.io/library/bench:latest
  "${podman[@]}" save --quiet --output "$work/engines/image.tar" docker.io/library/bench:latest
}

podman_options=(--cgroup-parent "/$group" --network none)

row_podman_run() {
  start_podman
  measure podman-run 'podman run --rm' -w 1 -- "${podman[@]}" --runtime @path run --rm "${podman_options[@]}" bench /bin/true
}

row_podman_exec() {
  local name
  start_podman
  for name in "${names[@]}"; do
    "${podman[@]}" --runtime "${paths[$name]}" run --detach --name "$name" "${podman_options[@]}" bench >/dev/null || :
  done
  measure podman-exec 'podman exec' -w 1 -- "${podman[@]}" exec @name /bin/true
  "${podman[@]}" rm --all --force --time 0 >/dev/null
}

# --- Docker --------------------------------------------------------------------------------------------------------------

start_docker() {
  local name runtimes='{}'
  export DOCKER_CONFIG=$work/engines/docker-config
  for name in "${names[@]}"; do
    runtimes=$(jq --arg name "bench-$name" --arg path "${paths[$name]}" '.[$name] = {$path}' <<<"$runtimes")
  done
  # Lowering its score, as is usual, needs CAP_SYS_RESOURCE.
  jq --null-input --argjson runtimes "$runtimes" --arg group "/$group" '{
    $runtimes, "cgroup-parent": $group, "exec-opts": ["native.cgroupdriver=cgroupfs"], "oom-score-adjust": 0, "log-level": "warn",
    bridge: "none", iptables: false, "deprecated-key-path": "/run/docker-key.json"}' \
    >"$work/engines/daemon.json"
  daemon dockerd dockerd --config-file "$work/engines/daemon.json"
  await dockerd docker version
  docker import "$work/engines/rootfs.tar" bench >/dev/null
}

row_docker_run() {
  start_docker
  measure docker-run 'docker run --rm' -w 1 -- docker run --rm --runtime bench-@name --network none bench /bin/true
}

# --- containerd ----------------------------------------------------------------------------------------------------------

image=docker.io/library/bench:latest

start_containerd() {
  local name user
  if [[ -e $work/engines/config.toml ]]; then return; fi
  start_podman
  {
    cat <<TOML
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$image"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "bench-${names[0]}"
TOML
    for name in "${names[@]}"; do
      cat <<TOML
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."bench-$name"]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."bench-$name".options]
BinaryName = "${paths[$name]}"
Root = "$work/engines/state-$name"
TOML
    done
  } >"$work/engines/config.toml"
  daemon containerd containerd --config "$work/engines/config.toml"
  await containerd ctr version
  # ctr has a namespace of its own; Kubernetes' is k8s.io.
  for user in default k8s.io; do ctr --namespace "$user" image import "$work/engines/image.tar" >/dev/null; done
}

row_ctr_run() {
  start_containerd
  measure ctr-run 'ctr run --rm' -w 1 -- ctr run --rm --fifo-dir "$work/engines/fifo" --runc-binary @path \
    --runc-root "$work/engines/state-@name" --cgroup "/$group/ctr" "$image" bench-@name /bin/true
}

# The kubelet's probe. What it costs curl to ask is the same for all.
row_cri_exec() {
  local name
  start_containerd
  for name in "${names[@]}"; do pod_with_sleeper "$name"; done
  measure cri-exec 'CRI ExecSync' -w 1 -- "${cri[@]}" --data-binary "@$work/engines/exec-@name" "$cri_url/ExecSync"
}

# --- The Container Runtime Interface, without a library --------------------------------------------------------------------

cri_url=http://localhost/runtime.v1.RuntimeService
cri=(curl --silent --fail --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock --header 'Content-Type: application/grpc'
  --header 'TE: trailers')

# pod_with_sleeper NAME: on the host's network, which is the world's and needs no CNI, with a container. The file exec-NAME asks it for a process.
pod_with_sleeper() {
  local host pod sandbox metadata container
  host=$(field 1 0802) # a NamespaceOption: network = NODE
  metadata=$(text 1 "pod-$1")$(text 2 "$1")$(text 3 default)
  sandbox=$(field 1 "$metadata")$(field 8 "$(text 1 "/$group")$(field 2 "$host")")
  cri RunPodSandbox "$(field 1 "$sandbox")$(text 2 "bench-$1")"
  pod=$(answer_id)
  container=$(field 1 "$(text 1 sleeper)")$(field 2 "$(text 1 "$image")")$(field 15 "$(field 2 "$(field 3 0802)")")
  cri CreateContainer "$(text 1 "$pod")$(field 2 "$container")$(field 3 "$sandbox")"
  container=$(answer_id)
  cri StartContainer "$(text 1 "$container")"
  cri ExecSync "$(text 1 "$container")$(text 2 /bin/true)"
  cri_message "$(text 1 "$container")$(text 2 /bin/true)" >"$work/engines/exec-$1"
}

# cri METHOD MESSAGE: the answer lies in a file; when it is an error, that is empty.
cri() {
  cri_message "$2" | "${cri[@]}" --data-binary @- --dump-header "$work/engines/headers" --output "$work/engines/answer" "$cri_url/$1"
  if grep -qi '^grpc-status: *[1-9]' "$work/engines/headers"; then fail "CRI $1: $(grep -i '^grpc-message' "$work/engines/headers")"; fi
}

# The ID of a pod or container: the first field of an answer behind gRPC's five bytes.
answer_id() { tail --bytes=+8 "$work/engines/answer" | head --bytes=64; }

# Messages of Protocol Buffers, in hexadecimal: fields with a length, and texts.
field() { printf '%s%s%s' "$(varint $(($1 << 3 | 2)))" "$(varint $((${#2} / 2)))" "$2"; }
text() { field "$1" "$(printf %s "$2" | od -A n -v -t x1 | tr -d ' \n')"; }
varint() { if (($1 < 128)); then printf '%02x' "$1"; else printf '%02x%02x' $(($1 & 127 | 128)) $(($1 >> 7)); fi; }

# cri_message MESSAGE: in bytes, behind a byte for compression and four for the length.
cri_message() {
  local hex
  hex=$(printf '00%08x%s' $((${#1} / 2)) "$1")
  # shellcheck disable=SC2001  # two characters at a time
  printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")"
}
