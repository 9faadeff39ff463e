using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>linux.seccomp for bundles.</summary>
internal static class SeccompBundle
{
    /// <summary>Sets a profile; rules are added by Rule.</summary>
    public static TestBundle Seccomp(this TestBundle bundle, string defaultAction, uint? errno = null)
    {
        JsonObject seccomp = new() { ["defaultAction"] = defaultAction, ["syscalls"] = new JsonArray() };
        if (errno is { } number) seccomp["defaultErrnoRet"] = number;
        bundle.Linux["seccomp"] = seccomp;
        return bundle;
    }

    /// <summary>Adds a rule without conditions.</summary>
    public static TestBundle Rule(this TestBundle bundle, string action, params string[] names) => bundle.Rule(action, null, names);

    /// <inheritdoc cref="Rule(TestBundle, string, string[])"/>
    public static TestBundle Rule(this TestBundle bundle, string action, uint? errno, params string[] names)
    {
        JsonObject rule = new() { ["names"] = TestBundle.Strings(names), ["action"] = action };
        if (errno is { } number) rule["errnoRet"] = number;
        bundle.Linux["seccomp"]!["syscalls"]!.AsArray().Add(rule);
        return bundle;
    }

    /// <summary>Sets process.noNewPrivileges, which decides when the filter is loaded.</summary>
    public static TestBundle NoNewPrivileges(this TestBundle bundle, bool value)
    {
        bundle.Process["noNewPrivileges"] = value;
        return bundle;
    }
}
