using System.Collections.Concurrent;
using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Consul;
using L4Balancer.Stores;
using Microsoft.AspNetCore.Http;
using StatusCodes = Microsoft.AspNetCore.Http.StatusCodes;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>
/// Consul's <c>/v1/health/service/chat</c> as its documentation describes blocking queries: an answer is held back until the index is above the one
/// that was asked with, or the wait is over.
/// </summary>
internal sealed class ConsulStore : IStore
{
    private readonly ConcurrentDictionary<string, (string Address, int Weight)> _backends = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private StubServer _server = null!;
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _index = 100;

    public bool HasWeights => true;

    public string Toml => $"consul = \"{_server.Address.GetLeftPart(UriPartial.Authority)}\"\nservice = \"chat\"";

    public Uri Address => _server.Address;

    /// <summary>The queries of all requests, each with its token.</summary>
    public IReadOnlyList<string> Asked => [.. _asked];

    /// <summary>Whether answers have their index.</summary>
    public bool HasIndex { get; set; } = true;

    /// <summary>Whether the token may not read the service: its instances are left out, and the answer says so.</summary>
    public bool IsFiltered { get; set; }

    public static Task<IStore> StartAsync() => StartAsync("127.0.0.1");

    public static async Task<IStore> StartAsync(string host)
    {
        var store = new ConsulStore();
        store._server = await StubServer.StartAsync(store.AnswerAsync, """[{"Node":{"Node":"n1","Address":"10.0""", host);
        return store;
    }

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options) => Source(interval, options, "");

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options, string tokenFile) => new ConsulSource(
        IStore.Settings(DiscoveryKind.Consul, interval) with { Consul = _server.Address, Service = "chat", TokenFile = tokenFile },
        TimeProvider.System, new Random(1), options);

    public Task PutAsync(string name, string address, int weight = 100)
    {
        _backends[name] = (address, weight);
        return ChangedAsync(_index + 1);
    }

    public Task RemoveAsync(string name)
    {
        _backends.TryRemove(name, out _);
        return ChangedAsync(_index + 1);
    }

    /// <summary>Replaced by an empty one: its index starts again.</summary>
    public Task WipeAsync()
    {
        _backends.Clear();
        return ChangedAsync(1);
    }

    /// <summary>The index goes back, as after a restored snapshot; who waits is answered.</summary>
    public Task ResetAsync() => ChangedAsync(5);

    public Task DisturbAsync(StoreTrouble trouble) => _server.DisturbAsync(trouble);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private Task ChangedAsync(long index)
    {
        _index = index;
        Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        return Task.CompletedTask;
    }

    private async Task AnswerAsync(HttpContext http)
    {
        _asked.Enqueue($"{http.Request.Path}{http.Request.QueryString} {http.Request.Headers["X-Consul-Token"]}");
        if (http.Request.Path != "/v1/health/service/chat" || http.Request.Query["passing"] != "1")
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        Task changed = _changed.Task;
        if (long.TryParse(http.Request.Query["index"], CultureInfo.InvariantCulture, out long index) && index >= _index)
        {
            var wait = TimeSpan.FromMilliseconds(int.Parse(http.Request.Query["wait"].ToString()[..^2], CultureInfo.InvariantCulture));
            await Task.WhenAny(changed, Task.Delay(wait, http.RequestAborted));
            await _server.WhileSilentAsync(http.RequestAborted);
            http.RequestAborted.ThrowIfCancellationRequested();
        }

        http.Response.ContentType = "application/json";
        if (HasIndex)
        {
            http.Response.Headers["X-Consul-Index"] = _index.ToString(CultureInfo.InvariantCulture);
        }

        if (IsFiltered)
        {
            http.Response.Headers["X-Consul-Results-Filtered-By-ACLs"] = "true";
        }

        IEnumerable<string> entries = _backends.Where(_ => !IsFiltered).Select(b => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""
            {"Node":{"ID":"40e4","Node":"{{{b.Key}}}","Address":"192.0.2.1","Datacenter":"dc1"},
             "Service":{"ID":"chat","Service":"chat","Tags":["v1"],"Address":"{{{b.Value.Address[..b.Value.Address.LastIndexOf(':')].Trim('[', ']')}}}","Meta":{"weight":"{{{b.Value.Weight}}}"},
                        "Port":{{{b.Value.Address[(b.Value.Address.LastIndexOf(':') + 1)..]}}},"Weights":{"Passing":1,"Warning":1}},
             "Checks":[{"Node":"{{{b.Key}}}","CheckID":"serfHealth","Status":"passing"}]}
            """));
        await http.Response.WriteAsync($"[{string.Join(',', entries)}]", http.RequestAborted);
    }
}
