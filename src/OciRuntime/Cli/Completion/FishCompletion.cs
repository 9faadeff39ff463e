using System.Text;

namespace OciRuntime.Cli;

/// <summary>The script for fish 3.</summary>
internal static class FishCompletion
{
    public static string Script()
    {
        StringBuilder script = new();
        script.Append("# fish completion for ocirun, made by \"ocirun completion fish\"\n\n");
        script.Append("function __ocirun_takes_value -d 'COMMAND OPTION: whether a value follows the option'\n");
        script.Append("    switch $argv[1]:$argv[2]\n        case");
        foreach ((string verb, OptionDescription[] options) in CompletionScript.AllOptions())
        {
            foreach (OptionDescription option in options.Where(o => o.Value.Kind != ValueKind.None))
                script.Append($" {verb}:{option.Long}{(option.Short is { } letter ? $" {verb}:{letter}" : "")}");
        }
        script.Append("\n            return 0\n    end\n    return 1\nend\n\n");
        script.Append(Functions.Replace("PAYLOAD", string.Join(' ', CompletionScript.VerbsWithPayload)));
        foreach (OptionDescription option in new GlobalOptions().DescribeOptions()) Option(script, "", option);
        foreach (VerbOptions verb in Verbs.All)
            script.Append($"complete -c ocirun -n '__ocirun_in \"\"' -a {verb.VerbName} -d {Quote(verb.Summary)}\n");
        foreach (VerbOptions verb in Verbs.All) Verb(script, verb);
        return script.ToString();
    }

    private static void Verb(StringBuilder script, VerbOptions verb)
    {
        foreach (OptionDescription option in verb.DescribeOptions()) Option(script, verb.VerbName, option);
        ArgumentDescription[] arguments = verb.DescribeArguments();
        for (int i = 0; i < arguments.Length; i++)
        {
            string offers = Offers(arguments[i].Value);
            if (offers.Length > 0) script.Append($"complete -c ocirun -n '__ocirun_at {verb.VerbName} {i}'{offers}\n");
        }
    }

    private static void Option(StringBuilder script, string verb, OptionDescription option)
    {
        if (option.Hidden) return;
        string condition = verb.Length == 0 ? "'__ocirun_in \"\"'" : $"'__ocirun_in {verb}'";
        script.Append($"complete -c ocirun -n {condition}{(option.Short is { } letter ? $" -s {letter}" : "")} -l {option.Long}");
        string files = option.Value.Kind == ValueKind.File ? " -r -F" : " -x";
        if (option.Value.Kind != ValueKind.None) script.Append(files).Append(Offers(option.Value));
        script.Append($" -d {Quote(option.Text)}\n");
    }

    private static string Offers(ValueHint value) => value.Kind switch
    {
        ValueKind.Words => $" -a {Quote(string.Join(' ', value.Words))}",
        ValueKind.Directory => " -a '(__fish_complete_directories)'",
        ValueKind.Container => " -a '(__ocirun_containers)'",
        _ => "",
    };

    // In fish's single quotes a backslash escapes itself and the quote.
    private static string Quote(string text) => $"'{text.Replace("\\", "\\\\").Replace("'", "\\'")}'";

    private const string Functions =
        """
        function __ocirun_read -d 'finds the command before the cursor, the number of its arguments, whether options are over, and --root'
            set -g __ocirun_command ''
            set -g __ocirun_count 0
            set -g __ocirun_ended no
            set -g __ocirun_root
            set -l pending ''
            set -l words (commandline -opc)
            for word in $words[2..]
                set -l name (string replace -r '^--?' '' -- $word)
                if test -n "$pending"
                    if test "$pending" = root
                        set __ocirun_root --root $word
                    end
                    set pending ''
                else if test "$word" = --; and test $__ocirun_ended = no
                    set __ocirun_ended yes
                else if string match -qr '^-.' -- $word; and test $__ocirun_ended = no
                    if string match -q 'root=*' -- $name
                        set __ocirun_root --root (string replace 'root=' '' -- $name)
                    else if not string match -q '*=*' -- $name; and __ocirun_takes_value "$__ocirun_command" $name
                        set pending $name
                    end
                else if test -z "$__ocirun_command"
                    set __ocirun_command $word
                    set __ocirun_ended no
                else
                    set __ocirun_count (math $__ocirun_count + 1)
                    if contains -- $__ocirun_command PAYLOAD
                        set __ocirun_ended yes
                    end
                end
            end
        end

        function __ocirun_in -d 'COMMAND: whether an option of it may be typed'
            __ocirun_read
            test "$__ocirun_command" = "$argv[1]"; and test $__ocirun_ended = no
        end

        function __ocirun_at -d 'COMMAND NUMBER: whether that argument is to be typed, counted from 0'
            __ocirun_read
            test "$__ocirun_command" = "$argv[1]"; and test $__ocirun_count = $argv[2]
        end

        function __ocirun_containers
            __ocirun_read
            command ocirun $__ocirun_root list --quiet 2>/dev/null
        end

        complete -c ocirun -f

        """;
}
