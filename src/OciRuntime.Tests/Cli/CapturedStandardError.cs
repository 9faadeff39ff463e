using Mono.Unix.Native;
using NUnit.Framework;
using NUnit.Framework.Internal;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// Points file descriptor 2 at a file, because the code under test writes to the descriptor and not through Console. It is the whole
/// process's, so whoever does this must not run beside others: they would be heard here, and two at a time leave it pointed at a file.
/// </summary>
internal sealed class CapturedStandardError : IDisposable
{
    private readonly TemporaryFile _file = new();
    private readonly int _original;

    public CapturedStandardError()
    {
        Type fixture = TestExecutionContext.CurrentContext.CurrentTest.Fixture!.GetType();
        if (!fixture.IsDefined(typeof(NonParallelizableAttribute), inherit: false))
            Assert.Fail($"{fixture.Name} redirects the standard error of all tests: mark it with [NonParallelizable]");
        _original = Ok.Call(Syscall.dup(2));
        int fd = Ok.Call(Syscall.open(_file.Path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY | OpenFlags.O_APPEND, FilePermissions.S_IRUSR
            | FilePermissions.S_IWUSR));
        Ok.Call(Syscall.dup2(fd, 2));
        Ok.Call(Syscall.close(fd));
    }

    public string Text => File.ReadAllText(_file.Path);

    public void Dispose()
    {
        Ok.Call(Syscall.dup2(_original, 2));
        Ok.Call(Syscall.close(_original));
        _file.Dispose();
    }
}
