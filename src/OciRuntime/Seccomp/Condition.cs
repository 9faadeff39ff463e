namespace OciRuntime.Seccomp;

/// <summary>SCMP_CMP_ operators.</summary>
internal enum Comparison : byte
{
    NotEqual, Less, LessOrEqual, Equal, GreaterOrEqual, Greater, MaskedEqual,
}

/// <summary>A condition on one argument.</summary>
/// <param name="Argument">0 to 5.</param>
/// <param name="Operator">The comparison.</param>
/// <param name="Mask">Significant bits; all but for MASKED_EQ.</param>
/// <param name="Value">What the argument is compared with.</param>
internal readonly record struct Condition(byte Argument, Comparison Operator, ulong Mask, ulong Value)
{
    /// <summary>No bit of the argument matters on this architecture: always true, and as good as absent.</summary>
    public bool IsTautology(bool wide) => Operator == Comparison.MaskedEqual && (wide ? Mask : (uint)Mask) == 0;
}
