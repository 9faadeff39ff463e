using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>The list by which the binary is laid out. A name that is not there any more does no harm and no good.</summary>
public sealed class FunctionOrderTests
{
    private const string Prefix = "ocirun_";

    [Test]
    public void Nearly_all_of_the_order_is_of_types_that_are_there()
    {
        Type[] all = typeof(RuntimeSpec).Assembly.GetTypes();
        HashSet<string> types = [.. all.Select(static type => type.FullName!.Replace('.', '_').Replace('`', '_'))];
        string[] ours = [.. File.ReadLines(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime/FunctionOrder.txt"))
            .Where(static name => name.StartsWith(Prefix + "OciRuntime_", StringComparison.Ordinal))
            .Select(static name => TypeOf(name[Prefix.Length..]))];
        ours.Should().HaveCountGreaterThan(500);
        ours.Where(name => !types.Contains(name)).Should().HaveCountLessThan(ours.Length / 20, "scripts/order.sh makes the list anew");
    }

    // Namespace_Type__Method, Namespace_Type_1<Argument>__Method.
    private static string TypeOf(string name) => name.Split('<')[0].Split("__")[0];
}
