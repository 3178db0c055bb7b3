using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <content>From the choice of a backend to the connection: backends, their sources, and what follows from a failed connect.</content>
public partial struct ConnectionSetup
{
    /// <summary>The connect succeeded.</summary>
    /// <param name="source">The local address of the new connection.</param>
    public SetupStep Connected(ref ConnectionRecord record, Endpoint source, Instant now)
    {
        CountAttempt(ref record);
        record.LocalEndpoint = source;
        record.EstablishedAt = now;
        record.Lease.Connected(source.Port, now);
        BackendState state = record.Backend!;
        state.CountEstablished();
        record.Origin.Sticky?.Confirm(record.Sticky, now);
        Report(state, Search.Backends.NoteConnected(record.Origin.Policy.Passive.EarlyClose, now));
        record.Listener.CountEstablished();
        EndSearch();
        return SetupStep.Relay;
    }

    /// <summary>The connect requested last failed, or its deadline passed.</summary>
    public SetupStep ConnectFailed(ref ConnectionRecord record, ConnectFailure failure, Instant now)
    {
        bool isTransparent = _isTransparent;
        switch (failure)
        {
            case ConnectFailure.NoFreePort:
                record.ReturnUnusedLease();
                return isTransparent
                    ? SkipBackend(ref record, CloseReason.SourcePortsExhausted, now)
                    : LookElsewhere(ref record, now);
            case ConnectFailure.SourceUnusable when !isTransparent:
                record.ReturnUnusedLease();
                PortUse unusable = Search.Sources.Current(Search.Backends.Backend!.Sources)!;
                unusable.Source.CountUnusable();
                unusable.NoteUnusable(now);
                return TryNextSource(ref record, CloseReason.ConnectFailed, now);
            case ConnectFailure.NoSuchFamily or ConnectFailure.NotTransparent or ConnectFailure.SourceUnusable:
                record.ReturnUnusedLease();
                return SkipBackend(ref record, CloseReason.ConnectFailed, now);
            case ConnectFailure.LocalShortage:
                record.ReturnUnusedLease();
                record.Limit = LimitKind.Host;
                return Refuse(ref record, CloseReason.Limit, now);
            default:
                CountAttempt(ref record);
                record.ReturnLease(0, waits: false, now);
                Report(record.Backend!, Search.Backends.NoteFailed(failure, PoolSettings.Passive.Failures));
                return record.Attempts >= Search.Backends.AttemptsIn(_route.Pool)
                    ? Refuse(ref record, Search.Backends.LastFailure, now)
                    : TryNextBackend(ref record, now);
        }
    }

    private SetupStep TryNextBackend(ref ConnectionRecord record, Instant now)
    {
        _connecting = false;
        while (Search.Backends.TryNext(ref record, _route.Pool, _key, now, out Instant turn))
        {
            _queued = turn > now;
            if (_queued)
            {
                if (_clientFinished && GivesUpPlace(record))
                {
                    return Refuse(ref record, CloseReason.ClientClosed, now);
                }

                return SetupStep.WaitUntil(turn);
            }

            if (TryBegin(ref record, now, out SetupStep step))
            {
                return step;
            }

            Search.Backends.Skip(Search.Backends.Backend!.Index);
        }

        CloseReason why = Search.Backends.WhyNone(_route.Pool, out LimitKind limit);
        if (why == CloseReason.None)
        {
            return Pause(now);
        }

        record.Limit = limit;
        return Refuse(ref record, why, now);
    }

    // A window without a free port proves little, because other processes use ports too; only a refusal of the whole range counts as
    // exhausted.
    private SetupStep LookElsewhere(ref ConnectionRecord record, Instant now)
    {
        PortUse use = Search.Sources.Current(Search.Backends.Backend!.Sources)!;
        if (Search.Sources.Window is not { } window)
        {
            use.NoteRefused(now);
            use.Source.CountExhausted();
            return TryNextSource(ref record, CloseReason.SourcePortsExhausted, now);
        }

        use.NoteTaken(window);
        return TryConnect(ref record, now, out SetupStep step) ? step : TryNextSource(ref record, CloseReason.SourcePortsExhausted, now);
    }

    private SetupStep TryNextSource(ref ConnectionRecord record, CloseReason shortage, Instant now)
    {
        Search.Backends.NoteShortage(shortage);
        Search.Sources.MoveOn();
        if (TryConnect(ref record, now, out SetupStep step))
        {
            return step;
        }

        Search.Backends.Skip(Search.Backends.Backend!.Index);
        return TryNextBackend(ref record, now);
    }

    // This host cannot connect to the backend picked last, which is not at fault.
    private SetupStep SkipBackend(ref ConnectionRecord record, CloseReason shortage, Instant now)
    {
        Search.Backends.NoteShortage(shortage);
        Search.Backends.Skip(Search.Backends.Backend!.Index);
        return TryNextBackend(ref record, now);
    }

    private bool TryBegin(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        Backend backend = Search.Backends.Backend!;
        HostAddress? client = Transparent(record, backend);
        _isTransparent = client is not null;
        if (!_isTransparent)
        {
            Search.Sources.Begin(backend.Sources, Search.Turn, now);
            return TryConnect(ref record, now, out step);
        }

        // A port of the client's own address, so there is no lease: the ports of the sources are those of this host's addresses.
        BeginConnect(ref record, now);
        step = SetupStep.Connect(null, null, backend.Endpoint, now.After(PoolSettings.ConnectTimeout)) with { Transparent = client };
        return true;
    }

    // Continues at the current source. A source that the kernel refused a moment ago is skipped: the kernel would search every port in
    // vain.
    private bool TryConnect(ref ConnectionRecord record, Instant now, out SetupStep step)
    {
        BackendSearch search = Search;
        Backend backend = search.Backends.Backend!;
        for (; search.Sources.Current(backend.Sources) is { } use; search.Sources.MoveOn())
        {
            if (use.IsRefused(now))
            {
                use.Source.CountExhausted();
                search.Backends.NoteShortage(CloseReason.SourcePortsExhausted);
                continue;
            }

            search.Sources.Aim(use, now);
            record.Lease = PortLease.Take(use);
            BeginConnect(ref record, now);
            step = SetupStep.Connect(use.Source.Address, search.Sources.Window, backend.Endpoint, now.After(PoolSettings.ConnectTimeout));
            return true;
        }

        _connecting = false;
        step = default;
        return false;
    }

    private void BeginConnect(ref ConnectionRecord record, Instant now)
    {
        record.ConnectStartedAt = now;
        _connecting = true;
        Search.Backends.NoteConnecting();
    }

    // Only within one family can the client's address be that of a connection to the backend; a client of a UNIX socket has none.
    private readonly HostAddress? Transparent(in ConnectionRecord record, Backend backend)
    {
        Endpoint client = record.Tuple.Source;
        return PoolSettings.Transparent && !client.IsUnix && !backend.Endpoint.IsUnix && client.Address.IsV4 == backend.Endpoint.Address.IsV4
            ? client.Address : null;
    }

    private void CountAttempt(ref ConnectionRecord record)
    {
        _connecting = false;
        record.Attempts++;
        record.Backend!.CountConnectAttempt();
    }
}
