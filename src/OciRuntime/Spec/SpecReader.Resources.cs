namespace OciRuntime.Spec;

public static partial class SpecReader
{
    private static LinuxResources? ReadResources(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var resources = new LinuxResources();
        while (json.NextProperty())
        {
            if (json.Is("devices"u8)) resources.Devices = Array(ref json, ReadDeviceRule);
            else if (json.Is("memory"u8)) resources.Memory = ReadMemory(ref json);
            else if (json.Is("cpu"u8)) resources.Cpu = ReadCpu(ref json);
            else if (json.Is("pids"u8)) resources.Pids = ReadPids(ref json);
            else if (json.Is("blockIO"u8)) resources.BlockIO = ReadBlockIO(ref json);
            else if (json.Is("hugepageLimits"u8)) resources.HugepageLimits = Array(ref json, ReadHugepageLimit);
            else if (json.Is("network"u8)) resources.Network = ReadNetwork(ref json);
            else if (json.Is("rdma"u8)) resources.Rdma = Map(ref json, ReadRdma);
            else if (json.Is("unified"u8)) resources.Unified = Map(ref json, StringElement, nullIsAbsent: true);
            else json.Skip();
        }
        return resources;
    }

    private static DeviceRule ReadDeviceRule(ref JsonCursor json)
    {
        var rule = new DeviceRule();
        if (!json.StartElement())
            return rule;
        while (json.NextProperty())
        {
            if (json.Is("allow"u8)) rule.Allow = json.Bool() ?? false;
            else if (json.Is("type"u8)) rule.Type = json.String();
            else if (json.Is("major"u8)) rule.Major = json.Int64();
            else if (json.Is("minor"u8)) rule.Minor = json.Int64();
            else if (json.Is("access"u8)) rule.Access = json.String();
            else json.Skip();
        }
        return rule;
    }

    private static MemoryResources? ReadMemory(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var memory = new MemoryResources();
        while (json.NextProperty())
        {
            if (json.Is("limit"u8)) memory.Limit = json.Int64();
            else if (json.Is("reservation"u8)) memory.Reservation = json.Int64();
            else if (json.Is("swap"u8)) memory.Swap = json.Int64();
            else if (json.Is("kernel"u8)) memory.Kernel = json.Int64();
            else if (json.Is("kernelTCP"u8)) memory.KernelTCP = json.Int64();
            else if (json.Is("swappiness"u8)) memory.Swappiness = json.UInt64();
            else if (json.Is("disableOOMKiller"u8)) memory.DisableOOMKiller = json.Bool();
            else if (json.Is("useHierarchy"u8)) memory.UseHierarchy = json.Bool();
            else if (json.Is("checkBeforeUpdate"u8)) memory.CheckBeforeUpdate = json.Bool();
            else json.Skip();
        }
        return memory;
    }

    private static CpuResources? ReadCpu(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var cpu = new CpuResources();
        while (json.NextProperty())
        {
            if (json.Is("shares"u8)) cpu.Shares = json.UInt64();
            else if (json.Is("quota"u8)) cpu.Quota = json.Int64();
            else if (json.Is("burst"u8)) cpu.Burst = json.UInt64();
            else if (json.Is("period"u8)) cpu.Period = json.UInt64();
            else if (json.Is("realtimeRuntime"u8)) cpu.RealtimeRuntime = json.Int64();
            else if (json.Is("realtimePeriod"u8)) cpu.RealtimePeriod = json.UInt64();
            else if (json.Is("cpus"u8)) cpu.Cpus = json.String();
            else if (json.Is("mems"u8)) cpu.Mems = json.String();
            else if (json.Is("idle"u8)) cpu.Idle = json.Int64();
            else json.Skip();
        }
        return cpu;
    }

    private static PidsResources? ReadPids(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var pids = new PidsResources();
        while (json.NextProperty())
        {
            if (json.Is("limit"u8)) pids.Limit = json.Int64();
            else json.Skip();
        }
        return pids;
    }

    private static BlockIOResources? ReadBlockIO(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var io = new BlockIOResources();
        while (json.NextProperty())
        {
            if (json.Is("weight"u8)) io.Weight = json.UInt16();
            else if (json.Is("leafWeight"u8)) io.LeafWeight = json.UInt16();
            else if (json.Is("weightDevice"u8)) io.WeightDevice = Array(ref json, ReadWeightDevice);
            else if (json.Is("throttleReadBpsDevice"u8)) io.ThrottleReadBpsDevice = Array(ref json, ReadThrottleDevice);
            else if (json.Is("throttleWriteBpsDevice"u8)) io.ThrottleWriteBpsDevice = Array(ref json, ReadThrottleDevice);
            else if (json.Is("throttleReadIOPSDevice"u8)) io.ThrottleReadIOPSDevice = Array(ref json, ReadThrottleDevice);
            else if (json.Is("throttleWriteIOPSDevice"u8)) io.ThrottleWriteIOPSDevice = Array(ref json, ReadThrottleDevice);
            else json.Skip();
        }
        return io;
    }

    private static WeightDevice ReadWeightDevice(ref JsonCursor json)
    {
        var device = new WeightDevice();
        if (!json.StartElement())
            return device;
        while (json.NextProperty())
        {
            if (json.Is("major"u8)) device.Major = json.Int64() ?? 0;
            else if (json.Is("minor"u8)) device.Minor = json.Int64() ?? 0;
            else if (json.Is("weight"u8)) device.Weight = json.UInt16();
            else if (json.Is("leafWeight"u8)) device.LeafWeight = json.UInt16();
            else json.Skip();
        }
        return device;
    }

    private static ThrottleDevice ReadThrottleDevice(ref JsonCursor json)
    {
        var device = new ThrottleDevice();
        if (!json.StartElement())
            return device;
        while (json.NextProperty())
        {
            if (json.Is("major"u8)) device.Major = json.Int64() ?? 0;
            else if (json.Is("minor"u8)) device.Minor = json.Int64() ?? 0;
            else if (json.Is("rate"u8)) device.Rate = json.UInt64() ?? 0;
            else json.Skip();
        }
        return device;
    }

    private static HugepageLimit ReadHugepageLimit(ref JsonCursor json)
    {
        var limit = new HugepageLimit();
        if (!json.StartElement())
            return limit;
        while (json.NextProperty())
        {
            if (json.Is("pageSize"u8)) limit.PageSize = json.String() ?? "";
            else if (json.Is("limit"u8)) limit.Limit = json.UInt64() ?? 0;
            else json.Skip();
        }
        return limit;
    }

    private static NetworkResources? ReadNetwork(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var network = new NetworkResources();
        while (json.NextProperty())
        {
            if (json.Is("classID"u8)) network.ClassID = json.UInt32();
            else if (json.Is("priorities"u8)) network.Priorities = Array(ref json, ReadInterfacePriority);
            else json.Skip();
        }
        return network;
    }

    private static InterfacePriority ReadInterfacePriority(ref JsonCursor json)
    {
        var priority = new InterfacePriority();
        if (!json.StartElement())
            return priority;
        while (json.NextProperty())
        {
            if (json.Is("name"u8)) priority.Name = json.String() ?? "";
            else if (json.Is("priority"u8)) priority.Priority = json.UInt32() ?? 0;
            else json.Skip();
        }
        return priority;
    }

    private static RdmaLimit ReadRdma(ref JsonCursor json)
    {
        var limit = new RdmaLimit();
        if (!json.StartElement())
            return limit;
        while (json.NextProperty())
        {
            if (json.Is("hcaHandles"u8)) limit.HcaHandles = json.UInt32();
            else if (json.Is("hcaObjects"u8)) limit.HcaObjects = json.UInt32();
            else json.Skip();
        }
        return limit;
    }
}
