using System.Globalization;

namespace OciRuntime.Verify;

/// <summary>
/// A process whose first thread has called pthread_exit goes on with the others. It is shown as a zombie then, with no files, no root and
/// no namespaces: what it has is what one of the others has.
/// </summary>
internal static class LiveThread
{
    // One may end while it is opened, and others begin. How many there are is up to the process.
    private const int Attempts = 5, Most = 1024;

    public const string None = "its first thread has ended, and none of the others stayed to be looked at";

    /// <summary>The first thread has ended. So may have the process.</summary>
    public static bool IsNeeded(ProcessFiles process) => process.Status("State") is ['Z' or 'X', ..];

    /// <summary>A thread that has not ended, or null. What has been seen of it counts if it still has not.</summary>
    public static ProcessFiles? Of(ProcessFiles process)
    {
        for (int i = 0; i < Attempts; i++)
        {
            foreach (string name in process.List("task", Most, out _))
            {
                int number = int.Parse(name, CultureInfo.InvariantCulture);
                // A thread has a directory like a process, which the list of /proc leaves out.
                if (number == process.Pid || ProcessFiles.Open(number) is not { } thread) continue;
                // The number may have become a stranger's before it was opened.
                if (thread.Status("Tgid") == process.Pid.ToString() && !IsNeeded(thread) && process.IsAlive) return thread;
                thread.Dispose();
            }
        }
        return null;
    }
}
