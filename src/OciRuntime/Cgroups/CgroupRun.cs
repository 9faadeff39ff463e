using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Does the steps of a plan in open directories.</summary>
/// <param name="plan">The plan.</param>
/// <param name="directories">Its directories; -1 for what could not be opened and need not be.</param>
internal sealed class CgroupRun(CgroupPlan plan, int[] directories)
{
    // Consecutive writes to one file share its descriptor: a list of device rules is a dozen of them.
    private int _fd = -1, _fdDirectory = -1;
    private string _fdName = "";

    public CgroupPlan Plan => plan;

    /// <summary>Does all steps in order.</summary>
    /// <exception cref="OciException">One failed and its failure is not tolerated.</exception>
    public void All()
    {
        try
        {
            for (int i = 0; i < plan.Steps.Length;) i = One(i);
        }
        finally
        {
            CloseFile();
        }
    }

    /// <summary>Does all steps in order, those after one that failed, too.</summary>
    /// <param name="failed">Takes what is wrong with one.</param>
    public void Each(Action<OciException> failed)
    {
        for (int i = 0; i < plan.Steps.Length;)
        {
            try
            {
                i = One(i);
            }
            catch (OciException e)
            {
                failed(e);
                i++;
            }
        }
        CloseFile();
    }

    /// <summary>Writes a control file, and leaves it open for the next write.</summary>
    public long Write(int directory, in FileContent content)
    {
        if (_fdDirectory != directory || _fdName != content.File)
        {
            CloseFile();
            long fd = CgroupFiles.OpenFile(directory, content.File, Files.O_WRONLY);
            if (fd < 0) return fd;
            _fd = (int)fd;
            _fdDirectory = directory;
            _fdName = content.File;
        }
        return CgroupFiles.WriteTo(_fd, content.Value.ToString());
    }

    private int One(int index)
    {
        CgroupStep step = plan.Steps[index];
        int directory = directories[step.Directory];
        if (directory < 0) return index + 1; // Optional, and not permitted.
        CgroupDirectory place = plan.Directories[step.Directory];
        int next = index + 1;
        long result = step.Do(this, place, directory);
        if (result == -Errno.EINVAL && (step.Tolerance & CgroupTolerance.AfterNext) != 0 && next < plan.Steps.Length)
        {
            next = One(next);
            result = step.Do(this, place, directory);
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

    private void CloseFile()
    {
        if (_fd >= 0) Files.Close(_fd);
        _fd = -1;
        _fdDirectory = -1;
    }
}
