namespace OciRuntime.Tests.Support;

/// <summary>
/// Runs beside the test, on a thread made for it: those of the pool come one by one, on a quiet machine seconds later, so that a race would
/// be none and a time not that of what is tested.
/// </summary>
internal static class OwnThread
{
    /// <summary>Starts it now.</summary>
    public static Task Run(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <inheritdoc cref="Run(Action)"/>
    public static Task<T> Run<T>(Func<T> function) =>
        Task.Factory.StartNew(function, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
