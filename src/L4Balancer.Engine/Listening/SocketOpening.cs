using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>Opens the sockets that a plan lacks: either all of them, or none.</summary>
/// <param name="suspended">The addresses that were not listened on so far because of their pool, with the one to bind now.</param>
internal sealed class SocketOpening<TSocket>(
    ListenPlan<TSocket> plan, InheritedSockets? inherited, IReadOnlyDictionary<(string Listener, Endpoint Requested), Endpoint> suspended,
    IAcceptControl<TSocket> accepting, ILogger log)
    where TSocket : ListeningSocket
{
    /// <summary>Failures that are reported one by one.</summary>
    private const int MostFailures = 20;

    /// <summary>All are bound before any listens: a socket that listens may have taken connections by the time another one fails.</summary>
    /// <param name="later">Failures to bind again what was not listened on because of its pool are added: they prevent nothing.</param>
    /// <returns>What could not be bound: everything that was opened is closed then.</returns>
    public List<ListenFailure> Open(List<ListenFailure> later)
    {
        List<ListenFailure> failures = [];
        List<TSocket> sharing = [];
        List<PlannedBind<TSocket>> opened = [];
        foreach (PlannedBind<TSocket> bind in plan.Binds.Where(p => p.Socket is null).ToArray())
        {
            SocketError error = Bind(bind, sharing);
            if (bind.Socket is null)
            {
                Fail(bind, error);
            }
            else
            {
                opened.Add(bind);
            }
        }

        if (failures.Count == 0)
        {
            foreach (PlannedBind<TSocket> bind in opened)
            {
                SocketError error = bind.Socket!.Listen(bind.Target.Listener.Settings.Backlog);
                if (error != SocketError.Success)
                {
                    Fail(bind, error);
                }
            }
        }

        // A second daemon has to find the port in use, as before.
        sharing.ForEach(s => s.SharePort(false));
        if (failures.Count > 0)
        {
            opened.ForEach(p => p.Socket!.Dispose());
        }
        else
        {
            opened.Where(p => !plan.Binds.Contains(p)).ToList().ForEach(p => p.Socket!.Dispose());
        }

        if (failures.Count > MostFailures)
        {
            // A range of ports may fail a thousand times for one reason.
            int more = failures.Count - MostFailures;
            ListenFailure first = failures[MostFailures];
            failures.RemoveRange(MostFailures, more);
            string message = $"{more} more addresses cannot be listened on, the first of them {first.Endpoint} (listener {first.Listener})";
            failures.Add(first with { Message = message });
        }

        return failures;

        void Fail(PlannedBind<TSocket> bind, SocketError error)
        {
            Endpoint address = AddressOf(bind.Key);
            if (suspended.ContainsKey(bind.Key))
            {
                later.Add(ListenFailure.From(bind.Target.Listener.Name, address, error));
                plan.Suspend(bind, address);
            }
            else
            {
                failures.Add(ListenFailure.From(bind.Target.Listener.Name, address, error));
            }
        }
    }

    private SocketError Bind(PlannedBind<TSocket> bind, List<TSocket> sharing)
    {
        bind.IsNew = true;
        SocketError error = SocketError.Success;
        if (inherited?.Take(bind.Target.Listener.Name, bind.Requested) is { } given)
        {
            bind.Socket = accepting.Inherit(given.Descriptor, bind.Requested, bind.Target, given.IsFromService);

            // The process that it comes from may still serve, also if this one fails to start.
            bind.Socket.LeaveFile();
            log.Inherited(bind.Requested);
            if (bind.Socket.TakesBothFamilies)
            {
                log.InheritedTakesIPv4(bind.Requested);
            }
        }
        else
        {
            // bind(2) would return EADDRINUSE because of a socket that is about to leave: the wildcard, or an address that it covers.
            TSocket[] inTheWay = [.. plan.InTheWayOf(bind)];
            foreach (TSocket socket in inTheWay)
            {
                socket.SharePort(true);
                sharing.Add(socket);
            }

            (bind.Socket, error) = accepting.Bind(AddressOf(bind.Key), bind.Target, share: inTheWay.Length > 0);
            if (bind.Socket is not null && inTheWay.Length > 0)
            {
                sharing.Add(bind.Socket);
            }
        }

        bind.Socket?.Apply(bind.Target.Listener.Settings);
        return error;
    }

    private Endpoint AddressOf((string Listener, Endpoint Requested) bind) => suspended.GetValueOrDefault(bind, bind.Requested);
}
