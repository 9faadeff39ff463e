using System.Text;

namespace OciRuntime.Cli;

/// <summary>The script for bash 4.4 and newer. It does not need the package bash-completion.</summary>
internal static class BashCompletion
{
    public static string Script()
    {
        StringBuilder script = new();
        script.Append("# bash completion for ocirun, made by \"ocirun completion bash\"\n\n");
        script.Append("# _ocirun_value COMMAND OPTION: sets offers to what may stand behind the option; fails when it is a switch.\n");
        script.Append("_ocirun_value() {\n  case $1:$2 in\n");
        foreach ((string verb, OptionDescription[] options) in CompletionScript.AllOptions()) Values(script, verb, options);
        script.Append("    *) return 1 ;;\n  esac\n}\n\n# _ocirun_options COMMAND: sets offers to its options.\n");
        script.Append("_ocirun_options() {\n  case $1 in\n");
        foreach ((string verb, OptionDescription[] options) in CompletionScript.AllOptions())
        {
            script.Append($"    '{verb}') offers=({Words(options.Where(o => !o.Hidden).SelectMany(o => o.Spellings))}) ;;\n");
        }
        script.Append("  esac\n}\n\n# _ocirun_argument COMMAND NUMBER: sets offers to what its argument may be, counted from 0.\n");
        script.Append("_ocirun_argument() {\n  case $1:$2 in\n");
        foreach (VerbOptions verb in Verbs.All) Arguments(script, verb);
        script.Append($"  esac\n}}\n\n_ocirun_commands=({Words(Verbs.All.Select(v => v.VerbName))})\n");
        script.Append(Body.Replace("PAYLOAD", string.Join(" | ", CompletionScript.VerbsWithPayload)));
        return script.ToString();
    }

    private static void Values(StringBuilder script, string verb, OptionDescription[] options)
    {
        foreach (OptionDescription option in options.Where(o => o.Value.Kind != ValueKind.None))
        {
            string names = string.Join(" | ", new[] { option.Short, option.Long }.OfType<string>().Select(name => $"{verb}:{name}"));
            script.Append($"    {names}) offers=({Offers(option.Value)}) ;;\n");
        }
    }

    private static void Arguments(StringBuilder script, VerbOptions verb)
    {
        ArgumentDescription[] arguments = verb.DescribeArguments();
        for (int i = 0; i < arguments.Length; i++)
        {
            if (Offers(arguments[i].Value) is { Length: > 0 } offers) script.Append($"    {verb.VerbName}:{i}) offers=({offers}) ;;\n");
        }
    }

    private static string Offers(ValueHint value) => value.Kind switch
    {
        ValueKind.Words => Words(value.Words),
        ValueKind.File => "@file",
        ValueKind.Directory => "@directory",
        ValueKind.Container => "@container",
        _ => "",
    };

    private static string Words(IEnumerable<string> words) => string.Join(' ', words.Select(CompletionScript.Quote));

    // compgen -W expands its words like a command line, so the containers' names are compared one by one.
    private const string Body =
        """

        _ocirun_root() {
          local path=${1//[\"\'\\]/}
          root=(--root "${path/#\~\//"$HOME"/}")
        }

        _ocirun_offer() {
          local word names
          case ${offers[0]-} in
            @file | @directory)
              compopt -o filenames 2>/dev/null
              if [[ ${offers[0]} == @file ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); else mapfile -t COMPREPLY < <(compgen -d -- "$current"); fi
              return
              ;;
            @container)
              mapfile -t names < <(command ocirun "${root[@]}" list --quiet 2>/dev/null)
              offers=("${names[@]}")
              ;;
          esac
          for word in "${offers[@]}"; do
            if [[ $word == "$current"* ]]; then COMPREPLY+=("$word"); fi
          done
        }

        _ocirun() {
          local i words=() word name command='' pending='' ended='' count=0 root=() offers=() current=${COMP_WORDS[COMP_CWORD]} glue=''
          COMPREPLY=()
          # Readline makes words of "=" and ":", too.
          for ((i = 0; i <= COMP_CWORD; i++)); do
            if ((i > 1)) && [[ ${COMP_WORDS[i]} =~ ^[=:]+$ || ${COMP_WORDS[i - 1]} =~ ^[=:]+$ ]]; then words[-1]+=${COMP_WORDS[i]}; else words+=("${COMP_WORDS[i]}"); fi
          done
          if [[ $current =~ ^[=:]+$ ]]; then current=''; fi
          for word in "${words[@]:1:${#words[@]}-2}"; do
            name=${word#-}
            name=${name#-}
            if [[ $pending ]]; then
              if [[ $pending == root ]]; then _ocirun_root "$word"; fi
              pending=''
            elif [[ $word == -- && ! $ended ]]; then
              ended=yes
            elif [[ $word == -?* && ! $ended ]]; then
              case $name in
                root=*) _ocirun_root "${name#root=}" ;;
                *=*) ;;
                *) if _ocirun_value "$command" "$name"; then pending=$name; fi ;;
              esac
            elif [[ ! $command ]]; then
              command=$word ended=''
            else
              count=$((count + 1))
              case $command in PAYLOAD) ended=yes ;; esac
            fi
          done
          offers=()
          word=${words[-1]}
          if [[ $pending ]]; then
            _ocirun_value "$command" "$pending"
          elif [[ $word == -*=* && ! $ended ]]; then
            name=${word%%=*}
            if [[ $current == -*=* ]]; then glue=$name= current=${current#*=}; fi
            name=${name#-}
            _ocirun_value "$command" "${name#-}"
          elif [[ $word == -* && ! $ended ]]; then
            _ocirun_options "$command"
          elif [[ ! $command ]]; then
            offers=("${_ocirun_commands[@]}")
          else
            _ocirun_argument "$command" "$count"
          fi
          _ocirun_offer
          if [[ $glue ]]; then COMPREPLY=("${COMPREPLY[@]/#/$glue}"); fi
        }

        complete -F _ocirun ocirun

        """;
}
