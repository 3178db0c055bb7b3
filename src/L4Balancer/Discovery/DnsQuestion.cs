using System.Collections.Immutable;
using System.Net;
using DnsClient;
using DnsClient.Protocol;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Discovery;

/// <summary>The look-ups of one reading, and how long what they found may be used. Any thread.</summary>
/// <param name="places">Bounds the look-ups at the same time.</param>
/// <param name="reading">Ends all of them; the first that fails cancels it, because a reading without it says nothing.</param>
internal sealed class DnsQuestion(ILookupClient client, SemaphoreSlim places, CancellationTokenSource reading)
{
    private const string SystemServers = "/etc/resolv.conf";

    /// <summary>MAXNS of resolv.conf(5).</summary>
    private const int MostSystemServers = 3;

    /// <summary>RFC 1035, 4.2.</summary>
    private const int DnsPort = 53;

    private readonly Lock _gate = new();

    /// <summary>The shortest time to live of all records that were used; null if there was none.</summary>
    public TimeSpan? Expires { get; private set; }

    /// <param name="servers">Empty: those of the system, read anew.</param>
    public static IPEndPoint[] ServersOf(ImmutableArray<Endpoint> servers) =>
        servers.IsEmpty ? OfSystem() : [.. servers.Select(static s => s.ToIPEndPoint())];

    /// <summary>
    /// A client that keeps its connections over TCP for the next question and has no way to close them: one is made only for other servers.
    /// </summary>
    public static LookupClient ClientOf(IPEndPoint[] servers, TimeSpan patience) => new(
        new LookupClientOptions(servers)
        {
            UseCache = false,
            Timeout = patience,
            Retries = 1,
            UseRandomNameServer = false,
            UseTcpFallback = true,
            ThrowDnsErrors = false,
        });

    /// <exception cref="DnsResponseException">No answer, or one that is neither the records nor that there are none.</exception>
    public async Task<IDnsQueryResponse> AskAsync(string name, QueryType type)
    {
        await places.WaitAsync(reading.Token);
        try
        {
            IDnsQueryResponse answer = await client.QueryAsync(name, type, cancellationToken: reading.Token);
            if (WhyNot(answer) is string why)
            {
                throw new DnsResponseException($"{type} {name}: {why}");
            }

            // The aliases on the way too: one that expires first may lead elsewhere then.
            Note(answer.Answers);
            return answer;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The library calls a look-up that was cancelled one that nobody answers.
            reading.Token.ThrowIfCancellationRequested();
            await reading.CancelAsync();
            throw;
        }
        finally
        {
            places.Release();
        }
    }

    /// <summary>Each A and AAAA of a name. Empty if the name does not exist or has none.</summary>
    /// <param name="known">Records that came along with another answer. Of a family that they have, nothing is asked.</param>
    public async Task<IReadOnlyList<HostAddress>> AddressesAsync(string name, IReadOnlyList<DnsResourceRecord>? known = null)
    {
        AddressRecord[] along = [.. (known ?? []).OfType<AddressRecord>().Where(r => IsSame(r.DomainName.Value, name))];
        Task<AddressRecord[]> v4 = OfFamilyAsync<ARecord>(name, QueryType.A, along);
        Task<AddressRecord[]> v6 = OfFamilyAsync<AaaaRecord>(name, QueryType.AAAA, along);
        await Task.WhenAll(v4, v6);
        AddressRecord[] records = [.. await v4, .. await v6];
        Note(records);

        // A link-local address is unusable without its interface, which HostAddress does not store.
        return [.. records.Where(static r => !r.Address.IsIPv6LinkLocal).Select(static r => HostAddress.From(r.Address)).Where(static a => !a.IsAny).Distinct()];
    }

    /// <summary>These records are used.</summary>
    private void Note(IEnumerable<DnsResourceRecord> records)
    {
        lock (_gate)
        {
            foreach (DnsResourceRecord record in records)
            {
                TimeSpan left = TimeSpan.FromSeconds(record.InitialTimeToLive);
                Expires = Expires is { } before && before < left ? before : left;
            }
        }
    }

    /// <summary>In a few words, for operators.</summary>
    public static string Describe(string name, Exception fault) => fault switch
    {
        DnsResponseException { Code: DnsResponseCode.ConnectionTimeout } => $"{name}: no name server answers",

        // The library's own text only says that there is a cause.
        DnsResponseException { InnerException: { } cause } => Describe(name, cause),
        DnsResponseException => $"{name}: {fault.Message.ReplaceLineEndings(" ").TrimEnd('.')}",
        _ => $"{name}: the answer cannot be read: {fault.Message.ReplaceLineEndings(" ").TrimEnd('.')}",
    };

    // A referral names other servers: that of a server that does not look further is no answer (RFC 2308, 2.2).
    private static string? WhyNot(IDnsQueryResponse answer) =>
        answer.Header.ResponseCode is not (DnsHeaderResponseCode.NoError or DnsHeaderResponseCode.NotExistentDomain) ? answer.ErrorMessage
        : answer.Answers.Count == 0 && !answer.Header.HasAuthorityAnswer && answer.Authorities.NsRecords().Any() && !answer.Authorities.SoaRecords().Any()
            ? "the name server refers to others instead of asking them" : null;

    private async Task<AddressRecord[]> OfFamilyAsync<T>(string name, QueryType type, AddressRecord[] along)
        where T : AddressRecord
    {
        AddressRecord[] known = [.. along.OfType<T>()];
        return known.Length > 0 ? known : [.. (await AskAsync(name, type)).Answers.OfType<T>()];
    }

    private static IPEndPoint[] OfSystem()
    {
        IPEndPoint[] found =
        [
            .. (File.Exists(SystemServers) ? File.ReadLines(SystemServers) : [])
                .Select(static line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
                .Where(static words => words is ["nameserver", _, ..])
                .Select(static words => IPAddress.TryParse(words[1], out IPAddress? address) ? new IPEndPoint(address, DnsPort) : null)
                .OfType<IPEndPoint>().Take(MostSystemServers),
        ];

        // resolv.conf(5): without an entry the name server of the local machine.
        return found.Length > 0 ? found : [new IPEndPoint(IPAddress.Loopback, DnsPort)];
    }

    // Names are compared without case, and may be written with the dot of the root or without (RFC 1034, 3.1).
    private static bool IsSame(string one, string other) => one.TrimEnd('.').Equals(other.TrimEnd('.'), StringComparison.OrdinalIgnoreCase);
}
