using System.Text;

namespace OciRuntime.Cli;

/// <summary>The script for zsh's completion system, to be installed as <c>_ocirun</c> in a directory of $fpath.</summary>
internal static class ZshCompletion
{
    public static string Script()
    {
        StringBuilder script = new();
        script.Append("#compdef ocirun\n# made by \"ocirun completion zsh\"\n").Append(Head);
        foreach (OptionDescription option in new GlobalOptions().DescribeOptions()) Option(script, "    ", option);
        script.Append("    '1:command:->command' '*:: :->arguments' && ret=0\n\n  case $state in\n    command)\n      commands=(\n");
        foreach (VerbOptions verb in Verbs.All) script.Append($"        {CompletionScript.Quote($"{verb.VerbName}:{verb.Summary}")}\n");
        script.Append(Middle);
        foreach (VerbOptions verb in Verbs.All) Verb(script, verb);
        return script.Append(Tail).ToString();
    }

    private static void Verb(StringBuilder script, VerbOptions verb)
    {
        script.Append($"        {verb.VerbName})\n          _arguments -s -S \\\n");
        foreach (OptionDescription option in verb.DescribeOptions()) Option(script, "            ", option);
        bool payload = verb.OptionsEndAtFirstArgument;
        ArgumentDescription[] arguments = verb.DescribeArguments();
        for (int i = 0; i < arguments.Length; i++)
        {
            // "(-)": no options any more. "*::" would have _arguments look at the payload as a command line of its own.
            string place = arguments[i].Repeated ? "*" : payload ? $"(-){i + 1}" : $"{i + 1}";
            string optional = arguments[i].Required || arguments[i].Repeated ? ":" : "::";
            // Not the blank of options, whose message would keep the one option that is left from being inserted.
            string action = arguments[i].Value.Kind == ValueKind.Any ? "()" : Action(arguments[i].Value);
            script.Append($"            {CompletionScript.Quote($"{place}{optional}{Escape(arguments[i].Name)}:{action}")} \\\n");
        }
        script.Append("            && ret=0\n          ;;\n");
    }

    private static void Option(StringBuilder script, string indent, OptionDescription option)
    {
        if (option.Hidden) return;
        string[] names = [.. option.Spellings];
        string value = option.MetaValue is null ? "" : $":{Escape(option.MetaValue)}:{Action(option.Value)}";
        string others = option.Repeated ? "*" : names.Length > 1 ? $"({string.Join(' ', names)})" : "";
        string text = option.Text.Replace("\\", "\\\\").Replace("[", "\\[").Replace("]", "\\]");
        foreach (string name in names)
        {
            // How a value may be attached: -bDIR, --bundle=DIR.
            string attached = option.MetaValue is null ? "" : name.StartsWith("--", StringComparison.Ordinal) ? "=" : "+";
            script.Append($"{indent}{CompletionScript.Quote($"{others}{name}{attached}[{text}]{value}")} \\\n");
        }
    }

    private static string Action(ValueHint value) => value.Kind switch
    {
        ValueKind.Words => $"({string.Join(' ', value.Words)})",
        ValueKind.File => "_files",
        ValueKind.Directory => "_files -/",
        ValueKind.Container => "_ocirun_containers",
        // A blank: the message only.
        _ => " ",
    };

    private static string Escape(string text) => text.Replace("\\", "\\\\").Replace(":", "\\:");

    private const string Head =
        """

        _ocirun_containers() {
          local -a names expl
          names=(${(f)"$(command ocirun "${ocirun_root[@]}" list --quiet 2>/dev/null)"})
          _wanted containers expl container compadd -a names
        }

        _ocirun() {
          local curcontext="$curcontext" context state state_descr line ret=1
          local -a commands ocirun_root
          typeset -A opt_args

          _arguments -s -S -C \

        """;

    private const string Middle =
        """
              )
              _describe -t commands command commands && ret=0
              ;;
            arguments)
              if [[ -n ${opt_args[--root]} ]]; then ocirun_root=(--root "${${(Q)opt_args[--root]}/#\~\//$HOME/}"); fi
              case $words[1] in

        """;

    private const string Tail =
        """
              esac
              ;;
          esac
          return ret
        }

        # Called by the completion system for the first time, or read by "source".
        if [[ $funcstack[1] == _ocirun ]]; then _ocirun "$@"; else compdef _ocirun ocirun; fi

        """;
}
