using System.Globalization;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Survive;

/// <summary>The configuration of the daemon of the scene: a listener and a pool for each part, and metrics.</summary>
internal static class SceneConfig
{
    /// <summary>Two descriptors each, of 20,000.</summary>
    private const int MostConnections = 8500;

    public static string Text(SurviveOptions options, string socket)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            [balancer]
            workers = {options.Workers}
            engine = "epoll"
            max_connections = {MostConnections}
            access_log = "all"
            shutdown_grace = "0s"
            {(options.Keeper ? "" : "keeper = false")}
            [admin]
            socket = "{socket}"
            [metrics]
            listen = "127.0.0.1:{ScenePorts.Metrics}"
            """);
        foreach (Third third in Enum.GetValues<Third>())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[listeners]]
                name = "{Name(third)}"
                bind = ["{ScenePorts.Of(third)}"]
                pool = "{Name(third)}"
                """);
        }

        foreach (Third third in Enum.GetValues<Third>())
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[pools]]
                name = "{Name(third)}"
                source_ips = [{string.Join(", ", ScenePorts.Sources.Select(static s => $"\"{s}\""))}]
                health = {"{"} type = "tcp", interval = "2s" {"}"}
                """);
            foreach ((int index, Endpoint backend) in ScenePorts.Backends(third).Index())
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"""
                      [[pools.backends]]
                      name = "b{index}"
                      address = "{backend}"
                    """);
            }
        }

        return text.ToString();
    }

    private static string Name(Third third) => third.ToString().ToLowerInvariant();
}
