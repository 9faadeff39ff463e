using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Spec;

public sealed class SpecReaderTests
{
    [Test]
    public void Unknown_properties_are_ignored_at_every_level()
    {
        string json =
            """{"x":[{"y":[1,{"path":3}]}],"ociVersion":"1.0.0","root":{"path":"r","z":{"readonly":true}},"linux":{"new":null}}""";
        RuntimeSpec spec = Parse(json);
        spec.Root!.Path.Should().Be("r");
        spec.Root.Readonly.Should().BeFalse();
        spec.Linux!.Namespaces.Should().BeEmpty();
    }

    [Test]
    public void Last_of_repeated_keys_wins()
    {
        RuntimeSpec spec = Parse(
            """{"hostname":"a","hostname":"b","annotations":{"k":"1","j":"2","k":"3"},"root":{"path":"x"},"root":{"readonly":true}}""");
        spec.Hostname.Should().Be("b");
        spec.Annotations.Should().Equal(KeyValuePair.Create("k", "3"), KeyValuePair.Create("j", "2"));
        spec.Root!.Path.Should().BeNull();
    }

    [Test]
    public void Null_counts_as_absent()
    {
        RuntimeSpec spec = Parse(
            """{"process":null,"mounts":null,"annotations":null,"hooks":{"prestart":null},"linux":{"seccomp":{"flags":null},"resources":{"pids":{"limit":null}}}}""");
        spec.Process.Should().BeNull();
        spec.Mounts.Should().BeEmpty();
        spec.Annotations.Should().BeEmpty();
        spec.Linux!.Seccomp!.Flags.Should().BeNull();
        spec.Linux.Resources!.Pids!.Limit.Should().BeNull();
        Parse("""{"linux":{"seccomp":{"flags":[]}}}""").Linux!.Seccomp!.Flags.Should().NotBeNull().And.BeEmpty();
    }

    [Test]
    public void Byte_order_mark_and_escaped_names_are_read()
    {
        Parse("\uFEFF" + """{"host\u006eame":"a\u0062c"}""").Hostname.Should().Be("abc");
    }

    [Test]
    public void Names_are_case_sensitive() => Parse("""{"HostName":"a"}""").Hostname.Should().BeNull();

    [Test]
    public void Bad_UTF8_is_refused_where_it_would_be_used()
    {
        byte[] json = [.. "{\"hostname\":\""u8, 0xff, .. "\"}"u8];
        Problems(json).Errors.Should().ContainSingle().Which.Pointer.Should().Be("/hostname");
        byte[] key = [.. "{\"annotations\":{\""u8, 0xff, .. "\":\"x\"}}"u8];
        Problems(key).Errors.Should().ContainSingle().Which.Message.Should().Contain("UTF-8");
    }

    [Test]
    public void Single_problem_is_one_line_and_several_are_a_list()
    {
        Problems("""{"hostname":1}"""u8).ToString().Should().Be("/hostname: 1 must be a string (line 1:13)");
        Problems("""{"hostname":1,"domainname":2}"""u8).ToString().Should().StartWith("2 problems:\n  /hostname: 1 must");
    }

    [Test]
    public void Message_stays_on_one_line_whatever_the_file_says()
    {
        Problems("{\"annotations\":{\"a\\nforged\":1,\"b\":{},\"c\u0085\":2},\"root\":{\"path\":7,\"readonly\":\"x\u0085y\"}}"u8)
            .Errors.Should().HaveCount(5).And.OnlyContain(problem => !problem.ToString().Any(char.IsControl));
    }

    [Test]
    public void File_over_the_limit_is_refused_by_name()
    {
        Problems(new byte[SpecReader.MaxBytes + 1]).ToString().Should()
            .Be("config.json: is 16777217 bytes long, more than the 16777216 that ocirun reads");
    }

    [TestCase(60, ExpectedResult = false)]
    [TestCase(63, ExpectedResult = false)]
    [TestCase(64, ExpectedResult = true)]
    [TestCase(10_000, ExpectedResult = true)]
    public bool Deep_nesting_is_refused_by_name(int arrays)
    {
        SpecProblems problems = Problems(Encoding.UTF8.GetBytes("{\"x\":" + new string('[', arrays) + new string(']', arrays) + "}"));
        if (problems.HasErrors)
            problems.ToString().Should().Contain("nested deeper than 64 levels");
        return problems.HasErrors;
    }

    [TestCase("minimal")]
    [TestCase("kitchen-sink")]
    public void File_cut_off_at_any_byte_is_a_problem_and_never_a_crash(string name)
    {
        byte[] json = SpecFixtures.Read(name).AsSpan().TrimEnd("\n"u8).ToArray();
        for (int length = 0; length < json.Length; length++)
            Problems(json.AsSpan(0, length)).HasErrors.Should().BeTrue("{0} bytes are not the whole file", length);
    }

    [Test]
    public void Any_byte_replaced_never_crashes()
    {
        byte[] original = SpecFixtures.Read("kitchen-sink");
        ReadOnlySpan<byte> values = [0, (byte)'"', (byte)'{', (byte)'}', (byte)'[', (byte)'1', (byte)'\\', 0xff];
        // Each value comes in turn; ConfigFuzzTests has the time for more.
        for (int at = 0; at < original.Length; at += 3)
        {
            byte[] json = [.. original];
            json[at] = values[at % values.Length];
            SpecProblems problems = new();
            RuntimeSpec spec = SpecReader.Parse(json, problems);
            SpecValidator.Validate(spec, problems);
            _ = problems.ToString();
        }
    }

    [Test]
    public void Too_many_items_are_refused_by_name_and_stop_the_reading()
    {
        byte[] json = Encoding.UTF8.GetBytes("{\"mounts\":[" + string.Join(",", Enumerable.Repeat("{}", 1_000_000)) + "]}");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Problems(json).ToString().Should().Contain("array elements and objects, the limit");
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(64 << 20);
    }

    [Test]
    public void Many_type_errors_are_counted_but_not_kept()
    {
        byte[] json = Encoding.UTF8.GetBytes("{\"process\":{\"args\":[" + string.Join(",", Enumerable.Repeat("1", 200_000)) + "]}}");
        SpecProblems problems = Problems(json);
        problems.Errors.Should().HaveCount(SpecProblems.MaxKept);
        problems.ToString().Should().StartWith("200000 problems:").And.EndWith("and 199900 more");
    }

    [MeasuresTime]
    [TestCase("args", "\"aaaa\"")]
    [TestCase("env", "\"a=1\"")]
    public void Big_arrays_take_linear_time(string name, string element)
    {
        byte[] Json(int count) =>
            Encoding.UTF8.GetBytes($"{{\"process\":{{\"{name}\":[" + string.Join(",", Enumerable.Repeat(element, count)) + "]}}");
        AssertLinear(Json(20_000), Json(200_000));
    }

    [MeasuresTime]
    [Test]
    public void Big_maps_take_linear_time()
    {
        static byte[] Json(int count) =>
            Encoding.UTF8.GetBytes("{\"annotations\":{"
            + string.Join(",", Enumerable.Range(0, count).Select(i => $"\"k{i}\":\"v\"")) + "}}");
        AssertLinear(Json(10_000), Json(100_000));
        RuntimeSpec spec = Parse(Encoding.UTF8.GetString(Json(1000)));
        spec.Annotations["k999"].Should().Be("v");
        spec.Annotations["k1000"].Should().BeNull();
        spec.Annotations[42].Key.Should().Be("k42");
    }

    [Test]
    public void Files_of_exec_and_update_are_read_from_their_own_root()
    {
        SpecProblems problems = new();
        SpecReader.ParseProcess("""{"cwd":"x","args":[]}"""u8, problems).Cwd.Should().Be("x");
        SpecValidator.ValidateProcess(SpecReader.ParseProcess("""{"cwd":"x","args":[]}"""u8, problems), problems);
        problems.Errors.Select(error => error.Pointer).Should().Equal("/cwd", "/args");
        problems = new SpecProblems();
        SpecValidator.ValidateResources(SpecReader.ParseResources("""{"pids":{"limit":9999999}}"""u8, problems), problems);
        problems.Errors.Select(error => error.Pointer).Should().Equal("/pids/limit");
        SpecReader.ParseProcess("null"u8, problems = new SpecProblems());
        problems.ToString().Should().Contain("null must be an object");
        SpecReader.ParseMounts("null"u8, problems = new SpecProblems());
        problems.ToString().Should().Contain("null must be an array");
    }

    private static RuntimeSpec Parse(string json)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(Encoding.UTF8.GetBytes(json), problems);
        problems.ToString().Should().BeEmpty();
        return spec;
    }

    private static SpecProblems Problems(ReadOnlySpan<byte> json)
    {
        SpecProblems problems = new();
        SpecReader.Parse(json, problems);
        return problems;
    }

    // Quadratic time would show as a factor of 100. Only the own thread counts, since other tests run beside this one.
    private static void AssertLinear(byte[] small, byte[] tenTimes)
    {
        TimeSpan first = Best(small);
        Best(tenTimes).Should().BeLessThan(first * 40 + TimeSpan.FromMilliseconds(20));

        static TimeSpan Best(byte[] json) => Enumerable.Range(0, 5).Min(_ =>
        {
            TimeSpan before = Libc.ThreadTime;
            Problems(json).ToString().Should().BeEmpty();
            return Libc.ThreadTime - before;
        });
    }
}
