namespace OciRuntime.Shim;

/// <summary>The codes of google.rpc.Status that clients tell apart.</summary>
internal enum RpcCode
{
    Ok = 0,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Unavailable = 14,
}

/// <summary>A call that fails: what the client is told.</summary>
/// <param name="code">Clients decide by it.</param>
/// <param name="message">For people, and for those who look for certain words.</param>
internal sealed class TaskError(RpcCode code, string message) : Exception(message)
{
    public RpcCode Code => code;
}
