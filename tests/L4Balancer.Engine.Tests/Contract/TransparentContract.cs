using System.Text.RegularExpressions;
using L4Balancer.Engine.Tests.Peers;
using L4Balancer.Engine.Tests.Ports;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Backends see the client's own address: three network namespaces, with the balancer between client and backend.</summary>
[Platform("Linux")]
internal abstract class TransparentContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    // The balancer between the clients and the backends, whose way to the clients is the balancer.
    private const string Hosts = """
        set -e
        ip link set lo up
        unshare -n sleep 60 & clients=$!
        unshare -n sleep 60 & backends=$!
        trap 'kill $clients $backends' EXIT
        for i in $clients $backends; do
            until [ "$(readlink /proc/$i/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
        done
        ip link add front type veth peer name far netns $clients
        ip link add back type veth peer name far netns $backends
        ip addr add 10.98.1.1/24 dev front
        ip addr add 10.98.2.1/24 dev back
        ip -6 addr add fd00:98:1::1/64 dev front nodad
        ip -6 addr add fd00:98:2::1/64 dev back nodad
        ip link set front up
        ip link set back up
        nsenter -t $clients -n sh -ec '
            ip link set lo up
            ip addr add 10.98.1.21/24 dev far
            ip -6 addr add fd00:98:1::21/64 dev far nodad
            ip link set far up'
        nsenter -t $backends -n sh -ec '
            ip link set lo up
            ip addr add 10.98.2.11/24 dev far
            ip -6 addr add fd00:98:2::11/64 dev far nodad
            ip link set far up
            ip route add default via 10.98.2.1
            ip -6 route add default via fd00:98:2::1'

        """;

    private const string Run = """
        nsenter -t $backends -n "$@" backend & b=$!
        "$@" balancer & l=$!
        code=0
        nsenter -t $clients -n "$@" client || code=$?
        kill $b $l
        exit $code
        """;

    [Test]
    public async Task The_backend_sees_the_address_of_the_client()
    {
        await using IEngine engine = NewEngine(new RecordedConnections());
        await TestNamespace.RunAsync(Hosts + Delivery(), Hosts + Delivery() + Run, "transparent", engine.Name);
    }

    // The commands of docs/operations.md, without the indentation of their list.
    private static string Delivery()
    {
        string page = File.ReadAllText(Path.Combine(Root(), "docs", "operations.md")).ReplaceLineEndings("\n");
        string block = Regex.Matches(page, "^ *```sh\n(.*?)^ *```$", RegexOptions.Singleline | RegexOptions.Multiline)
            .Select(m => m.Groups[1].Value).Single(b => b.Contains("socket transparent", StringComparison.Ordinal));
        return string.Join('\n', block.Split('\n').Select(line => line.StartsWith("   ", StringComparison.Ordinal) ? line[3..] : line));
    }

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "L4Balancer.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"no L4Balancer.sln above {AppContext.BaseDirectory}");
        }

        return folder;
    }

    [Test]
    public async Task A_connection_from_the_address_of_the_client_holds_no_port_of_this_host()
    {
        await using IEngine engine = NewEngine(new RecordedConnections());
        await TestNamespace.RunAsync("ip link set lo up", "ip link set lo up; exec \"$@\"", "transparent", engine.Name, "ports");
    }

    [Test]
    public async Task Where_this_host_cannot_connect_from_an_address_no_backend_is_at_fault()
    {
        const string link = "ip link set lo up && ip link add out type veth peer name far && ip addr add 10.98.2.1/24 dev out"
            + " && ip -6 addr add fd00:98:2::1/64 dev out nodad && ip link set far up && ip link set out up";
        await using IEngine engine = NewEngine(new RecordedConnections());
        await TestNamespace.RunAsync(link, $"{link}; exec \"$@\"", "transparent", engine.Name, "local-failure");
    }

    [Test]
    public async Task Without_the_right_to_it_the_client_is_refused_and_the_log_says_what_is_missing()
    {
        const string without = "setpriv --bounding-set -net_admin,-net_raw";
        await using IEngine engine = NewEngine(new RecordedConnections());
        await TestNamespace.RunAsync($"ip link set lo up && {without} true", $"ip link set lo up; exec {without} \"$@\"", "transparent", engine.Name, "denied");
    }
}
