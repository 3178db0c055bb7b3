using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// The messages of sd_notify(3), sent one after the other by a thread of its own. <see cref="SystemdNotifier"/> of
/// Microsoft.Extensions.Hosting.Systemd sends on a blocking socket without a timeout, and the manager's queue is short
/// (net.unix.max_dgram_qlen, 10 by default), so a call waits for as long as the manager does not read. Here no caller waits. Without a
/// manager every call does nothing. Any thread.
/// </summary>
internal sealed class ServiceNotifications : IDisposable
{
    private const string Variable = "NOTIFY_SOCKET";

    /// <summary>Messages that wait while the manager does not read. With a health change every second they cover half a minute.</summary>
    internal const int Capacity = 32;

    private const string Ping = "WATCHDOG=1";

    /// <summary>How long the end waits for the last messages to leave.</summary>
    private static readonly TimeSpan LastSend = TimeSpan.FromSeconds(1);

    private readonly ISystemdNotifier _notifier;
    private readonly ILogger _log;
    private readonly Queue<string> _messages = new();
    private readonly Thread? _sender;
    private bool _closed;
    private bool _failing;

    public ServiceNotifications(ISystemdNotifier notifier, ILogger log)
    {
        _notifier = notifier;
        _log = log;
        IsEnabled = notifier.IsEnabled;
        if (IsEnabled)
        {
            _sender = new Thread(SendAll) { IsBackground = true, Name = "systemd" };
            _sender.Start();
        }
    }

    /// <summary>Whether there is a manager.</summary>
    public bool IsEnabled { get; }

    /// <summary>The manager that NOTIFY_SOCKET names, by a path or by a name in the abstract namespace (unix(7)).</summary>
    public static ServiceNotifications ToManager(ILogger log)
    {
        // SystemdNotifier would take any other form of address (vsock:...) for a relative path.
        string? address = Environment.GetEnvironmentVariable(Variable);
        return new ServiceNotifications(address is ['/' or '@', ..] ? new SystemdNotifier() : new NoManager(), log);
    }

    /// <summary>Connections are taken from now on.</summary>
    public void Ready(string status) => Send($"{ServiceState.Ready}\nSTATUS={status}");

    /// <summary>
    /// The configuration is being read again; <see cref="Ready"/> says that it is done. The time is CLOCK_MONOTONIC in microseconds,
    /// which the stopwatch counts from; Type=notify-reload wants it.
    /// </summary>
    public void Reloading() => Send(string.Create(
        CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={(long)Stopwatch.GetElapsedTime(0).TotalMicroseconds}"));

    /// <summary>What is being done, start, reload or stop, takes this long from now on.</summary>
    public void ExtendTimeout(TimeSpan time) => Send(string.Create(
        CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={(long)time.TotalMicroseconds}"));

    /// <summary>The process makes progress. One such message waits at most: several that arrive together say no more than one.</summary>
    public void Watchdog() => Send(Ping);

    /// <summary>The orderly end has begun.</summary>
    public void Stopping(string status) => Send($"{ServiceState.Stopping}\nSTATUS={status}");

    /// <summary>What <c>systemctl status</c> shows.</summary>
    public void Status(string status) => Send($"STATUS={status}");

    public void Dispose()
    {
        lock (_messages)
        {
            _closed = true;
            Monitor.Pulse(_messages);
        }

        _sender?.Join(LastSend);
    }

    private void Send(string message)
    {
        if (!IsEnabled)
        {
            return;
        }

        bool isFull;
        lock (_messages)
        {
            if (_closed || (message == Ping && _messages.Contains(Ping)))
            {
                return;
            }

            isFull = _messages.Count == Capacity;
            if (!isFull)
            {
                _messages.Enqueue(message);
                Monitor.Pulse(_messages);
            }
        }

        if (isFull)
        {
            Failed("it does not read what is sent to it");
        }
    }

    private void SendAll()
    {
        while (Take() is string message)
        {
            try
            {
                _notifier.Notify(new ServiceState(message));
                Volatile.Write(ref _failing, false);
            }
            catch (Exception e)
            {
                // SocketException where nobody listens, ArgumentException where the path is too long for a socket: the daemon serves
                // all the same.
                Failed(e.Message);
            }
        }
    }

    /// <returns>Null after the end.</returns>
    private string? Take()
    {
        lock (_messages)
        {
            while (_messages.Count == 0 && !_closed)
            {
                Monitor.Wait(_messages);
            }

            return _messages.TryDequeue(out string? message) ? message : null;
        }
    }

    // Pings go on for as long as the daemon lives: one line until a message leaves again.
    private void Failed(string why)
    {
        if (!Interlocked.Exchange(ref _failing, true))
        {
            _log.ManagerNotTold(why);
        }
    }

    private sealed class NoManager : ISystemdNotifier
    {
        public bool IsEnabled => false;

        public void Notify(ServiceState state)
        {
        }
    }
}
