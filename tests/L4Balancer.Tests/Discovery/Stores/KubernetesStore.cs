using System.Globalization;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Kubernetes;
using L4Balancer.Stores;
using Microsoft.AspNetCore.Http;
using StatusCodes = Microsoft.AspNetCore.Http.StatusCodes;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>
/// The EndpointSlices of the API of Kubernetes: lists, and watches that replay what happened since a version, in chunks of a few bytes. A version
/// from before a compaction is gone, with status 410 or as an event.
/// </summary>
internal sealed class KubernetesStore : IStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, string> _slices = new(StringComparer.Ordinal);
    private readonly List<(long Version, string Event)> _history = [];
    private readonly List<string> _asked = [];
    private StubServer _server = null!;
    private volatile TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version = 1000;
    private long _compacted;

    public bool HasWeights => false;

    public string Toml => $"kubernetes = \"{_server.Address.GetLeftPart(UriPartial.Authority)}\"\nservice = \"chat\"\nnamespace = \"rooms\"\nport = \"ws\"";

    public Uri Address => _server.Address;

    /// <summary>Whether a version that is gone is told by the status, and not by an event.</summary>
    public bool GoneByStatus { get; set; }

    /// <summary>Whether the account may list and not watch.</summary>
    public bool RefusesWatches { get; set; }

    /// <summary>The queries of all requests, each with its authorization.</summary>
    public IReadOnlyList<string> Asked
    {
        get
        {
            lock (_gate)
            {
                return [.. _asked];
            }
        }
    }

    public static Task<IStore> StartAsync() => StartAsync("127.0.0.1");

    public static async Task<IStore> StartAsync(string host)
    {
        var store = new KubernetesStore();
        store._server = await StubServer.StartAsync(store.AnswerAsync, """{"kind":"EndpointSliceList","metadata":{"resourceVersion":"9"},"items":[{"me""", host);
        return store;
    }

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options) => Source(interval, options, "");

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options, string tokenFile) => new KubernetesSource(
        IStore.Settings(DiscoveryKind.Kubernetes, interval) with
        {
            Kubernetes = _server.Address.OriginalString,
            Service = "chat",
            Namespace = "rooms",
            Port = "ws",
            TokenFile = tokenFile,
        },
        TimeProvider.System, new Random(1), options, static _ => null);

    /// <summary>Each backend is a pod in a slice of its own.</summary>
    public Task PutAsync(string name, string address, int weight = 100)
    {
        int colon = address.LastIndexOf(':');
        Put(name, Slice(address[(colon + 1)..], Endpoint(name, address[..colon].Trim('[', ']'), "\"ready\":true,\"serving\":true,\"terminating\":false")));
        return Task.CompletedTask;
    }

    /// <summary>A slice of this content, without its metadata.</summary>
    public void Put(string slice, string content)
    {
        lock (_gate)
        {
            string type = _slices.ContainsKey(slice) ? "MODIFIED" : "ADDED";
            _slices[slice] = WithMetadata(slice, content, ++_version);
            Happened(type, _slices[slice]);
        }
    }

    public static string Endpoint(string pod, string address, string conditions) =>
        $$$"""{"addresses":["{{{address}}}"],"conditions":{{{{conditions}}}},"targetRef":{"kind":"Pod","namespace":"rooms","name":"{{{pod}}}"},"nodeName":"n1"}""";

    public static string Slice(string port, params string[] endpoints) =>
        $$$"""
        "addressType":"IPv4","endpoints":[{{{string.Join(',', endpoints)}}}],"ports":[{"name":"metrics","port":9,"protocol":"TCP"},{"name":"ws","port":{{{port}}},"protocol":"TCP"}]
        """;

    public Task RemoveAsync(string name)
    {
        lock (_gate)
        {
            if (_slices.Remove(name))
            {
                _version++;
                Happened("DELETED", WithMetadata(name, "\"addressType\":\"IPv4\"", _version));
            }
        }

        return Task.CompletedTask;
    }

    public async Task WipeAsync()
    {
        foreach (string name in _slices.Keys.ToArray())
        {
            await RemoveAsync(name);
        }
    }

    /// <summary>For the next watch every version is gone that a list has told; lists are told a later one from then on.</summary>
    public bool CompactBeforeWatch { get; set; }

    /// <summary>Something else happens in the cluster, and watches are told its version.</summary>
    public void Bookmark()
    {
        lock (_gate)
        {
            _version++;
            Happened("BOOKMARK", $$"""{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"{{_version}}"},"endpoints":null}""");
        }
    }

    public Task DisturbAsync(StoreTrouble trouble) => _server.DisturbAsync(trouble);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private static string WithMetadata(string name, string content, long version) =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"rooms","resourceVersion":"{{{version}}}","labels":{"kubernetes.io/service-name":"chat"}},{{{content.Trim()}}}}""";

    private void Happened(string type, string item)
    {
        _history.Add((_version, $$"""{"type":"{{type}}","object":{{item}}}"""));
        Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        string list;
        lock (_gate)
        {
            _asked.Add($"{http.Request.Path}{http.Request.QueryString} {http.Request.Headers.Authorization}");
            list = $$$"""{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"{{{_version}}}"},"items":[{{{string.Join(',', _slices.Values)}}}]}""";
        }

        http.Response.ContentType = "application/json";
        if (http.Request.Path != "/apis/discovery.k8s.io/v1/namespaces/rooms/endpointslices"
            || http.Request.Query["labelSelector"] != "kubernetes.io/service-name=chat")
        {
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            await http.Response.WriteAsync("""{"kind":"Status","status":"Failure","message":"forbidden","code":403}""", http.RequestAborted);
        }
        else if (http.Request.Query["watch"] == "1" && RefusesWatches)
        {
            http.Response.StatusCode = StatusCodes.Status403Forbidden;
            await http.Response.WriteAsync("""{"kind":"Status","status":"Failure","message":"cannot watch","code":403}""", http.RequestAborted);
        }
        else if (http.Request.Query["watch"] == "1")
        {
            await StreamAsync(http, long.Parse(http.Request.Query["resourceVersion"].ToString(), CultureInfo.InvariantCulture));
        }
        else
        {
            await http.Response.WriteAsync(list, http.RequestAborted);
        }
    }

    private async Task StreamAsync(HttpContext http, long version)
    {
        const string Gone = """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}""";
        if (CompactBeforeWatch)
        {
            lock (_gate)
            {
                _compacted = ++_version;
                _history.Clear();
                CompactBeforeWatch = false;
            }
        }

        if (version < _compacted)
        {
            http.Response.StatusCode = GoneByStatus ? StatusCodes.Status410Gone : StatusCodes.Status200OK;
            await http.Response.WriteAsync(GoneByStatus ? Gone : $$"""{"type":"ERROR","object":{{Gone}}}""" + "\n", http.RequestAborted);
            return;
        }

        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(int.Parse(http.Request.Query["timeoutSeconds"].ToString(), CultureInfo.InvariantCulture)));
        using var either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, http.RequestAborted);
        await http.Response.StartAsync(http.RequestAborted);
        while (!end.IsCancellationRequested)
        {
            Task changed = _changed.Task;
            (long Version, string Event)[] news;
            lock (_gate)
            {
                news = [.. _history.Where(h => h.Version > version)];
            }

            foreach ((long happened, string line) in news)
            {
                await _server.WhileSilentAsync(http.RequestAborted);
                byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
                for (int i = 0; i < bytes.Length; i += 97)
                {
                    await http.Response.Body.WriteAsync(bytes.AsMemory(i, Math.Min(97, bytes.Length - i)), http.RequestAborted);
                    await http.Response.Body.FlushAsync(http.RequestAborted);
                }

                version = happened;
            }

            await Task.WhenAny(changed, Task.Delay(Timeout.Infinite, either.Token));
            http.RequestAborted.ThrowIfCancellationRequested();
        }
    }
}
