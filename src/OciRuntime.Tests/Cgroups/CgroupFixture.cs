using System.Diagnostics;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;
using Process = System.Diagnostics.Process;

namespace OciRuntime.Tests.Cgroups;

/// <summary>Real cgroups of this host below a name of its own, gone again after each test, however it ends.</summary>
public abstract class CgroupFixture
{
    private static int s_number;
    private readonly List<string> _paths = [];
    private readonly List<Process> _processes = [];
    private string[] _enabled = [];

    private protected CgroupHost Host { get; private set; } = null!;

    private protected string Name { get; private set; } = "";

    [SetUp]
    [NeedsMachine]
    public void Open()
    {
        Assert.That(Processes.EffectiveUid(), Is.Zero, "cgroups are root's to make, as build.sh test is to run system tests");
        Host = CgroupHost.Probe();
        if (Host.Mode is CgroupMode.None) Assert.Ignore("missing: a mounted cgroup hierarchy");
        _enabled = Enabled();
        Name = $"ocirun-test-{Environment.ProcessId}-{Interlocked.Increment(ref s_number)}";
    }

    [TearDown]
    public void CleanUp()
    {
        foreach (Process p in _processes)
        {
            try
            {
                p.Kill();
            }
            catch (InvalidOperationException)
            {
                // Already gone.
            }
        }
        CgroupControl control = new(_paths);
        control.KillAll(Processes.SIGKILL);
        foreach (Process p in _processes) p.WaitForExit();
        control.Remove(TimeSpan.FromSeconds(5));
        foreach (CgroupHierarchy h in Host.Hierarchies) Directory.Exists(h.MountPoint + "/" + Name).Should(false, h.MountPoint);
        // Planning for pure v2 hands down what the root has; on a hybrid host that was not so before.
        foreach (string controller in Enabled().Except(_enabled))
            System.IO.File.WriteAllText(Host.Unified!.MountPoint + "/cgroup.subtree_control", "-" + controller);
        _paths.Clear();
        _processes.Clear();
    }

    private string[] Enabled() => Host.Unified is null
        ? []
        : System.IO.File.ReadAllText(Host.Unified.MountPoint + "/cgroup.subtree_control")
        .Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private protected CgroupPlan Plan(LinuxResources? resources = null, string below = "")
    {
        CgroupPlan plan = CgroupPlan.Build(Host, new(Name, "/" + Name + below, resources));
        foreach (CgroupHierarchy h in Host.Hierarchies) _paths.Add(h.MountPoint + "/" + Name);
        return plan;
    }

    private protected CgroupPlan PlanOn(string controllerOrUnified, LinuxResources? resources = null, string below = "")
    {
        CgroupHierarchy h = (controllerOrUnified == "unified" ? Host.Unified : Host.Find(controllerOrUnified))
            ?? throw new IgnoreException("no hierarchy " + controllerOrUnified);
        _paths.Add(h.MountPoint + "/" + Name);
        // A pure v2 host in what is planned, though mounted elsewhere.
        return CgroupPlan.Build(new CgroupHost(h.Unified ? CgroupMode.V2 : CgroupMode.V1, [h]),
            new(Name, "/" + Name + below, resources) { RuntimeInUserNamespace = !h.Unified && !h.Has("devices") });
    }

    private protected string File(string controller, string file) =>
        System.IO.File.ReadAllText($"{Host.Find(controller)!.MountPoint}/{Name}/{file}").Trim();

    private protected Process Start(string program, params string[] arguments)
    {
        Process p = Support.Children.Start(new ProcessStartInfo(program,
            arguments)
        { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true });
        _processes.Add(p);
        return p;
    }

    private protected Process Sleeper(OpenCgroups entry)
    {
        Process p = Start("sleep", "1000");
        entry.EnterByPid(p.Id);
        return p;
    }
}

internal static class Expect
{
    public static void Should(this bool actual, bool expected, string what) => Assert.That(actual, Is.EqualTo(expected), what);
}
