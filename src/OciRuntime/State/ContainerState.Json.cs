using System.Buffers;
using System.Text.Json;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.State;

internal sealed partial class ContainerState
{
    private const string CreatingWord = "creating", CreatedWord = "created";

    internal static JsonWriterOptions Compact => new() { Encoder = LegibleJson.Encoder, SkipValidation = true };

    /// <summary>Reads what <see cref="ToJson"/> wrote. Unknown fields are ignored, a newer version is refused.</summary>
    /// <param name="json">The contents of state.json.</param>
    /// <param name="id">The container it was found in; a journal that names another one is not trusted.</param>
    /// <exception cref="OciException">With errno EPROTO when it is damaged, EOPNOTSUPP when it is of a newer version.</exception>
    public static ContainerState Parse(ReadOnlySpan<byte> json, string id)
    {
        ContainerState state;
        try
        {
            state = new JournalFields(json).Object(new ContainerState { Version = 0 }, Fields);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw Unreadable(id, e.Message);
        }
        if (state.Version > CurrentVersion)
            throw Unreadable(id, $"version {state.Version}, written by a newer ocirun; this one knows {CurrentVersion}", Errno.EOPNOTSUPP);
        if (state.Version < 1) throw Unreadable(id, "it has no version");
        return state.Id == id ? state : throw Unreadable(id, $"it is about container \"{state.Id}\"");
    }

    /// <summary>The contents of state.json.</summary>
    public ReadOnlySpan<byte> ToJson()
    {
        ArrayBufferWriter<byte> buffer = new(2048);
        using Utf8JsonWriter w = new(buffer, Compact);
        w.WriteStartObject();
        new JournalFields(w).Object(this, Fields);
        w.Flush();
        return buffer.WrittenSpan;
    }

    private static OciException Unreadable(string id, string reason, int errno = Errno.EPROTO) =>
        new($"state of container {id} cannot be read: {reason}", errno);

    private static void Fields(ref JournalFields f, ref ContainerState s)
    {
        s.Version = f.Number("version"u8, s.Version);
        s.Id = f.Text("id"u8, s.Id);
        s.OciVersion = f.Text("ociVersion"u8, s.OciVersion);
        string phase = f.Text("phase"u8, s.Phase == ContainerPhase.Created ? CreatedWord : CreatingWord);
        s.Phase = phase switch
        {
            CreatingWord => ContainerPhase.Creating,
            CreatedWord => ContainerPhase.Created,
            _ => throw new JsonException($"phase \"{phase}\""),
        };
        s.Init = new(f.Number("pid"u8, s.Init.Pid), f.Number("startTime"u8, s.Init.StartTime));
        s.Creator = new(f.Number("creatorPid"u8, s.Creator.Pid), f.Number("creatorStartTime"u8, s.Creator.StartTime));
        s.Created = f.Text("created"u8, s.Created);
        s.Bundle = f.Text("bundle"u8, s.Bundle);
        s.Rootfs = f.Text("rootfs"u8, s.Rootfs);
        f.Map("annotations"u8, s.Annotations);
        s.CgroupManager = f.Text("cgroupManager"u8, s.CgroupManager);
        s.CgroupDirectories = f.Texts("cgroupDirectories"u8, s.CgroupDirectories);
        s.CgroupsCreated = f.OptionalTexts("cgroupsCreated"u8, s.CgroupsCreated);
        s.CgroupsToEmpty = f.Texts("cgroupsToEmpty"u8, s.CgroupsToEmpty);
        s.CgroupParents = f.Texts("cgroupParents"u8, s.CgroupParents);
        s.DeviceProgram = f.Text("deviceProgram"u8, s.DeviceProgram);
        s.DeviceRules = f.OptionalTexts("deviceRules"u8, s.DeviceRules);
        s.UpdatedLimits = f.Texts("updatedLimits"u8, s.UpdatedLimits);
        s.ResctrlGroups = f.Texts("resctrlGroups"u8, s.ResctrlGroups);
        s.SystemdUnit = f.OptionalText("systemdUnit"u8, s.SystemdUnit);
        s.SystemdUser = f.Flag("systemdUser"u8, s.SystemdUser);
        s.PrivatePidNamespace = f.Flag("privatePidNamespace"u8, s.PrivatePidNamespace);
        s.Keyring = f.Flag("keyring"u8, s.Keyring);
        s.KeptFds = f.Number("keptFds"u8, s.KeptFds);
        s.ProtectiveMounts = f.OptionalNumbers("protectiveMounts"u8, s.ProtectiveMounts);
        s.OwnerUid = f.Number("ownerUid"u8, s.OwnerUid);
        s.NotifySocket = f.OptionalText("notifySocket"u8, s.NotifySocket);
        if (f.Begins("hostMount"u8, s.HostMount is not null)) s.HostMount = f.Object(s.HostMount ?? default, FieldsOfMount);
        if (f.Begins("hooks"u8, s.Poststart.Length + s.Poststop.Length > 0)) f.Object(s, FieldsOfHooks);
    }

    private static void FieldsOfMount(ref JournalFields f, ref HostMount m) => m = new HostMount(
        f.Number("id"u8, m.Id), f.Number("uniqueId"u8, m.UniqueId), f.Number("parent"u8, m.Parent), f.Number("inode"u8, m.Inode),
        f.Number("namespace"u8, m.Namespace));

    private static void FieldsOfHooks(ref JournalFields f, ref ContainerState s)
    {
        s.Poststart = f.Objects("poststart"u8, s.Poststart, FieldsOfHook);
        s.Poststop = f.Objects("poststop"u8, s.Poststop, FieldsOfHook);
    }

    private static void FieldsOfHook(ref JournalFields f, ref Hook hook)
    {
        hook.Path = f.Text("path"u8, hook.Path);
        hook.Args = f.Texts("args"u8, hook.Args);
        hook.Env = f.OptionalTexts("env"u8, hook.Env);
        hook.Timeout = f.OptionalNumber("timeout"u8, hook.Timeout);
    }
}
