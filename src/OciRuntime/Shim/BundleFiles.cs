using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>
/// What the shim leaves in a bundle, for whoever comes after it has died, and for containerd's older versions, which find its socket there.
/// </summary>
internal static class BundleFiles
{
    /// <summary>The first process's pid.</summary>
    public const string InitPid = "init.pid";

    /// <summary>The address of the shim's socket.</summary>
    public const string Address = "address";

    private const string Options = "options.json";
    private const int MaxBytes = 1 << 20;

    /// <summary>Notes where the runtime's state is.</summary>
    public static void WriteRoot(string bundle, string root)
    {
        System.Buffers.ArrayBufferWriter<byte> text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            json.WriteString("root"u8, root);
            json.WriteEndObject();
        }
        OciException.Check(
            Files.WriteFileAt(Files.AT_FDCWD, $"{bundle}/{Options}", text.WrittenSpan, Files.O_WRONLY | Files.O_CREAT | Files.O_TRUNC,
                FileModes.PrivateFile), $"write {bundle}/{Options}");
    }

    /// <summary>Where the runtime's state is; the default when nothing was noted.</summary>
    /// <exception cref="OciException">It is not known: elsewhere nothing would be found, and taken for nothing that is left.</exception>
    public static string ReadRoot(string bundle)
    {
        byte[]? text = Files.ReadFileAt(Files.AT_FDCWD, $"{bundle}/{Options}", MaxBytes, out long error);
        if (text is null)
            return error == -Errno.ENOENT ? RuntimeSettings.DefaultRoot : throw OciException.FromResult(error, $"read {bundle}/{Options}");
        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            if (json.RootElement.TryGetProperty("root"u8, out JsonElement root) && root.GetString() is { Length: > 0 } path) return path;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // What was cut off, or is no such document, names no place either.
        }
        throw new OciException($"{bundle}/{Options} does not say where the state is");
    }

    /// <summary>As a whole: containerd may read it at any time.</summary>
    public static void WriteAddress(string bundle, string address)
    {
        string path = $"{bundle}/{Address}", temporary = $"{bundle}/.{Address}";
        long result = Files.WriteFileAt(Files.AT_FDCWD, temporary, System.Text.Encoding.UTF8.GetBytes(address),
            Files.O_WRONLY | Files.O_CREAT | Files.O_TRUNC);
        if (result >= 0) result = Files.RenameAt(Files.AT_FDCWD, temporary, Files.AT_FDCWD, path);
        OciException.Check(result, $"write {path}");
    }
}
