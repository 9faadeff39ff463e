using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <content>Joined namespaces on a kernel before 6.18, where procfs cannot be mounted for a pid namespace from outside.</content>
public sealed partial class PlainTests
{
    private void AddNamespaceChecks() => _vm.Add(
        nameof(Proc_of_a_joined_pid_namespace),
        static bundle => bundle.Script("[ $$ = 1 ] && exec sleep 1000; ls /proc | grep -qx $$ && cat /proc/1/comm"),
        $"""
        {Begin}
        pid=$(ocirun state $id | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
        sed "s|\"type\":\"pid\"|&,\"path\":\"/proc/$pid/ns/pid\"|; s|\"cgroupsPath\":\"[^\"]*|&-joined|" config.json >joined.json
        ocirun run --config joined.json $id-joined
        {End}
        """);

    [Test]
    public void Proc_of_a_joined_pid_namespace() =>
    _vm.Result(nameof(Proc_of_a_joined_pid_namespace)).ShouldSucceed().Stdout.Should().Be("sleep\n");
}
