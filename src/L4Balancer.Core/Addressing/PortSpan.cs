using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace L4Balancer.Core.Addressing;

/// <summary>A range of ports at one address: <c>0.0.0.0:27000-27099</c>.</summary>
public readonly record struct PortSpan(HostAddress Address, ushort First, ushort Last)
{
    private const int LeastShown = 3;

    public int Count => Last - First + 1;

    /// <summary>One endpoint for each port, in order.</summary>
    public IEnumerable<Endpoint> Endpoints
    {
        get
        {
            HostAddress address = Address;
            return Enumerable.Range(First, Count).Select(port => new Endpoint(address, (ushort)port));
        }
    }

    /// <summary>
    /// The form of <see cref="Endpoint.TryParse"/> with two ports, the first not above the second and not 0. A range of one port is none.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PortSpan span)
    {
        span = default;
        int dash = text?.LastIndexOf('-') ?? -1;
        int colon = text?.LastIndexOf(':') ?? -1;
        if (dash < colon || colon < 0
            || !Endpoint.TryParse(text![..dash], out Endpoint first)
            || !Endpoint.TryParse(string.Concat(text.AsSpan(0, colon + 1), text.AsSpan(dash + 1)), out Endpoint last)
            || first.Port == 0 || last.Port <= first.Port)
        {
            return false;
        }

        span = new PortSpan(first.Address, first.Port, last.Port);
        return true;
    }

    /// <summary>Endpoints as texts for readers: three and more ports of one address in sequence become one range.</summary>
    public static ImmutableArray<string> Compact(IEnumerable<Endpoint> endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ImmutableArray<string>.Builder texts = ImmutableArray.CreateBuilder<string>();
        List<Endpoint> run = [];
        foreach (Endpoint endpoint in endpoints)
        {
            if (run.Count > 0 && !Follows(endpoint, run[^1]))
            {
                Add();
            }

            run.Add(endpoint);
        }

        Add();
        return texts.ToImmutable();

        void Add()
        {
            texts.AddRange(run.Count < LeastShown
                ? run.Select(static e => e.ToString()) : [string.Create(CultureInfo.InvariantCulture, $"{run[0]}-{run[^1].Port}")]);
            run.Clear();
        }
    }

    private static bool Follows(Endpoint endpoint, Endpoint last) =>
        !endpoint.IsUnix && !last.IsUnix && last.Port != 0 && endpoint.Address == last.Address && endpoint.Port == last.Port + 1;
}
