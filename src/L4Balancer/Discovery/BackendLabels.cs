using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>
/// What labels of Prometheus and metadata of Consul say about a backend: texts named <c>name</c>, <c>weight</c>, <c>backup</c>,
/// <c>max_connections</c> and <c>public_url</c>. Others are ignored.
/// </summary>
internal static class BackendLabels
{
    private const int MaxWeight = 1000;

    /// <summary>The backend with what its labels say.</summary>
    /// <param name="why">In a few words; empty if every label that is known here can be used.</param>
    public static DiscoveredBackend Apply(DiscoveredBackend backend, IReadOnlyDictionary<string, string>? labels, out string why)
    {
        why = "";
        foreach ((string key, string? value) in labels ?? new Dictionary<string, string>())
        {
            bool fits = true;
            switch (key)
            {
                case "name":
                    backend = backend with { Name = BackendSettings.IsName(value ?? "") ? value! : backend.Name };
                    break;
                case "weight":
                    fits = TryNumber(value, MaxWeight, out int weight);
                    backend = backend with { Weight = weight };
                    break;
                case "backup":
                    fits = value is "true" or "false";
                    backend = backend with { Backup = value == "true" };
                    break;
                case "max_connections":
                    fits = TryNumber(value, int.MaxValue, out int most);
                    backend = backend with { MaxConnections = most };
                    break;
                case "public_url":
                    fits = value is "" || (value is not null && BackendUrl.IsValid(value));
                    backend = backend with { PublicUrl = value ?? "" };
                    break;
                default:
                    break;
            }

            if (!fits)
            {
                why = $"{key} cannot be {(value is null ? "null" : Quoted.Text(value))}";
                return backend;
            }
        }

        return backend;
    }

    private static bool TryNumber(string? text, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= most;
}
