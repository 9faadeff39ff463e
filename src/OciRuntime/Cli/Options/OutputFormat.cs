namespace OciRuntime.Cli;

/// <summary>How a list is printed.</summary>
public enum ListFormat
{
    Table,
    Json,
}

/// <summary>How a single document is printed.</summary>
public enum DocumentFormat
{
    Text,
    Json,
}
