using System.Globalization;
using System.Text;
using System.Text.Unicode;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>
/// The place in a command line where reading has got to. An option's <see cref="OptionSet.Accept"/> draws its value here, and by the way
/// it draws (<see cref="Flag"/>, <see cref="Value"/>, …) says whether it takes one.
/// </summary>
public ref struct ArgumentCursor(ReadOnlySpan<string> arguments)
{
    // More than execve(2) takes, all words together.
    private const int MaxCommandLine = 8 << 20;

    private readonly ReadOnlySpan<string> _arguments = arguments;
    private int _next;

    /// <summary>The option being read, as the user would recognise it: <c>--bundle</c> or <c>-b</c>.</summary>
    public string Spelling { get; private set; } = "";

    internal readonly bool AtEnd => _next >= _arguments.Length;

    /// <summary>
    /// What stands behind the option within the same word and is not drawn yet: <c>=value</c>, or the remaining letters of a cluster like
    /// -dt.
    /// </summary>
    internal string? Tail { get; private set; }

    /// <summary>
    /// True when a value glued to a short option starts with a letter. getopt reads -bundel as -b undel; a misspelt long option is the
    /// likelier meaning, and running the wrong bundle is worse than an error. -b/run/x and -b. are beyond doubt.
    /// </summary>
    internal bool HasDubiousValue { get; private set; }

    internal string Take()
    {
        string word = _arguments[_next++];
        return word.Contains('\ufffd') && WasReplaced(word)
            ? throw new UsageException($"argument \"{VisibleText.Line(word)}\" is not valid UTF-8, as all of them have to be")
            {
                HelpHelps = false,
            }
            : word;
    }

    /// <summary>
    /// Whether the word came as bytes that are no text, and has this character where they were: it would name something else. Without
    /// /proc nobody can tell.
    /// </summary>
    private static bool WasReplaced(string word)
    {
        ReadOnlySpan<byte> line = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/cmdline", MaxCommandLine, out _) ?? [];
        foreach (System.Range at in line.Split((byte)0))
            if (!Utf8.IsValid(line[at]) && Encoding.UTF8.GetString(line[at]) == word) return true;
        return false;
    }

    internal void Enter(string spelling, string? tail)
    {
        Spelling = spelling;
        Tail = tail;
    }

    /// <summary>The option's value: what follows <c>=</c>, or the next word, whatever it looks like.</summary>
    public string Value()
    {
        if (Tail is { } tail)
        {
            Tail = null;
            HasDubiousValue |= char.IsLetter(tail[0]);
            return tail[0] == '=' ? tail[1..] : tail;
        }
        // podman recognises this text.
        return AtEnd ? throw new UsageException($"flag needs an argument: {Spelling}") : Take();
    }

    /// <summary>
    /// The value, or null when it is empty: scripts and clients that pass a variable on leave it empty to say nothing, and runc understands
    /// it so.
    /// </summary>
    public string? Text() => Value() is { Length: > 0 } text ? text : null;

    /// <summary>Adds the value of an option that may be repeated, unless it is empty.</summary>
    public void AddTo(List<string> values)
    {
        if (Text() is { } text) values.Add(text);
    }

    /// <summary>A switch: present means true, and <c>=true</c> or <c>=false</c> are understood.</summary>
    public bool Flag()
    {
        if (Tail is not ['=', ..]) return true;
        string text = Tail[1..];
        Tail = null;
        return text switch
        {
            // The spellings of Go's strconv.ParseBool, which runc's clients rely on, and those of crun's exec --tty.
            "1" or "t" or "T" or "true" or "TRUE" or "True" or "yes" => true,
            "0" or "f" or "F" or "false" or "FALSE" or "False" or "no" => false,
            _ => throw Invalid(text, "true or false"),
        };
    }

    /// <summary>A whole number that is not negative and at most <paramref name="max"/>, or null when it is empty.</summary>
    public long? Natural(long max)
    {
        if (Text() is not { } text) return null;
        bool isNumber = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= max;
        return isNumber ? number : throw Invalid(text, $"a number from 0 to {max}");
    }

    /// <summary>A whole number, or null when it is empty.</summary>
    public long? Number()
    {
        if (Text() is not { } text) return null;
        bool isNumber = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number);
        return isNumber ? number : throw Invalid(text, "a number");
    }

    /// <summary>An amount of memory in bytes, -1 for no limit, or null when it is empty.</summary>
    public long? Size()
    {
        if (Text() is not { } text) return null;
        return ByteSize.TryParse(text, out long bytes) ? bytes : throw Invalid(text, "a size such as 64m, or -1");
    }

    /// <summary>The error for a value the option cannot take, to be thrown by the caller.</summary>
    public readonly UsageException Invalid(string value, string expected) =>
        new($"invalid value \"{value}\" for flag {Spelling}: expected {expected}");
}
