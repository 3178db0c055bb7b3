using L4Balancer.Core.Config;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Ledger;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Recovery;

/// <summary>
/// What lets the connections of this daemon outlive it: the keeper, which is started early because it copies the memory of that moment, and
/// the ledger. Without them the daemon runs all the same; why there are none is said once in the log. Any thread may call any member.
/// </summary>
internal sealed class ConnectionKeeper : IDisposable
{
    private const string Name = "keeper";
    private const string UsualSocket = "admin.sock";

    private readonly Lock _gate = new();
    private readonly TimeSpan _timeout;
    private KeeperProcess? _process;
    private ConnectionLedger? _ledger;
    private bool _isStopped;

    private ConnectionKeeper(KeeperFolder? folder, LedgerWriter self, TimeSpan timeout)
    {
        Folder = folder;
        Self = self;
        _timeout = timeout;
    }

    /// <summary>Where keepers and ledgers of this daemon and of those before lie; null: nowhere.</summary>
    public KeeperFolder? Folder { get; }

    /// <summary>This process, by the names of its files.</summary>
    public LedgerWriter Self { get; }

    /// <summary>Why connections do not outlive a crash of this daemon; null: they do.</summary>
    public string? WhyNot { get; private set; }

    /// <summary>Whether <see cref="WhyNot"/> is a failure, and not what the configuration or the place of the daemon brings about.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>The process id of the keeper; 0: there is none.</summary>
    public int Process
    {
        get
        {
            lock (_gate)
            {
                return Id();
            }
        }
    }

    /// <summary>Where the engine notes its connections; null: nowhere.</summary>
    public ConnectionLedger? Ledger
    {
        get
        {
            lock (_gate)
            {
                return _ledger;
            }
        }
    }

    /// <summary>For what is no service, and for a platform without keepers.</summary>
    public static ConnectionKeeper None(string whyNot) => new(null, default, default) { WhyNot = whyNot };

    /// <summary>Starts the keeper if this configuration and process can have one. Before the process has many threads and much memory.</summary>
    /// <param name="isEpoll">Whether the engine of this configuration is the one that can do that.</param>
    /// <param name="replaces">Another daemon in the same folder runs, and is being replaced by this one.</param>
    public static ConnectionKeeper Start(BalancerConfig config, bool isEpoll, bool replaces = false)
    {
        if (!OperatingSystem.IsLinux())
        {
            return None("only Linux can do that");
        }

        if (config.Admin.Socket.Length == 0
            || LocalSocket.ForDaemon(config.Admin.Socket, Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable) is not string socket)
        {
            return None("the keeper's files lie beside the local admin socket, and there is none ([admin] socket)");
        }

        try
        {
            return Start(config.Balancer, FolderFor(socket), isEpoll, replaces);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            ConnectionKeeper none = None(e.Message.TrimEnd('.'));
            none.HasFailed = true;
            return none;
        }
    }

    /// <summary>Makes the ledger, under the name that it has until <see cref="Publish"/>. Without a ledger the keeper is ended.</summary>
    /// <param name="nextId">The lowest id that no connection has had.</param>
    public ConnectionLedger? CreateLedger(LedgerShape shape, ulong nextId, ILogger log)
    {
        lock (_gate)
        {
            if (_process is null || Folder is null || !OperatingSystem.IsLinux())
            {
                Say(log);
                return null;
            }

            // Later than all others, those of daemons that run included: a socket may be in two of them.
            ulong generation = Predecessor.NewestGeneration(Folder) + 1;
            _ledger = ConnectionLedger.TryCreate(Folder.LedgerOf(Self), shape, Self, generation, nextId, out string? fault);
            _ledger?.NoteTimeout(_timeout);
            if (_ledger is null)
            {
                GiveUp(fault!);
                Say(log);
            }

            return _ledger;
        }
    }

    /// <summary>The ledger is valid from now on: to be called before a connection is taken from the daemon before.</summary>
    public void Publish(ILogger log)
    {
        lock (_gate)
        {
            if (_ledger?.Publish() is string fault)
            {
                GiveUp(fault);
                Say(log);
            }
            else if (_ledger is not null)
            {
                log.KeeperRuns(Id(), Duration.Format(_timeout));
            }
        }
    }

    /// <summary>Replaces a keeper that has ended by itself, or was killed: nothing but a look at it tells.</summary>
    public void LookAfter(ILogger log)
    {
        lock (_gate)
        {
            if (_isStopped || _ledger is null || Folder is null || !OperatingSystem.IsLinux() || _process?.CheckEnded() == false)
            {
                return;
            }

            int before = _process?.Id ?? 0;
            _process?.Stop();
            _process = KeeperProcess.TryStart(Folder.SocketOf(Self), _timeout, out string? fault);
            if (_process is not null)
            {
                (WhyNot, HasFailed) = (null, false);
                log.KeeperReplaced(before, _process.Id);
            }
            else if (!HasFailed)
            {
                // Tried again with each look; said once.
                (WhyNot, HasFailed) = (fault, true);
                log.KeeperNotReplaced(before, fault ?? "");
            }
        }
    }

    /// <summary>
    /// Ends the keeper: the daemon is about to stop in good order, or has not started. What it still has when it ends is closed by the kernel.
    /// </summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            if (OperatingSystem.IsLinux())
            {
                _process?.Stop();
            }

            _process = null;
            _ledger?.End();
        }
    }

    /// <summary>Ends the keeper, and unmaps the ledger: only once nothing writes to it any more.</summary>
    public void Dispose()
    {
        Stop();
        lock (_gate)
        {
            _ledger?.Dispose();
            _ledger = null;
        }
    }

    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    private static ConnectionKeeper Start(BalancerSettings settings, string path, bool isEpoll, bool replaces)
    {
        var self = LedgerWriter.Current();
        string? unwanted = !settings.Keeper ? "keeper = false"
            : Environment.ProcessId == 1 ? "this is process 1, and whatever it has started ends with it"
            : !isEpoll ? "only engine = \"epoll\" can do that"
            : null;
        if (unwanted is not null)
        {
            // Connections of a daemon before are taken nevertheless.
            return new ConnectionKeeper(KeeperFolder.TryOpen(path), self, settings.KeeperTimeout) { WhyNot = unwanted };
        }

        KeeperFolder? folder = KeeperFolder.TryPrepare(path, out string? fault);
        var keeper = new ConnectionKeeper(folder, self, settings.KeeperTimeout);
        LedgerWriter other = folder?.Daemons().FirstOrDefault(d => d != self && d.IsRunning()) ?? default;
        if (other != default && !replaces)
        {
            keeper.WhyNot = $"process {other.Process} runs with the same [admin] socket: give each daemon its own";
        }
        else if (folder is not null)
        {
            keeper._process = KeeperProcess.TryStart(folder.SocketOf(self), settings.KeeperTimeout, out fault);
        }

        if (keeper._process is null)
        {
            (keeper.WhyNot, keeper.HasFailed) = (keeper.WhyNot ?? fault, keeper.WhyNot is null);
        }

        return keeper;
    }

    // Several daemons may have their sockets in one directory.
    private static string FolderFor(string socket)
    {
        string name = Path.GetFileName(socket);
        return Path.Combine(Path.GetDirectoryName(socket) ?? "/", name == UsualSocket ? Name : $"{name}.{Name}");
    }

    // Under the lock, as what follows.
    private int Id() => _process is not null && OperatingSystem.IsLinux() ? _process.Id : 0;

    private void GiveUp(string fault)
    {
        (WhyNot, HasFailed) = (fault, true);
        if (OperatingSystem.IsLinux())
        {
            _process?.Stop();
        }

        _process = null;
    }

    private void Say(ILogger log)
    {
        if (HasFailed)
        {
            log.NoKeeper(WhyNot ?? "");
        }
        else
        {
            log.KeeperNotWanted(WhyNot ?? "");
        }
    }
}
