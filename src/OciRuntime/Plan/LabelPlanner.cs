using OciRuntime.Host;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>AppArmor profile and SELinux labels: what the process takes at execve, and what the mounts made for it carry.</summary>
internal sealed class LabelPlanner
{
    private readonly Process _process;
    private readonly List<PlanStep> _steps;

    /// <param name="spec">The configuration.</param>
    /// <param name="host">The machine.</param>
    /// <param name="steps">Takes the steps.</param>
    /// <param name="warnings">Takes what has no effect.</param>
    /// <param name="refusals">Takes what must not be left out.</param>
    public LabelPlanner(RuntimeSpec spec, HostFacts host, List<PlanStep> steps, List<string> warnings, List<string> refusals)
    {
        _process = spec.Process!;
        _steps = steps;
        if (HasProfile && !host.AppArmor)
        {
            refusals.Add(
                $"/process/apparmorProfile: {SpecText.Quote(_process.ApparmorProfile!)} cannot be written to `/proc/self/attr/exec`: "
                + $"AppArmor is not enabled on this host");
        }
        // runc's words.
        if (HasLabel && !host.Selinux)
        {
            refusals.Add(
                $"/process/selinuxLabel: {SpecText.Quote(_process.SelinuxLabel!)}: selinux label is specified in config, but selinux is "
                + $"disabled or not supported");
        }
        if (spec.Linux?.MountLabel is not { Length: > 0 } label) return;
        if (host.Selinux) MountOption = new(spec.Annotations[Annotations.MountContextType] ?? "context", label);
        else warnings.Add($"/linux/mountLabel: {SpecText.Quote(label)} has no effect: SELinux is not enabled on this host");
    }

    /// <summary>The fsconfig option that labels a new file system; no quotes, which are for the comma-separated form of mount(2).</summary>
    public KeyValuePair<string, string?>? MountOption { get; }

    /// <summary>Attributes will be written below the host's /proc.</summary>
    public bool NeedsProc => HasProfile || HasLabel;

    private bool HasProfile => !string.IsNullOrEmpty(_process.ApparmorProfile);
    private bool HasLabel => !string.IsNullOrEmpty(_process.SelinuxLabel);

    /// <summary>The label of keyrings made from here on, until execve; a kernel without keyrings has no such attribute.</summary>
    public void AddKeyringLabel()
    {
        if (HasLabel)
        {
            _steps.Add(new SecurityAttributeStep(new("/process/selinuxLabel"), "self/attr/keycreate",
                _process.SelinuxLabel!)
            { SkipMissing = true });
        }
    }

    /// <summary>What execve will change to. startContainer hooks take it, too, as with runc: they are the container's programs.</summary>
    public void AddExecLabels()
    {
        // Before Linux 5.8 only the directory that all modules share (proc_pid_attr(5)).
        if (HasProfile)
        {
            _steps.Add(new SecurityAttributeStep(new("/process/apparmorProfile"), "self/attr/apparmor/exec", "exec "
                + _process.ApparmorProfile)
            { Fallback = "self/attr/exec" });
        }
        if (HasLabel) _steps.Add(new SecurityAttributeStep(new("/process/selinuxLabel"), "self/attr/exec", _process.SelinuxLabel!));
    }

    /// <summary>
    /// Labels a new file system by its options, as runc does: not proc, sysfs and cgroups, whose files are the kernel's, and queues in a
    /// step of their own.
    /// </summary>
    public void AddTo(string type, List<KeyValuePair<string, string?>> options)
    {
        if (MountOption is { } option && type is not ("proc" or "sysfs" or "mqueue" or "cgroup" or "cgroup2")) options.Add(option);
    }

    /// <summary>The label of an mqueue, once it is mounted.</summary>
    public void AddQueueLabel(string type, string target)
    {
        if (MountOption is { } option && type == "mqueue") _steps.Add(new LabelQueuesStep(target, option.Value));
    }
}
