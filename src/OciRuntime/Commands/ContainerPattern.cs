using System.Text.RegularExpressions;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>--regex</c>: one command for every container whose ID matches, as crun has it.</summary>
internal static class ContainerPattern
{
    /// <summary>Does <paramref name="action"/> to each match. One failure does not spare the rest; all are reported together.</summary>
    public static void ForEach(ContainerStore store, string pattern, Action<string> action)
    {
        Regex regex = Compile(pattern);
        List<string> failures = [];
        foreach (string id in store.List())
        {
            if (!regex.IsMatch(id)) continue;
            try
            {
                action(id);
            }
            catch (OciException e)
            {
                failures.Add($"{id}: {e.Message}");
            }
        }
        if (failures.Count > 0) throw new OciException(string.Join("; ", failures));
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (RegexParseException e)
        {
            // The exception's own text is not in the binary.
            throw new OciException($"invalid regular expression \"{pattern}\": {e.Error} at character {e.Offset}", Errno.EINVAL);
        }
    }
}
