using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>Writes a smallest working file with single settings put into it, and reads such texts.</summary>
internal sealed class ConfigText
{
    private static readonly JsonSerializerOptions Described = new()
    {
        WriteIndented = true,
        Converters = { new Shown<HostAddress>(), new Shown<Endpoint>(), new JsonStringEnumConverter() },
    };

    private readonly Dictionary<string, Dictionary<string, string>> _tables = new()
    {
        ["[balancer]"] = [],
        ["[[listeners]]"] = new() { ["name"] = "\"wss\"", ["bind"] = "[\"0.0.0.0:443\"]", ["pool"] = "\"chat\"" },
        ["keepalive"] = [],
        ["[[pools]]"] = new() { ["name"] = "\"chat\"" },
        ["[pools.sticky]"] = [],
        ["[pools.health]"] = [],
        ["[[pools.backends]]"] = new() { ["name"] = "\"ws1\"", ["address"] = "\"10.0.1.21:8443\"" },
    };

    /// <summary>Puts a setting into the table that has this header in the schema; <c>keepalive</c> is the listener's.</summary>
    public ConfigText With(string header, string key, string value)
    {
        if (!_tables.TryGetValue(header, out Dictionary<string, string>? table))
        {
            _tables[header] = table = Required(header);
        }

        table[key] = value;
        return header == "[fleet]" && Companions.TryGetValue(key, out (string Key, string Value) other) ? Also(table, other.Key, other.Value) : this;
    }

    private static readonly Dictionary<string, (string Key, string Value)> Companions = new()
    {
        ["cert_file"] = ("key_file", "\"/etc/l4balancer/key.pem\""),
        ["key_file"] = ("cert_file", "\"/etc/l4balancer/cert.pem\""),
        ["user"] = ("password_file", "\"/etc/l4balancer/password\""),
        ["password_file"] = ("user", "\"l4balancer\""),
    };

    // What a table needs before it can be read at all.
    private static Dictionary<string, string> Required(string header) => header switch
    {
        "[fleet]" => new() { ["name"] = "\"chat\"", ["etcd"] = "[\"http://127.0.0.1:2379\"]" },
        "[dns]" => new() { ["listen"] = "\"0.0.0.0:53\"", ["zone"] = "\"lb.example.com\"" },
        "[endpoint]" => new() { ["listen"] = "\"0.0.0.0:9190\"" },
        _ => [],
    };

    // Not beside the default, which is empty.
    private ConfigText Also(Dictionary<string, string> table, string key, string value)
    {
        if (table[Companions[key].Key] != "\"\"")
        {
            table.TryAdd(key, value);
        }

        return this;
    }

    /// <summary>Routes fit nothing without a condition, and a name only where it is read: one key of a route, with the others that it needs.</summary>
    public ConfigText WithRoute(string key, string value)
    {
        With("[[listeners.routes]]", "pool", "\"chat\"");
        With("[[listeners.routes]]", "source", "[\"192.0.2.0/24\"]");
        With("[[listeners.routes]]", key, value);
        return key switch
        {
            "sni" or "alpn" => With("[[listeners]]", "inspect", "\"tls\""),
            "host" or "path" => With("[[listeners]]", "inspect", "\"http\""),
            _ => this,
        };
    }

    /// <summary>One key of a packet listener, with what it needs.</summary>
    public ConfigText WithPacket(string key, string value) => With("[[listeners]]", "bind", "[\"192.0.2.10:443\"]")
        .With("[[listeners]]", "mode", "\"packet\"").With("[[listeners]]", "interface", "\"eth0\"").With("[[pools]]", "balance", "\"maglev\"")
        .With("[[pools.backends]]", "address", "\"10.0.1.21:443\"").With("[[listeners]]", key, value);

    /// <summary>One key of <c>[endpoint]</c>, with the others that it needs.</summary>
    public ConfigText WithEndpoint(string key, string value)
    {
        With("[endpoint]", key, value);
        return key switch
        {
            "cert_file" => With("[endpoint]", "key_file", "\"/etc/key.pem\""),
            "key_file" => With("[endpoint]", "cert_file", "\"/etc/cert.pem\""),
            _ => this,
        };
    }

    /// <summary>The pool has a source of this kind.</summary>
    public ConfigText WithSource(string source)
    {
        string value = source switch
        {
            "file" => "\"/etc/chat.toml\"",
            "dns" => "\"_ws._tcp.chat.example.com\"",
            "kubernetes" => "\"in-cluster\"",
            "http" or "consul" => "\"http://10.0.0.1\"",
            "etcd" => "[\"http://10.0.0.1:2379\"]",
            _ => "[\"10.0.0.1:2181\"]",
        };
        With("[pools.discovery]", source, value);
        return source is "consul" or "kubernetes" or "redis_sentinel" ? With("[pools.discovery]", "service", "\"chat\"") : this;
    }

    /// <summary>One key of <c>[pools.discovery]</c>, with the others that it needs.</summary>
    public ConfigText WithDiscovery(string key, string value)
    {
        string source = key switch
        {
            "servers" => "dns",
            "prefix" => "etcd",
            "service" => "consul",
            "namespace" or "port" => "kubernetes",
            "role" => "redis_sentinel",
            "interval" or "hold" => "file",
            "token_file" or "ca_file" or "cert_file" or "key_file" or "user" or "password_file" => "http",
            _ => key,
        };
        WithSource(source);
        _ = key switch
        {
            "cert_file" => With("[pools.discovery]", "key_file", "\"/k\""),
            "key_file" => With("[pools.discovery]", "cert_file", "\"/c\""),
            "user" => With("[pools.discovery]", "password_file", "\"/p\""),
            "password_file" => With("[pools.discovery]", "user", "\"lb\""),
            _ => this,
        };
        return With("[pools.discovery]", key, value);
    }

    /// <summary>A table without keys of its own: <c>[metrics]</c>.</summary>
    public ConfigText With(string header)
    {
        _tables.TryAdd(header, Required(header));
        return this;
    }

    public ConfigText Without(string header, string key)
    {
        _tables[header].Remove(key);
        return this;
    }

    public override string ToString()
    {
        Dictionary<string, string> keepalive = _tables["keepalive"];
        StringBuilder text = new();
        foreach ((string header, Dictionary<string, string> table) in _tables)
        {
            // An inline value of the same meaning takes the place of the table.
            string inline = header switch { "[pools.sticky]" => "sticky", "[pools.health]" => "health", "[[pools.backends]]" => "backends", _ => "" };
            if (header == "keepalive" || _tables["[[pools]]"].ContainsKey(inline))
            {
                continue;
            }

            text.Append(header).Append('\n');
            foreach ((string key, string value) in table)
            {
                text.Append(key).Append(" = ").Append(value).Append('\n');
            }

            if (header == "[[listeners]]" && keepalive.Count > 0)
            {
                text.Append("keepalive = { ").AppendJoin(", ", keepalive.Select(k => $"{k.Key} = {k.Value}")).Append(" }\n");
            }
        }

        return text.ToString();
    }

    public BalancerConfig Load() => Load(ToString());

    public string[] Errors() => Errors(ToString());

    public static ConfigResult Read(string text) => ConfigReader.Read(Encoding.UTF8.GetBytes(text));

    public static BalancerConfig Load(string text)
    {
        ConfigResult result = Read(text);
        Assert.That(result.Errors, Is.Empty, text);
        Assert.That(result.Config, Is.Not.Null);
        return result.Config!;
    }

    /// <summary>Each mistake as <c>LINE:COL KEY: MESSAGE</c>; a text with mistakes gives no configuration.</summary>
    public static string[] Errors(string text)
    {
        ConfigResult result = Read(text);
        Assert.That(result.Config is null, Is.EqualTo(!result.Errors.IsEmpty), text);
        return [.. result.Errors.Select(static e => $"{e.Position} {e.Key}: {e.Message}")];
    }

    /// <summary>All values of a configuration, to compare two of them: arrays inside records compare by identity.</summary>
    public static string Describe(BalancerConfig config) => JsonSerializer.Serialize(config, Described);

    private sealed class Shown<T> : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Only written, never read.");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value?.ToString());
    }
}
