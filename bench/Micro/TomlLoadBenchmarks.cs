using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Bench.Micro;

/// <summary>What a start or a reload of a large configuration costs: text to tables, and text to a validated configuration.</summary>
[MemoryDiagnoser]
public class TomlLoadBenchmarks
{
    private byte[] _file = [];
    private byte[] _broken = [];

    [Params(1_000, 10_000)]
    public int Backends { get; set; }

    [GlobalSetup]
    public void WriteFile()
    {
        var text = new StringBuilder("""
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:8443"]
            pool = "chat"

            [[pools]]
            name = "chat"
            balance = "ring"
            hash_key = ["source-ip", "source-port"]
            idle_timeout = "1h"
            keepalive = { idle = "60s", interval = "20s", count = 3 }
              [pools.health]
              type = "tcp"
              interval = "2s"

            """);
        for (int i = 0; i < Backends; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"""
                  [[pools.backends]]
                  name    = "ws{i}"   # rack {i / 40}
                  address = "10.{i >> 16}.{(i >> 8) & 255}.{i & 255}:8443"
                  weight  = 100

                """);
        }

        _file = Encoding.UTF8.GetBytes(text.ToString());
        _broken = [.. _file, .. "weight 5\n"u8];
        ConfigResult result = ConfigReader.Read(_file);
        if (result.Config?.Pools[0].Backends.Length != Backends)
        {
            throw new InvalidOperationException("the file is not what it should be: " + result.Errors.FirstOrDefault());
        }
    }

    [Benchmark]
    public TomlDocument Text_to_tables() => TomlReader.Read(_file);

    [Benchmark]
    public ConfigResult Text_to_configuration() => ConfigReader.Read(_file);

    /// <summary>A mistake in the last line: every statement is then parsed for itself.</summary>
    [Benchmark]
    public TomlDocument Text_with_a_mistake() => TomlReader.Read(_broken);
}
