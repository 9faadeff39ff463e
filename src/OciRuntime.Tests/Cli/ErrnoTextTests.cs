using System.Runtime.InteropServices;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using Errno = Mono.Unix.Native.Errno;

namespace OciRuntime.Tests.Cli;

public sealed class ErrnoTextTests
{
    [TestCase(1, "EPERM", "operation not permitted")]
    [TestCase(2, "ENOENT", "no such file or directory")]
    [TestCase(3, "ESRCH", "no such process")]
    [TestCase(11, "EAGAIN", "resource temporarily unavailable")]
    [TestCase(13, "EACCES", "permission denied")]
    [TestCase(20, "ENOTDIR", "not a directory")]
    [TestCase(21, "EISDIR", "is a directory")]
    [TestCase(40, "ELOOP", "too many levels of symbolic links")]
    [TestCase(95, "EOPNOTSUPP", "operation not supported")]
    [TestCase(524, "ENOTSUPP", "errno 524")]
    [TestCase(999, "errno 999", "errno 999")]
    public void Known_texts(int errno, string name, string text)
    {
        ErrnoText.Name(errno).Should().Be(name);
        ErrnoText.Describe(errno).Should().Be(text);
    }

    // Go made its table from the C library's texts by this very rule (mkerrors.sh).
    [TestCaseSource(nameof(Described))]
    public void All_texts_are_the_c_library_s_with_a_small_first_letter(int errno)
    {
        string text = Marshal.GetPInvokeErrorMessage(errno);
        string expected = char.IsUpper(text[0]) && char.IsLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
        ErrnoText.Describe(errno).Should().Be(expected);
    }

    [TestCaseSource(nameof(Named))]
    public void All_names_are_those_of_Mono(int errno) => NamesOf(errno).Should().Contain(ErrnoText.Name(errno));

    // 41 and 58 were never given out; Mono stops at 131.
    private static IEnumerable<int> Described => Enumerable.Range(1, 133)
        .Where(errno => !Marshal.GetPInvokeErrorMessage(errno).StartsWith("Unknown error", StringComparison.Ordinal));

    private static IEnumerable<int> Named => Enumerable.Range(1, 133).Where(errno => NamesOf(errno).Length > 0);

    private static string[] NamesOf(int errno) => [.. Enum.GetNames<Errno>().Where(name => (int)Enum.Parse<Errno>(name) == errno)];
}
