using System.Reflection;
using CommandLine;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

/// <summary>What is declared with CommandLineParser's attributes is what is read and described, as the package understands them.</summary>
public sealed class OptionDeclarationTests
{
    private static IEnumerable<Type> OptionSets => Verbs.All.Select(v => v.GetType()).Append(typeof(GlobalOptions));

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
        foreach (string name in OptionSets.SelectMany(DeclaredNames)
            .Concat(Enumerable.Range('0', 'z' - '0').Select(c => ((char)c).ToString())).Except(declared))
        {
            ArgumentCursor a = new(["1"]);
            ((OptionSet)Activator.CreateInstance(type)!).Accept(name, ref a).Should().BeFalse($"{type.Name} does not declare {name}");
            a.AtEnd.Should().BeFalse();
        }
    }

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void A_command_is_what_its_attributes_say(VerbOptions verb)
    {
        VerbAttribute attribute = verb.GetType().GetCustomAttribute<VerbAttribute>()!;
        verb.VerbName.Should().Be(attribute.Name);
        verb.Summary.Should().Be(attribute.HelpText).And.NotBeEmpty();
        Verbs.Find(attribute.Name).Should().BeOfType(verb.GetType());

        PropertyInfo[] declared = [.. verb.GetType().GetProperties().Where(p => ArgumentOf(p) is not null)
            .OrderBy(p => ArgumentOf(p)!.Index)];
        ArgumentDescription[] arguments = verb.DescribeArguments();
        arguments.Select(a => (a.Name, a.Required, a.Text, a.Default)).Should().Equal(declared.Select(static p => Described(p)));
        for (int i = 0; i < declared.Length; i++)
            if (declared[i].PropertyType.IsEnum) arguments[i].Value.Words.Should().Equal(WordsOf(declared[i]));
        arguments.Select(a => a.Repeated).Should().Equal(declared.Select(p => p.PropertyType == typeof(List<string>)));
        int most = arguments.Any(a => a.Repeated) ? int.MaxValue : arguments.Length;
        verb.Arity.Should().Be(new Arity(arguments.Count(a => a.Required), most));
    }

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void Each_argument_sets_its_property(VerbOptions verb)
    {
        foreach (PropertyInfo property in verb.GetType().GetProperties())
        {
            if (ArgumentOf(property) is not { } argument) continue;
            if (property.PropertyType.IsEnum)
            {
                foreach (string known in WordsOf(property))
                {
                    verb.AcceptArgument(argument.Index, known);
                    property.GetValue(verb)!.ToString().Should().BeEquivalentTo(known);
                }
                continue;
            }
            // One takes names of commands only.
            string word = argument.MetaName == "command" ? "create" : argument.MetaName;
            verb.AcceptArgument(argument.Index, word);
            if (property.PropertyType == typeof(string)) property.GetValue(verb).Should().Be(word);
            else ((List<string>)property.GetValue(verb)!).Should().Equal(word);
        }
    }

    private static (string, bool, string, string?) Described(PropertyInfo property)
    {
        ValueAttribute argument = ArgumentOf(property)!;
        string[] words = WordsOf(property);
        return (argument.MetaName is { Length: > 0 } name ? name : string.Join('|', words), argument.Required,
            argument.HelpText is { Length: > 0 } text ? text : $"{string.Join(", ", words[..^1])} or {words[^1]}",
            argument.Default?.ToString());
    }

    private static string[] WordsOf(PropertyInfo property) =>
        property.PropertyType.IsEnum ? [.. Enum.GetNames(property.PropertyType).Select(static name => name.ToLowerInvariant())] : [];

    [TestCaseSource(nameof(OptionSets))]
    public void Each_option_is_described_as_declared(Type type)
    {
        foreach (OptionDescription description in Described(type))
        {
            OptionAttribute attribute = type.GetProperties().Select(p => p.GetCustomAttribute<OptionAttribute>())
                .Single(o => o?.LongName == description.Long)!;
            (description.Short ?? "").Should().Be(attribute.ShortName);
            description.Text.Should().Be(attribute.HelpText).And.NotBeEmpty();
            description.Hidden.Should().Be(attribute.Hidden);
            description.Default.Should().Be(attribute.Default?.ToString()!.ToLowerInvariant());
            description.MetaValue?.Should().Be(attribute.MetaValue).And.NotBeEmpty("a value needs a name");
        }
    }

    [TestCase("create --bundle /b --pid-file /p --console-socket /s --pidfd-socket /q --no-pivot --no-new-keyring --preserve-fds 3 "
        + "--config other.json c1")]
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
        object byPackage = parser.ParseArguments(args, [.. Verbs.All.Select(v => v.GetType())]).Should()
            .BeAssignableTo<Parsed<object>>().Subject.Value;

        VerbOptions byHand = CommandLineReader.Parse(args).Verb!;

        byHand.Should().BeOfType(byPackage.GetType());
        byHand.Should().BeEquivalentTo(byPackage, o => o.RespectingRuntimeTypes());
    }

    [TestCase("--root /r --log /l --log-format json --log-level debug --debug --systemd-cgroup --cgroup-manager systemd --rootless false "
        + "--criu /c")]
    [TestCase("--root=/r --rootless=auto")]
    [TestCase("--log-level error")]
    public void CommandLineParser_reads_the_same_global_options(string line)
    {
        using Parser parser = NewParser();
        string[] args = line.Split(' ');
        GlobalOptions byPackage = parser.ParseArguments<GlobalOptions>(args).Should().BeAssignableTo<Parsed<GlobalOptions>>().Subject.Value;

        CommandLineReader.Parse(args).Globals.Should().BeEquivalentTo(byPackage);
    }

    private static ValueAttribute? ArgumentOf(PropertyInfo property) => property.GetCustomAttribute<ValueAttribute>();

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

        if (type.IsAssignableTo(typeof(IEnumerable<string>)) && type != typeof(string)) return ("word", new[] { "word" });

        if (underlying == typeof(bool)) return ("word", true);
        return underlying.IsPrimitive ? ("7", Convert.ChangeType(7, underlying)) : ("word", "word");
    }

    private static OptionDescription[] Described(Type type) => ((OptionSet)Activator.CreateInstance(type)!).DescribeOptions();

    private static string[] DeclaredNames(Type type) =>
        [.. Described(type).SelectMany(o => new[] { o.Long, o.Short }).OfType<string>()];
}
