using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>
/// containerd's config.toml, for its CRI plugin. What is added stands between two marks, so that it can be taken out again; a default that
/// it replaces is kept there as a comment. Not a file of its own in <c>imports</c>: until version 2.0 such a file replaces all settings of
/// the plugin.
/// </summary>
internal sealed class ContainerdConfig : EngineFile
{
    private const string DefaultKey = "default_runtime_name", Was = "# was: ";

    /// <summary>
    /// What a file begins with when there is none: containerd 1.x reads it, and so does 2.x, which translates its names of plugins.
    /// </summary>
    private const string Beginning = "version = 2\n";

    public override bool HasShim => true;

    public override string? DefaultPath(string name, string? home) => home is null ? "/etc/containerd/config.toml" : null;

    public override string With(string? text, SetupRequest r, IEnumerable<string> older)
    {
        string clean = Clean(text ?? "", r.Name);
        if (clean is not ("" or [.., '\n'])) clean += '\n';
        List<TomlStatement> statements = TomlText.Statements(clean);
        if (statements.Count == 0)
        {
            clean += Beginning;
            statements = TomlText.Statements(clean);
        }
        string[] containerd = ["plugins", PluginId(statements), "containerd"];
        string[] runtimes = [.. containerd, "runtimes"];
        RequireTables(statements, runtimes);
        if (HasWithin(statements, [.. runtimes, r.Name]))
        {
            throw new OciException(
                $"has a table [{Toml.Path([.. runtimes, r.Name])}] that setup has not written; take it out, or choose another --name");
        }

        bool hasTable = statements.Exists(s => s.IsHeader && Is(s.Table, containerd));
        StringBuilder block = new($"{Begin(r.Name)}\n");
        if (r.Default && !hasTable) block.Append($"[{Toml.Path(containerd)}]\n{DefaultLine(r)}\n");
        bool first = !statements.Exists(s => s.Path.Length > runtimes.Length && BeginsWith(s.Path, runtimes));
        if (first)
        {
            block.Append("# containerd forgets the runtime that it knows by itself as soon as one is written down.\n");
            Append(block, [.. runtimes, "runc"], "", "");
        }
        string driver = r.SystemdCgroup || RuncUsesSystemd(statements, runtimes) ? "SystemdCgroup = true\n" : "";
        // Only for the type that it has by itself does containerd 2 ask a shim for user namespaces and recursively read-only mounts. And
        // containerd 1.6, which knows no runtime_path, has its own shim run the runtime then: this one, not runc.
        string path = r.Shim is null ? "" : $"runtime_path = {Toml.String(r.Shim)}\n";
        Append(block, [.. runtimes, r.Name], path, $"BinaryName = {Toml.String(r.Binary)}\n{driver}");
        string result = clean + block.Append(End(r.Name)).Append('\n');
        return r.Default && hasTable ? WithDefault(result, statements, containerd, r) : result;
    }

    public override string? Without(string text, string name, IEnumerable<string> older)
    {
        string clean = Clean(text, name);
        return text != clean && clean == Beginning && older.All(before => before != Beginning && Clean(before, name) == Beginning)
            ? null : clean;
    }

    public override string Next(SetupRequest request, bool user) =>
        "systemctl restart containerd (containers go on)"
        + (request.Default ? "" : $"; pods choose it by a RuntimeClass (ocirun setup kubernetes --name {request.Name})")
        + $"; ctr does not read this: ctr run {(request.Shim is { } shim ? $"--runtime {shim}" : $"--runc-binary {request.Binary}")} …";

    private static void Append(StringBuilder block, string[] table, string settings, string options)
    {
        block.Append($"[{Toml.Path(table)}]\nruntime_type = \"io.containerd.runc.v2\"\n{settings}");
        if (options.Length > 0) block.Append($"[{Toml.Path([.. table, "options"])}]\n{options}");
    }

    /// <summary>
    /// The default set in a table that is there already; the statements are those of the text before anything was appended, so their places
    /// are still right.
    /// </summary>
    private static string WithDefault(string text, List<TomlStatement> statements, string[] table, SetupRequest r)
    {
        string mark = r.Name + " default";
        TomlStatement header = statements.First(s => s.IsHeader && Is(s.Table, table));
        TomlStatement? old = statements.Find(s => Is(s.Table, table) && s.Key is [DefaultKey]);
        if (old is null) return text.Insert(header.End, $"{Begin(mark)}\n{DefaultLine(r)}\n{End(mark)}\n");
        string line = text[old.Start..old.End].TrimEnd('\n');
        if (text[..old.Start].TrimEnd().Split('\n')[^1].StartsWith(Was, StringComparison.Ordinal))
            throw new OciException($"has a default that setup has written for another --name: {line.Trim()}; --remove that one first");
        return $"{text[..old.Start]}{Begin(mark)}\n{Was}{line}\n{DefaultLine(r)}\n{End(mark)}\n{text[old.End..]}";
    }

    /// <summary>The text without what stands between our marks, and with what it had replaced.</summary>
    private static string Clean(string text, string name)
    {
        StringBuilder clean = new();
        string? end = null;
        foreach (string line in text.Split('\n'))
        {
            if (end is not null)
            {
                if (line == end) end = null;
                else if (line.StartsWith(Was, StringComparison.Ordinal))
                    clean.Append(line, Was.Length, line.Length - Was.Length).Append('\n');
            }
            else if (line == Begin(name))
            {
                end = End(name);
            }
            else if (line == Begin(name + " default"))
            {
                end = End(name + " default");
            }
            else
            {
                clean.Append(line).Append('\n');
            }
        }
        if (end is not null) throw new OciException($"has no line \"{end}\" after the one that begins");
        // Split has seen one more line than there are line ends.
        return clean.ToString(0, clean.Length - 1);
    }

    private static string PluginId(List<TomlStatement> statements)
    {
        string version = statements.Find(static s => s.Table.Length == 0 && s.Key is ["version"])?.Value ?? "";
        return version switch
        {
            "2" => "io.containerd.grpc.v1.cri",
            // 3 came with containerd 2.0, 4 with 2.3: that one moved the daemon's own settings, and no runtime's.
            "3" or "4" => "io.containerd.cri.v1.runtime",
            "" => throw new OciException(
                "has no \"version = …\" at its top, so that containerd reads it by the rules of version 1, where plugins have other names; "
                + "add version = 2, 3 or 4, if that is what the rest is written for"),
            _ => throw new OciException($"is of version {version}; setup knows 2, 3 and 4"),
        };
    }

    /// <summary>TOML lets nobody add to a table that is written in braces or by dotted keys, so there is no place for ours then.</summary>
    private static void RequireTables(List<TomlStatement> statements, string[] runtimes)
    {
        foreach (TomlStatement s in statements)
        {
            bool braces = !s.IsHeader && BeginsWith(runtimes, s.Path);
            bool dotted = !s.IsHeader && (InDots(s, runtimes[..^1]) || InDots(s, runtimes));
            bool array = s.IsArray && BeginsWith(runtimes, s.Path);
            if (braces || dotted || array)
            {
                throw new OciException(
                    $"has {Toml.Path(s.Path)} in a form that nothing can be added to; write it with headers, such as "
                    + $"[{Toml.Path(runtimes)}.runc]");
            }
        }
    }

    private static bool Is(string[] path, string[] other) => path.AsSpan().SequenceEqual(other);

    private static bool InDots(TomlStatement s, string[] table) => s.Table.Length < table.Length && BeginsWith(s.Path, table);

    private static bool BeginsWith(string[] path, string[] beginning) =>
        path.Length >= beginning.Length && path.AsSpan(0, beginning.Length).SequenceEqual(beginning);

    private static bool HasWithin(List<TomlStatement> statements, string[] table) => statements.Exists(s => BeginsWith(s.Path, table));

    private static bool RuncUsesSystemd(List<TomlStatement> statements, string[] runtimes) =>
        statements.Exists(s => Is(s.Table, [.. runtimes, "runc", "options"]) && s.Key is ["SystemdCgroup"] && s.Value == "true");

    private static string DefaultLine(SetupRequest r) => $"{DefaultKey} = {Toml.String(r.Name)}";

    private static string Begin(string what) => $"# begin ocirun setup: {what}";

    private static string End(string what) => $"# end ocirun setup: {what}";
}
