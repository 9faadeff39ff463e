using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>Calls whose failure would leave a way out of the container: one that fails ends the launch.</summary>
[LeavesNothing]
public sealed class IgnoredResultTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End() => _bundle.Dispose();

    /// <summary>
    /// Sources that root of the user namespace cannot reach are cloned by the runtime. A copy that stays a peer of the host's would carry
    /// the container's mounts there.
    /// </summary>
    [Test]
    public void A_source_that_cannot_be_cut_off_from_the_host()
    {
        string hidden = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "hidden"), UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute).FullName;
        string source = Directory.CreateDirectory(Path.Combine(hidden, "source")).FullName;
        List<string> places = [.. Enumerable.Range(0, 6).Select(static i => $"/v{i}")];
        foreach (string place in places) Directory.CreateDirectory(_bundle.InRootfs(place));
        _bundle.WithUserNamespace();
        System.Text.Json.Nodes.JsonNode[] rest = [.. _bundle.Mounts.Select(static mount => mount!.DeepClone())];
        _bundle.Mounts.Clear();
        // The child makes such calls, too, and they are counted for each process: these come before most of its own.
        foreach (string place in places) _bundle.AddMount(place, "bind", source, "bind");
        foreach (System.Text.Json.Nodes.JsonNode mount in rest) _bundle.Mounts.Add(mount);
        CommandResult result = Injected("mount_setattr", "error=ENOMEM", "6");
        result.ShouldFail(1, "/mounts/5: bind",
            "make the copy of the source a slave of the host's mounts: cannot allocate memory (ENOMEM)");
    }

    /// <summary>The child begins by closing all that the runtime has open. The runtime's own call of this kind is its first.</summary>
    [Test]
    public void Descriptors_that_cannot_be_closed() =>
        Injected("close_range", "error=ENOSYS", "2")
        .ShouldFail(1, "before it, close what is the runtime's own and die with it: function not implemented (ENOSYS)");

    private CommandResult Injected(string call, string what, string when)
    {
        using TestContainer container = new(_bundle.Args("true"));
        _bundle.Save();
        return Strace.Run([Ocirun.Binary.Path, "--root", container.StateRoot, "run", "--bundle", _bundle.Directory, container.Id], call,
            what, when).Result;
    }
}
