using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>What the planners of cgroups rely on, at both doors through which resources come in.</summary>
public sealed class ResourceRuleTests
{
    [TestCase("""{"memory":{"swap":100}}""", "/memory/swap: 100 needs a memory limit")]
    [TestCase("""{"memory":{"limit":0,"swap":100}}""", "/memory/swap: 100 needs a memory limit")]
    [TestCase("""{"memory":{"limit":100,"swap":50}}""", "/memory/swap: 50 must be at least the memory limit (100)")]
    [TestCase("""{"memory":{"swap":-2}}""", "/memory/swap: -2 must be a number of bytes")]
    [TestCase("""{"memory":{"limit":-2}}""", "/memory/limit: -2 must be a number of bytes")]
    [TestCase("""{"memory":{"reservation":-2}}""", "/memory/reservation: -2 must be a number of bytes")]
    [TestCase("""{"memory":{"kernelTCP":-2}}""", "/memory/kernelTCP: -2 must be a number of bytes")]
    [TestCase("""{"memory":{"swappiness":101}}""", "/memory/swappiness: 101 must be from 0 to 100")]
    [TestCase("""{"cpu":{"idle":2}}""", "/cpu/idle: 2 must be 0 or 1")]
    [TestCase("""{"cpu":{"idle":-1}}""", "/cpu/idle: -1 must be 0 or 1")]
    [TestCase("""{"blockIO":{"weight":9}}""", "/blockIO/weight: 9 must be from 10 to 1000")]
    [TestCase("""{"blockIO":{"leafWeight":1001}}""", "/blockIO/leafWeight: 1001 must be from 10 to 1000")]
    [TestCase("""{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":1}]}}""",
        "/blockIO/weightDevice/0/weight: 1 must be from 10 to 1000")]
    [TestCase("""{"blockIO":{"throttleReadBpsDevice":[{"major":-1,"minor":0,"rate":1}]}}""",
        "/blockIO/throttleReadBpsDevice/0/major: -1 must be from 0 to 4095")]
    [TestCase("""{"hugepageLimits":[{"pageSize":"../x","limit":1}]}""", "/hugepageLimits/0/pageSize: \"../x\" must be a page size")]
    [TestCase("""{"hugepageLimits":[{"pageSize":"MB","limit":1}]}""", "/hugepageLimits/0/pageSize: \"MB\" must be a page size")]
    [TestCase("""{"hugepageLimits":[{"pageSize":"02MB","limit":1}]}""", "/hugepageLimits/0/pageSize: \"02MB\" must be a page size")]
    [TestCase("""{"hugepageLimits":[{"pageSize":"2XB","limit":1}]}""", "/hugepageLimits/0/pageSize: \"2XB\" must be a page size")]
    [TestCase("""{"unified":{"memory/max":"1"}}""", "/unified/memory~1max: \"1\" must have the name of a cgroup file")]
    [TestCase("""{"unified":{"../x.y":"1"}}""", "/unified/..~1x.y: \"1\" must have the name of a cgroup file")]
    [TestCase("""{"unified":{"memory":"1"}}""", "/unified/memory: \"1\" must have the name of a cgroup file")]
    [TestCase("""{"unified":{".max":"1"}}""", "/unified/.max: \"1\" must have the name of a cgroup file")]
    [TestCase("""{"unified":{"cgroup.procs":"1"}}""", "/unified/cgroup.procs: \"cgroup.procs\" is not a resource")]
    [TestCase("""{"unified":{"cgroup.threads":"1"}}""", "/unified/cgroup.threads: \"cgroup.threads\" is not a resource")]
    [TestCase("""{"unified":{"cgroup.kill":"1"}}""", "/unified/cgroup.kill: \"cgroup.kill\" is not a resource")]
    [TestCase("""{"unified":{"cgroup.freeze":"1"}}""", "/unified/cgroup.freeze: \"cgroup.freeze\" is not a resource")]
    [TestCase("""{"devices":[{"allow":true,"type":"x"}]}""", "/devices/0/type: \"x\" is unknown; allowed: a, b, c")]
    [TestCase("""{"devices":[{"allow":true,"access":"rx"}]}""", "/devices/0/access: \"rx\" must consist of the letters r, w, m")]
    [TestCase("""{"devices":[{"allow":true,"type":"c","major":-2}]}""", "/devices/0/major: -2 must be a device number, or -1 for any")]
    [TestCase("""{"devices":[{"allow":true,"type":"c","minor":2147483648}]}""",
        "/devices/0/minor: 2147483648 must be a device number, or -1 for any")]
    public void A_value_is_refused_whichever_way_it_comes(string resources, string error)
    {
        SpecProblems update = new();
        SpecValidator.ValidateResources(SpecReader.ParseResources(Encoding.UTF8.GetBytes(resources), update), update);
        update.ToString().Should().StartWith(error);
        SpecProblems create = new();
        string config = $$$"""{"ociVersion":"1.3.0","root":{"path":"r"},"linux":{"resources":{{{resources}}}}}""";
        SpecValidator.Validate(SpecReader.Parse(Encoding.UTF8.GetBytes(config), create), create);
        create.ToString().Should().StartWith("/linux/resources" + error);
    }
}
