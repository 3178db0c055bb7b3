using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>Opens the socket of a connection to its backend and begins to connect it; says what a failure of that means.</summary>
internal sealed class Connector(Worker worker)
{
    private readonly TransparentFaults _transparentFaults = new(worker.Engine.Log);

    /// <returns>
    /// Null if the connect is in progress; an event or the deadline continues it. Otherwise the slot may have a socket to close.
    /// </returns>
    public ConnectFailure? Begin(ref Slot slot, SetupStep step, PoolSettings pool)
    {
        SysResult opened = TcpSocket.Open(step.Target);
        if (opened.IsError)
        {
            return ConnectErrors.OfSocket(opened.Errno);
        }

        slot.Backend = opened.Value;
        slot.BackendState = SideState.None;
        slot.Attempt++;
        if (step.Target.IsUnix)
        {
            SocketOptions.ApplyToUnix(slot.Backend);
        }
        else
        {
            SocketOptions.ApplyFirst(slot.Backend, pool.UserTimeout, pool.CongestionControl);
            SocketOptions.SetBuffers(slot.Backend, pool.SendBuffer, pool.ReceiveBuffer);
        }

        if (SetSource(slot.Backend, step, pool) is { } refused)
        {
            return refused;
        }

        SysResult connecting = TcpSocket.Connect(slot.Backend, step.Target);
        return connecting.IsError && connecting.Errno != Errno.EINPROGRESS
            ? FailureOf(connecting.Errno, step.Target, step.Transparent is not null, pool)
            : null;
    }

    /// <summary>Classifies an error of a connect, which connect(2) or SO_ERROR has returned.</summary>
    /// <param name="isTransparent">The connect was from the client's own address.</param>
    public ConnectFailure FailureOf(Errno error, Endpoint target, bool isTransparent, PoolSettings pool)
    {
        ConnectFailure failure = isTransparent ? ConnectErrors.OfTransparentConnect(error) : ConnectErrors.OfConnect(error, target.IsUnix);
        return Noted(failure, error, pool);
    }

    private ConnectFailure? SetSource(int socket, SetupStep step, PoolSettings pool)
    {
        if (step.Transparent is { } client)
        {
            Errno refusal = SourceBinding.MakeTransparent(socket, client);
            if (refusal != Errno.None)
            {
                _transparentFaults.Note(pool.Name, new TransparentFault(IsRefused: true, refusal.ToString()), worker.Now);
                return ConnectFailure.NotTransparent;
            }

            Errno error = Bind(socket, client);
            return error == Errno.None ? null : Noted(ConnectErrors.OfTransparentBind(error), error, pool);
        }

        if (step.Source is { } source && Bind(socket, source) is not Errno.None and var unusable)
        {
            return ConnectErrors.OfBind(unusable);
        }

        return step.Window is { } window ? SourceBinding.LimitPorts(socket, window, worker.Engine.Snapshot.Ports.Supply) : null;
    }

    private ConnectFailure Noted(ConnectFailure failure, Errno error, PoolSettings pool)
    {
        if (failure == ConnectFailure.NotTransparent)
        {
            _transparentFaults.Note(pool.Name, new TransparentFault(IsRefused: false, error.ToString()), worker.Now);
        }

        return failure;
    }

    private static Errno Bind(int socket, HostAddress source)
    {
        SourceBinding.DeferPort(socket);
        return TcpSocket.Bind(socket, new Endpoint(source, 0)).Errno;
    }
}
