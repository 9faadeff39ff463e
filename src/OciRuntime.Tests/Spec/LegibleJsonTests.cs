using System.Text.Json;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Spec;

/// <summary>The escapes of what is written for people and programs alike.</summary>
public sealed class LegibleJsonTests
{
    private static readonly JsonSerializerOptions Legible = new() { Encoder = LegibleJson.Encoder };

    [TestCase("/run/x <&'>+ ä€😀", "\"/run/x <&'>+ ä€😀\"")]
    [TestCase("\"\\\b\t\n\f\r", "\"\\\"\\\\\\b\\t\\n\\f\\r\"")]
    [TestCase("\0\u001b\u007f\u009b\u2028", "\"\\u0000\\u001B\\u007F\\u009B\\u2028\"")]
    public void Only_what_has_to_be_is_escaped(string text, string json)
    {
        JsonSerializer.Serialize(text, Legible).Should().Be(json);
        JsonSerializer.Deserialize<string>(json).Should().Be(text);
    }

    [Test]
    public void Every_character_comes_back()
    {
        for (int c = 0; c <= char.MaxValue; c++)
        {
            if (char.IsSurrogate((char)c)) continue;
            string text = $"a{(char)c}b";
            JsonSerializer.Deserialize<string>(JsonSerializer.SerializeToUtf8Bytes(text, Legible)).Should().Be(text);
        }
    }

    [Test]
    public void What_is_no_text_is_replaced() => JsonSerializer.Serialize("a\ud800b", Legible).Should().Be("\"a\ufffdb\"");
}
