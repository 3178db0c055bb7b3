using System.Runtime.Versioning;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;
using L4Balancer.Upgrade;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>This daemon as the one that takes over, once it serves. One thread at a time.</summary>
/// <param name="snapshot">The one in force.</param>
/// <param name="old">The process that is replaced.</param>
[SupportedOSPlatform("linux")]
internal sealed class UpgradeTaker(
    IEngine engine, Func<RoutingSnapshot> snapshot, Survivors survivors, int old, ILogger<UpgradeTaker> log) : IUpgradeTaker
{
    private readonly Dictionary<ulong, CarriedRecord> _read = [];
    private FrozenSlice? _placed;
    private int _made = survivors.Made;

    /// <summary>Puts the states in force that were made for names which the configuration does not have.</summary>
    public required Action SurvivorsMade { get; init; }

    /// <summary>Adds what the old process has counted since its state was taken.</summary>
    public required Action<ReadOnlyMemory<byte>> Added { get; init; }

    public required Action IsMain { get; init; }

    /// <summary>The old process has ended; what it still had is to be recovered.</summary>
    public required Func<string, Task> IsAlone { get; init; }

    /// <summary>Takes what the keeper of the old process holds.</summary>
    public required Func<Task> Recovers { get; init; }

    public required Func<bool> IsStopping { get; init; }

    /// <summary>Reloads, now or when the upgrade is over; its argument is who asked.</summary>
    public required Action<string> Reloads { get; init; }

    public string? WhyNot => IsStopping() ? "it is stopping" : null;

    public bool Accepts(UpgradeConnection connection, out string why)
    {
        if (SocketCookie.Of(connection.Client) != connection.ClientCookie
            || SocketCookie.Of(connection.Backend) != connection.BackendCookie)
        {
            why = "its sockets are not those that the old process means";
        }
        else if (CarriedRecord.Read(connection.Record.Span, out why) is CarriedRecord record)
        {
            _read[connection.Id] = record;
            return true;
        }

        log.ConnectionNotTaken(connection.Id, old, why);
        return false;
    }

    public async Task<IReadOnlyList<AdoptFailure>> PlaceAsync(IReadOnlyList<UpgradeConnection> connections)
    {
        RoutingSnapshot now = snapshot();
        _placed = await engine.TakeFrozenAsync([.. connections.Select(c => Revive(c, now))]);
        _read.Clear();
        foreach (AdoptFailure failure in _placed.Failures)
        {
            log.ConnectionNotTaken(failure.Id, old, failure.Error);
        }

        return _placed.Failures;
    }

    public async Task<int> ServeAsync(IReadOnlyList<RequestedClose> closes)
    {
        IReadOnlyList<AdoptFailure> failures = await _placed!.ThawAsync();
        foreach (AdoptFailure failure in failures)
        {
            log.ConnectionNotServed(failure.Id, failure.Error);
        }

        foreach (RequestedClose close in closes)
        {
            engine.Close(close.Id, close.Reason);
        }

        if (survivors.Made != _made)
        {
            _made = survivors.Made;
            SurvivorsMade();
        }

        return failures.Count;
    }

    public async Task LetGoAsync() => await _placed!.CommitAsync(_placed.Connections.Select(static c => c.Record.Id).ToHashSet());

    public void Reload(string who) => Reloads(who);

    public void Add(ReadOnlyMemory<byte> differences) => Added(differences);

    public void BecomeMain() => IsMain();

    public Task GoOnAloneAsync(string why)
    {
        log.GoesOnAlone(old, why);
        return IsAlone(why);
    }

    public Task RecoverAsync() => Recovers();

    private ExportedConnection Revive(UpgradeConnection c, RoutingSnapshot now)
    {
        (ConnectionRecord record, ConnectionEnd end) = _read[c.Id].Revive(now, survivors);
        return new ExportedConnection
        {
            Record = record,
            End = end,
            Client = c.Client,
            Backend = c.Backend,
            ClientIsUnix = c.ClientIsUnix,
            LastActivity = c.LastActivity,
            ToBackend = c.ToBackend,
            ToClient = c.ToClient,
            PipeToBackend = c.PipeToBackend,
            PipeToClient = c.PipeToClient,
        };
    }
}
