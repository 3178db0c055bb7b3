using System.Collections.Concurrent;
using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Http;
using L4Balancer.Stores;
using Microsoft.AspNetCore.Http;
using StatusCodes = Microsoft.AspNetCore.Http.StatusCodes;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>A server of Prometheus' HTTP service discovery, with ETags.</summary>
internal sealed class HttpStore : IStore
{
    private readonly ConcurrentDictionary<string, (string Address, int Weight)> _backends = new();
    private StubServer _server = null!;
    private int _version = 1;
    private int _notModified;

    public bool HasWeights => true;

    public string Toml => $"http = \"{Address}\"";

    public Uri Address => new(_server.Address, "/targets");

    /// <summary>How often it has said that nothing has changed.</summary>
    public int NotModified => _notModified;

    public IReadOnlyList<string> Authorizations => [.. _authorizations];

    private readonly ConcurrentQueue<string> _authorizations = new();

    public static Task<IStore> StartAsync() => StartAsync("127.0.0.1");

    public static async Task<IStore> StartAsync(string host)
    {
        var store = new HttpStore();
        store._server = await StubServer.StartAsync(store.AnswerAsync, """[{"targets":["10.0.0.1:1"]},{"tar""", host);
        return store;
    }

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options) =>
        new HttpSource(IStore.Settings(DiscoveryKind.Http, interval) with { Http = Address }, TimeProvider.System, new Random(1), options);

    public Task PutAsync(string name, string address, int weight = 100)
    {
        _backends[name] = (address, weight);
        _version++;
        return Task.CompletedTask;
    }

    public Task RemoveAsync(string name)
    {
        _backends.TryRemove(name, out _);
        _version++;
        return Task.CompletedTask;
    }

    public Task WipeAsync()
    {
        _backends.Clear();
        _version++;
        return Task.CompletedTask;
    }

    public Task DisturbAsync(StoreTrouble trouble) => _server.DisturbAsync(trouble);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private Task AnswerAsync(HttpContext http)
    {
        string tag = $"\"v{_version}\"";
        _authorizations.Enqueue(http.Request.Headers.Authorization.ToString());
        if (http.Request.Headers.IfNoneMatch == tag)
        {
            Interlocked.Increment(ref _notModified);
            http.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        http.Response.Headers.ETag = tag;
        http.Response.ContentType = "application/json";
        IEnumerable<string> groups = _backends.Select(b => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"targets":["{{{b.Value.Address}}}"],"labels":{"name":"{{{b.Key}}}","weight":"{{{b.Value.Weight}}}","job":"chat"}}"""));
        return http.Response.WriteAsync($"[{string.Join(',', groups)}]", http.RequestAborted);
    }
}
