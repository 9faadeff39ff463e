using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace OciRuntime.Tests.Clients;

/// <summary>One small image, made here, so that no registry is needed: as a tar of its files, and as the tar of an OCI layout.</summary>
internal static class ClientImage
{
    /// <summary>Its name inside a client.</summary>
    public const string Name = "docker.io/library/bb:latest";

    private const string Config = "application/vnd.oci.image.config.v1+json", Manifest = "application/vnd.oci.image.manifest.v1+json";
    private const string Layer = "application/vnd.oci.image.layer.v1.tar";
    private const UnixFileMode Mode755 = (UnixFileMode)0b111_101_101, Mode644 = (UnixFileMode)0b110_100_100;

    // Symlinks, not hard links or copies: a client unpacks the layer once for every container.
    private static readonly string[] Applets =
    [
        "sh", "cat", "chmod", "chown", "date", "echo", "env", "false", "grep", "hostname", "id", "ip", "kill", "ls", "mkdir", "mknod",
        "mount", "nc", "ping", "ps", "pwd", "readlink",
        "rm", "sleep", "stat", "stty", "touch", "true", "tty", "umask", "uname", "wc",
    ];

    /// <summary>The root file system as a tar, for `podman import`, `docker import` and `ADD`.</summary>
    public static void WriteRootfs(string path) => File.WriteAllBytes(path, Rootfs());

    /// <summary>The whole image, for `ctr image import`, which knows no plain root file systems.</summary>
    /// <param name="path">The tar to write.</param>
    /// <param name="name">What the image is called inside the client.</param>
    /// <param name="command">What it runs when nothing else is asked for; a shell when there is none.</param>
    public static void WriteOciLayout(string path, string name = Name, params string[] command)
    {
        if (command.Length == 0) command = ["sh"];
        byte[] layer = Rootfs();
        byte[] config = Json(new JsonObject
        {
            ["architecture"] = OciArchitecture,
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Env"] = new JsonArray("PATH=/bin"), ["Cmd"] = new JsonArray([.. command]) },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray("sha256:" + Digest(layer)) },
        });
        byte[] manifest = Json(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = Manifest,
            ["config"] = Descriptor(Config, config),
            ["layers"] = new JsonArray(Descriptor(Layer, layer)),
        });
        JsonObject named = Descriptor(Manifest, manifest);
        named["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = name, ["io.containerd.image.name"] = name };
        byte[] index = Json(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(named) });

        using TarWriter tar = new(File.Create(path), TarEntryFormat.Ustar);
        AddFile(tar, "oci-layout", Json(new JsonObject { ["imageLayoutVersion"] = "1.0.0" }), Mode644);
        AddFile(tar, "index.json", index, Mode644);
        foreach (byte[] blob in (byte[][])[layer, config, manifest]) AddFile(tar, $"blobs/sha256/{Digest(blob)}", blob, Mode644);
    }

    /// <summary>This machine's, as images name it.</summary>
    public static string OciArchitecture =>
        System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64
        ? "arm64" : "amd64";

    private static byte[] Rootfs()
    {
        using MemoryStream bytes = new();
        using (TarWriter tar = new(bytes, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach (string directory in (string[])["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"])
                tar.WriteEntry(new UstarTarEntry(TarEntryType.Directory, directory + "/") { Mode = Mode755 });
            AddFile(tar, "bin/busybox", File.ReadAllBytes("/bin/busybox"), Mode755);
            foreach (string applet in Applets)
                tar.WriteEntry(new UstarTarEntry(TarEntryType.SymbolicLink, $"bin/{applet}") { LinkName = "busybox" });
            AddFile(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n"u8.ToArray(), Mode644);
            AddFile(tar, "etc/group", "root:x:0:\nuser:x:1000:\n"u8.ToArray(), Mode644);
        }
        return bytes.ToArray();
    }

    private static void AddFile(TarWriter tar, string name, byte[] content, UnixFileMode mode) =>
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { Mode = mode, DataStream = new MemoryStream(content) });

    private static JsonObject Descriptor(string type, byte[] content) =>
        new() { ["mediaType"] = type, ["digest"] = "sha256:" + Digest(content), ["size"] = content.Length };

    private static string Digest(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static byte[] Json(JsonObject value) => System.Text.Encoding.UTF8.GetBytes(value.ToJsonString());
}
