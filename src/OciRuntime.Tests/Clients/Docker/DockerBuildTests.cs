using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// Images are built by both builders: the classic one runs containers as `docker run` does, BuildKit calls `run` itself, and only that.
/// </summary>
[ThisMachinesEngines]
public sealed class DockerBuildTests(ShimKind shim) : DockerTest(shim)
{
    [Test]
    public void Image_is_built_in_stages([Values] bool buildKit)
    {
        string context = Directory.CreateDirectory($"{Docker.Directory}/context").FullName;
        File.WriteAllText($"{context}/source", "text\n");
        File.WriteAllText($"{context}/Dockerfile", """
            FROM bb AS stage
            ARG WORD
            WORKDIR /made
            COPY source .
            RUN cat source > result && echo $WORD >> result && id -u >> result
            FROM bb
            COPY --from=stage /made/result /result
            USER 1000
            RUN ["grep", "word", "/result"]
            RUN test "$(id -u)" = 1000
            CMD ["cat", "/result"]
            """);
        Docker.Build(buildKit, "--build-arg=WORD=word", "--tag", "built", context).ShouldSucceed();
        Docker.RunContainer("built").ShouldSucceed().Stdout.Should().Be("text\nword\n0\n");
        File.WriteAllText($"{context}/Dockerfile", "FROM bb\nRUN echo told && exit 9\n");
        CommandResult failed = Docker.Build(buildKit, context);
        (failed.Stdout + failed.Stderr).Should().Contain("told");
        failed.ShouldFail().Stderr.Should().MatchRegex("(non-zero code|exit code): 9");
        Docker.Run("rmi", "--force", "built").ShouldSucceed();
    }
}
