using System.Text;
using System.Text.Json.Nodes;

namespace OciRuntime.Tests.Fuzz;

/// <summary>Makes new documents of known ones: mostly well-formed JSON with values where they belong, sometimes broken text.</summary>
internal sealed class JsonMutator(Corpus corpus, Random random)
{
    /// <summary>On the edges of what types hold.</summary>
    public static readonly string[] Numbers =
    [
        "0", "-0", "1", "-1", "2", "7", "63", "64", "65", "127", "255", "256", "1023", "4095", "4096", "65535", "65536", "2147483647",
        "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "1e3",
        "1e400", "-1e-400", "0.5", "1.0", "1E19",
    ];

    private static readonly string[] Texts =
    [
        "", " ", "/", "//", ".", "..", "/..", "/../..", "/proc", "/proc/self", "/proc/self/exe", "/proc/sys", "/proc/cpuinfo", "/sys",
        "/dev", "/dev/pts", "/dev/null", "/a/../b", "a/b", "/a//b/", "/./a", "relative", "\0", "/a\0b", "a\nb",
        "\u001b[31m", "é", "/ü", "\U0001F600", "\ufeff", "a,b", "a=b", "=", ":", "%s%d", "%", "*", "a:b:c", "0", "-1", "1", "0-3", "3-0",
        "0-", ",", "0,,1", "0-999999999", "max", "rw", "ro", "bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap",
        "idmap=uids=0-0-1;gids=0-0-1", "shared", "size=1m", "mode=755", "context=\"a:b,c\"", "copy-symlink", "src-nofollow",
        "dest-nofollow", "none", "tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "overlay",
        "SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY", "SCMP_CMP_MASKED_EQ", "CAP_SYS_ADMIN", "CAP_NONE", "RLIMIT_NOFILE", "SCHED_DEADLINE",
        "IOPRIO_CLASS_RT", "MPOL_BIND", "LINUX32", "kernel.msgmax", "net/ipv4/ip_forward", "..sysctl",
    ];

    /// <summary>The next input.</summary>
    public byte[] Next()
    {
        JsonNode document = Pick(corpus.Documents).DeepClone();
        for (int count = random.Next(1, random.Next(2, 8)); count > 0; count--) document = Mutate(document);
        byte[] text = Encoding.UTF8.GetBytes(document.ToJsonString());
        return random.Next(8) == 0 ? Damage(text) : text;
    }

    private JsonNode Mutate(JsonNode document)
    {
        List<(JsonNode? Parent, string Name, JsonNode? Node)> places = [];
        Walk(places, null, "", document);
        if (places.Count == 0) return document;
        (JsonNode? parent, string name, JsonNode? node) = Pick(places);
        switch (random.Next(10))
        {
            case 0: Remove(parent, node); break;
            case 1 or 2 when node is JsonArray { Count: > 0 } array: Repeat(array); break;
            case 3 or 4 when node is JsonObject members: Extend(members, name); break;
            case 5: Replace(parent, node, Any()); break;
            default: Replace(parent, node, Similar(name, node)); break;
        }
        return document;
    }

    private static void Walk(List<(JsonNode?, string, JsonNode?)> places, JsonNode? parent, string name, JsonNode? node)
    {
        if (parent is not null) places.Add((parent, name, node));
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array) Walk(places, array, name + "[]", item);
        }
        else if (node is JsonObject members)
        {
            if (parent is null) places.Add((null, name, node));
            foreach ((string member, JsonNode? value) in members) Walk(places, members, member, value);
        }
    }

    private static void Remove(JsonNode? parent, JsonNode? node) => Replace(parent, node, null, remove: true);

    private static void Replace(JsonNode? parent, JsonNode? node, JsonNode? value, bool remove = false)
    {
        if (parent is JsonArray array && array.IndexOf(node) is var index and >= 0)
        {
            array.RemoveAt(index);
            if (!remove) array.Insert(index, value);
        }
        else if (parent is JsonObject members && members.FirstOrDefault(m => ReferenceEquals(m.Value, node)).Key is { } key)
        {
            members.Remove(key);
            if (!remove) members[key] = value;
        }
    }

    /// <summary>More of the same, in number or in place.</summary>
    private void Repeat(JsonArray array)
    {
        int copies = random.Next(20) == 0 ? random.Next(1, 400) : random.Next(1, 4);
        for (; copies > 0; copies--) array.Insert(random.Next(array.Count + 1), Pick(array)?.DeepClone());
    }

    /// <summary>A property that such an object has elsewhere.</summary>
    private void Extend(JsonObject members, string name)
    {
        string member = corpus.Members.TryGetValue(name, out SortedSet<string>? known) && known.Count > 0 && random.Next(10) > 0
            ? Pick([.. known]) : Pick(Texts);
        members[member] = Similar(member, null);
    }

    /// <summary>A value for a property of this name: from the fixtures, or on the edge of what its type can hold.</summary>
    private JsonNode? Similar(string name, JsonNode? node)
    {
        if (random.Next(3) == 0 && corpus.ByName.TryGetValue(name, out List<JsonNode?>? values)) return Pick(values)?.DeepClone();
        return node switch
        {
            JsonValue value when value.TryGetValue(out string? text) => random.Next(2) == 0 ? Pick(Texts) : Twist(text),
            JsonValue value when value.TryGetValue(out bool flag) => !flag,
            JsonValue => Number(),
            JsonArray => new JsonArray(Any(), Any()),
            _ => Any(),
        };
    }

    private JsonNode? Any() => random.Next(8) switch
    {
        0 => null,
        1 => true,
        2 => new JsonArray(),
        3 => new JsonObject(),
        4 => Number(),
        5 => new string('a', random.Next(40) == 0 ? random.Next(200_000) : random.Next(300)),
        _ => Pick(Texts),
    };

    private JsonNode? Number() => JsonNode.Parse(Pick(Numbers));

    private string Twist(string text) => random.Next(7) switch
    {
        0 => text + Pick(Texts),
        1 => Pick(Texts) + text,
        2 => text.Length > 0 ? text[..random.Next(text.Length)] : "/",
        3 => text + "/..",
        4 => text.ToUpperInvariant(),
        5 => text.Replace("/", "//"),
        _ => string.Concat(Enumerable.Repeat(text, random.Next(1, 40))),
    };

    /// <summary>Text that may be no JSON any more: cut, nested, with bytes changed, repeated or lost.</summary>
    private byte[] Damage(byte[] text)
    {
        List<byte> bytes = [.. text];
        for (int count = random.Next(1, 4); count > 0 && bytes.Count > 0; count--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes.RemoveRange(at, bytes.Count - at); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(64), bytes.Count - at))); break;
                case 3: bytes.RemoveRange(at, Math.Min(random.Next(16), bytes.Count - at)); break;
                case 4: bytes.InsertRange(at, Enumerable.Repeat((byte)'[', random.Next(2000))); break;
                default: bytes.InsertRange(at, "{\"\\u0000\\ud800\":\xff"u8); break;
            }
        }
        return [.. bytes];
    }

    private T Pick<T>(IList<T> from) => from[random.Next(from.Count)];
}
