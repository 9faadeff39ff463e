using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class StepTextTests
{
    public static IEnumerable<string> Kinds => Enum.GetNames<InitOp>();

    [TestCaseSource(nameof(Kinds))]
    public void Every_kind_of_step_has_words(string name)
    {
        InitOp kind = Enum.Parse<InitOp>(name);
        PlanStep step = new(kind, Origin.Runtime)
        {
            Text1 = "text", Text2 = "other", Joins = [], Groups = [], Candidates = ["/bin/x"], Hook = new OciRuntime.Spec.Hook(), Options = [],
            Filter = new() { Instructions = [], DefaultAction = 0, Flags = 0, UnknownNames = [] },
            A = kind == InitOp.Unshare ? 0x20000 : kind == InitOp.IoPriority ? 1 << 13 : 0,
        };
        StepText.Describe(step).Should().NotBe(kind.ToString()).And.MatchRegex("^[a-z]").And.NotEndWith(".").And.NotContain("\n");
    }

    /// <summary>A configuration must not be able to write on somebody's terminal, nor to forge a line of the log.</summary>
    [Test]
    public void Control_characters_are_shown()
    {
        StepText.Describe(new(InitOp.Hostname, Origin.Runtime) { Text1 = "a\u001b[2Jb\nc\td\u009be" }).Should().Be(@"set the hostname to a\x1b[2Jb\nc\td\u009be");
    }

    [Test]
    public void Equal_capability_sets_are_named_together()
    {
        PlanStep step = new(InitOp.Capabilities, Origin.Runtime) { A = 1, B = 1, C = 0, Bind = new() { Set = 1UL << 45 } };
        StepText.Describe(step).Should().Be("set capabilities: effective, permitted: CAP_CHOWN; inheritable: none; ambient: capability 45");
        StepText.Describe(new(InitOp.BoundingSet, Origin.Runtime) { A = (1L << 41) - 1 }).Should().EndWith("to all");
    }

    [Test]
    public void Pointer_escapes_what_a_pointer_must()
    {
        new Origin("/linux/sysctl", Member: "net/ipv4/~x").ToString().Should().Be("/linux/sysctl/net~1ipv4~1~0x");
        new Origin("/mounts", 3).ToString().Should().Be("/mounts/3");
        new Origin("/linux/namespaces", 1, "path").ToString().Should().Be("/linux/namespaces/1/path");
        Origin.Runtime.ToString().Should().Be("");
    }
}
