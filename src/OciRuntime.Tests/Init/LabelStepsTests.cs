using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Init;

/// <summary>The step that writes attributes, on a directory that stands in for procfs: no kernel has every security module.</summary>
public sealed unsafe class LabelStepsTests
{
    private string _proc = "";

    [SetUp]
    public void MakeProc()
    {
        _proc = TestRun.NewPath("proc");
        Directory.CreateDirectory(Path.Combine(_proc, "42/attr/apparmor"));
        Directory.CreateSymbolicLink(Path.Combine(_proc, "self"), "42");
        File.WriteAllText(Attribute("exec"), "");
    }

    [TearDown]
    public void RemoveProc() => Directory.Delete(_proc, recursive: true);

    [Test]
    public void Profile_goes_to_apparmors_own_directory()
    {
        File.WriteAllText(Attribute("apparmor/exec"), "");
        Write("self/attr/apparmor/exec", "exec docker-default", "self/attr/exec").Should().Be(0);
        File.ReadAllText(Attribute("apparmor/exec")).Should().Be("exec docker-default");
        File.ReadAllText(Attribute("exec")).Should().BeEmpty();
    }

    [Test]
    public void Profile_goes_to_the_shared_file_of_a_kernel_without_that_directory()
    {
        Directory.Delete(Attribute("apparmor"));
        Write("self/attr/apparmor/exec", "exec docker-default", "self/attr/exec").Should().Be(0);
        File.ReadAllText(Attribute("exec")).Should().Be("exec docker-default");
    }

    [Test]
    public void Label_is_written_whole_and_without_a_line_end()
    {
        const string label = "system_u:system_r:container_t:s0:c1,c2";
        Write("self/attr/exec", label).Should().Be(0);
        File.ReadAllBytes(Attribute("exec")).Should().Equal(Encoding.UTF8.GetBytes(label));
    }

    [Test]
    public void Missing_attribute_is_an_error_unless_it_may_be_missing()
    {
        Write("self/attr/keycreate", "l").Should().Be(-Errno.ENOENT);
        Write("self/attr/keycreate", "l", skipMissing: true).Should().Be(0);
    }

    [Test]
    public void Attribute_is_not_written_to_another_file_system()
    {
        File.Delete(Attribute("exec"));
        File.CreateSymbolicLink(Attribute("exec"), "/dev/null");
        Write("self/attr/exec", "l").Should().Be(-Errno.EXDEV);
    }

    private string Attribute(string name) => Path.Combine(_proc, "42/attr", name);

    private long Write(string path, string value, string? fallback = null, bool skipMissing = false)
    {
        fixed (byte* text1 = Text(path), text2 = Text(value), other = fallback is null ? null : Text(fallback))
        {
            InitPlan plan = default;
            SecurityAttributeArguments attribute =
                new() { Path = new(text1), Value = new(text2), Fallback = new(other), SkipMissing = skipMissing };
            InitState state = new(&plan) { ProcFd = (int)Files.OpenAt(Files.AT_FDCWD, _proc, Files.O_PATH | Files.O_DIRECTORY) };
            long result = LabelSteps.Attribute(ref state, &attribute);
            Files.Close(state.ProcFd);
            return result;
        }
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + '\0');
}
