using NUnit.Framework;

namespace OciRuntime.Tests;

/// <summary>
/// Marks tests that hold a time against a bound: on a machine that does other things too they can fail without a fault of ours.
/// `build.sh test` gives what fails there one more try, in the open, like <see cref="ForeignDaemonAttribute"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class MeasuresTimeAttribute : CategoryAttribute;
