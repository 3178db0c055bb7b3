using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Kubernetes;

/// <summary>
/// The EndpointSlices of one service and the backends that they make: each endpoint that is ready, or does not say that it is not, and is not
/// terminating. A pod with addresses of both families is one backend, with that of IPv4. For one thread at a time.
/// </summary>
/// <param name="port">Name or number; empty for the first of TCP.</param>
internal sealed class SliceSet(string port)
{
    /// <summary>A service with more endpoints is taken for a mistake.</summary>
    public const int Most = 10_000;

    private readonly SortedDictionary<string, EndpointSlice> _slices = new(StringComparer.Ordinal);

    /// <summary>Where a watch goes on from; empty before a list.</summary>
    public string Version { get; private set; } = "";

    /// <summary>Whether the API no longer has <see cref="Version"/>, which happens to every watch that was away for long: only a list helps.</summary>
    public bool IsExpired { get; private set; }

    /// <summary>Before a new list.</summary>
    public void Forget()
    {
        IsExpired = false;
        _slices.Clear();
        Version = "";
    }

    /// <summary>Takes a list in place of all that was known.</summary>
    /// <returns>Why it cannot be used; null if it was taken.</returns>
    public string? List(ReadOnlySpan<byte> json)
    {
        SliceList? list = Parse(json, KubernetesJson.Default.SliceList);
        if (list is not { Metadata.ResourceVersion: { Length: > 0 } version, Items: { } items }
            || items.Any(i => i?.Metadata?.Name is not { Length: > 0 }))
        {
            return "the answer is not a list of EndpointSlices";
        }

        Forget();
        foreach (EndpointSlice? item in items)
        {
            _slices[item!.Metadata!.Name!] = item;
        }

        Version = version;
        return null;
    }

    /// <summary>Takes one line of a watch.</summary>
    /// <param name="changed">Whether a slice has changed.</param>
    /// <returns>Why the watch cannot go on; null if the event was taken.</returns>
    public string? Follow(ReadOnlySpan<byte> json, out bool changed)
    {
        changed = false;
        if (Parse(json, KubernetesJson.Default.SliceEvent) is not { Object: { } item } read)
        {
            return "not an event of a watch";
        }

        if (read.Type == "ERROR")
        {
            IsExpired = item.Code == 410;
            return string.Create(CultureInfo.InvariantCulture, $"the watch has failed: {item.Code} {StoreAnswer.Quote(item.Message ?? "")}");
        }

        if (item.Metadata?.ResourceVersion is not { Length: > 0 } version
            || (read.Type != "BOOKMARK" && item.Metadata.Name is not { Length: > 0 }))
        {
            return "an event without the name or version of its object";
        }

        switch (read.Type)
        {
            case "ADDED" or "MODIFIED":
                _slices[item.Metadata.Name!] = item.Slice;
                break;
            case "DELETED":
                _slices.Remove(item.Metadata.Name!);
                break;
            case "BOOKMARK":
                break;
            default:
                return $"an event of the unknown type {Quoted.Text(read.Type ?? "")}";
        }

        changed = read.Type != "BOOKMARK";
        Version = version;
        return null;
    }

    /// <summary>One endpoint that cannot be used makes the whole reading unknown: leaving it out would remove a living backend.</summary>
    public SourceReading ToReading()
    {
        Dictionary<string, DiscoveredBackend> byPod = [];
        foreach (EndpointSlice slice in _slices.Values)
        {
            foreach (SliceEndpoint? endpoint in slice.Endpoints ?? [])
            {
                if (endpoint?.Conditions is { Ready: false } or { Terminating: true })
                {
                    continue;
                }

                if (TryRead(slice, endpoint, out DiscoveredBackend? backend) is string why)
                {
                    return new SourceReading.Unknown($"EndpointSlice {Quoted.Text(slice.Metadata!.Name!)}: {why}");
                }

                string pod = endpoint?.TargetRef is { Kind: "Pod", Name: { Length: > 0 } name } ? name : backend!.Address.ToString();
                if (!byPod.TryGetValue(pod, out DiscoveredBackend? other) || (backend!.Address.Address.IsV4 && !other.Address.Address.IsV4))
                {
                    byPod[pod] = backend!;
                }

                if (byPod.Count > Most)
                {
                    return new SourceReading.Unknown($"more than {Most} endpoints");
                }
            }
        }

        return new SourceReading.Complete([.. byPod.Values], StoreAnswer.Quote(Version));
    }

    private string? TryRead(EndpointSlice slice, SliceEndpoint? endpoint, out DiscoveredBackend? backend)
    {
        backend = null;

        // The API: no meaning is defined for addresses behind the first.
        string address = endpoint?.Addresses is [{ } first, ..] ? first : "";
        if (!HostAddress.TryParse(address, out HostAddress host))
        {
            return $"the address {Quoted.Text(address)} is not an IP address";
        }

        if (PortOf(slice) is not { } number)
        {
            return port.Length == 0 ? "no port of TCP" : $"no port {Quoted.Text(port)} of TCP";
        }

        string? pod = endpoint!.TargetRef is { Kind: "Pod" } target ? target.Name : "";
        backend = new DiscoveredBackend(new Endpoint(host, number)) { Name = BackendSettings.IsName(pod ?? "") ? pod! : "" };
        return null;
    }

    private ushort? PortOf(EndpointSlice slice)
    {
        // A name of a port has a letter (RFC 6335), so that it is never a number.
        SlicePort? found = (slice.Ports ?? []).FirstOrDefault(
            p => p?.Protocol is null or "TCP"
                && (port.Length == 0 || p?.Name == port || p?.Port?.ToString(CultureInfo.InvariantCulture) == port));
        return found?.Port is > 0 and <= ushort.MaxValue and int number ? (ushort)number : null;
    }

    private static T? Parse<T>(ReadOnlySpan<byte> json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
