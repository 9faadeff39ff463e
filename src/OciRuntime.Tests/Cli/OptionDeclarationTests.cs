using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using CommandLine;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

/// <summary>The attributes describe, the switches read: these tests hold the two together.</summary>
public sealed class OptionDeclarationTests
{
    private static IEnumerable<Type> OptionSets => Verbs.All.Select(v => v.OptionsType).Append(typeof(GlobalOptions));

    private static IEnumerable<TestCaseData> DeclaredOptions =>
        from type in OptionSets
        from property in type.GetProperties()
        let option = property.GetCustomAttribute<OptionAttribute>()
        where option is not null
        from name in new[] { option.LongName, option.ShortName }
        where name.Length > 0
        select new TestCaseData(type, property, name) { TestName = $"{type.Name} --{name}" };

    [TestCaseSource(nameof(DeclaredOptions))]
    public void Each_declared_option_sets_its_property(Type type, PropertyInfo property, string name)
    {
        OptionSet set = (OptionSet)Activator.CreateInstance(type)!;
        (string word, object expected) = SampleFor(property.PropertyType);
        ArgumentCursor a = new([word]);
        a.Enter("--" + name, null);

        set.Accept(name, ref a).Should().BeTrue();

        property.GetValue(set).Should().BeEquivalentTo(expected);
        a.AtEnd.Should().Be(property.PropertyType != typeof(bool), "exactly the switches take no value");
    }

    [TestCaseSource(nameof(OptionSets))]
    public void No_undeclared_option_is_read(Type type)
    {
        string[] declared = DeclaredNames(type);
        NamesInSwitches(type).Should().BeSubsetOf(declared, "a name in a switch must be declared");
        foreach (string name in OptionSets.SelectMany(DeclaredNames).Concat(Enumerable.Range('0', 'z' - '0').Select(c => ((char)c).ToString())).Except(declared))
        {
            ArgumentCursor a = new(["1"]);
            ((OptionSet)Activator.CreateInstance(type)!).Accept(name, ref a).Should().BeFalse($"{type.Name} does not declare {name}");
            a.AtEnd.Should().BeFalse();
        }
    }

    [Test]
    public void The_search_for_names_in_switches_finds_them() =>
        NamesInSwitches(typeof(RunOptions)).Should().Contain(["bundle", "pid-file", "detach", "help"]);

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void Name_and_arity_agree_with_the_attributes(VerbDefinition verb)
    {
        verb.OptionsType.GetCustomAttribute<VerbAttribute>()!.Name.Should().Be(verb.Name);

        ArgumentDescription[] arguments = VerbDescription.ArgumentsOf(verb.OptionsType);
        int max = arguments.Any(a => a.Repeated) ? int.MaxValue : arguments.Length;
        verb.CreateOptions().Arity.Should().Be(new Arity(arguments.Count(a => a.Required), max));
    }

    [TestCaseSource(nameof(OptionSets))]
    public void Written_attributes_read_the_same_as_attribute_objects(Type type)
    {
        foreach (OptionDescription description in VerbDescription.OptionsOf(type))
        {
            OptionAttribute attribute = type.GetProperties().Select(p => p.GetCustomAttribute<OptionAttribute>()).Single(o => o?.LongName == description.Long)!;
            (description.Short ?? "").Should().Be(attribute.ShortName);
            description.Text.Should().Be(attribute.HelpText).And.NotBeEmpty();
            description.Hidden.Should().Be(attribute.Hidden);
            description.Default.Should().Be(attribute.Default?.ToString()!.ToLowerInvariant());
            description.MetaValue?.Should().Be(attribute.MetaValue).And.NotBeEmpty("a value needs a name");
        }
    }

    [TestCase("create --bundle /b --pid-file /p --console-socket /s --pidfd-socket /q --no-pivot --no-new-keyring --preserve-fds 3 --config other.json c1")]
    [TestCase("create -b /b -f other.json c1")]
    [TestCase("create --bundle=/b --preserve-fds=3 c1")]
    [TestCase("create c1")]
    [TestCase("create c1 --bundle /b")]
    [TestCase("run -d --keep --no-subreaper -b /b c1")]
    [TestCase("run c1")]
    [TestCase("start c1")]
    [TestCase("state c1")]
    [TestCase("kill c1")]
    [TestCase("kill -a c1 KILL")]
    [TestCase("kill -ar c1 9")]
    [TestCase("delete --force --regex c1")]
    [TestCase("delete c1")]
    [TestCase("pause c1")]
    [TestCase("resume c1")]
    [TestCase("ps --format json c1")]
    [TestCase("events --interval 1s --stats c1")]
    [TestCase("update --cpu-quota 5 --cpuset-cpus 0-1 -r - c1")]
    [TestCase("list")]
    [TestCase("list -q --format json")]
    [TestCase("spec --rootless -b /b -f f.json")]
    [TestCase("spec")]
    [TestCase("features")]
    [TestCase("explain")]
    [TestCase("explain --format json --bundle /b --no-pivot --preserve-fds 1 --console-socket /s x")]
    public void CommandLineParser_reads_the_same(string line)
    {
        using Parser parser = NewParser();
        string[] args = line.Split(' ');
        object byPackage = parser.ParseArguments(args, [.. Verbs.All.Select(v => v.OptionsType)]).Should().BeAssignableTo<Parsed<object>>().Subject.Value;

        VerbOptions byHand = CommandLineReader.Parse(args).Verb!;

        byHand.Should().BeOfType(byPackage.GetType());
        byHand.Should().BeEquivalentTo(byPackage, o => o.RespectingRuntimeTypes());
    }

    [TestCase("--root /r --log /l --log-format json --log-level debug --debug --systemd-cgroup --cgroup-manager systemd --rootless false --criu /c")]
    [TestCase("--root=/r --rootless=auto")]
    [TestCase("--log-level error")]
    public void CommandLineParser_reads_the_same_global_options(string line)
    {
        using Parser parser = NewParser();
        string[] args = line.Split(' ');
        GlobalOptions byPackage = parser.ParseArguments<GlobalOptions>(args).Should().BeAssignableTo<Parsed<GlobalOptions>>().Subject.Value;

        CommandLineReader.Parse(args).Globals.Should().BeEquivalentTo(byPackage);
    }

    private static Parser NewParser() => new(settings =>
    {
        settings.AutoHelp = false;
        settings.AutoVersion = false;
        settings.CaseInsensitiveEnumValues = true;
        settings.EnableDashDash = true;
    });

    private static (string Word, object Value) SampleFor(Type type)
    {
        Type underlying = Nullable.GetUnderlyingType(type) ?? type;
        if (underlying.IsEnum)
        {
            object last = Enum.GetValues(underlying).Cast<object>().Last();
            return (last.ToString()!.ToLowerInvariant(), last);
        }

        if (type.IsAssignableTo(typeof(IEnumerable<string>)) && type != typeof(string))
        {
            return ("word", new[] { "word" });
        }

        return underlying == typeof(bool) ? ("word", true) : underlying == typeof(int) ? ("7", 7) : underlying == typeof(long) ? ("7", 7L) : ("word", "word");
    }

    private static string[] DeclaredNames(Type type) =>
        [.. VerbDescription.OptionsOf(type).SelectMany(o => new[] { o.Long, o.Short }).OfType<string>()];

    // The string literals of the Accept methods, read from their IL: the only way to list what a switch knows.
    private static HashSet<string> NamesInSwitches(Type type)
    {
        const byte LoadString = 0x72;
        HashSet<string> names = [];
        for (Type? t = type; t is not null; t = t.BaseType)
        {
            MethodInfo? accept = t.GetMethod(nameof(OptionSet.Accept), BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly);
            byte[] code = accept?.GetMethodBody()?.GetILAsByteArray() ?? [];
            for (int i = 0; i + 5 <= code.Length; i++)
            {
                if (code[i] == LoadString && code[i + 4] == 0x70 && TryResolve(t.Module, BitConverter.ToInt32(code, i + 1), out string? name))
                {
                    names.Add(name);
                }
            }
        }

        return names;
    }

    private static bool TryResolve(Module module, int token, [NotNullWhen(true)] out string? text)
    {
        try
        {
            text = module.ResolveString(token);
            return true;
        }
        catch (ArgumentException)
        {
            text = null;
            return false;
        }
    }
}
