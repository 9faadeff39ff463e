namespace OciRuntime.Spec;

public static partial class SpecValidator
{
    private static void CheckResources(LinuxResources resources, string at, SpecProblems problems)
    {
        CheckDeviceRules(resources.Devices, at, problems);
        if (resources.Memory is not null) CheckMemory(resources.Memory, $"{at}/memory", problems);
        if (resources.Cpu is not null) CheckCpu(resources.Cpu, $"{at}/cpu", problems);
        // PIDS_MAX of the kernel; any negative number means unlimited.
        if (resources.Pids?.Limit is > 4194304)
            problems.Error($"{at}/pids/limit", SpecText.Show(resources.Pids.Limit.Value), "must be at most 4194304, or -1 for unlimited");
        if (resources.BlockIO is not null) CheckBlockIO(resources.BlockIO, $"{at}/blockIO", problems);
        CheckHugepages(resources.HugepageLimits, at, problems);
        CheckPriorities(resources.Network, at, problems);
        foreach ((string? device, RdmaLimit? limit) in resources.Rdma.AsSpan())
        {
            if (limit.HcaHandles is null && limit.HcaObjects is null)
                problems.Error($"{at}/rdma/{JsonPointer.Escape(device)}", null, "must have hcaHandles or hcaObjects");
        }
        foreach ((string key, string value) in resources.Unified.AsSpan())
        {
            // These do not limit the container: they move, stop or end processes.
            if (key is "cgroup.procs" or "cgroup.threads" or "cgroup.kill" or "cgroup.freeze")
            {
                problems.Error($"{at}/unified/{key}", null, $"\"{key}\" is not a resource");
            }
            else if (key.IndexOf('.') <= 0 || key.Contains('/'))
            {
                problems.Error($"{at}/unified/{JsonPointer.Escape(key)}", SpecText.Quote(value),
                    "must have the name of a cgroup file as key: with a \".\", without \"/\"");
            }
        }
    }

    private static void CheckDeviceRules(DeviceRule[] rules, string at, SpecProblems problems)
    {
        for (int i = 0; i < rules.Length; i++)
        {
            DeviceRule rule = rules[i];
            if (rule.Type is not (null or "" or "a" or "b" or "c"))
                problems.Error($"{at}/devices/{i}/type", SpecText.Quote(rule.Type), "is unknown; allowed: a, b, c");
            if (rule.Access is not null && rule.Access.AsSpan().IndexOfAnyExcept("rwm") >= 0)
                problems.Error($"{at}/devices/{i}/access", SpecText.Quote(rule.Access), "must consist of the letters r, w, m");
            CheckDeviceOfRule(rule.Major, "major", at, i, problems);
            CheckDeviceOfRule(rule.Minor, "minor", at, i, problems);
        }
    }

    // The kernel's have 12 and 20 bits; what matches nothing is no mistake, as long as a rule can have it (the immediate value of an
    // instruction has 32 bits and a sign).
    private static void CheckDeviceOfRule(long? number, string name, string at, int rule, SpecProblems problems)
    {
        if (number is < -1 or > int.MaxValue)
            problems.Error($"{at}/devices/{rule}/{name}", SpecText.Show(number.Value), "must be a device number, or -1 for any");
    }

    private static void CheckMemory(MemoryResources memory, string at, SpecProblems problems)
    {
        CheckBytes(memory.Limit, $"{at}/limit", problems);
        CheckBytes(memory.Reservation, $"{at}/reservation", problems);
        CheckBytes(memory.Swap, $"{at}/swap", problems);
        CheckBytes(memory.Kernel, $"{at}/kernel", problems);
        CheckBytes(memory.KernelTCP, $"{at}/kernelTCP", problems);
        if (memory.Swappiness is > 100) problems.Error($"{at}/swappiness", SpecText.Show(memory.Swappiness.Value), "must be from 0 to 100");
        // swap is the sum of memory and swap; 0 is unset and -1 unlimited for both.
        if (memory.Swap is not > 0) return;
        if (memory.Limit is null or 0)
        {
            problems.Error($"{at}/swap", SpecText.Show(memory.Swap.Value), "needs a memory limit: it limits memory and swap together");
        }
        else if (memory.Limit > 0 && memory.Swap < memory.Limit)
        {
            problems.Error($"{at}/swap", SpecText.Show(memory.Swap.Value),
                $"must be at least the memory limit ({memory.Limit}): it limits memory and swap together");
        }
    }

    private static void CheckBytes(long? bytes, string pointer, SpecProblems problems)
    {
        if (bytes is < -1) problems.Error(pointer, SpecText.Show(bytes.Value), "must be a number of bytes, or -1 for unlimited");
    }

    private static void CheckCpu(CpuResources cpu, string at, SpecProblems problems)
    {
        // tg_set_cfs_bandwidth() of the kernel: 1 ms to 1 s.
        if (cpu.Period is not (null or 0 or (>= 1000 and <= 1_000_000)))
            problems.Error($"{at}/period", SpecText.Show(cpu.Period.Value), "must be from 1000 to 1000000 microseconds");
        if (cpu.Quota is > 0 and < 1000)
            problems.Error($"{at}/quota", SpecText.Show(cpu.Quota.Value), "must be at least 1000 microseconds, or -1 for unlimited");
        if (cpu.Burst is > 0 && cpu.Quota is > 0 && cpu.Burst > (ulong)cpu.Quota)
            problems.Error($"{at}/burst", SpecText.Show(cpu.Burst.Value), $"must not be more than the quota ({cpu.Quota})");
        if (cpu.RealtimeRuntime is < -1)
            problems.Error($"{at}/realtimeRuntime", SpecText.Show(cpu.RealtimeRuntime.Value), "must be microseconds, or -1 for unlimited");
        if (cpu.Idle is not (null or 0 or 1)) problems.Error($"{at}/idle", SpecText.Show(cpu.Idle.Value), "must be 0 or 1");
        CheckCpuList(cpu.Cpus, $"{at}/cpus", problems);
        CheckCpuList(cpu.Mems, $"{at}/mems", problems);
    }

    private static void CheckCpuList(string? list, string pointer, SpecProblems problems)
    {
        if (list is not null && !CpuList.IsValid(list)) problems.Error(pointer, SpecText.Quote(list), "must be a list like 0-3,7");
    }

    private static void CheckBlockIO(BlockIOResources io, string at, SpecProblems problems)
    {
        CheckWeight(io.Weight, $"{at}/weight", problems);
        CheckWeight(io.LeafWeight, $"{at}/leafWeight", problems);
        for (int i = 0; i < io.WeightDevice.Length; i++)
        {
            WeightDevice device = io.WeightDevice[i];
            CheckBlockDevice(device.Major, device.Minor, $"{at}/weightDevice/{i}", problems);
            CheckWeight(device.Weight, $"{at}/weightDevice/{i}/weight", problems);
            CheckWeight(device.LeafWeight, $"{at}/weightDevice/{i}/leafWeight", problems);
        }
        CheckThrottles(io.ThrottleReadBpsDevice, $"{at}/throttleReadBpsDevice", problems);
        CheckThrottles(io.ThrottleWriteBpsDevice, $"{at}/throttleWriteBpsDevice", problems);
        CheckThrottles(io.ThrottleReadIOPSDevice, $"{at}/throttleReadIOPSDevice", problems);
        CheckThrottles(io.ThrottleWriteIOPSDevice, $"{at}/throttleWriteIOPSDevice", problems);
    }

    private static void CheckThrottles(ThrottleDevice[] devices, string at, SpecProblems problems)
    {
        for (int i = 0; i < devices.Length; i++) CheckBlockDevice(devices[i].Major, devices[i].Minor, $"{at}/{i}", problems);
    }

    private static void CheckBlockDevice(long major, long minor, string at, SpecProblems problems)
    {
        CheckDeviceNumber(major, 0xfff, $"{at}/major", problems);
        CheckDeviceNumber(minor, 0xfffff, $"{at}/minor", problems);
    }

    // 0 is how engines write "unset".
    private static void CheckWeight(ushort? weight, string pointer, SpecProblems problems)
    {
        if (weight is not (null or 0 or (>= 10 and <= 1000)))
            problems.Error(pointer, SpecText.Show(weight.Value), "must be from 10 to 1000");
    }

    private static void CheckHugepages(HugepageLimit[] limits, string at, SpecProblems problems)
    {
        for (int i = 0; i < limits.Length; i++)
        {
            if (!IsPageSize(limits[i].PageSize))
            {
                problems.Error($"{at}/hugepageLimits/{i}/pageSize", SpecText.Quote(limits[i].PageSize),
                    "must be a page size like 64KB, 2MB or 1GB");
            }
        }
    }

    private static bool IsPageSize(string size)
    {
        int digits = size.AsSpan().IndexOfAnyExceptInRange('0', '9');
        return digits > 0 && size[0] != '0' && size.AsSpan(digits) is ("KB" or "MB" or "GB");
    }

    private static void CheckPriorities(NetworkResources? network, string at, SpecProblems problems)
    {
        for (int i = 0; i < network?.Priorities.Length; i++)
        {
            if (!SpecText.IsInterfaceName(network.Priorities[i].Name))
            {
                problems.Error($"{at}/network/priorities/{i}/name", SpecText.Quote(network.Priorities[i].Name),
                    "must be an interface name");
            }
        }
    }
}
