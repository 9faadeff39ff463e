using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Runs the steps of a plan on open directories.</summary>
internal sealed class CgroupSteps(CgroupPlan plan, int[] directories)
{
    // Consecutive writes to one file share its descriptor: a list of device rules is a dozen of them.
    private int _fd = -1, _fdDirectory = -1;
    private string _fdName = "";

    /// <summary>Runs all steps in order.</summary>
    /// <exception cref="OciException">One failed and its failure is not tolerated.</exception>
    public void Run()
    {
        try
        {
            for (int i = 0; i < plan.Steps.Length;) i = Run(i);
        }
        finally
        {
            CloseFile();
        }
    }

    private int Run(int index)
    {
        ref readonly CgroupStep step = ref plan.Steps[index];
        int directory = directories[step.Directory];
        if (directory < 0) return index + 1; // Optional, and not permitted.
        int next = index + 1;
        long result = Do(step, directory);
        if (result == -Errno.EINVAL && (step.Tolerance & CgroupTolerance.AfterNext) != 0 && next < plan.Steps.Length)
        {
            next = Run(next);
            result = Do(step, directory);
        }
        if (result < 0 && !Tolerates(step.Tolerance, result)) throw CgroupHints.Failure(plan, step, directory, result);
        return next;
    }

    private bool Tolerates(CgroupTolerance tolerance, long result) => result switch
    {
        -Errno.ENOENT => (tolerance & CgroupTolerance.Missing) != 0,
        -Errno.EPERM or -Errno.EACCES or -Errno.EROFS => plan.Optional || (tolerance & CgroupTolerance.Permission) != 0,
        _ => false,
    };

    private long Do(in CgroupStep step, int directory) => step.Kind switch
    {
        CgroupStepKind.Write => step.File.Contains('|') ? WriteFirst(step, directory) : WriteFile(step.Directory, directory, step.File, step.Value),
        CgroupStepKind.SeedCpuset => CgroupSetup.SeedCpuset(plan.Directories[step.Directory], directory),
        CgroupStepKind.EnableControllers => CgroupSetup.EnableControllers(plan, plan.Directories[step.Directory], directory, step),
        CgroupStepKind.AttachDevices => plan.Devices is null ? 0 : DeviceProgram.Attach(directory, plan.Devices, replaceOld: false),
        CgroupStepKind.UpdateDevices => DeviceUpdate.Apply(directory, plan.Directories[step.Directory].Hierarchy.Unified, plan.Devices!, new CgroupControl(plan.Paths)),
        CgroupStepKind.CheckMemoryUse => CgroupSetup.CheckMemoryUse(directory, step),
        CgroupStepKind.Delegate => CgroupSetup.Delegate(directory, uint.Parse(step.Value)),
        _ => -Errno.EINVAL,
    };

    private long WriteFirst(in CgroupStep step, int directory)
    {
        string[] files = step.File.Split('|'), values = step.Value.Split('|');
        long result = -Errno.ENOENT;
        for (int i = 0; i < files.Length && result == -Errno.ENOENT; i++)
        {
            result = WriteFile(step.Directory, directory, files[i], values[Math.Min(i, values.Length - 1)]);
        }
        return result;
    }

    private long WriteFile(int index, int directory, string file, string value)
    {
        if (_fdDirectory != index || _fdName != file)
        {
            CloseFile();
            long fd = CgroupFiles.OpenFile(directory, file, Files.O_WRONLY);
            if (fd < 0) return fd;
            _fd = (int)fd;
            _fdDirectory = index;
            _fdName = file;
        }
        return CgroupFiles.WriteTo(_fd, value);
    }

    private void CloseFile()
    {
        if (_fd >= 0) Files.Close(_fd);
        _fd = -1;
        _fdDirectory = -1;
    }
}
