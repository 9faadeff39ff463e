# Configurations for the bundles of world.sh, which gives $work, $cgroup, $controllers and $files.

# In every bundle: this root file system and this program, without a terminal. Ambient capabilities that are not inheritable, too,
# were a slip of runc's that newer ones have mended and warn of.
def runnable:
  .root.path = "\($work)/rootfs" | .process.args = ["/bin/true"] | .process.terminal = false | .linux.cgroupsPath = $cgroup
  | if .process.capabilities.inheritable then . else del(.process.capabilities.ambient) end;

def volume($destination): {$destination, type: "bind", source: "\($work)/directory", options: ["rbind", "rprivate", "ro"]};

def is_file: test("^/etc/|/\\.containerenv$|/termination-log$");

# Only limits of controllers that there are.
def limits:
  ($controllers | split("\\s+"; null)) as $have
  | with_entries(select(.key == "devices" or ({blockIO: ["blkio", "io"]}[.key] // [.key] | any(IN($have[])))));

# What an engine has written (spec-fixtures/clients), with sources of mounts, namespaces and a hook that exist; volumes are added until
# there are thirty mounts, which is what a pod with some secrets and configuration files has.
def engine:
  .mounts |= map(if .type == "bind" then .source = "\($work)/\(if .destination | is_file then "file" else "directory" end)" else . end)
  | .mounts += [range(30 - (.mounts | length)) | volume("/volumes/\(.)")]
  | .linux.namespaces |= map(if .path then .path = "\($work)/namespaces/\(.type)" else . end)
  | .linux.resources |= limits
  | if .process.rlimits then .process.rlimits |= map(.hard = ([.hard, $files] | min) | .soft = ([.soft, $files] | min)) else . end
  | if .hooks then .hooks |= map_values(map({path: "/bin/true", args: ["true"]})) else . end;
