using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// Names of containers that are accepted and refused. crun takes nearly everything that can be a directory, so the lists of containers
/// differ from there on.
/// </summary>
internal static class IdRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("names",
            Create("all characters", "{id}a+b_c.d-E") with { Relation = SameAsBoth },
            Create("two dots in it", "{id}..x") with { Relation = SameAsBoth },
            Create("nothing", "''") with { Relation = SameAsBoth },
            Create("one dot", ".") with { Relation = SameAsBoth, Says = ["invalid container ID format"] },
            Create("two dots", "..") with { Relation = SameAsBoth },
            Create("a slash", "{id}/x") with { Relation = SameAsBoth },
            Create("a way up", "../{id}") with { Relation = SameAsBoth },
            Create("too long", "{id}" + new string('x', 300)) with { Relation = SameAsBoth },
            new("state of a name that cannot be", "state ../{id}"),
            new("state of no name", "state ''"),
            new("kill of a name that cannot be", "kill a/b"),
            new("delete --force of a name that cannot be", "delete --force {id}/x") { Relation = SameAsRunc },
            Create("a blank", "'{id} x'"),
            Create("a colon", "{id}:x"),
            Create("an at sign", "{id}@x"),
            Create("a letter beyond ASCII", "{id}ü")) { Bundle = static b => b.Linux.Remove("cgroupsPath") },
    ];

    private static Row Create(string what, string id) => new(what, $"create --bundle {{bundle}} {id}") { Relation = SameAsRunc };
}
