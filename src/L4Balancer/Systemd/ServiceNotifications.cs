using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// The messages of sd_notify(3), sent one after the other by a separate thread. <see cref="SystemdNotifier"/> of
/// Microsoft.Extensions.Hosting.Systemd sends on a blocking socket without a timeout, and the manager's queue is short
/// (net.unix.max_dgram_qlen, 10 by default), so a call blocks for as long as the manager does not read. Here no caller blocks. Without a
/// manager every call does nothing. Any thread.
/// </summary>
internal sealed class ServiceNotifications : IDisposable
{
    private const string Variable = "NOTIFY_SOCKET";

    /// <summary>The queue for messages that the manager has not read. With a health change every second it covers half a minute.</summary>
    internal const int Capacity = 32;

    private const string Ping = "WATCHDOG=1";

    /// <summary>How long disposal waits until the last messages are sent.</summary>
    private static readonly TimeSpan LastSend = TimeSpan.FromSeconds(1);

    private readonly ISystemdNotifier _notifier;
    private readonly ILogger _log;
    private readonly Queue<string> _messages = new();
    private readonly Thread? _sender;
    private bool _closed;
    private bool _isSending;
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

    /// <summary>Whether there is a service manager.</summary>
    public bool IsEnabled { get; }

    /// <summary>The manager that NOTIFY_SOCKET names, by a path or by a name in the abstract namespace (unix(7)).</summary>
    public static ServiceNotifications ToManager(ILogger log)
    {
        // SystemdNotifier would treat any other form of address (vsock:...) as a relative path.
        string? address = Environment.GetEnvironmentVariable(Variable);
        return new ServiceNotifications(address is ['/' or '@', ..] ? new SystemdNotifier() : new NoManager(), log);
    }

    /// <summary>Connections are accepted from now on.</summary>
    public void Ready(string status) => Send($"{ServiceState.Ready}\nSTATUS={status}");

    /// <summary>
    /// The configuration is being read again; <see cref="Ready"/> reports the end. The time is CLOCK_MONOTONIC in microseconds, which is
    /// the clock of the stopwatch; Type=notify-reload requires it.
    /// </summary>
    public void Reloading() => Send(string.Create(
        CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={(long)Stopwatch.GetElapsedTime(0).TotalMicroseconds}"));

    /// <summary>The current operation (start, reload or stop) takes this long from now on.</summary>
    public void ExtendTimeout(TimeSpan time) => Send(string.Create(
        CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={(long)time.TotalMicroseconds}"));

    /// <summary>The process makes progress. At most one such message is queued: several that arrive together mean no more than one.</summary>
    public void Watchdog() => Send(Ping);

    /// <summary>The orderly stop has begun.</summary>
    public void Stopping(string status) => Send($"{ServiceState.Stopping}\nSTATUS={status}");

    /// <summary>Sets the line that <c>systemctl status</c> shows.</summary>
    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>
    /// Another process is the main one of the service from now on. Waits until that is sent, so that what the other process sends after it is
    /// accepted (NotifyAccess=main), and sends nothing any more.
    /// </summary>
    public void HandOver(int process)
    {
        Send(string.Create(CultureInfo.InvariantCulture, $"MAINPID={process}"));
        long until = Environment.TickCount64 + (long)LastSend.TotalMilliseconds;
        lock (_messages)
        {
            while (IsEnabled && (_messages.Count > 0 || _isSending) && Environment.TickCount64 < until)
            {
                Monitor.Wait(_messages, TimeSpan.FromMilliseconds(5));
            }

            _closed = true;
            Monitor.PulseAll(_messages);
        }
    }

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
            Failed("the socket is not being read");
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
                // SocketException if the manager does not listen, ArgumentException if the path is too long for a socket: the daemon
                // continues without notifications.
                Failed(e.Message);
            }
        }
    }

    /// <returns>Null after the end.</returns>
    private string? Take()
    {
        lock (_messages)
        {
            _isSending = false;
            while (_messages.Count == 0 && !_closed)
            {
                Monitor.Wait(_messages);
            }

            _isSending = _messages.TryDequeue(out string? message);
            return message;
        }
    }

    // Watchdog pings repeat for the life of the daemon: log one line until a message is sent again.
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
