using NUnit.Framework;

namespace OciRuntime.Tests;

/// <summary>
/// Marks those of the engines' tests that `build.sh test` runs with the engines of this machine: what most likely differs from one version
/// to the next, and what takes too long to be done twice. All others run with the engines of another Debian only (scripts/engines.sh).
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class ThisMachinesEnginesAttribute : CategoryAttribute;
