using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary><c>[pools.discovery]</c>. A value that equals the default counts as absent, so that a file may list every key.</summary>
internal static class DiscoveryBinding
{
    private const int MostServers = 100;
    private const int LongestText = 253;
    private const int LongestPrefix = 1024;
    private const int LongestPath = 4096;

    private const string DnsForm =
        "the name of SRV records, like \"_ws._tcp.chat.example.com\", or a host name with a port, like \"chat.example.com:8443\"";

    private const string UrlForm = "a URL of http or https, like \"http://10.0.0.1:2379\"";
    private const string UrlsForm = "an array of URLs, like [\"http://10.0.0.1:2379\"]";
    private const string HostsForm = "an array of addresses or host names with a port, like [\"10.0.0.1:2181\"]";

    private static readonly DiscoverySettings Defaults = new();
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    /// <param name="table">The discovery table of one pool.</param>
    /// <param name="files">The files that the table refers to are added, without the one that is the source.</param>
    public static DiscoverySettings Bind(TableBinder table, List<NamedFile> files)
    {
        DiscoverySettings read = new()
        {
            Dns = BindDns(table),
            Servers = BindServers(table),
            File = BindPath(table, "file", "/etc/l4balancer/chat.toml"),
            Http = BindUrl(table, "http"),
            Etcd = BindUrls(table, "etcd"),
            Consul = BindUrl(table, "consul"),
            Zookeeper = BindHosts(table, "zookeeper"),
            RedisSentinel = BindHosts(table, "redis_sentinel"),
            Kubernetes = BindKubernetes(table),
            Prefix = BindPrefix(table),
            Service = BindWord(table, "service", Defaults.Service),
            Namespace = BindWord(table, "namespace", Defaults.Namespace),
            Port = BindWord(table, "port", Defaults.Port),
            Role = table.Choice("role", Defaults.Role, Vocabulary.SentinelRole),
            TokenFile = BindNamed(table, "token_file", NamedFileKind.Secret, files),
            CaFile = BindNamed(table, "ca_file", NamedFileKind.Certificates, files),
            CertFile = BindNamed(table, "cert_file", NamedFileKind.Certificates, files),
            KeyFile = BindNamed(table, "key_file", NamedFileKind.Secret, files),
            User = BindUser(table),
            PasswordFile = BindNamed(table, "password_file", NamedFileKind.Secret, files),
            Interval = table.Duration("interval", Defaults.Interval, ShortestInterval, Duration.LongestMilliseconds),
            Hold = table.Duration("hold", Defaults.Hold, TimeSpan.Zero, Duration.LongestMilliseconds),
        };
        return DiscoveryRules.Check(table, read);
    }

    private static string BindDns(TableBinder table)
    {
        if (!table.TryGet("dns", out Setting setting) || !setting.TryText(DnsForm, out string text) || text.Length == 0)
        {
            return Defaults.Dns;
        }

        bool hasPort = text.Contains(':', StringComparison.Ordinal);
        bool fits = HostName.TryParse(hasPort ? text : text + ":1", out HostName name) && (hasPort ? name.Port != 0 : IsService(text));
        return fits || setting.Reject($"{Quoted.Text(text)} is not {DnsForm}") ? text : Defaults.Dns;
    }

    // RFC 2782: _service._proto.name.
    private static bool IsService(string name) => name.Split('.') is { Length: > 2 } labels && labels[0][0] == '_' && labels[1][0] == '_';

    private static ImmutableArray<Endpoint> BindServers(TableBinder table)
    {
        ImmutableArray<Endpoint>.Builder servers = ImmutableArray.CreateBuilder<Endpoint>();
        foreach (Setting item in Items(table, "servers", "an array of addresses of name servers, like [\"10.0.0.53:53\"]"))
        {
            if (item.TryEndpoint(1, out Endpoint server))
            {
                servers.Add(server);
            }
        }

        return servers.ToImmutable();
    }

    private static ImmutableArray<string> BindHosts(TableBinder table, string key)
    {
        ImmutableArray<string>.Builder hosts = ImmutableArray.CreateBuilder<string>();
        foreach (Setting item in Items(table, key, HostsForm))
        {
            if (!item.TryText(HostsForm, out string text))
            {
                continue;
            }

            bool fits = (Endpoint.TryParse(text, out Endpoint endpoint) && endpoint.Port != 0)
                || (HostName.TryParse(text, out HostName name) && name.Port != 0);
            if (fits || item.Reject($"{Quoted.Text(text)} is not an address or a host name with a port, like \"10.0.0.1:2181\""))
            {
                hosts.Add(text);
            }
        }

        return hosts.ToImmutable();
    }

    private static Uri? BindUrl(TableBinder table, string key) =>
        table.TryGet(key, out Setting setting) && setting.TryText(UrlForm, out string text) && text.Length > 0
        && TryUrl(setting, text, UrlForm, out Uri? url) ? url : null;

    private static ImmutableArray<Uri> BindUrls(TableBinder table, string key)
    {
        ImmutableArray<Uri>.Builder urls = ImmutableArray.CreateBuilder<Uri>();
        foreach (Setting item in Items(table, key, UrlsForm))
        {
            if (item.TryText(UrlForm, out string text) && TryUrl(item, text, UrlForm, out Uri? url))
            {
                urls.Add(url!);
            }
        }

        return urls.ToImmutable();
    }

    private static string BindKubernetes(TableBinder table)
    {
        const string Form = "\"in-cluster\" or the URL of the API, like \"https://10.0.0.1:6443\"";
        return table.TryGet("kubernetes", out Setting setting) && setting.TryText(Form, out string text)
            && (text is "" or DiscoverySettings.InCluster || TryUrl(setting, text, Form, out _))
            ? text : Defaults.Kubernetes;
    }

    private static bool TryUrl(Setting setting, string text, string form, out Uri? url)
    {
        bool fits = Uri.TryCreate(text, UriKind.Absolute, out url) && url.Scheme is "http" or "https" && url.Host.Length > 0
            && url.Fragment.Length == 0;
        return fits
            ? url!.UserInfo.Length == 0 || setting.Reject("contains a user or a password, which logs would show; use user and password_file")
            : setting.Reject($"{Quoted.Text(text)} is not {form}");
    }

    private static string BindPrefix(TableBinder table)
    {
        const string Form = "a path, like \"/chat/backends/\"";
        if (!table.TryGet("prefix", out Setting setting) || !setting.TryText(Form, out string text) || text.Length == 0)
        {
            return Defaults.Prefix;
        }

        bool fits = text.Length is > 1 and <= LongestPrefix && text[0] == '/' && !text.Contains("//", StringComparison.Ordinal)
            && text.All(static c => c is > ' ' and < '\x7F');
        return fits || setting.Reject($"{Quoted.Text(text)} is not {Form}; allowed: up to {LongestPrefix} visible ASCII characters, without an empty part")
            ? text : Defaults.Prefix;
    }

    private static string BindWord(TableBinder table, string key, string fallback)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryText("a string", out string text))
        {
            return fallback;
        }

        bool fits = text.Length <= LongestText && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
        return fits || setting.Reject(string.Create(
            CultureInfo.InvariantCulture, $"{Quoted.Text(text)} is not a name; allowed: up to {LongestText} characters of A-Z a-z 0-9 . _ -"))
            ? text : fallback;
    }

    private static string BindUser(TableBinder table) =>
        table.TryGet("user", out Setting setting) && setting.TryText("a user name", out string text)
        && ((text.Length <= LongestText && !text.Any(char.IsControl) && !text.Contains(':', StringComparison.Ordinal))
            || setting.Reject($"{Quoted.Text(text)} is not a user name; allowed: up to {LongestText} characters, without a colon"))
            ? text : Defaults.User;

    private static string BindPath(TableBinder table, string key, string example)
    {
        string path = AdminBinding.Path(table, key, "", LongestPath, example);
        return path.StartsWith('/') ? path : "";
    }

    private static string BindNamed(TableBinder table, string key, NamedFileKind kind, List<NamedFile> files)
    {
        string path = BindPath(table, key, $"/etc/l4balancer/{key.Replace('_', '.')}");
        if (path.Length > 0 && table.TryGet(key, out Setting setting))
        {
            files.Add(new NamedFile(path, setting.Key, setting.Position) { Kind = kind });
        }

        return path;
    }

    private static ImmutableArray<Setting> Items(TableBinder table, string key, string form)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryItems(form, out ImmutableArray<Setting> items))
        {
            return [];
        }

        return items.Length <= MostServers || setting.Reject($"has {items.Length} items; allowed: up to {MostServers}") ? items : [];
    }
}
