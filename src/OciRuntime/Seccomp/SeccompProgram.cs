using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>A profile, compiled.</summary>
internal sealed class SeccompProgram
{
    /// <summary>What the kernel runs on every system call.</summary>
    public required SockFilter[] Instructions { get; init; }

    /// <summary>The action for calls without a rule.</summary>
    public required uint DefaultAction { get; init; }

    /// <summary>SECCOMP_FILTER_FLAG_ bits for seccomp(2).</summary>
    public required uint Flags { get; init; }

    /// <summary>Names that no architecture knows: left out, as the specification allows for calls newer than the runtime.</summary>
    public required List<string> UnknownNames { get; init; }

    /// <summary>sendmsg(2) is allowed whatever its arguments are: neither denied nor held back.</summary>
    public bool AllowsSending { get; init; }

    /// <summary>Some calls wait for the answer of an agent, which gets the filter's listener.</summary>
    public bool NeedsListener => (Flags & SeccompFilter.FLAG_NEW_LISTENER) != 0;
}
