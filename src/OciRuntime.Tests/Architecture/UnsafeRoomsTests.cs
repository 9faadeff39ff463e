using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// Unsafe code is in the rooms that docs/architecture.md says. The source is searched: the compiler takes pointers only where the word
/// "unsafe" stands, and what is as good as pointers goes by a few names.
/// </summary>
public sealed partial class UnsafeRoomsTests
{
    [Test]
    public void Unsafe_code_is_where_it_may_be() =>
        Files().Where(static file => !Rooms.Find(RoomOf(file)).IsUnsafe && IsUnsafe(file)).Should().BeEmpty();

    [Test]
    public void Rooms_that_may_have_unsafe_code_have_some() =>
        Rooms.All.Where(static room => room.Value.IsUnsafe).Select(static room => room.Key)
            .Should().BeSubsetOf(Files().Where(IsUnsafe).Select(RoomOf));

    [TestCase("internal unsafe struct S", true)]
    [TestCase("int n = Unsafe.SizeOf<S>();", true)]
    [TestCase("MemoryMarshal.AsBytes(span)", true)]
    [TestCase("void* p = NativeMemory.Alloc(1);", true)]
    [TestCase("// unsafe to use", false)]
    [TestCase("w.WriteString(\"unsafe\"u8, 1);", false)]
    [TestCase("JavaScriptEncoder.UnsafeRelaxedJsonEscaping", false)]
    public void What_counts(string line, bool expected) => HasUnsafe(line).Should().Be(expected);

    private static IEnumerable<string> Files()
    {
        string root = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime");
        return Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(root, file))
            .Where(static file => RoomOf(file) is not ("obj" or "bin"));
    }

    private static string RoomOf(string file) => file.Split('/')[0];

    private static bool IsUnsafe(string file) => HasUnsafe(File.ReadAllText(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime", file)));

    private static bool HasUnsafe(string text) => Words().IsMatch(NoCode().Replace(text, ""));

    [GeneratedRegex(@"//.*$|""([^""\\]|\\.)*""", RegexOptions.Multiline)]
    private static partial Regex NoCode();

    [GeneratedRegex(@"\bunsafe\b|\b(Unsafe|MemoryMarshal|NativeMemory|Marshal|GCHandle)\.")]
    private static partial Regex Words();
}
