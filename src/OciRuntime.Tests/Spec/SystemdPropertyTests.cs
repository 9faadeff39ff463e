using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>Annotations `org.systemd.property.NAME`, whose values are GVariant text.</summary>
public sealed class SystemdPropertyTests
{
    private static (List<SystemdProperty> Properties, SpecProblems Problems) Read(string name, string text)
    {
        SpecMap<string> annotations = new();
        annotations.Set("other", "[");
        annotations.Set("org.systemd.property." + name, text);
        SpecProblems problems = new();
        return (SystemdProperty.Read(annotations, problems), problems);
    }

    private static string Value(string text)
    {
        (List<SystemdProperty>? properties, SpecProblems? problems) = Read("Name", text);
        problems.ToString().Should().BeEmpty();
        properties.Should().ContainSingle().Which.Name.Should().Be("Name");
        return $"{properties[0].Value.Signature} {properties[0].Value}";
    }

    [TestCase("true", "b true")]
    [TestCase(" false ", "b false")]
    [TestCase("15", "i @i 15")]
    [TestCase("-1", "i @i -1")]
    [TestCase("0x1F", "i @i 31")]
    [TestCase("017", "i @i 15")]
    [TestCase("uint64 123456789", "t @t 123456789")]
    [TestCase("uint64 18446744073709551615", "t @t 18446744073709551615")]
    [TestCase("int64 -9223372036854775808", "x @x -9223372036854775808")]
    [TestCase("byte 255", "y @y 255")]
    [TestCase("@q 65535", "q @q 65535")]
    [TestCase("1.5", "d double 1.5")]
    [TestCase("-1e3", "d double -1000")]
    [TestCase("double 2", "d double 2")]
    [TestCase("'inactive-or-failed'", "s @s 'inactive-or-failed'")]
    [TestCase("\"it's\"", "s @s 'it\\'s'")]
    [TestCase(@"'a\n\u00e4\U0001f600\\'", "s @s 'a\n\u00e4\U0001f600\\\\'")]
    [TestCase("objectpath '/a/b_1'", "o @o '/a/b_1'")]
    [TestCase("signature 'a(sv)'", null)]
    [TestCase("signature 'a(st)i'", "g @g 'a(st)i'")]
    [TestCase("['a.service', 'b.service']", "as @as [@s 'a.service', @s 'b.service']")]
    [TestCase("@as []", "as @as []")]
    [TestCase("[1, uint64 2]", "at @at [@t 1, @t 2]")]
    [TestCase("[1, 2.5]", "ad @ad [double 1, double 2.5]")]
    [TestCase("[[], [uint32 1]]", "aau @aau [@au [], @au [@u 1]]")]
    [TestCase("[('/dev/null', 'rw')]", "a(ss) @a(ss) [(@s '/dev/null', @s 'rw')]")]
    [TestCase("@a(st) [('/dev/sda', 7)]", "a(st) @a(st) [(@s '/dev/sda', @t 7)]")]
    [TestCase("(true,)", "(b) (true,)")]
    [TestCase(@"b'a\377'", "ay @ay [@y 97, @y 255, @y 0]")]
    public void Text_becomes_a_typed_value(string text, string? expected)
    {
        if (expected is null)
            Read("Name", text).Problems.HasErrors.Should().BeTrue();
        else
            Value(text).Should().Be(expected);
    }

    [TestCase("")]
    [TestCase("yes")]
    [TestCase("'open")]
    [TestCase("'a' 'b'")]
    [TestCase("1 2")]
    [TestCase("12n")]
    [TestCase("0x")]
    [TestCase("08")]
    [TestCase("--1")]
    [TestCase("2147483648")]
    [TestCase("byte 256")]
    [TestCase("byte -1")]
    [TestCase("uint64 18446744073709551616")]
    [TestCase("uint64 99999999999999999999999999999999999999999999999999999999")]
    [TestCase("uint64 1.5")]
    [TestCase("uint64 'a'")]
    [TestCase("uint64")]
    [TestCase("@zz 1")]
    [TestCase("@a{sv} {}")]
    [TestCase("@ 1")]
    [TestCase("@(( 1")]
    [TestCase("@() ()")]
    [TestCase("()")]
    [TestCase("[]")]
    [TestCase("[1, 'a']")]
    [TestCase("[uint32 1, uint64 2]")]
    [TestCase("[(1, 2), (1,)]")]
    [TestCase("@(ss) ('a',)")]
    [TestCase("@(ss) ('a', 'b', 'c')")]
    [TestCase("[1,")]
    [TestCase("[1,]")]
    [TestCase("[1 2]")]
    [TestCase("<5>")]
    [TestCase("{'a': 1}")]
    [TestCase("just 5")]
    [TestCase("handle 5")]
    [TestCase("uint32 uint64 5")]
    [TestCase("objectpath 'a'")]
    [TestCase("objectpath '/a/'")]
    [TestCase(@"'\ud800'")]
    [TestCase(@"'\u12'")]
    [TestCase(@"'\u0000'")]
    [TestCase("'a\0b'")]
    [TestCase("b'\u00e4'")]
    [TestCase(@"b'\777'")]
    [TestCase("[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]")]
    public void Garbage_is_refused_by_name(string text)
    {
        (List<SystemdProperty>? properties, SpecProblems? problems) = Read("Name", text);
        properties.Should().BeEmpty();
        problems.Errors.Should().ContainSingle().Which.ToString().Should()
            .StartWith("/annotations/org.systemd.property.Name: \"").And.NotContain("\n");
    }

    /// <summary>A message is a line, however long the text is; and the reading of a type is as deep as a type may be.</summary>
    [TestCase("signature '{0}'", '(', "has a signature that is none")]
    [TestCase("signature '{0}'", 's', "has a signature that is none")]
    [TestCase("{0}", '1', "has a number out of the range of type i: \"1111")]
    [TestCase("0x{0}g", '1', "has an integer that is none: \"0x111")]
    [TestCase("1.{0}z", '1', "has a number that is none: \"1.111")]
    [TestCase("({0}1)", "1,", "has a type of more than the 255 characters that D-Bus takes: \"(iii")]
    [TestCase("[({0}1), (uint64 7,)]", "1,", "has an array whose elements are of different types")]
    public void Long_text_makes_no_long_message(string form, object repeated, string message)
    {
        string text = string.Format(form, string.Concat(Enumerable.Repeat(repeated, 200_000)));
        string problem = Read("Name", text).Problems.Errors.Should().ContainSingle().Which.ToString();
        problem.Should().Contain(message);
        problem.Length.Should().BeLessThan(500);
    }

    /// <summary>Whatever is cut off or changed: an answer, never another exception.</summary>
    [Test]
    public void Damaged_text_never_breaks_the_reader()
    {
        const string text = @"@a(sasbtd) [('x\u00e4', ['y', ""z""], true, 0x5, -1.5e3), ('', [], false, 7, 1)]";
        const string noise = "@a([{'\"\\,)}]x0-.eub \0\u00e4\ud83d";
        Random random = new(7);
        Value(text).Should().StartWith("a(sasbtd) ");
        for (int i = 0; i < text.Length; i++)
            Read("Name", text[..i]).Problems.HasErrors.Should().BeTrue("{0}", text[..i]);
        for (int i = 0; i < 20_000; i++)
        {
            char[] changed = text.ToCharArray();
            for (int n = 0; n <= i % 4; n++)
                changed[random.Next(changed.Length)] = noise[random.Next(noise.Length)];
            (List<SystemdProperty>? properties, SpecProblems? problems) = Read("Name", new string(changed));
            (properties.Count + problems.Errors.Count).Should().Be(1);
        }
    }

    [TestCase("TimeoutStopSec", "uint64 2", "TimeoutStopUSec", "@t 2000000")]
    [TestCase("TimeoutStopSec", "5", "TimeoutStopUSec", "@t 5000000")]
    [TestCase("RuntimeMaxSec", "1.5", "RuntimeMaxUSec", "@t 1500000")]
    [TestCase("TimeoutStopUSec", "uint64 7", "TimeoutStopUSec", "@t 7")]
    [TestCase("Sec", "7", "Sec", "@i 7")]
    public void Seconds_become_microseconds(string name, string text, string expectedName, string expected)
    {
        (List<SystemdProperty>? properties, SpecProblems? problems) = Read(name, text);
        problems.ToString().Should().BeEmpty();
        (properties[0].Name, properties[0].Value.ToString()).Should().Be((expectedName, expected));
    }

    [TestCase("'infinity'", "must be a number of seconds")]
    [TestCase("-1", "is out of the range of a time")]
    [TestCase("uint64 18446744073709551615", "is out of the range of a time")]
    [TestCase("-0.5", "is out of the range of a time")]
    [TestCase("nan", "is out of the range of a time")]
    public void Seconds_that_are_no_time_are_refused(string text, string reason) =>
    Read("TimeoutStopSec", text).Problems.ToString().Should().EndWith(reason);

    [TestCase("")]
    [TestCase("Ab")]
    [TestCase("Exec Start")]
    [TestCase("CPUQuotaPerSec1")]
    [TestCase("\u00c4\u00c4\u00c4")]
    public void Names_are_three_or_more_letters(string name) =>
    Read(name, "true").Problems.ToString().Should().Contain("whose name is not 3 or more letters");

    [Test]
    public void A_value_prints_as_text_that_is_read_again()
    {
        foreach (string text in (string[])["@a(sat) [('a', [1, 2]), ('b', [])]", "@ay [0, 255]", "(true,)", "double 0.1", @"'a\\\'b'"])
        {
            VariantValue value = Read("Name", text).Properties[0].Value;
            Read("Name", value.ToString()).Properties[0].Value.ToString().Should().Be(value.ToString());
        }
    }
}
