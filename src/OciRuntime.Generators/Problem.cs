using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace OciRuntime.Generators;

/// <summary>
/// What is wrong with a declaration. Like all that goes from one stage to the next it is compared by value, and holds nothing of a
/// compilation.
/// </summary>
internal sealed record Problem(string Path, TextSpan Span, LinePositionSpan Lines, string Message)
{
    private static readonly DiagnosticDescriptor Descriptor =
        new("OCIRUN001", "Declaration that nothing carries out", "{0}", "Declarations", DiagnosticSeverity.Error, isEnabledByDefault: true);

    public static Problem Of(ISymbol symbol, string message)
    {
        Location location = symbol.Locations[0];
        return new(location.SourceTree?.FilePath ?? "", location.SourceSpan, location.GetLineSpan().Span, message);
    }

    public Diagnostic ToDiagnostic() => Diagnostic.Create(Descriptor, Location.Create(Path, Span, Lines), Message);
}

/// <summary>A declaration that nobody could carry out, and the place of it.</summary>
internal sealed class DeclarationException(ISymbol symbol, string message) : Exception(message)
{
    public Problem Problem { get; } = Problem.Of(symbol, message);
}
