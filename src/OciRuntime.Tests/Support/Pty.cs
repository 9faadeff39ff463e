using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>A terminal of the host's, as a user at a shell has one: to run commands on its slave side.</summary>
public sealed unsafe class Pty : IDisposable
{
    private const ulong TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441;

    /// <summary>Opens a new one.</summary>
    public Pty()
    {
        int master = Libc.Check(Syscall.open("/dev/ptmx", OpenFlags.O_RDWR | OpenFlags.O_NOCTTY | OpenFlags.O_CLOEXEC), "/dev/ptmx");
        Master = new PtyMaster(master, "");
        int locked = 0;
        Libc.Check(Libc.ioctl(master, TIOCSPTLCK, (Libc.WinSize*)&locked), "TIOCSPTLCK");
        Slave = Libc.Check(Libc.ioctl(master, TIOCGPTPEER,
            (Libc.WinSize*)(nint)(OpenFlags.O_RDWR | OpenFlags.O_NOCTTY | OpenFlags.O_CLOEXEC)), "TIOCGPTPEER");
    }

    /// <summary>What the user sees and types on.</summary>
    public PtyMaster Master { get; }

    /// <summary>What programs get as stdio.</summary>
    public int Slave { get; }

    /// <summary>Options for a command on this terminal.</summary>
    public CommandOptions Options => new() { StdinFd = Slave, StdoutFd = Slave, StderrFd = Slave };

    /// <summary>The terminal's modes in the words of stty.</summary>
    public string Modes => Command.Run("stty", ["-a"], new CommandOptions { StdinFd = Slave }).ShouldSucceed().Text;

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = Syscall.close(Slave);
        Master.Dispose();
    }
}
