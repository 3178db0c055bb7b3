using System.Globalization;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Etcd;
using L4Balancer.Etcd;
using L4Balancer.Stores;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>A real etcd of one member.</summary>
internal sealed class EtcdStore : IStore
{
    private const string Prefix = "/chat/";

    private readonly EtcdServer _server;
    private readonly EtcdClient _client;
    private StoreTrouble _trouble;

    private EtcdStore(EtcdServer server)
    {
        _server = server;
        _client = new EtcdClient([server.Client], new StoreAccess(), new StoreHttpOptions(), TimeProvider.System);
    }

    public bool HasWeights => true;

    public string Toml => $"etcd = [\"{_server.Client.OriginalString}\"]\nprefix = \"{Prefix}\"";

    public EtcdServer Server => _server;

    public EtcdClient Client => _client;

    public static async Task<IStore> StartAsync() => new EtcdStore(await EtcdServer.StartAsync());

    public static async Task<IStore> StartAsync(string host) => new EtcdStore(await EtcdServer.AtAsync(host));

    public IBackendSource Source(TimeSpan interval, StoreHttpOptions options) => new EtcdSource(
        IStore.Settings(DiscoveryKind.Etcd, interval) with { Etcd = [_server.Client] }, Prefix, TimeProvider.System, new Random(1), options);

    public async Task PutAsync(string name, string address, int weight = 100)
    {
        string value = string.Create(CultureInfo.InvariantCulture, $$"""{"address":"{{address}}","weight":{{weight}}}""");
        EtcdClientTests.Ok(await _client.PutAsync(Prefix + name, Encoding.UTF8.GetBytes(value), 0, default));
    }

    public async Task RemoveAsync(string name) => EtcdClientTests.Ok(await _client.DeleteAsync(Prefix + name, default));

    public Task WipeAsync() => _server.WipeAsync();

    public async Task DisturbAsync(StoreTrouble trouble)
    {
        StoreTrouble before = _trouble;
        _trouble = trouble;
        switch (before)
        {
            case StoreTrouble.Down:
                _server.Start();
                await _server.ReadyAsync();
                break;
            case StoreTrouble.Silent:
                _server.Continue();
                await _server.ReadyAsync();
                break;
            case StoreTrouble.Rubbish or StoreTrouble.HalfWritten:
                await RemoveAsync("trouble");
                break;
            default:
                break;
        }

        switch (trouble)
        {
            case StoreTrouble.Down:
                await _server.KillAsync();
                break;
            case StoreTrouble.Silent:
                _server.Stop();
                break;
            case StoreTrouble.Rubbish:
                EtcdClientTests.Ok(await _client.PutAsync(Prefix + "trouble", new byte[] { 0xFF, 0 }, 0, default));
                break;
            case StoreTrouble.HalfWritten:
                EtcdClientTests.Ok(await _client.PutAsync(Prefix + "trouble", "{\"address\":\"10.0.0"u8.ToArray(), 0, default));
                break;
            default:
                break;
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return _server.DisposeAsync();
    }
}
