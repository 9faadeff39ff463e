namespace OciRuntime.Tests.Clients.Buildah;

/// <summary>A build with everything that calls the runtime, and what it should print.</summary>
internal static class BuildahBuild
{
    /// <summary>Each RUN's line is printed by the program in the container; <c>secret</c> is the id of a secret.</summary>
    public const string Containerfile = """
        FROM scratch AS base
        ADD bb.tar /
        ENV PATH=/bin
        RUN echo built >/x && mkdir /cache
        FROM base AS work
        RUN --mount=type=cache,target=/cache echo again >>/cache/n; echo "cached $(wc -l </cache/n)"
        RUN --mount=type=cache,target=/cache --mount=type=bind,from=base,source=/x,target=/bound --mount=type=tmpfs,target=/scratch --mount=type=secret,id=secret \
          echo again >>/cache/n; echo "cached $(wc -l </cache/n)"; echo "bound $(cat /bound)"; echo "tmpfs $(grep -c ' /scratch tmpfs ' /proc/mounts)"; echo "secret $(cat /run/secrets/secret)"; echo "files $(ulimit -n)"
        USER 1000
        RUN echo "user $(id -u)"; touch /x 2>&1 || true
        FROM base
        COPY --from=work /x /y
        ENTRYPOINT ["cat", "/y"]
        """;

    public static readonly string[] Printed = ["cached 1", "cached 2", "bound built", "tmpfs 1", "secret hush", "files 100", "user 1000",
        "touch: /x: Permission denied"];

    /// <summary>Puts the build's files into a directory.</summary>
    public static void Write(string context, string tar)
    {
        Directory.CreateDirectory(context);
        File.Copy(tar, $"{context}/bb.tar");
        File.WriteAllText($"{context}/Containerfile", Containerfile);
        File.WriteAllText($"{context}/Failing", "FROM built\nRUN exit 9\n");
        File.WriteAllText($"{context}/secret", "hush\n");
    }
}
