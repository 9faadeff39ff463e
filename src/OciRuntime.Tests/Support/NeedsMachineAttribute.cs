namespace OciRuntime.Tests;

/// <summary>
/// Marks what an ordinary user on a machine with nothing but the SDK cannot do: start the published binary, run programs of packages,
/// mount, make cgroups. Whatever test reaches it, at however many removes, is a system test; <see cref="Support.SortTestsAttribute"/> finds
/// that out, so tests need no mark of their own. On a fixture or a test method it is for what must be a system test for another reason,
/// such as a need for a quiet machine.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method | AttributeTargets.Property)]
public sealed class NeedsMachineAttribute : Attribute;
