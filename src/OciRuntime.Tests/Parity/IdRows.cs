using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>Names of containers that are accepted and refused.</summary>
internal static class IdRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("names",
            Accepted("all characters", "{id}a+b_c.d-E"),
            Accepted("two dots in it", "{id}..x"),
            Refused("a blank", "'{id} x'"),
            Refused("a slash", "{id}/x"),
            Refused("a colon", "{id}:x"),
            Refused("an at sign", "{id}@x"),
            Refused("a letter beyond ASCII", "{id}ü"),
            Refused("nothing", "''"),
            Refused("one dot", "."),
            Refused("two dots", ".."),
            Refused("a way up", "../{id}"),
            Refused("too long", "{id}" + new string('x', 300)),
            new("state of a name that cannot be", "state ../{id}"),
            new("state of no name", "state ''"),
            new("delete --force of a name that cannot be", "delete --force ../{id}"),
            new("kill of a name that cannot be", "kill a/b")) ,
    ];

    private static Row Accepted(string what, string id) => new(what, $"create --bundle {{bundle}} {id}") { };

    private static Row Refused(string what, string id) => new(what, $"create --bundle {{bundle}} {id}") { Compared = Compared.Exit | Compared.Stderr | Compared.Containers };
}
