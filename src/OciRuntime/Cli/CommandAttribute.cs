namespace OciRuntime.Cli;

/// <summary>What CommandLineParser's <c>[Verb]</c> has no words for.</summary>
/// <param name="place">
/// Where the help lists the command: those with lower numbers come before it. In tens, so that another fits in between.
/// </param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class CommandAttribute(int place) : Attribute
{
    public int Place { get; } = place;

    public Prelude Prelude { get; init; }
}

/// <summary>What Native/seal.c does before the .NET runtime starts when a word of the command line is the command's name.</summary>
internal enum Prelude
{
    Nothing,

    /// <summary>Blocks signals, so that they can be read from a descriptor.</summary>
    BlockSignals,

    /// <summary>
    /// That, and goes on from a copy of the program that a process which enters a container cannot write to (CVE-2019-5736).
    /// </summary>
    Seal,
}
