using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Generators;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>A declaration that could not be carried out is an error, at its place, when the program is compiled.</summary>
public sealed class OptionsGeneratorTests
{
    private const string Verb = "[Verb(\"drill\", HelpText = \"h\")]", Class = "partial class DrillOptions";
    private const string Usings = "using CommandLine; using OciRuntime.Cli; using System.Collections.Generic;\n";
    private const string Body = "{ const string X = \"x\", N = \"N\", H = \"h\"; public override VerbHelp Describe() => null!;";

    // What is declared, where the error is, and what it says.
    [TestCase("[Option(X, MetaValue = N, HelpText = H)] public double It { get; set; }", "It",
        "nothing reads a double: name a method in [ReadWith]")]
    [TestCase("[Option(X, HelpText = H)] public string? It { get; set; }", "It", "MetaValue is missing")]
    [TestCase("[Option(X)] public bool It { get; set; }", "It", "HelpText is missing")]
    [TestCase("[Option(HelpText = H)] public bool It { get; set; }", "It", "an option needs a name")]
    [TestCase("[Option(X, HelpText = H)] public bool It { get; }", "It", "it has no setter*")]
    [TestCase("[Option(X, HelpText = H, Required = true)] public bool It { get; set; }", "It", "Required is not carried out here*")]
    [TestCase("[Option(X, HelpText = H, SetName = N)] public bool It { get; set; }", "It", "SetName is not carried out here*")]
    [TestCase("[Option(X, MetaValue = N, HelpText = H)] public int It { get; set; }", "It", "Default is missing*")]
    [TestCase("[Option(X, MetaValue = N, HelpText = H, Default = 3)] public int It { get; set; } = 4;", "It",
        "Default is 3, but*begins as 4")]
    [TestCase("[Option(X, MetaValue = N, HelpText = H, Default = LogLevel.Info)] public LogLevel It { get; set; }", "It",
        "Default is *Info, but*")]
    [TestCase("[Option(\"help\", HelpText = H)] public bool It { get; set; }", "It", "another option is called help, too")]
    [TestCase("[Option('h', X, HelpText = H)] public bool It { get; set; }", "It", "another option is called h, too")]
    [TestCase("[Option(X, MetaValue = N, HelpText = H), ReadWith(\"No\")] public long? It { get; set; }", "It",
        "[ReadWith]: there is no static long? No(*")]
    [TestCase("[Option(X, MetaValue = N, HelpText = H), ReadWith(\"Text\")] public long? It { get; set; }", "It",
        "[ReadWith]: *no long? Text()*")]
    [TestCase("[Value(1, MetaName = X, HelpText = H)] public string It { get; set; } = \"\";", "It",
        "*none, or more than one, has the number 0")]
    [TestCase("[Value(0, MetaName = X, HelpText = H)] public int It { get; set; }", "It", "an argument is a string*")]
    [TestCase("[Value(0, MetaName = X, HelpText = H)] public List<string> It { get; } = []; " +
        "[Value(1, MetaName = N, HelpText = H)] public string Last { get; set; } = \"\";", "It", "only the last*")]
    [TestCase("[Value(0, MetaName = X, HelpText = H)] public string? First { get; set; } " +
        "[Value(1, MetaName = N, HelpText = H, Required = true)] public string It { get; set; } = \"\";", "It", "a required argument*")]
    public void Of_an_option_or_argument(string member, string where, string problem) =>
        ShouldRefuse($"{Verb} [Command(5)] {Class} : VerbOptions {Body} {member} }} {CommandOf("Drill")}", where, problem);

    [TestCase($"{Verb} [Command(5)] class DrillOptions", "a class of options is partial*")]
    [TestCase($"{Verb} {Class}", "[Command] is missing*")]
    [TestCase($"[Verb(\"drill\")] [Command(5)] {Class}", "[Verb] needs a HelpText*")]
    [TestCase($"[Verb(\"drill\", HelpText = \"h\", Hidden = true)] [Command(5)] {Class}", "[Verb] needs a HelpText, and nothing else*")]
    [TestCase("[Verb(\"saw\", HelpText = \"h\")] [Command(5)] partial class SawOptions",
        "there is no OciRuntime.Commands.SawCommand.Run(*, SawOptions)")]
    [TestCase($"{Verb} [Command(5)] partial class Drill", "the options of the command xyz are called XyzOptions")]
    public void Of_a_command(string head, string problem) =>
        ShouldRefuse($"{head} : VerbOptions {Body} }} {(head.Contains(Class) ? CommandOf("Drill") : "")}", head.Split(' ')[^1], problem);

    [Test]
    public void Of_two_commands_for_one_place()
    {
        string saw = $"[Verb(\"saw\", HelpText = \"h\")] [Command(5)] partial class SawOptions : VerbOptions {Body} }}";
        string drill = $"{Verb} [Command(5)] {Class} : VerbOptions {Body} }}";
        ShouldRefuse($"{drill} {saw} {CommandOf("Drill")} {CommandOf("Saw")}", "SawOptions", "drill has place 5, too");
    }

    [Test]
    public void What_is_right_is_made_and_stays_while_nothing_about_it_changes()
    {
        string option = "[Option('x', \"ex\", HelpText = H)] public bool It { get; set; }";
        string source = $"{Usings}{Verb} [Command(5)] {Class} : VerbOptions {Body} {option} }} {CommandOf("Drill")}";
        Generation.ShouldMake(new OptionsGenerator(), source).Should().Contain("case \"ex\" or \"x\": { It = a.Flag(); return true; }")
            .And.Contain("\"drill\" => new DrillOptions()")
            .And.Contain("DrillOptions o => OciRuntime.Commands.DrillCommand.Run(globals, o)");
    }

    [Test]
    public void An_argument_that_is_one_of_some_words_needs_no_others()
    {
        string argument = "[Value(0)] public Tool It { get; set; }";
        string head = $"{Usings}public enum Tool {{ Saw, Drill }} {Verb} [Command(5)] {Class}";
        string source = $"{head} : VerbOptions {Body} {argument} }} {CommandOf("Drill")}";
        Generation.ShouldMake(new OptionsGenerator(), source).Should().Contain("EnumWords.TryRead(value, out Tool word) ? word : ")
            .And.Contain("new(\"saw|drill\", false, false, \"saw or drill\", null, ValueHint.OneOf(\"saw\", \"drill\"))");
    }

    private static string CommandOf(string name) =>
        $"namespace OciRuntime.Commands {{ class {name}Command {{ public static int Run(GlobalOptions g, {name}Options o) => 0; }} }}";

    private static void ShouldRefuse(string source, string where, string problem) =>
        Generation.ShouldRefuse(new OptionsGenerator(), Usings + source, where, problem);
}
