namespace OciRuntime.Cgroups;

/// <summary>The device rules of a container, defaults included.</summary>
internal sealed class DeviceFilter
{
    /// <summary>Rules in order, a later one overriding an earlier one, in the kernel's words: "allow c 1:3 rwm".</summary>
    public string[] Describe() => throw new NotSupportedException();
}
