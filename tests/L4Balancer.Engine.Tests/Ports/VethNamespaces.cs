namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Two network namespaces with a pair of virtual interfaces between them (veth(4)), because TIME_WAIT on loopback is not what it is
/// elsewhere. The balancer is in the first, with three addresses and a thousand local ports; clients and backends in the other.
/// </summary>
internal static class VethNamespaces
{
    public const int Ports = 1000;
    public const int Sources = 3;
    public const int Backends = 3;

    /// <summary>Many addresses, so that clients do not run short of ports themselves.</summary>
    public const int Clients = 8;

    private const string SetUp = """
        set -e
        ip link set lo up
        unshare -n sleep 90 & peer=$!
        trap 'kill $peer' EXIT
        until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
        ip link add near type veth peer name far netns $peer
        for i in 1 2 3; do ip addr add 10.99.0.$i/24 dev near; done
        ip link set near up
        nsenter -t $peer -n sh -ec '
            ip link set lo up
            for i in 11 12 13 21 22 23 24 25 26 27 28; do ip addr add 10.99.0.$i/24 dev far; done
            ip link set far up
            echo "2000 62000" > /proc/sys/net/ipv4/ip_local_port_range'
        echo "40000 40999" > /proc/sys/net/ipv4/ip_local_port_range
        """;

    public static string Source(int i) => $"10.99.0.{1 + i}";

    public static string Backend(int i) => $"10.99.0.{11 + i}";

    public static string Client(int i) => $"10.99.0.{21 + i}";

    /// <param name="twReuse">tcp_tw_reuse of the balancer's namespace.</param>
    public static Task RunAsync(string engine, FirstCloser first, int twReuse, int connections)
    {
        string script = $"""
            {SetUp}
            echo {twReuse} > /proc/sys/net/ipv4/tcp_tw_reuse
            nsenter -t $peer -n "$@" peers & peers=$!
            "$@" balancer || {"{"} kill $peers; exit 1; {"}"}
            wait $peers
            """;
        return TestNamespace.RunAsync(SetUp, script, "time-wait", engine, $"{first}", $"{twReuse}", $"{connections}");
    }
}
