using System.Text.RegularExpressions;

namespace L4Balancer.Tests.Architecture;

/// <summary>
/// The fences of ARCHITECTURE.md, held against what was built. The last region shows that each rule sees a breach where there is one,
/// with this test assembly as the culprit.
/// </summary>
[TestFixture]
internal sealed partial class ArchitectureTests
{
    private const string Core = "L4Balancer.Core";
    private const string Engine = "L4Balancer.Engine";
    private const string Daemon = "l4balancer";
    private const string Tests = "L4Balancer.Tests";

    /// <summary>
    /// What Core may stand on: language, collections, numbers, text, and one package, which reads TOML
    /// (docs/decisions/0004-tomlyn.md). A new line here is a decision.
    /// </summary>
    private static readonly string[] CoreMayReference =
    [
        "System.Collections", "System.Collections.Concurrent", "System.Collections.Immutable", "System.Linq", "System.Memory",
        "System.Net.Primitives", "System.Numerics.Vectors", "System.Runtime", "System.Runtime.InteropServices",
        "System.Runtime.Intrinsics", "System.Runtime.Extensions", "System.Text.Encoding.Extensions", "System.Threading", "Tomlyn",
    ];

    /// <summary>What Engine may add to the framework.</summary>
    private static readonly string[] EngineMayReference =
        ["L4Balancer.Core", "Microsoft.Extensions.Logging.Abstractions", "Microsoft.Extensions.ObjectPool", "System.IO.Pipelines"];

    [Test]
    public void Projects_refer_only_downwards()
    {
        Assert.That(Ours(Core), Is.Empty);
        Assert.That(Ours(Engine), Is.EqualTo([Core]));
        Assert.That(Ours(Daemon), Is.EqualTo([Core, Engine]));
    }

    [Test]
    public void Core_stands_on_nothing_that_touches_the_world() =>
        Assert.That(AssemblyFacts.Read(Core).References.Except(CoreMayReference), Is.Empty);

    [Test]
    public void Tomlyn_is_the_one_package_of_Core_and_known_to_no_other_project()
    {
        Assert.That(BeyondTheFramework(AssemblyFacts.Read(Core)), Is.EqualTo(["Tomlyn"]));
        Assert.That(AssemblyFacts.Read(Engine).References.Concat(AssemblyFacts.Read(Daemon).References), Has.None.EqualTo("Tomlyn"));
    }

    [Test]
    public void Core_opens_no_file_and_no_socket_and_has_no_clock_or_chance_of_its_own() =>
        Assert.That(Worldly(AssemblyFacts.Read(Core)), Is.Empty);

    [Test]
    public void Engine_adds_only_the_packages_that_are_allowed() =>
        Assert.That(BeyondTheFramework(AssemblyFacts.Read(Engine)).Except(EngineMayReference), Is.Empty);

    [Test]
    public void Native_code_is_called_only_from_the_engine_s_Linux_rooms()
    {
        Assert.That(AssemblyFacts.Read(Core).Imports, Is.Empty);
        Assert.That(AssemblyFacts.Read(Daemon).Imports, Is.Empty);
        Assert.That(AssemblyFacts.Read(Engine).Imports.Where(i => i.Namespace != "L4Balancer.Engine.Linux"), Is.Empty);
    }

    [TestCase(Core)]
    [TestCase(Daemon)]
    public void Unsafe_code_is_left_to_the_engine(string assembly) => Assert.That(AssemblyFacts.Read(assembly).IsUnsafe, Is.False);

    [TestCase(Core)]
    [TestCase(Engine)]
    [TestCase(Daemon)]
    public void Namespaces_make_no_circle(string assembly) =>
        Assert.That(NamespaceCircles.Find(AssemblyFacts.Read(assembly).NamespaceUses), Is.Empty);

    [Test]
    public void Every_path_that_ARCHITECTURE_names_exists()
    {
        string[] paths = [.. PathsIn(File.ReadAllText(Repository.PathOf("ARCHITECTURE.md")))];
        Assert.That(paths, Has.Length.GreaterThan(10));
        Assert.That(paths.Where(IsMissing), Is.Empty);
    }

    #region The rules see what they look for

    [Test]
    public void A_breach_of_the_packages_is_seen()
    {
        Assert.That(BeyondTheFramework(AssemblyFacts.Read(Tests)), Does.Contain("nunit.framework"));
        Assert.That(BeyondTheFramework(AssemblyFacts.Read(Daemon)), Does.Contain("System.CommandLine"));
    }

    [Test]
    public void A_file_a_socket_a_clock_and_chance_are_seen()
    {
        _ = (Action)WorldlySample;
        string[] seen = [.. Worldly(AssemblyFacts.Read(Tests))];
        foreach (string one in (string[])["System.IO.File", "System.Net.Sockets.Socket", "System.Diagnostics.Stopwatch"])
            Assert.That(seen, Has.Some.EqualTo(one));
        foreach (string one in (string[])["DateTime::get_UtcNow()", "Environment::get_TickCount64()", "Random::.ctor()", "TimeProvider::get_System()"])
            Assert.That(seen, Has.Some.EqualTo("System." + one));
    }

    [Test]
    public void A_circle_is_seen_by_signature_and_by_IL()
    {
        string[] circles = [.. NamespaceCircles.Find(AssemblyFacts.Read(Tests).NamespaceUses).Where(c => c.Contains(".Samples."))];
        Assert.That(circles, Is.EqualTo((string[])
        [
            "L4Balancer.Tests.Architecture.Samples.East -> L4Balancer.Tests.Architecture.Samples.West (EastSample uses WestSample)",
            "L4Balancer.Tests.Architecture.Samples.West -> L4Balancer.Tests.Architecture.Samples.East (WestSample uses EastSample)",
        ]));
    }

    [Test]
    public void Native_and_unsafe_code_are_seen_where_they_are_allowed()
    {
        Assert.That(AssemblyFacts.Read(Engine).Imports, Is.Not.Empty);
        Assert.That(AssemblyFacts.Read(Engine).IsUnsafe, Is.True);
    }

    [Test]
    public void A_path_that_does_not_exist_is_seen() =>
        Assert.That(PathsIn("See `src/Nowhere/` and `Makefile`, not `make run`.").Where(IsMissing), Is.EqualTo(["src/Nowhere/"]));

    private static void WorldlySample()
    {
        File.Delete(Path.GetRandomFileName());
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        _ = (System.Diagnostics.Stopwatch.StartNew(), DateTime.UtcNow, Environment.TickCount64, new Random(), TimeProvider.System);
    }

    #endregion

    private static IEnumerable<string> Ours(string assembly) =>
        AssemblyFacts.Read(assembly).References.Where(r => r.StartsWith("L4Balancer", StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<string> BeyondTheFramework(AssemblyFacts facts)
    {
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        return facts.References.Where(r => !File.Exists(Path.Combine(framework, r + ".dll")));
    }

    private static IEnumerable<string> Worldly(AssemblyFacts facts) =>
        facts.TypesUsed.Where(t => WorldlyType().IsMatch(t)).Concat(facts.MembersUsed.Where(m => WorldlyMember().IsMatch(m)));

    private static IEnumerable<string> PathsIn(string markdown) =>
        Path_().Matches(markdown).Select(m => m.Groups[1].Value).Distinct();

    private static bool IsMissing(string path) => !Path.Exists(Repository.PathOf(path));

    /// <summary>Types that reach outside, whatever is done with them. Streams and paths are not Core's either.</summary>
    [GeneratedRegex(
        @"^System\.(IO\.(?!InvalidDataException$).*|Net\.(Sockets|Dns|Http|Security|NetworkInformation)\b.*|Console|Diagnostics\.(Stopwatch|Process.*)"
        + @"|Threading\.(Timer|PeriodicTimer|ThreadPool|Thread)|Security\.Cryptography\.RandomNumberGenerator)$")]
    private static partial Regex WorldlyType();

    /// <summary>Members of harmless types that read a clock, the machine or chance. Random with a seed stays allowed.</summary>
    [GeneratedRegex(
        @"^System\.(DateTime(Offset)?::get_(Now|UtcNow|Today)\(\)|TimeProvider::get_System\(\)|Environment::.*|Guid::NewGuid\(\)"
        + @"|Random::(get_Shared|\.ctor)\(\)|Threading\.Tasks\.Task::(Delay|Run)\(.*)$")]
    private static partial Regex WorldlyMember();

    /// <summary>In backticks, and either with a slash or with an ending that files have; or one of the files without.</summary>
    [GeneratedRegex(@"`((?:\.?[\w.-]+/[\w./-]*)|(?:\.?[\w.-]+\.(?:md|cs|csproj|props|sln|json|toml|example|conf|service))|Makefile|LICENSE)`")]
    private static partial Regex Path_();
}
