using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>The hand-written reader against System.Text.Json's serializer, and against the types themselves.</summary>
public sealed class SpecDifferentialTests
{
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.Valid))]
    public void Reader_and_serializer_agree(string name)
    {
        JsonSerializerOptions options = new(SpecJsonContext.Default.Options)
        {
            TypeInfoResolver = SpecJsonContext.Default.WithAddedModifier(UseInternalSetters),
            Converters =
            {
                new SpecMapConverter<string>(), new SpecMapConverter<TimeOffset>(), new SpecMapConverter<NetDevice>(),
                new SpecMapConverter<RdmaLimit>()
            },
        };
        JsonTypeInfo<RuntimeSpec> typeInfo = (JsonTypeInfo<RuntimeSpec>)options.GetTypeInfo(typeof(RuntimeSpec));
        RuntimeSpec? expected = JsonSerializer.Deserialize(SpecFixtures.Read(name), typeInfo);
        SpecFixtures.Parse(name).Should().BeEquivalentTo(expected, how => how.RespectingRuntimeTypes().WithStrictOrdering());
    }

    /// <summary>A property that the reader forgot stays at its default for every object of kitchen-sink.json.</summary>
    [Test]
    public void Kitchen_sink_sets_every_property_of_every_type()
    {
        ILookup<bool, string> names = SpecWalk.Of(SpecFixtures.Parse("kitchen-sink"))
            .ToLookup(found => IsDefault(found.Property, found.Value), found => found.Name);
        names[true].Except(names[false]).Should().BeEmpty();
        names[false].Select(name => name.Split('.')[0]).Distinct().Should()
            .Contain(["RuntimeSpec", "SeccompArg", "ThrottleDevice", "RdmaLimit", "ExecCPUAffinity"]);
    }

    // A nullable that was read is not null, whatever its value.
    private static bool IsDefault(PropertyInfo property, object? value) => value switch
    {
        null or "" => true,
        string => false,
        IEnumerable list => !list.GetEnumerator().MoveNext(),
        ValueType when Nullable.GetUnderlyingType(property.PropertyType) is null =>
            value.Equals(Activator.CreateInstance(property.PropertyType)),
        _ => false,
    };

    private static void UseInternalSetters(JsonTypeInfo info)
    {
        foreach (JsonPropertyInfo property in info.Properties)
        {
            if (property.AttributeProvider is PropertyInfo member)
                property.Set ??= member.SetValue;
        }
    }

    private sealed class SpecMapConverter<T> : JsonConverter<SpecMap<T>>
        where T : class
    {
        public override SpecMap<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            SpecMap<T> map = new();
            JsonTypeInfo<T> value = (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                reader.Read();
                map.Set(key, JsonSerializer.Deserialize(ref reader, value)!);
            }
            return map;
        }

        public override void Write(Utf8JsonWriter writer, SpecMap<T> value, JsonSerializerOptions options) =>
            throw new NotSupportedException();
    }
}

/// <summary>Lives in the tests only: in the binary it would cost start-up time and size.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(RuntimeSpec))]
[JsonSerializable(typeof(TimeOffset))]
[JsonSerializable(typeof(NetDevice))]
[JsonSerializable(typeof(RdmaLimit))]
[JsonSerializable(typeof(string))]
internal sealed partial class SpecJsonContext : JsonSerializerContext;
