using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Configuration;

/// <summary>A configuration file read from disk: either its configuration or all its errors, one line each.</summary>
/// <param name="Config">Null if there are errors.</param>
internal sealed record ConfigFile(string Path, BalancerConfig? Config, ImmutableArray<string> Errors)
{
    public const string DefaultPath = "/etc/l4balancer/balancer.toml";
    public const string Variable = "L4BALANCER_CONFIG";

    /// <summary>10,000 backends with every key take 3 MB; a larger file is not a configuration. As much as <see cref="ConfigReader"/> reads.</summary>
    private const long LargestFile = ConfigReader.LargestText;

    private const int LargestSecret = 1024 * 1024;

    private const string Mend = $"specify another with --config FILE or {Variable}, or create this one (see balancer.toml.example)";

    private static readonly string TooLarge = $"is larger than {LargestFile / (1024 * 1024)} MiB, the maximum for a configuration file";

    /// <summary>
    /// Identifies the file on disk as it was before it was read: another file, or one that was changed since, has another stamp. Null if there was
    /// none.
    /// </summary>
    public object? Stamp { get; init; }

    /// <summary>What is allowed and probably not meant, one line each.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>Reads the file in a limited time. A read that hangs (a network file system, a pipe without a writer) is left behind on its thread.</summary>
    /// <param name="option">The value of <c>--config</c>; null if it was not given.</param>
    public static async Task<ConfigFile> LoadAsync(string? option, TimeProvider clock)
    {
        try
        {
            return await OwnThread.RunAsync("l4b-read-config", () => Load(option)).WaitAsync(ConfigSource.Within, clock);
        }
        catch (TimeoutException)
        {
            string path = PathOf(option);
            return new ConfigFile(path, null, [$"{path}: {ConfigSource.TooSlow}"]);
        }
    }

    /// <summary>As <see cref="LoadAsync"/>, but may block for ever.</summary>
    /// <param name="option">The value of <c>--config</c>; null if it was not given.</param>
    public static ConfigFile Load(string? option)
    {
        string path = PathOf(option);
        object? stamp = StampOf(path);
        if (Read(path, LargestFile, Mend, out byte[] text) is string fault)
        {
            return new ConfigFile(path, null, [$"{path}: {fault}"]) { Stamp = stamp };
        }

        var included = new IncludedConfig(path, text.Length);
        ConfigResult result = ConfigReader.Read(text, new ConfigInputs
        {
            Path = path,
            Variable = Environment.GetEnvironmentVariable,
            Include = included.Read,
        });
        (Dictionary<string, string> certificates, List<ConfigError> unread) = ReadCertificates(result.Files);
        string[] errors = [.. InOrder(result.Errors.Concat(unread)).Select(e => Format(path, "error", e))];
        return new ConfigFile(path, errors.Length == 0 ? Complete(result.Config!, certificates) : null, [.. errors])
        {
            // An error explains many of them.
            Warnings = errors.Length > 0 ? [] : [.. result.Warnings.Select(w => Format(path, "warning", w))],
            Stamp = result.Includes.IsEmpty ? stamp : included.StampBefore(stamp),
        };
    }

    private static IEnumerable<ConfigError> InOrder(IEnumerable<ConfigError> errors) =>
        errors.OrderBy(static e => e.Position.Source?.Order ?? 0).ThenBy(static e => e.Position.Line);

    /// <summary>The current <see cref="Stamp"/> of a file; null if there is none, or it cannot be reached. Opens nothing.</summary>
    public static object? StampOf(string path)
    {
        if (OperatingSystem.IsLinux())
        {
            return FileStamp.Of(path);
        }

        var file = new FileInfo(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : null;
    }

    private static (Dictionary<string, string> ByPath, List<ConfigError> Errors) ReadCertificates(ImmutableArray<NamedFile> files)
    {
        Dictionary<string, string> byPath = [];
        List<ConfigError> errors = [];
        foreach (NamedFile file in files.Where(f => f.Kind == NamedFileKind.Secret))
        {
            if (PlainFile.WhyUnreadable(file.Path, LargestSecret) is string fault)
            {
                errors.Add(new ConfigError(file.Position, file.Key, fault));
            }
        }

        foreach (NamedFile file in files.Where(f => f.Kind == NamedFileKind.Certificates && !byPath.ContainsKey(f.Path)))
        {
            if (CertificateFile.Read(file.Path, out string pem) is string fault)
            {
                errors.Add(new ConfigError(file.Position, file.Key, fault));
            }
            else
            {
                byPath.Add(file.Path, pem);
            }
        }

        return (byPath, errors);
    }

    private static BalancerConfig Complete(BalancerConfig config, Dictionary<string, string> certificates) =>
        certificates.Count == 0 ? config : config with
        {
            Pools =
            [
                .. config.Pools.Select(p => p with
                {
                    Health = Trusting(p.Health, certificates),
                    Discovery = p.Discovery is null
                        ? null : p.Discovery with { CaCertificates = certificates.GetValueOrDefault(p.Discovery.CaFile, "") },
                }),
            ],
        };

    private static HealthSettings Trusting(HealthSettings health, Dictionary<string, string> certificates) =>
        health with { CaCertificates = certificates.GetValueOrDefault(health.CaFile, "") };

    private static string Format(string path, string kind, ConfigError error) => error.Key.Length == 0
        ? $"{error.Place(path)}: {kind}: {error.Message}"
        : $"{error.Place(path)}: {kind}: {error.Key}: {error.Message}";

    private static string PathOf(string? option) => option ?? FromEnvironment() ?? DefaultPath;

    private static string? FromEnvironment() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    /// <summary>Reads a whole file, which may also be a pipe.</summary>
    /// <param name="most">The largest size that is accepted, in bytes.</param>
    /// <param name="otherwise">What to do where there is no such file.</param>
    /// <returns>Why it cannot be read, with how to correct it; null if it was.</returns>
    internal static string? Read(string path, long most, string otherwise, out byte[] text)
    {
        text = [];
        try
        {
            if (Directory.Exists(path))
            {
                return "is a directory: specify the file in it";
            }

            using FileStream file = File.OpenRead(path);

            // A pipe has no length, and a file in /proc reports 0: read to the end, up to the bound.
            if (file.CanSeek && file.Length > most)
            {
                return TooLarge;
            }

            using var all = new MemoryStream();
            var chunk = new byte[64 * 1024];
            for (int count = file.Read(chunk); count > 0 && all.Length <= most; count = file.Read(chunk))
            {
                all.Write(chunk, 0, count);
            }

            text = all.ToArray();
            return text.Length > most ? TooLarge : null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"no such file: {otherwise}";
        }
        catch (UnauthorizedAccessException)
        {
            return $"no permission to read it: give the user {Environment.UserName} read permission";
        }
        catch (IOException e)
        {
            return $"cannot be read: {e.Message}";
        }
    }
}
